/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What warming a challenge comes to: the images of the plan of nobody's instance.
 *
 * Building makes the image of every service with a `build:` (and those that attachments are read
 * out of), pulling gets that of every other one. A challenge that has none of a kind is built, or
 * pulled, as soon as it is asked for. An answer that is each instance's own is filled by a stand-in
 * that never changes; an image that holds it is never run, but the layers before it are what later
 * builds begin with.
 */
#ifndef NODE_WARM_PLAN_H
#define NODE_WARM_PLAN_H

#include <stddef.h>

struct challenge;
struct challenge_size;
struct err;
struct image_need;
struct node;
struct plan;

enum warm_kind { WARM_BUILD, WARM_PULL };

extern const char *const warm_kind_names[]; /* "build", "pull" */

/* *ret_plan is NULL for a challenge that has nothing to run. Fails as plan_make() does. */
int warm_plan(struct node *node, const struct challenge *challenge, struct plan **ret_plan,
	      struct err *e);

/* What an instance of it is promised; 0 where it has nothing to run. Fails as plan_make() does. */
int warm_size(struct node *node, const struct challenge *challenge, struct challenge_size *ret_size,
	      struct err *e);

/* What work of this kind makes; the array is the caller's to free(). plan may be NULL. */
int warm_needs(const struct plan *plan, enum warm_kind kind, struct image_need **ret_needs,
	       size_t *ret_count, struct err *e);

#endif
