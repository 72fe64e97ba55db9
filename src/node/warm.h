/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images made ahead of the first start, because somebody asked for it.
 *
 * What was asked for, how it stands and the list that waits are in the store: they outlive the
 * node. One thread for builds and one for pulls goes through the list, one challenge at a time;
 * what is asked for singly goes on beside it, some at once. Nothing is done twice at the same time:
 * whoever asks again joins, and a start waits for the image that is being made here.
 *
 * "Built" (and "pulled") means the challenge as it is now: one whose files changed so that other
 * images come of it, or whose images have gone from the engine, is unasked again.
 */
#ifndef NODE_WARM_H
#define NODE_WARM_H

#include "node/warm-plan.h"

#include <ctfy/types.h>

struct err;
struct node;
struct warm;

/* Nothing begins before warm_start(). Fails with INVALID: --docker-config can't be used. */
int warm_new(struct node *node, struct warm **ret_warm, struct err *e);
/* Takes up what an earlier life left. */
int warm_start(struct warm *warm, struct err *e);
/* Gives up what is under way, for a next life to take up. It has ended when node->work is idle. */
void warm_stop(struct warm *warm);
void warm_free(struct warm *warm);

/* Begins, or joins what has begun. Fails with NOT_FOUND. */
int warm_ask(struct warm *warm, enum warm_kind kind, const char *challenge_id,
	     struct ctfy_image_row *ret_row, struct err *e);

/*
 * Puts challenges at the list's end; ids NULL: all. Those that are done or under way are left
 * alone. Fails with NOT_FOUND when any is unknown, and then nothing is put there.
 */
int warm_ask_all(struct warm *warm, enum warm_kind kind, const char *const *ids, size_t count,
		 struct ctfy_bulk *ret_bulk, struct err *e);

/* A row for every challenge that the node knows, in the order of their ids. */
int warm_rows(struct warm *warm, enum warm_kind kind, struct ctfy_image_rows *ret_rows,
	      struct err *e);

/* After a rescan: what isn't done any more is unasked again. Survives its failures, and logs them.
 */
void warm_review(struct warm *warm);

#endif
