/*
 * Images that a plan runs: built or pulled when they are not there yet.
 *
 * Whoever asks for an image that another thread is making waits for that one's result.
 */
#ifndef NODE_IMAGE_H
#define NODE_IMAGE_H

struct err;
struct images;
struct node;
struct plan;

int images_new(struct images **ret_images, struct err *e);
void images_free(struct images *images);

/* Fails with ENGINE, in the engine's own words. */
int images_ensure(struct node *node, const char *instance_id, const struct plan *plan,
		  struct err *e);

#endif
