/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong, or worth a warning, in a challenge's files: each with its place.
 */
#ifndef CHALLENGE_PROBLEM_H
#define CHALLENGE_PROBLEM_H

#include <jansson.h>
#include <stddef.h>

struct err;
struct yaml_node;

enum problem_kind {
	PROBLEM_WARNING,
	PROBLEM_ERROR,  /* a fault of the file */
	PROBLEM_POLICY, /* refused unless the operator opts in */
};

struct problem {
	enum problem_kind kind;
	char *file;            /* relative to where the challenge was loaded from, or absolute */
	unsigned line, column; /* from 1; 0: the whole file */
	char *key;             /* "services.web.privileged" */
	char *message;         /* reason, and for policy the opt-in that would allow it */
	char *opt_in;          /* policy: its name; else NULL */
};

struct problems {
	struct problem *rows;
	size_t count, capacity;
	size_t by_kind[3];
};

#define PROBLEMS_INIT \
	{             \
		0     \
	}

__attribute__((format(printf, 7, 8))) void problem_add(struct problems *problems,
						       enum problem_kind kind, const char *file,
						       unsigned line, unsigned column,
						       const char *key, const char *fmt, ...);

/* The same, placed at a node of a YAML file; node may be NULL. */
__attribute__((format(printf, 5, 6))) void problem_at(struct problems *problems,
						      enum problem_kind kind,
						      const struct yaml_node *node, const char *key,
						      const char *fmt, ...);

/* PROBLEM_POLICY: the message is followed by the opt-in that would allow it. */
__attribute__((format(printf, 5, 6))) void problem_policy(struct problems *problems,
							  const char *opt_in,
							  const struct yaml_node *node,
							  const char *key, const char *fmt, ...);

/* "file:line:col: policy: key: message", without what is unknown; the caller's. */
char *problem_text(const struct problem *problem);
const char *problem_kind_name(enum problem_kind kind);

/*
 * [{kind, file, line, column, key, message, opt_in, allows}], a new array: what is unknown is null
 * (a line and a column 0), and "allows" what the opt-in would let the challenge do.
 */
json_t *problems_json(const struct problems *problems);

/* Appends what such an array tells; what it has of another shape is left out. */
void problems_from_json(const json_t *array, struct problems *problems);

/* What was found of a kind that forbids a plan. */
static inline size_t problems_refusals(const struct problems *problems)
{
	return problems->by_kind[PROBLEM_ERROR] + problems->by_kind[PROBLEM_POLICY];
}

/* Fills e with the first that forbids a plan: INVALID, or POLICY where nothing else is wrong. */
int problems_error(const struct problems *problems, struct err *e);

/* Appends all of from, which is empty then. */
void problems_move(struct problems *problems, struct problems *from);

void problems_done(struct problems *problems);

#endif
