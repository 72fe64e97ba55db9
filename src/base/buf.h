/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer that is always NUL-terminated.
 *
 * Failure is remembered: append as often as you like, then ask once with buf_failed(). A buffer
 * with a limit never grows past it; one without grows until memory ends.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

struct buf {
	char *data; /* never NULL: an empty buffer points at "" */
	size_t len; /* bytes, without the NUL */
	size_t capacity;
	size_t limit; /* most bytes it may hold; 0: no limit */
	bool out_of_memory;
	bool over_limit;
};

extern char buf_empty[1];

/* clang-format off */
#define BUF_INIT       { .data = buf_empty }
#define BUF_LIMITED(n) { .data = buf_empty, .limit = (n) }
/* clang-format on */

void buf_done(struct buf *b);  /* frees the bytes; the buffer is empty and usable again */
void buf_clear(struct buf *b); /* len becomes 0; the memory stays */

void buf_put(struct buf *b, const void *bytes, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
__attribute__((format(printf, 2, 3))) void buf_printf(struct buf *b, const char *fmt, ...);
__attribute__((format(printf, 2, 0))) void buf_vprintf(struct buf *b, const char *fmt, va_list ap);

bool buf_failed(const struct buf *b);
/* 0, or -ERR_MEMORY or -ERR_TOO_LARGE with the reason. */
int buf_check(const struct buf *b, struct err *e);

/* The bytes, the caller's to free(); the buffer is empty afterwards. NULL after a failure. */
char *buf_take(struct buf *b);

/* printf into fresh memory, the caller's to free(); NULL when there is none. */
__attribute__((format(printf, 1, 2))) char *strf(const char *fmt, ...);

#endif
