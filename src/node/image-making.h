/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images being made, one maker for each reference: whoever else wants it waits for that one's
 * result, and has it as his own.
 */
#ifndef NODE_IMAGE_MAKING_H
#define NODE_IMAGE_MAKING_H

#include <stdatomic.h>

struct err;
struct making;
struct images;

int images_new(struct images **ret_images, struct err *e);
void images_free(struct images *images);

/*
 * 1: the caller is the maker now, and ends it with making_end(). 0: another one has made it
 * meanwhile. Otherwise fails as that one did, or with ABORTED once *cancelled (may be NULL) is set.
 */
int making_begin(struct images *images, const char *reference, const atomic_bool *cancelled,
		 struct making **ret_making, struct err *e);

/* Tells the result to those who wait; result and e are what the maker's work returned. */
void making_end(struct images *images, struct making *making, int result, const struct err *e);

#endif
