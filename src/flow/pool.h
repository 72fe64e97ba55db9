/*
 * Memory with a bound: what all taps of a writer take together. Nothing here is reported: who gets
 * NULL keeps less.
 */
#ifndef FLOW_POOL_H
#define FLOW_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pool {
	size_t used, max; /* bytes */
};

/* Zeroed. NULL: beyond the bound, or out of memory. */
void *pool_new(struct pool *pool, size_t size);
void *pool_resize(struct pool *pool, void *block, size_t size); /* NULL: the block is as it was */
void pool_free(struct pool *pool, void *block);

/* Bytes that grow. */
struct bytes {
	char *data;
	size_t len, capacity;
};

/* False, and nothing is added: there is no room. */
bool bytes_put(struct pool *pool, struct bytes *bytes, const void *from, size_t len);
bool bytes_puts(struct pool *pool, struct bytes *bytes, const char *text);
void bytes_done(struct pool *pool, struct bytes *bytes);
/* Empties it; a large block is given back. */
void bytes_clear(struct pool *pool, struct bytes *bytes);
/* Room for so many more bytes, of which the caller says with `len` how many it filled. */
char *bytes_room(struct pool *pool, struct bytes *bytes, size_t len);

#endif
