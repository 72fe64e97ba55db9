/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An instance's timeline: what happened to it and when, for players, organisers and evidence.
 *
 * Written by the node as it acts, and from the engine's events as they come: a container's death,
 * an out-of-memory kill, a change of health. Kept as long as the instance's row; of a kind of event
 * the newest thousand, and how many there were before: a container may be started again and again.
 */
#ifndef NODE_TIMELINE_H
#define NODE_TIMELINE_H

#include <jansson.h>

struct err;
struct node;
struct watch;

/* A failure is logged: the event itself has happened all the same. service may be NULL. */
__attribute__((format(printf, 5, 6))) void timeline_add(struct node *node, const char *instance_id,
							const char *event, const char *service,
							const char *fmt, ...);

/* [{at, event, service, detail}], oldest first: a new array. Fails with NOT_FOUND. */
int timeline_read(struct node *node, const char *instance_id, json_t **ret_events, struct err *e);

/* Follows the engine's events on a thread of its own, across restarts of the engine. */
int watch_start(struct node *node, struct watch **ret_watch, struct err *e);
void watch_stop(struct watch *watch);

#endif
