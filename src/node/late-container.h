/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers that come late: a call that a killed node had sent to the engine may take effect after
 * its successor has cleaned up.
 */
#ifndef NODE_LATE_CONTAINER_H
#define NODE_LATE_CONTAINER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct node;

/* Far longer than any of ours is between its create and its start. */
enum { LATE_CONTAINER_AGE_MS = 10 * 60 * 1000 };

/*
 * As engine_container_create(), but a container that has the name, is of the same instance, and was
 * never started makes way.
 */
int late_container_create(struct node *node, const char *name, const json_t *body, char **ret_id,
			  struct err *e);

/*
 * Removes what was created for instances that run now and never started, and was so ten minutes ago
 * already: whoever made it is gone. What instances that have ended left is compose_instances()'s to
 * find. seen is the caller's, an empty object at first, in which it keeps what it has found: the
 * engine's clock and ours may differ.
 */
int late_containers_remove(struct node *node, json_t *seen, struct err *e);

/*
 * Whether a container has been seen for LATE_CONTAINER_AGE_MS, at a time of CLOCK_MONOTONIC; seen
 * is {id: since when}.
 */
bool late_container_is_old(json_t *seen, const char *id, int64_t now_ms);

#endif
