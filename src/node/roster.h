/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roster: instances that have not ended, in memory. What has ended is in the store alone, so
 * memory follows what runs, not what ever ran.
 */
#ifndef NODE_ROSTER_H
#define NODE_ROSTER_H

#include "base/err.h"
#include "base/id.h"
#include "node/resource.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct early_check;
struct node;
struct roster;

enum instance_status { STARTING, RUNNING, STOPPING, STOPPED, EXPIRED, FAILED };

extern const char *const instance_status_words[];

/* One thread at a time works on an instance (`busy`); others wait for `changed`. */
struct instance {
	char id[ID_SIZE];
	unsigned uses; /* under the roster's lock */
	struct node *node;
	struct roster *roster; /* the node's */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	enum instance_status status;
	bool busy;
	const char *phase;     /* STARTING: "planning", "images", "queued", "containers" */
	bool resumed;          /* its start was cut short by an end of the node */
	atomic_bool cancelled; /* a stop was asked for while it starts */
	struct err excess;     /* why it is ended by the node; code NONE: it isn't */
	struct err failure;    /* why the start failed, or what a teardown could not remove */
	char *challenge_id;
	char *spec; /* canonical JSON of the request's body */
	json_t *endpoints, *services;
	struct resources resources; /* of whoever is busy */
	int64_t started_at, expires_at;
	bool extended;            /* somebody has said when it ends: that stands */
	bool reaping;             /* the keeper has begun a job for it */
	enum instance_status end; /* STOPPING: what it will be then */
	int64_t retry_at;         /* STOPPING and not busy: when the teardown is tried again */
	int64_t retry_pause;
	struct early_check *checks; /* of its containers, run by ourselves */
};

/* In use by the roster and by the maker. NULL: out of memory. */
struct instance *instance_new(struct node *node, const char *id, const char *challenge_id,
			      const char *spec);
/* Ends a use; the last one frees. NULL is fine. */
void instance_unref(struct instance *inst);
static inline void instance_unrefp(struct instance **inst)
{
	instance_unref(*inst);
}

int roster_new(struct roster **ret_roster, struct err *e);
void roster_free(struct roster *roster);

/* How many there are. Never blocks. */
size_t roster_count(const struct roster *roster);

/*
 * Enters an instance, or finds the one that has its id (then in use by the caller). Fails with
 * UNAVAILABLE when there are `capacity` already: counted under the same lock, so that two can't
 * take the last place.
 */
int roster_enter(struct roster *roster, struct instance *inst, size_t capacity,
		 struct instance **ret_existing, struct err *e);

/* The instance of that id, in use by the caller; NULL: there is none. */
struct instance *roster_find(struct roster *roster, const char *id);

/* It has ended: the roster's use of it ends. */
void roster_leave(struct instance *inst);

/* Everyone of a moment, each in use until roll_done(). */
struct roll {
	struct instance **instances;
	size_t count;
};

int roster_roll(struct roster *roster, struct roll *ret_roll, struct err *e);
void roll_done(struct roll *roll);

#endif
