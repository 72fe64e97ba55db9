/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instances: one challenge's compose project for one team, from its start to its verified end.
 *
 *	starting -> running -> stopping -> stopped | expired
 *	    \---------------------^   \--> failed (a start that did not succeed)
 *
 * Every step is in the store before the engine hears of it, so a node that was killed knows at its
 * next start what it had promised: acknowledged starts go on, others and unfinished stops are
 * cleaned up. Work runs to its end whoever stopped waiting for it. All calls are safe for threads.
 */
#ifndef NODE_INSTANCE_H
#define NODE_INSTANCE_H

#include <ctfy/types.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct instance;
struct instance_spec;
struct node;

enum instance_start {
	INSTANCE_CREATED = 1, /* it runs now */
	INSTANCE_EXISTING,    /* the same was asked before */
	INSTANCE_ACCEPTED,    /* it is being started */
};

/*
 * Starts an instance, or finds it started already by the same spec. Returns an enum instance_start,
 * or fails with NOT_FOUND (challenge), CONFLICT (the id is in use by another spec), UNAVAILABLE
 * (full), POLICY or INVALID (the challenge can't be planned), ENGINE; nothing is left behind then.
 * ret_row is fields_done()'s to end.
 */
int instance_start(struct node *node, const struct instance_spec *spec, bool respond_async,
		   struct ctfy_instance *ret_row, struct err *e);

/*
 * Ends an instance, a starting one too; returns once it is verified gone. Fine when it has ended
 * already. Fails with NOT_FOUND (never known) or ENGINE (something stays; it is retried).
 */
int instance_stop(struct node *node, const char *instance_id, struct err *e);

/* Stops all side by side. Fails only when it can't say what became of them. */
int instance_stop_all(struct node *node, struct ctfy_stopped *ret_stopped, struct err *e);

/* It now ends ttl seconds from now. Fails with NOT_FOUND or CONFLICT (it has ended or is ending).
 */
int instance_extend(struct node *node, const char *instance_id, int64_t ttl,
		    struct ctfy_instance *ret_row, struct err *e);

/* The row without asking the engine: services are left empty. Fails with NOT_FOUND. */
int instance_row(struct node *node, const char *instance_id, struct ctfy_instance *ret_row,
		 struct err *e);

/* Containers that should run, by service: a new object. Fails with NOT_FOUND. */
int instance_services(struct node *node, const char *instance_id, json_t **ret_services,
		      struct err *e);

enum instance_job {
	INSTANCE_START,  /* of a busy instance that is STARTING */
	INSTANCE_REVIVE, /* its containers may have ended with the engine */
	INSTANCE_EXPIRE, /* its time is over, or its teardown is due again */
	INSTANCE_FAIL,   /* it has more than it may: instance_fail() */
};

/* Goes on in the background; the caller's use of the instance is the job's, unless this fails. */
int instance_begin(struct node *node, struct instance *inst, enum instance_job kind, struct err *e);

/*
 * Ends an instance that runs or starts, soon, as one that has failed: why->msg is what is told of
 * it. Fine where it ends already.
 */
int instance_fail(struct instance *inst, const struct err *why, struct err *e);

/* Over its time, or a teardown that is to be tried again; its lock is held. */
bool instance_is_due(const struct instance *inst, int64_t now);

/* The instance's own directory; the caller's to free(). NULL: out of memory. */
char *instance_dir(const struct node *node, const char *instance_id);

#endif
