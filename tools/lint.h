/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clang-tidy is told ahead of each file. Seeing one file at a time, it can't know that these
 * calls return a negative code; err.c alone, which defines them, is read without.
 */
#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Without bounds, or with a result that all threads share. */
#pragma GCC poison gets sprintf vsprintf strcat strtok asctime ctime gmtime localtime rand

int lint_unknown(const void *e, ...);

static inline int lint_negative(int r)
{
	if (r >= 0)
		__builtin_unreachable();
	return r;
}

#define err_set(...)    lint_negative(lint_unknown(__VA_ARGS__))
#define err_wrap(...)   lint_negative(lint_unknown(__VA_ARGS__))
#define err_errno(...)  lint_negative(lint_unknown(__VA_ARGS__))
#define err_memory(...) lint_negative(lint_unknown(__VA_ARGS__))
