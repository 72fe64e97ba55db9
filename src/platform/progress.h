/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a team has solved and unlocked in a competition.
 */
#ifndef PLATFORM_PROGRESS_H
#define PLATFORM_PROGRESS_H

#include "platform/challenges.h"
#include "platform/competition.h"

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct db;
struct err;
struct team;

struct progress_solve {
	char *challenge_id;
	char *question_id;
};

struct progress_unlock {
	char *challenge_id;
	int64_t hint; /* from 0, in the challenge's order */
};

struct progress {
	struct progress_solve *solves;
	size_t solve_count;
	struct progress_unlock *unlocks;
	size_t unlock_count;
};

int progress_read(struct db *db, struct arena *arena, const char *team_id,
		  struct progress *ret_progress, struct err *e);

bool progress_has_question(const struct progress *progress, const struct challenge *challenge,
			   const struct question *question);
size_t progress_questions(const struct progress *progress, const struct challenge *challenge);
bool progress_has_challenge(const struct progress *progress, const struct challenge *challenge);
/* One that costs nothing and requires nothing is everybody's. */
bool progress_has_hint(const struct progress *progress, const struct challenge *challenge,
		       size_t hint);

/* The first hint that has to be unlocked before this one, and isn't; hint_count: none. */
size_t progress_hint_missing(const struct progress *progress, const struct challenge *challenge,
			     size_t hint);

/*
 * The first challenge that has to be solved before this one, and isn't; NULL: none. What is
 * required but not in the competition stands in nobody's way.
 */
const struct challenge *progress_missing(const struct progress *progress, const struct shelf *shelf,
					 const struct competition *competition,
					 const struct challenge *challenge);

/* The team has the hint from now on, at its cost; fine when it has it. */
int hint_unlock(struct db *db, int64_t now, const struct team *team, const char *user_id,
		const struct challenge *challenge, size_t hint, struct err *e);

/*
 * All that a team has paid for hints, and what the user has paid in other teams of the competition:
 * the points of a team that one has left buy nothing for the next.
 */
int hints_paid(struct db *db, const struct team *team, const char *user_id, int64_t *ret_points,
	       struct err *e);

#endif
