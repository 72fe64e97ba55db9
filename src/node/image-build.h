/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building: the images a Dockerfile begins with are pulled first, and the layers that a next build
 * can use are kept.
 *
 * An instance's own image holds its answers. It carries the instance's label and goes with it; what
 * comes before the first answer in each stage is tagged "NAME:layers-N" (N: the stage), so that
 * neither its removal nor `docker image prune` takes away what the next build begins with. What
 * comes after in the stages that are not the image itself is removed at once.
 */
#ifndef NODE_IMAGE_BUILD_H
#define NODE_IMAGE_BUILD_H

#include <jansson.h>

struct err;
struct image_job;
struct image_need;
struct node;
struct plan;

/*
 * Builds an image, whether or not there is one. ret_id (may be NULL) is the caller's. Fails with
 * ENGINE, or as pulls do.
 */
int image_build(const struct image_job *job, const struct plan *plan, const struct image_need *need,
		char **ret_id, struct err *e);

/*
 * Removes what this node built for the challenge, for no instance, and is not among keep
 * ({reference: anything}). What a container still uses stays until the next time.
 */
int image_remove_superseded(struct node *node, const char *challenge_id, const json_t *keep,
			    struct err *e);

#endif
