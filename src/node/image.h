/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that plans run: built or pulled when they are not there yet, or ahead of that.
 *
 * Whoever asks for an image that another thread is making waits for that one's result.
 */
#ifndef NODE_IMAGE_H
#define NODE_IMAGE_H

#include "node/image-making.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct node;
struct plan;
struct plan_build;

/* How far an image is. What isn't known, or is none of its kind, is 0. */
struct image_progress {
	const char *reference;
	int64_t step, steps;        /* of a build: step i of n */
	int64_t bytes, bytes_total; /* of a pull */
};

enum { IMAGE_OUTPUT_SIZE = 3072 };

/* The last of what a build put out, whole lines where possible. */
struct image_output {
	char text[IMAGE_OUTPUT_SIZE];
	size_t len;
};

/* For whom images are made, and who looks on. */
struct image_job {
	struct node *node;
	const char *challenge_id;
	const char *instance_id;                                           /* NULL: ahead of any */
	const atomic_bool *cancelled;                                      /* NULL: never */
	void (*tell)(void *cookie, const struct image_progress *progress); /* NULL: nobody looks */
	void *cookie;
	struct image_output *output; /* NULL: not wanted beyond what an error has of it */
};

/* Makes what a plan needs and the engine lacks. Fails with ENGINE, in its own words, or ABORTED. */
int images_ensure(struct node *node, const char *instance_id, const struct plan *plan,
		  const atomic_bool *cancelled, struct err *e);

/* An image that a plan needs. Borrowed from the plan. */
struct image_need {
	const char *reference;
	const char *service;            /* who needs it first */
	const struct plan_build *build; /* NULL: it is pulled */
	const char *platform;
	const char *pull_policy;
};

/* What a plan needs, each once; the array is the caller's to free(). Fails with MEMORY. */
int images_needed(const struct plan *plan, struct image_need **ret_needs, size_t *ret_count,
		  struct err *e);

/* Builds or pulls it, whether or not there is one already. */
int image_make(const struct image_job *job, const struct plan *plan, const struct image_need *need,
	       struct err *e);

/* "REFERENCE@sha256:...": what a registry calls its content, or else the image's id. */
int image_digest(struct node *node, const char *reference, char **ret_digest, struct err *e);

#endif
