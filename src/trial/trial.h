/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A challenge put to the test: an instance of it is started on a node, waited for until it is
 * healthy, solved by the author's own program, and stopped.
 *
 * Which node that is, and where the program runs, is the caller's: a table of calls.
 */
#ifndef TRIAL_TRIAL_H
#define TRIAL_TRIAL_H

#include "base/buf.h"
#include "base/err.h"

#include <ctfy/types.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct challenge;

enum trial_step { TRIAL_START, TRIAL_HEALTH, TRIAL_SOLVE, TRIAL_STOP, TRIAL_STEPS };

enum trial_outcome {
	TRIAL_SOLVED,   /* every question's answer was found */
	TRIAL_HEALTHY,  /* it runs; nobody was to solve it */
	TRIAL_QUESTION, /* it has nothing to run */
	TRIAL_FAILED,
	TRIAL_OUTCOMES
};

/* An instance to be started. */
struct trial_start {
	const char *challenge_id;
	const char *instance_id;
	int64_t ttl; /* seconds: what is left behind for whatever reason ends by then */
	const json_t *answers;
};

/*
 * Where a trial takes place. Rows are those of src/wire, empty when they are to be filled, and
 * ended by the trial.
 */
struct trial_ground {
	/* Begins a start, and does not wait for its end. */
	int (*start)(void *cookie, const struct trial_start *start, struct ctfy_instance *ret_row,
		     struct err *e);
	int (*look)(void *cookie, const char *instance_id, struct ctfy_instance *ret_row,
		    struct err *e);
	int (*health)(void *cookie, const char *instance_id, struct ctfy_health *ret_health,
		      struct err *e);
	/* Appends the last lines that the services wrote, where they can be had. */
	void (*logs)(void *cookie, const char *instance_id, int64_t lines, struct buf *words);
	/* Runs the solver. found: its standard output; words: the last of its complaints. */
	int (*solve)(void *cookie, const struct ctfy_instance *row, struct buf *found,
		     struct buf *words, struct err *e);
	/* Returns when all of it is gone, also where there was never anything. */
	int (*stop)(void *cookie, const char *instance_id, struct err *e);
	bool (*interrupted)(void *cookie);
	/* A step begins, and what is going on in it; detail may be NULL. NULL: nobody looks on. */
	void (*tell)(void *cookie, enum trial_step step, const char *detail);
};

struct trial_ways {
	const struct trial_ground *ground;
	void *cookie;               /* the ground's */
	bool solve;                 /* else it only has to be healthy */
	int64_t health_deadline_ms; /* of a challenge that has no own */
};

enum { TRIAL_ID_SIZE = 32 };

/* A new instance's id. */
void trial_instance_id(char id[TRIAL_ID_SIZE]);

struct trial {
	enum trial_outcome outcome;
	enum trial_step failed_at; /* of TRIAL_FAILED */
	struct err cause;          /* why; CONNECT: the node is not there, nor for others */
	int64_t ms[TRIAL_STEPS];   /* how long each step took; -1: it was not reached */
	json_t *found;             /* {question id: whether the solver's answer is right} */
	struct buf words;          /* the solver's complaints, or the services' last lines */
};

/*
 * Tries the challenge, with answers of its own; the instance is stopped whatever happens, and a
 * failure to stop it is one of the trial. Fails only with MEMORY.
 */
int trial_run(const struct challenge *challenge, const char *instance_id,
	      const struct trial_ways *ways, struct trial *ret_trial, struct err *e);
void trial_done(struct trial *trial);

const char *trial_step_name(enum trial_step step);
const char *trial_outcome_name(enum trial_outcome outcome);

/* "host:port", or the URL where there is one; the caller's. NULL: out of memory. */
char *trial_endpoint(const struct ctfy_endpoint *endpoint);

#endif
