/*
 * Judging challenges without starting them: a folder, a compose file, or a tree of folders.
 */
#ifndef CHALLENGE_LINT_H
#define CHALLENGE_LINT_H

#include "challenge/problem.h"

#include <stddef.h>

struct err;
struct policy;

enum lint_outcome {
	LINT_FINE,   /* it can run, or has nothing to run */
	LINT_POLICY, /* it could, if the operator let it */
	LINT_FAULTY,
};

struct lint_result {
	const char *path;         /* what was judged, as it was given or found */
	const char *id, *dialect; /* NULL where it didn't load */
	enum lint_outcome outcome;
	struct problems problems; /* files named from where the path was given from */
};

struct lint_totals {
	size_t challenges, by_outcome[3], problems[3]; /* by enum problem_kind */
};

/*
 * Calls back for each challenge at or below path, with its result for the length of the call.
 * Fails with NOT_FOUND where there is none. A faulty challenge is no failure.
 */
int lint_path(const char *path, const struct policy *policy, struct lint_totals *totals,
	      void (*each)(void *cookie, const struct lint_result *result), void *cookie,
	      struct err *e);

#endif
