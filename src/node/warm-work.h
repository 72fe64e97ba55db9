/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The work itself: one challenge's images made, and in the store how that ended.
 */
#ifndef NODE_WARM_WORK_H
#define NODE_WARM_WORK_H

#include "node/warm-plan.h"

#include <stdatomic.h>

struct image_progress;

struct warm_work {
	struct node *node;
	enum warm_kind kind;
	const char *challenge_id;
	const atomic_bool *cancelled;
	void (*tell)(void *cookie, const struct image_progress *progress);
	void *cookie;
};

/* The store has the work as begun, and as done, failed or (cancelled) put back when this returns.
 */
void warm_work(const struct warm_work *work);

#endif
