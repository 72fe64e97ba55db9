/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/progress.h"

#include "base/arena.h"
#include "base/err.h"
#include "platform/rows.h"
#include "platform/team.h"

#include <string.h>

static void read_solve(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(struct progress_solve *)ret_struct = (struct progress_solve){
		.challenge_id = arena_strdup(arena, db_get_text(rows, 0)),
		.question_id = arena_strdup(arena, db_get_text(rows, 1)),
	};
}

static void read_unlock(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(struct progress_unlock *)ret_struct = (struct progress_unlock){
		.challenge_id = arena_strdup(arena, db_get_text(rows, 0)),
		.hint = db_get_int(rows, 1),
	};
}

int progress_read(struct db *db, struct arena *arena, const char *team_id,
		  struct progress *ret_progress, struct err *e)
{
	int r;

	r = rows_all(db, arena, "SELECT challenge_id, question_id FROM solve WHERE team_id = ?",
		     DB_ARGS(db_text(team_id)), read_solve, sizeof(struct progress_solve),
		     &ret_progress->solves, &ret_progress->solve_count, e);
	if (r < 0)
		return r;
	return rows_all(db, arena, "SELECT challenge_id, hint FROM unlock WHERE team_id = ?",
			DB_ARGS(db_text(team_id)), read_unlock, sizeof(struct progress_unlock),
			&ret_progress->unlocks, &ret_progress->unlock_count, e);
}

bool progress_has_question(const struct progress *progress, const struct challenge *challenge,
			   const struct question *question)
{
	for (size_t i = 0; i < progress->solve_count; i++)
		if (strcmp(progress->solves[i].challenge_id, challenge->id) == 0 &&
		    strcmp(progress->solves[i].question_id, question->id) == 0)
			return true;
	return false;
}

size_t progress_questions(const struct progress *progress, const struct challenge *challenge)
{
	size_t solved = 0;

	for (size_t i = 0; i < challenge->question_count; i++)
		solved += progress_has_question(progress, challenge, &challenge->questions[i]);
	return solved;
}

bool progress_has_challenge(const struct progress *progress, const struct challenge *challenge)
{
	return challenge->question_count > 0 &&
	       progress_questions(progress, challenge) == challenge->question_count;
}

size_t progress_hint_missing(const struct progress *progress, const struct challenge *challenge,
			     size_t hint)
{
	const struct hint *wanted = &challenge->hints[hint];

	for (size_t i = 0; i < wanted->require_count; i++)
		if (!progress_has_hint(progress, challenge, wanted->requires_[i]))
			return wanted->requires_[i];
	return challenge->hint_count;
}

bool progress_has_hint(const struct progress *progress, const struct challenge *challenge,
		       size_t hint)
{
	if (challenge->hints[hint].cost == 0 &&
	    progress_hint_missing(progress, challenge, hint) == challenge->hint_count)
		return true;
	for (size_t i = 0; i < progress->unlock_count; i++)
		if (progress->unlocks[i].hint == (int64_t)hint &&
		    strcmp(progress->unlocks[i].challenge_id, challenge->id) == 0)
			return true;
	return false;
}

/* Authors write names, organisers ids. */
static const struct challenge *find_required(const struct shelf *shelf, const char *name)
{
	const struct challenge *found = shelf_find(shelf, name);

	for (size_t i = 0; !found && i < shelf->count; i++)
		if (strcmp(shelf->challenges[i]->name, name) == 0)
			found = shelf->challenges[i];
	return found;
}

const struct challenge *progress_missing(const struct progress *progress, const struct shelf *shelf,
					 const struct competition *competition,
					 const struct challenge *challenge)
{
	for (size_t i = 0; i < challenge->require_count; i++) {
		const struct challenge *required = find_required(shelf, challenge->requires_[i]);

		if (required && competition_has(competition, required->id) &&
		    !progress_has_challenge(progress, required))
			return required;
	}
	return NULL;
}

int hints_paid(struct db *db, const struct team *team, const char *user_id, int64_t *ret_points,
	       struct err *e)
{
	int64_t own = 0;
	int r;

	r = rows_count(db, "SELECT COALESCE(SUM(cost), 0) FROM unlock WHERE team_id = ?",
		       DB_ARGS(db_text(team->id)), ret_points, e);
	if (r == 0)
		r = rows_count(db,
			       "SELECT COALESCE(SUM(cost), 0) FROM unlock WHERE account_id = ?"
			       " AND competition_id = ? AND team_id <> ?",
			       DB_ARGS(db_text(user_id), db_text(team->competition_id),
				       db_text(team->id)),
			       &own, e);
	if (r == 0)
		*ret_points += own;
	return r;
}

int hint_unlock(struct db *db, int64_t now, const struct team *team, const char *user_id,
		const struct challenge *challenge, size_t hint, struct err *e)
{
	return db_run(db,
		      "INSERT INTO unlock (competition_id, challenge_id, hint, team_id, account_id,"
		      " cost, unlocked_at) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		      DB_ARGS(db_text(team->competition_id), db_text(challenge->id),
			      db_int((int64_t)hint), db_text(team->id), db_text(user_id),
			      db_int(challenge->hints[hint].cost), db_int(now)),
		      e);
}
