/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a command line tells its server to listen on the container's loopback alone, where no
 * player reaches it. Only what can hardly mean anything else counts.
 */
#ifndef CHALLENGE_LOOPBACK_H
#define CHALLENGE_LOOPBACK_H

#include <stdbool.h>

struct arena;
struct plan_service;

/* Of a service that publishes a port: by its command, its environment, or its Dockerfile's. */
bool service_listens_within(struct arena *arena, const struct plan_service *service);

#endif
