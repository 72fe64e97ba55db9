/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The variables that a compose file may refer to. The first to define one wins, so they are added
 * in the order of their rank: answers and the instance's facts, the operator's, `.env`.
 * The daemon's own environment is never among them.
 */
#ifndef CHALLENGE_VARIABLES_H
#define CHALLENGE_VARIABLES_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;

struct variable {
	const char *name;
	const char *value; /* NULL: named without a value, as an env_file may */
};

struct variables {
	struct arena *arena;
	struct variable *rows;
	size_t count, capacity;
};

/* NULL where the variable isn't set. */
const char *variables_get(const struct variables *variables, const char *name);

/* Adds a copy; does nothing where the name is there already. */
void variables_add(struct variables *variables, const char *name, const char *value);

/* Replaces, or adds. */
void variables_set(struct variables *variables, const char *name, const char *value);

/* All of from that is lacking in variables. */
void variables_add_all(struct variables *variables, const struct variables *from);

struct env_fault {
	unsigned line;
};

/*
 * Reads the text of a .env file or env_file: NAME=value, quotes, comments, `export`, and variables
 * in unquoted and double-quoted values, taken from outer first, then from earlier lines.
 * A raw text has values as they stand. Later lines win over earlier ones. Fails with INVALID.
 */
int env_parse(const char *text, bool raw, const struct variables *outer,
	      struct variables *variables, struct env_fault *ret_fault, struct err *e);

#endif
