/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that ends all at once: a request's, a parsed file's, a plan's.
 *
 * Nothing is freed singly. Every function returns NULL when memory ends; arena_failed() remembers
 * it, so that a builder may check once at its end.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *a);
static inline void arena_freep(struct arena **a)
{
	arena_free(*a);
}

void *arena_alloc(struct arena *a, size_t size); /* zeroed, aligned for any type */
void *arena_array(struct arena *a, size_t count, size_t size);
char *arena_strdup(struct arena *a, const char *s); /* NULL stays NULL */
char *arena_strndup(struct arena *a, const char *s, size_t len);
__attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a, const char *fmt, ...);

bool arena_failed(const struct arena *a);

#endif
