/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Test runs of challenges on this node: see trial/trial.h. At most one of a challenge at a time;
 * the last of each is kept in the store.
 *
 * A run's instance is as any other, counted in the node's capacity, with an id that nobody else
 * knows and answers of its own. It is stopped and forgotten at the run's end, whether or not
 * anybody still asks for the outcome; one that an earlier life of the node left is taken down at
 * the next start. Safe for threads.
 */
#ifndef NODE_TRIALS_H
#define NODE_TRIALS_H

#include <jansson.h>
#include <stdbool.h>

struct err;
struct node;
struct trials;

enum { TRIAL_OUTPUT_MAX = 16 << 10 }; /* bytes kept of what a solver wrote: the last */

int trials_new(struct node *node, struct trials **ret_trials, struct err *e);
/* Before instances are recovered: what an earlier life had under way is over, and is to go. */
int trials_recover(struct trials *trials, struct err *e);
/* Calls off what is under way, which has ended when node->work is idle. NULL is fine. */
void trials_stop(struct trials *trials);
void trials_free(struct trials *trials);

/*
 * Begins a run (ret_begun), or finds the one under way. ret_json: as trial_fields of src/wire have
 * it. Fails with NOT_FOUND (challenge).
 */
int trials_start(struct trials *trials, const char *challenge_id, bool *ret_begun,
		 json_t **ret_json, struct err *e);

/* The run under way, or the last. Fails with NOT_FOUND (challenge). */
int trials_get(struct trials *trials, const char *challenge_id, json_t **ret_json, struct err *e);

#endif
