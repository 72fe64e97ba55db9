/*
 * What is wrong, or worth a warning, in a challenge's files: each with its place.
 */
#ifndef CHALLENGE_PROBLEM_H
#define CHALLENGE_PROBLEM_H

#include <stddef.h>

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
void problems_done(struct problems *problems);

#endif
