/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this host can hold, found out before the players do.
 *
 * Every finding says what was found, how many instances it is enough for, and what to do about it.
 * Costs of an instance are those measured on Debian 12 with Docker 20.10 (docs/node.md).
 */
#ifndef NODE_DOCTOR_H
#define NODE_DOCTOR_H

#include <stdint.h>
#include <stdio.h>

struct err;
struct node;

enum finding_state { FINDING_FINE, FINDING_WARNING, FINDING_FAULT };

struct finding {
	const char *name;
	enum finding_state state;
	int64_t enough_for; /* instances; INT64_MAX: no limit of its own */
	char found[160];
	char fix[200]; /* "" where there is nothing to mend */
};

enum { FINDINGS_MAX = 32 };

struct diagnosis {
	struct finding findings[FINDINGS_MAX];
	int count;
	int64_t capacity;    /* instances the host can hold */
	const char *limiter; /* the finding that says so */
};

/*
 * Looks; changes nothing. With --check, tries the firewall's boundaries, too, by what it takes down
 * again (node/boundary.h). Fails with ENGINE when the engine won't tell of itself.
 */
int doctor_examine(struct node *node, struct diagnosis *ret_diagnosis, struct err *e);

/* A table for people. */
void doctor_print(const struct diagnosis *diagnosis, FILE *out);

#endif
