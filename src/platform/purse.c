/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/purse.h"

#include "base/arena.h"
#include "base/err.h"
#include "platform/challenges.h"
#include "platform/competition.h"
#include "platform/progress.h"
#include "platform/rows.h"
#include "platform/score.h"
#include "platform/team.h"

#include <string.h>

/* A solve of the team's that counts, at the value its challenge has at least. */
struct earning {
	char *challenge_id, *question_id;
	int64_t at;
	bool first;                        /* of all teams */
	const struct challenge *challenge; /* as it is played there; NULL: it counts nothing */
	size_t question;
	int64_t value;
};

static void read_earning(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(struct earning *)ret_struct = (struct earning){
		.challenge_id = arena_strdup(arena, db_get_text(rows, 0)),
		.question_id = arena_strdup(arena, db_get_text(rows, 1)),
		.at = db_get_int(rows, 2),
		.first = db_get_int(rows, 3) != 0,
	};
}

static int find_question(const struct purse *purse, struct arena *arena, struct earning *earning,
			 struct err *e)
{
	const struct competition *competition = purse->competition;
	const struct challenge *found = shelf_find(purse->shelf, earning->challenge_id);
	int r;

	if (!found || !competition_has(competition, found->id) ||
	    (competition->ends_at && earning->at >= competition->ends_at))
		return 0;
	r = competition_adapt(competition, arena, found, &found, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < found->question_count; i++) {
		if (strcmp(found->questions[i].id, earning->question_id) != 0)
			continue;
		earning->challenge = found;
		earning->question = i;
		earning->value = score_least(found);
	}
	return 0;
}

static int read_earnings(struct db *db, struct arena *arena, const struct purse *purse,
			 struct earning **ret_earnings, size_t *ret_count, struct err *e)
{
	int r = rows_all(
		db, arena,
		"SELECT solve.challenge_id, solve.question_id, solve.solved_at,"
		" CASE WHEN first_blood.team_id IS NULL THEN 0 ELSE 1 END FROM solve"
		" LEFT JOIN first_blood ON first_blood.competition_id = solve.competition_id"
		" AND first_blood.challenge_id = solve.challenge_id"
		" AND first_blood.question_id = solve.question_id"
		" AND first_blood.team_id = solve.team_id"
		" WHERE solve.team_id = ? ORDER BY solve.challenge_id",
		DB_ARGS(db_text(purse->team->id)), read_earning, sizeof(struct earning),
		ret_earnings, ret_count, e);

	for (size_t i = 0; r == 0 && i < *ret_count; i++)
		r = find_question(purse, arena, &(*ret_earnings)[i], e);
	return r;
}

static int64_t add_up(const struct purse *purse, const struct earning *earnings, size_t count)
{
	const struct competition *c = purse->competition;
	int64_t points = 0;

	for (size_t i = 0; i < count; i++)
		if (earnings[i].challenge)
			points += score_points(earnings[i].challenge, earnings[i].question,
					       earnings[i].value,
					       earnings[i].first ? c->first_blood : 0,
					       earnings[i].first ? c->first_blood_percent : 0);
	return points;
}

/* Who has solved how much of it: the teams that the board has. */
struct solver {
	char *team_id, *question_id;
};

static void read_solver(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(struct solver *)ret_struct = (struct solver){
		.team_id = arena_strdup(arena, db_get_text(rows, 0)),
		.question_id = arena_strdup(arena, db_get_text(rows, 1)),
	};
}

static bool has_question(const struct challenge *challenge, const char *id)
{
	for (size_t i = 0; i < challenge->question_count; i++)
		if (strcmp(challenge->questions[i].id, id) == 0)
			return true;
	return false;
}

static size_t count_whole(const struct challenge *challenge, const struct solver *rows,
			  size_t count)
{
	size_t solvers = 0, solved = 0;

	for (size_t i = 0; i < count; i++) {
		if (i > 0 && strcmp(rows[i].team_id, rows[i - 1].team_id) != 0)
			solved = 0;
		if (!has_question(challenge, rows[i].question_id))
			continue;
		solvers += ++solved == challenge->question_count;
	}
	return solvers;
}

static int count_solvers(struct db *db, struct arena *arena, const struct competition *competition,
			 const struct challenge *challenge, size_t *ret_solvers, struct err *e)
{
	struct solver *rows;
	size_t count;
	int r = rows_all(db, arena,
			 "SELECT solve.team_id, solve.question_id FROM solve"
			 " JOIN team ON team.id = solve.team_id"
			 " WHERE solve.competition_id = ? AND solve.challenge_id = ?"
			 " AND team.hidden = 0 AND team.gone_at = 0"
			 " AND (? = 0 OR solve.solved_at < ?) ORDER BY solve.team_id",
			 DB_ARGS(db_text(competition->id), db_text(challenge->id),
				 db_int(competition->ends_at), db_int(competition->ends_at)),
			 read_solver, sizeof(*rows), &rows, &count, e);

	if (r == 0)
		*ret_solvers = count_whole(challenge, rows, count);
	return r;
}

static bool is_of_same(const struct earning *a, const struct earning *b)
{
	return a->challenge && b->challenge && strcmp(a->challenge->id, b->challenge->id) == 0;
}

/* Those of one challenge follow each other: it is counted once. */
static int value_exactly(struct db *db, struct arena *arena, const struct purse *purse,
			 struct earning *earnings, size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		const struct challenge *challenge = earnings[i].challenge;
		size_t solvers = 0;
		int r;

		if (i > 0 && is_of_same(&earnings[i], &earnings[i - 1])) {
			earnings[i].value = earnings[i - 1].value;
			continue;
		}
		if (!challenge || score_value(challenge, 0) == earnings[i].value)
			continue;
		r = count_solvers(db, arena, purse->competition, challenge, &solvers, e);
		if (r < 0)
			return r;
		earnings[i].value = score_value(challenge, solvers);
	}
	return 0;
}

int purse_points(struct db *db, struct arena *arena, const struct purse *purse, int64_t wanted,
		 int64_t *ret_points, struct err *e)
{
	struct earning *earnings = NULL;
	size_t count = 0;
	int64_t paid;
	int r;

	r = hints_paid(db, purse->team, purse->user_id, &paid, e);
	if (r == 0)
		r = read_earnings(db, arena, purse, &earnings, &count, e);
	if (r == 0 && add_up(purse, earnings, count) - paid < wanted)
		r = value_exactly(db, arena, purse, earnings, count, e);
	if (r == 0)
		*ret_points = add_up(purse, earnings, count) - paid;
	return r;
}
