/*
 * What warming a challenge comes to: the images of the plan of nobody's instance.
 *
 * Building makes the image of every service with a `build:`, pulling gets that of every other one.
 * A challenge that has none of a kind is built, or pulled, as soon as it is asked for. An answer
 * that is each instance's own is filled by a stand-in that never changes; an image that holds it is
 * never run, but the layers before it are what later builds begin with.
 */
#ifndef NODE_WARM_PLAN_H
#define NODE_WARM_PLAN_H

#include <stddef.h>

struct challenge;
struct err;
struct node;
struct plan;
struct plan_service;

enum warm_kind { WARM_BUILD, WARM_PULL };

extern const char *const warm_kind_names[]; /* "build", "pull" */

/* *ret_plan is NULL for a challenge that has nothing to run. Fails as plan_make() does. */
int warm_plan(struct node *node, const struct challenge *challenge, struct plan **ret_plan,
	      struct err *e);

/* Services whose images are made by work of this kind; the array is the caller's to free(). */
int warm_services(const struct plan *plan, enum warm_kind kind,
		  const struct plan_service ***ret_services, size_t *ret_count, struct err *e);

#endif
