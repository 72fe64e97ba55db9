/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What records an instance's HTTP where players come in: a relay (src/relay) in a sidecar publishes
 * their ports in the services' place, passes every byte on as it is, and writes flows of it.
 *
 * It is there wherever HTTP is recorded, so that an instance tells by it that it is, and where.
 */
#ifndef NODE_RECORDER_H
#define NODE_RECORDER_H

#include <stdbool.h>

struct compose;
struct err;
struct plan;
struct plan_port;
struct plan_service;

#define RECORDER_SERVICE "ctfy-recorder"

int recorder_start(const struct compose *compose, struct err *e);

/* Whether the recorder publishes this port in the service's place. */
bool recorder_takes(const struct plan *plan, const struct plan_service *service,
		    const struct plan_port *port);

#endif
