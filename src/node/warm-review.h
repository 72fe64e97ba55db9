/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether what was built or pulled is still what its challenge needs, and still there.
 */
#ifndef NODE_WARM_REVIEW_H
#define NODE_WARM_REVIEW_H

#include "node/warm-plan.h"

#include <jansson.h>

/* Whether a challenge comes to these images ({reference: anything}): 1 or 0, or why not to any. */
int warm_needs_same(struct node *node, enum warm_kind kind, const struct challenge *challenge,
		    const json_t *images, struct err *e);

/*
 * Forgets what isn't: the challenge is unasked again. An engine that can't be asked has everything.
 */
int warm_review_kind(struct node *node, enum warm_kind kind, struct err *e);

#endif
