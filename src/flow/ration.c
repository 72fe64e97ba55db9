/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/ration.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_FIRST = 256, BYTES_HELD = 8 << 10, LARGE_BLOCK = 128 << 10 };

/* With what malloc may add to it: less than a page, and that of large blocks alone. */
static bool is_beyond(const struct ration *ration, size_t size)
{
	size += size < LARGE_BLOCK ? 32 : 4096;
	return size > ration->max || ration->used > ration->max - size;
}

void *ration_new(struct ration *ration, size_t size)
{
	void *block = is_beyond(ration, size) ? NULL : calloc(1, size);

	ration->used += block ? malloc_usable_size(block) : 0;
	return block;
}

void *ration_resize(struct ration *ration, void *block, size_t size)
{
	size_t old = block ? malloc_usable_size(block) : 0;
	void *moved = NULL;

	if (size <= old || !is_beyond(ration, size - old))
		moved = realloc(block,
				size ? size : 1); /* of 0 it would free the block, and say NULL */
	if (moved)
		ration->used += malloc_usable_size(moved) - old;
	return moved;
}

void ration_free(struct ration *ration, void *block)
{
	ration->used -= block ? malloc_usable_size(block) : 0;
	free(block);
}

char *bytes_room(struct ration *ration, struct bytes *bytes, size_t len)
{
	size_t capacity = bytes->capacity ? bytes->capacity : BYTES_FIRST;
	char *moved;

	if (bytes->capacity - bytes->len >= len)
		return bytes->data + bytes->len;
	while (capacity - bytes->len < len)
		capacity *= 2;
	/* The rest is for what there has to be one of for each connection and flow. */
	if (ration->used + capacity > ration->max / 2)
		return NULL;
	moved = ration_resize(ration, bytes->data, capacity);
	if (!moved)
		return NULL;
	bytes->data = moved;
	bytes->capacity = capacity;
	return bytes->data + bytes->len;
}

bool bytes_put(struct ration *ration, struct bytes *bytes, const void *from, size_t len)
{
	char *room = len ? bytes_room(ration, bytes, len) : NULL;

	if (!room)
		return len == 0;
	memcpy(room, from, len);
	bytes->len += len;
	return true;
}

bool bytes_puts(struct ration *ration, struct bytes *bytes, const char *text)
{
	return bytes_put(ration, bytes, text, strlen(text));
}

void bytes_done(struct ration *ration, struct bytes *bytes)
{
	ration_free(ration, bytes->data);
	*bytes = (struct bytes){ 0 };
}

void bytes_clear(struct ration *ration, struct bytes *bytes)
{
	bytes->len = 0;
	if (bytes->capacity > BYTES_HELD)
		bytes_done(ration, bytes);
}
