/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command line as words, split as Compose v2 splits it: quotes as in a shell, a backslash but
 * within single quotes before what is meant as it is ("\t" and "\n" are a tab and a line's end),
 * `...` and $(...) kept whole. No shell ever reads it: the line ends before the first unquoted
 * ; & | < or >.
 */
#ifndef CHALLENGE_WORDS_H
#define CHALLENGE_WORDS_H

#include <jansson.h>

struct err;

/*
 * A JSON array of strings, the caller's. ret_rest: where the line ended, "" at its own end. Fails
 * with INVALID: a quote or a substitution is not closed.
 */
int words_split(const char *line, json_t **ret_words, const char **ret_rest, struct err *e);

#endif
