/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory with a bound: what all taps of a writer take together. Nothing here is reported: who gets
 * NULL keeps less.
 */
#ifndef FLOW_RATION_H
#define FLOW_RATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ration {
	size_t used, max; /* bytes */
};

/* Zeroed. NULL: beyond the bound, or out of memory. */
void *ration_new(struct ration *ration, size_t size);
void *ration_resize(struct ration *ration, void *block,
		    size_t size); /* NULL: the block is as it was */
void ration_free(struct ration *ration, void *block);

/* Bytes that grow. */
struct bytes {
	char *data;
	size_t len, capacity;
};

/* False, and nothing is added: there is no room. */
bool bytes_put(struct ration *ration, struct bytes *bytes, const void *from, size_t len);
bool bytes_puts(struct ration *ration, struct bytes *bytes, const char *text);
void bytes_done(struct ration *ration, struct bytes *bytes);
/* Empties it; a large block is given back. */
void bytes_clear(struct ration *ration, struct bytes *bytes);
/* Room for so many more bytes, of which the caller says with `len` how many it filled. */
char *bytes_room(struct ration *ration, struct bytes *bytes, size_t len);

#endif
