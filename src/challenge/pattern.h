/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions of answers, as the files that hold them mean them: Python's `re`, for that is
 * what CTFd and its like judge by, and the whole answer has to match.
 *
 * PCRE2 does the work. Where both read a construct alike it is passed on; where PCRE2 has another
 * word for what Python means, it is rewritten; what only one of them knows is refused.
 */
#ifndef CHALLENGE_PATTERN_H
#define CHALLENGE_PATTERN_H

#include <stdbool.h>

struct err;

/* Fails with INVALID: it is no pattern of Python's; the message says why and where. */
int pattern_check(const char *pattern, struct err *e);

/*
 * Fails with INVALID as pattern_check() does, and with TIMEOUT: the pattern gave no answer within
 * PATTERN_STEPS, a few milliseconds.
 */
int pattern_matches(const char *pattern, bool any_case, const char *answer, bool *ret_matches,
		    struct err *e);

#endif
