/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An answer that is a row of JSON messages, one a line: pulls, builds, events. Each is handed on
 * when it is whole. Used inside this room only.
 */
#ifndef ENGINE_MESSAGES_H
#define ENGINE_MESSAGES_H

#include "base/buf.h"

#include <jansson.h>

struct err;
struct request;

/* A failure ends the stream with that error. */
typedef int message_fn(void *cookie, const json_t *message, struct err *e);

/* Runs the request. Fails with PROTOCOL when a line is not JSON, or is 16 MiB long. */
int request_run_messages(struct request *req, message_fn *take, void *cookie, struct err *e);

#endif
