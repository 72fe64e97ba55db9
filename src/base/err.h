/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An error is a value on the caller's stack.
 *
 * Every fallible function takes a struct err last, leaves it alone on success, and on failure
 * fills it and returns the negative code. Nothing is allocated and nothing is global, so an error
 * can't leak or go stale.
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err_code {
	ERR_NONE,
#define ERR_CODE(code, status, word) ERR_##code,
#include "base/err-codes.h"
#undef ERR_CODE
	ERR_CODES
};

enum { ERR_MESSAGE_SIZE = 1024 };

struct err {
	enum err_code code;
	char msg[ERR_MESSAGE_SIZE]; /* an engine's own words must survive; a longer cause keeps its
				       end */
};

/* clang-format off */
#define ERR_INIT { .code = ERR_NONE }
/* clang-format on */

/* Fills the error and returns -code, so that failing is one statement. A NULL e is allowed. */
__attribute__((format(printf, 3, 4))) int err_set(struct err *e, enum err_code code,
						  const char *fmt, ...);

/* "context: old message"; the code stays. Returns -code. */
__attribute__((format(printf, 2, 3))) int err_wrap(struct err *e, const char *fmt, ...);

/* err_set() with ": strerror(errno)" appended. What is INTERNAL is UNAVAILABLE on a full disk. */
__attribute__((format(printf, 3, 4))) int err_errno(struct err *e, enum err_code code,
						    const char *fmt, ...);

/* Out of memory; the one failure that needs no words. */
int err_memory(struct err *e);

/* The HTTP status that says this code, and the word that names it in logs. */
int err_status(enum err_code code);
const char *err_word(enum err_code code);

#endif
