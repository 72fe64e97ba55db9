/*
 * A command line as words, split as Compose splits it: quotes and backslashes as in a shell, but no
 * variables, globs, pipes or substitutions.
 */
#ifndef CHALLENGE_WORDS_H
#define CHALLENGE_WORDS_H

#include <jansson.h>

struct err;

/* A JSON array of strings, the caller's. Fails with INVALID (a quote is not closed). */
int words_split(const char *line, json_t **ret_words, struct err *e);

#endif
