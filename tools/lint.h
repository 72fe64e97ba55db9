/*
 * What an analyzer that sees one file at a time must be told: these calls return a negative code.
 * Included ahead of each file that it reads, but for the one that defines them.
 */
#include "base/err.h"

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
