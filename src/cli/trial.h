/*
 * A challenge put to the test: an instance of it is started on a node, waited for until it is
 * healthy, solved by the author's own program, and stopped.
 */
#ifndef CLI_TRIAL_H
#define CLI_TRIAL_H

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct challenge;
struct ctfy_node_client;

enum trial_step { TRIAL_START, TRIAL_HEALTH, TRIAL_SOLVE, TRIAL_STOP, TRIAL_STEPS };

enum trial_outcome {
	TRIAL_SOLVED,   /* every question's answer was found */
	TRIAL_HEALTHY,  /* it runs; nobody was to solve it */
	TRIAL_QUESTION, /* it has nothing to run */
	TRIAL_FAILED,
	TRIAL_OUTCOMES
};

/* How to try; shared by trials. */
struct trial_ways {
	struct ctfy_node_client *node;
	const char *solver;         /* its path in the challenge's folder; NULL: none */
	int64_t solver_timeout_ms;  /* how long it may take */
	int64_t health_deadline_ms; /* of a challenge that has no own */
	const volatile sig_atomic_t *interrupted;
};

struct trial {
	enum trial_outcome outcome;
	enum trial_step failed_at; /* of TRIAL_FAILED */
	struct err cause;          /* why; CONNECT: the node is not there, nor for others */
	int64_t ms[TRIAL_STEPS];   /* how long each step took; -1: it was not reached */
	json_t *found;             /* {question id: whether the solver's answer is right} */
	struct buf words;          /* the solver's complaints, or the services' last lines */
};

/*
 * Tries the challenge; the instance is stopped whatever happens, and a failure to stop it is one
 * of the trial. Fails only with MEMORY.
 */
int trial_run(const struct challenge *challenge, const struct trial_ways *ways,
	      struct trial *ret_trial, struct err *e);
void trial_done(struct trial *trial);

const char *trial_step_name(enum trial_step step);
const char *trial_outcome_name(enum trial_outcome outcome);

#endif
