/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/err.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Shared by all empty buffers and never written: capacity 0 says so. */
char buf_empty[1] = "";

void buf_done(struct buf *b)
{
	if (b->capacity)
		free(b->data);
	*b = (struct buf){ .data = buf_empty, .limit = b->limit };
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->capacity)
		b->data[0] = '\0';
	b->out_of_memory = false;
	b->over_limit = false;
}

static bool make_room(struct buf *b, size_t more)
{
	size_t capacity;
	char *data;

	if (buf_failed(b))
		return false;
	if (b->limit && (more > b->limit || b->len > b->limit - more)) {
		b->over_limit = true;
		return false;
	}
	if (more > SIZE_MAX / 2 - b->len - 1) {
		b->out_of_memory = true;
		return false;
	}
	if (b->len + more + 1 <= b->capacity)
		return true;

	capacity = b->capacity ? b->capacity : 64;
	while (capacity < b->len + more + 1)
		capacity *= 2;
	data = realloc(b->capacity ? b->data : NULL, capacity);
	if (!data) {
		b->out_of_memory = true;
		return false;
	}
	b->data = data;
	b->capacity = capacity;
	return true;
}

void buf_put(struct buf *b, const void *bytes, size_t len)
{
	if (len == 0 || !make_room(b, len))
		return;
	memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_put(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_put(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room = b->capacity ? b->capacity - b->len : 0;
	va_list again;
	int len;

	va_copy(again, ap);
	len = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
	if (len > 0 && make_room(b, (size_t)len)) {
		if ((size_t)len >= room)
			vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
		b->len += (size_t)len;
	} else if (room) {
		b->data[b->len] = '\0';
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

bool buf_failed(const struct buf *b)
{
	return b->out_of_memory || b->over_limit;
}

int buf_check(const struct buf *b, struct err *e)
{
	if (b->out_of_memory)
		return err_memory(e);
	if (b->over_limit)
		return err_set(e, ERR_TOO_LARGE, "larger than %zu bytes", b->limit);
	return 0;
}

char *buf_take(struct buf *b)
{
	char *data;

	if (buf_failed(b)) {
		buf_done(b);
		return NULL;
	}
	data = b->capacity ? b->data : strdup("");
	*b = (struct buf){ .data = buf_empty, .limit = b->limit };
	return data;
}

char *strf(const char *fmt, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	return buf_take(&b);
}
