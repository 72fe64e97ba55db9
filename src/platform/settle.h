/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the nodes follow the store.
 *
 * The store says what is meant to be. For every instance that is starting or stopping the settler
 * calls its node until both agree; what fails for the wire's sake is tried again after the node's
 * next heartbeat, and so is whatever an earlier life of the platform left unfinished. All it does
 * can be done twice: a node takes the same start, and the same stop, again.
 *
 * One instance is at work on one thread at a time. A node's instances wait for each other only
 * beyond SETTLE_WIDTH, and never for another node's.
 */
#ifndef PLATFORM_SETTLE_H
#define PLATFORM_SETTLE_H

#include "platform/node.h"

#include <stdint.h>

struct archives;
struct clock;
struct db;
struct err;
struct instance;
struct meter;
struct settler;

enum { SETTLE_WIDTH = 16 };

struct settler_options {
	struct db *db;
	struct archives *archives; /* an instance is archived before it is destroyed */
	const struct clock *clock;
	struct meter *meter;     /* NULL: nothing is counted */
	int64_t call_timeout_ms; /* of one start or stop; it is asked again after that */
	/* An instance leaves a node that is lost, for another; NULL: nobody wants to know. */
	void (*replaced)(void *cookie, const struct instance *instance);
	/* One that runs comes near its end: see instances_nearing_end(). */
	void (*nearing_end)(void *cookie, const struct instance *instance);
	void *cookie;
};

int settler_new(const struct settler_options *options, struct settler **ret_settler, struct err *e);
/* Where instances go; before anything is settled. */
void settler_use_nodes(struct settler *settler, struct nodes *nodes);
/* Begins nothing more, and wakes who waits in settler_wait(). */
void settler_end(struct settler *settler);
/* Waits for the calls under way; what is not settled stays in the store. */
void settler_free(struct settler *settler);

/* The instance's row has changed: see to it soon. */
void settler_kick(struct settler *settler, const char *instance_id, const char *node_id);

/* Tells the node at once to stop what it may still be starting; then kick. */
void settler_cancel(struct settler *settler, const struct instance *instance);

/* The team's instances are to stop, says the store: sees to each. */
void settler_stop_team(struct settler *settler, const char *team_id);

/*
 * For nodes_options.beaten; cookie is the settler. What runs on a node that is lost is started on
 * another, with the same answers and the time it had left; what the lost one still has of it is
 * stopped as soon as that answers again.
 */
void settler_node_beaten(void *cookie, const char *node_id, enum node_state state);

/* Gives those that wait a node, where one has room: in the order in which they came. */
void settler_place(struct settler *settler);

/* Begins to stop the running instances whose time is over. */
int settler_expire(struct settler *settler, struct err *e);

/* Tells of those that have come near their end since the last call. By one thread. */
int settler_warn(struct settler *settler, struct err *e);

/* Waits, at most so long, until nothing of the instance is at work. */
void settler_wait(struct settler *settler, const char *instance_id, int64_t timeout_ms);

#endif
