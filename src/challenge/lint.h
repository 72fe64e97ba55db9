/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging challenges without starting them: a folder, a compose file, or a tree of folders.
 */
#ifndef CHALLENGE_LINT_H
#define CHALLENGE_LINT_H

#include "challenge/problem.h"

#include <jansson.h>
#include <stddef.h>

struct err;
struct policy;

enum lint_outcome {
	LINT_FINE,   /* it can run, or has nothing to run */
	LINT_POLICY, /* it could, if the operator let it */
	LINT_FAULTY,
};

struct lint_result {
	const char *path;            /* what was judged, as it was named; borrowed */
	struct challenge *challenge; /* NULL where it didn't load */
	enum lint_outcome outcome;
	struct problems problems; /* files named from where the path was given from */
};

/*
 * Judges the challenge in a folder, or of a compose file, and calls it `name`: its path from where
 * people stand. Fails with MEMORY alone: a faulty challenge is no failure.
 */
int lint_challenge(const char *path, const char *name, const struct policy *policy,
		   struct lint_result *ret_result, struct err *e);
void lint_result_done(struct lint_result *result);

/* {path, id, dialect, outcome, problems}; id and dialect are null where it didn't load. */
json_t *lint_result_json(const struct lint_result *result);

struct lint_totals {
	size_t challenges, by_outcome[3], problems[3]; /* by enum problem_kind */
};

void lint_totals_add(struct lint_totals *totals, const struct lint_result *result);
json_t *lint_totals_json(const struct lint_totals *totals);

/*
 * Calls back for each challenge at or below path, with its result for the length of the call.
 * Fails with NOT_FOUND where there is none.
 */
int lint_path(const char *path, const struct policy *policy, struct lint_totals *totals,
	      void (*each)(void *cookie, const struct lint_result *result), void *cookie,
	      struct err *e);

#endif
