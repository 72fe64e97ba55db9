#include "flow/pool.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_FIRST = 256, BYTES_HELD = 8 << 10 };

static bool is_beyond(const struct pool *pool, size_t size)
{
	return size > pool->max || pool->used > pool->max - size;
}

void *pool_new(struct pool *pool, size_t size)
{
	void *block = is_beyond(pool, size) ? NULL : calloc(1, size);

	pool->used += block ? malloc_usable_size(block) : 0;
	return block;
}

void *pool_resize(struct pool *pool, void *block, size_t size)
{
	size_t old = block ? malloc_usable_size(block) : 0;
	void *moved = NULL;

	if (size <= old || !is_beyond(pool, size - old))
		moved = realloc(block, size);
	if (moved)
		pool->used += malloc_usable_size(moved) - old;
	return moved;
}

void pool_free(struct pool *pool, void *block)
{
	pool->used -= block ? malloc_usable_size(block) : 0;
	free(block);
}

char *bytes_room(struct pool *pool, struct bytes *bytes, size_t len)
{
	size_t capacity = bytes->capacity ? bytes->capacity : BYTES_FIRST;
	char *moved;

	if (bytes->capacity - bytes->len >= len)
		return bytes->data + bytes->len;
	while (capacity - bytes->len < len)
		capacity *= 2;
	moved = pool_resize(pool, bytes->data, capacity);
	if (!moved)
		return NULL;
	bytes->data = moved;
	bytes->capacity = capacity;
	return bytes->data + bytes->len;
}

bool bytes_put(struct pool *pool, struct bytes *bytes, const void *from, size_t len)
{
	char *room = len ? bytes_room(pool, bytes, len) : NULL;

	if (!room)
		return len == 0;
	memcpy(room, from, len);
	bytes->len += len;
	return true;
}

bool bytes_puts(struct pool *pool, struct bytes *bytes, const char *text)
{
	return bytes_put(pool, bytes, text, strlen(text));
}

void bytes_done(struct pool *pool, struct bytes *bytes)
{
	pool_free(pool, bytes->data);
	*bytes = (struct bytes){ 0 };
}

void bytes_clear(struct pool *pool, struct bytes *bytes)
{
	bytes->len = 0;
	if (bytes->capacity > BYTES_HELD)
		bytes_done(pool, bytes);
}
