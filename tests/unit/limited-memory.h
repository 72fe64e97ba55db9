/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that ends: a test grants so many allocations, and the next one fails.
 *
 * The linker puts these allocators before libc's (meson.build: --wrap); included once in a program.
 */
#ifndef TESTS_LIMITED_MEMORY_H
#define TESTS_LIMITED_MEMORY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The linker's names, which C keeps for itself, under our own. */
void *real_malloc(size_t size) __asm__("__real_malloc");
void *real_calloc(size_t count, size_t size) __asm__("__real_calloc");
void *real_realloc(void *old, size_t size) __asm__("__real_realloc");
char *real_strdup(const char *s) __asm__("__real_strdup");
void *limited_malloc(size_t size) __asm__("__wrap_malloc");
void *limited_calloc(size_t count, size_t size) __asm__("__wrap_calloc");
void *limited_realloc(void *old, size_t size) __asm__("__wrap_realloc");
char *limited_strdup(const char *s) __asm__("__wrap_strdup");

static int allocations_left = INT_MAX; /* INT_MAX: no limit */

static bool is_granted(void)
{
	return allocations_left == INT_MAX || allocations_left-- > 0;
}

void *limited_malloc(size_t size)
{
	return is_granted() ? real_malloc(size) : NULL;
}

void *limited_calloc(size_t count, size_t size)
{
	return is_granted() ? real_calloc(count, size) : NULL;
}

void *limited_realloc(void *old, size_t size)
{
	return is_granted() ? real_realloc(old, size) : NULL;
}

char *limited_strdup(const char *s)
{
	return is_granted() ? real_strdup(s) : NULL;
}

#endif
