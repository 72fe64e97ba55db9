/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/facts.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/competition.h"
#include "platform/rows.h"

#include <string.h>

/* Solves read in one go: the store is locked meanwhile. */
enum { SOLVES_AT_ONCE = 5000 };

void facts_done(struct facts *facts)
{
	arena_free(facts->arena);
	shelf_drop(facts->shelf);
	free(facts->solves);
	free(facts->charges);
	*facts = (struct facts){ .arena = NULL };
}

/* Teams */

static char *json_name(struct arena *arena, const char *name)
{
	AUTO(json_t *, json_decrefp) string = json_text(name);
	AUTO(char *, freep) text = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

	return text ? arena_strdup(arena, text) : NULL;
}

static void read_team(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct facts_team *team = ret_struct;

	*team = (struct facts_team){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.name = arena_strdup(arena, db_get_text(rows, 1)),
		.division = arena_strdup(arena, db_get_text(rows, 2)),
	};
}

static int read_teams(struct facts *facts, struct db *db, const char *competition_id, struct err *e)
{
	int r = rows_all(db, facts->arena,
			 "SELECT id, name, division FROM team WHERE competition_id = ?"
			 " AND hidden = 0 AND gone_at = 0 ORDER BY id",
			 DB_ARGS(db_text(competition_id)), read_team, sizeof(struct facts_team),
			 &facts->teams, &facts->team_count, e);

	for (size_t i = 0; r == 0 && i < facts->team_count; i++) {
		facts->teams[i].json_name = json_name(facts->arena, facts->teams[i].name);
		if (!facts->teams[i].json_name)
			r = err_memory(e);
	}
	return r;
}

static int compare_team(const void *key, const void *row)
{
	return strcmp(key, ((const struct facts_team *)row)->id);
}

static bool find_team(const struct facts *facts, const char *id, size_t *ret_index)
{
	const struct facts_team *team = facts->team_count
						? bsearch(id, facts->teams, facts->team_count,
							  sizeof(struct facts_team), compare_team)
						: NULL;

	if (team)
		*ret_index = (size_t)(team - facts->teams);
	return team != NULL;
}

/* Challenges */

static int choose_challenges(struct facts *facts, const struct competition *competition,
			     struct err *e)
{
	const struct shelf *shelf = facts->shelf;

	facts->challenges = arena_array(facts->arena, shelf->count + 1, sizeof(void *));
	if (!facts->challenges)
		return err_memory(e);
	for (size_t i = 0; i < shelf->count; i++) {
		int r;

		if (!competition_has(competition, shelf->challenges[i]->id))
			continue;
		r = competition_adapt(competition, facts->arena, shelf->challenges[i],
				      &facts->challenges[facts->challenge_count++], e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int compare_challenge(const void *key, const void *row)
{
	return strcmp(key, (*(const struct challenge *const *)row)->id);
}

static bool find_question(const struct facts *facts, const char *challenge_id, const char *id,
			  struct score_solve *solve)
{
	const struct challenge *const *found =
		facts->challenge_count
			? bsearch(challenge_id, facts->challenges, facts->challenge_count,
				  sizeof(void *), compare_challenge)
			: NULL;

	for (size_t i = 0; found && i < (*found)->question_count; i++) {
		if (strcmp((*found)->questions[i].id, id) != 0)
			continue;
		solve->challenge = (size_t)(found - facts->challenges);
		solve->question = i;
		return true;
	}
	return false;
}

/* Solves */

static int grow(struct facts *facts, struct err *e)
{
	size_t room = facts->solve_room ? 2 * facts->solve_room : 256;
	struct score_solve *solves;

	if (facts->solve_count < facts->solve_room)
		return 0;
	solves = realloc(facts->solves, room * sizeof(*solves));
	if (!solves)
		return err_memory(e);
	facts->solves = solves;
	facts->solve_room = room;
	return 0;
}

/* A solve of what is no longer there (a challenge taken out, a question renamed) counts nothing. */
static int take_solve(struct facts *facts, const struct db_rows *rows, struct err *e)
{
	struct score_solve solve = { .at = db_get_int(rows, 3), .first = db_get_int(rows, 5) != 0 };
	int r = grow(facts, e);

	facts->last_seq = db_get_int(rows, 4);
	if (r == 0 && find_team(facts, db_get_text(rows, 0), &solve.team) &&
	    find_question(facts, db_get_text(rows, 1), db_get_text(rows, 2), &solve))
		facts->solves[facts->solve_count++] = solve;
	return r;
}

static int read_some_solves(struct facts *facts, struct db *db, const char *competition_id,
			    size_t *ret_count, struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	*ret_count = 0;
	r = db_query(
		db,
		"SELECT solve.team_id, solve.challenge_id, solve.question_id, solve.solved_at,"
		" solve.seq, CASE WHEN first_blood.team_id IS NULL THEN 0 ELSE 1 END FROM solve"
		" LEFT JOIN first_blood ON first_blood.competition_id = solve.competition_id"
		" AND first_blood.challenge_id = solve.challenge_id"
		" AND first_blood.question_id = solve.question_id"
		" AND first_blood.team_id = solve.team_id"
		" WHERE solve.competition_id = ? AND solve.seq > ? ORDER BY solve.seq LIMIT ?",
		DB_ARGS(db_text(competition_id), db_int(facts->last_seq), db_int(SOLVES_AT_ONCE)),
		&rows, e);
	if (r < 0)
		return r;
	while ((r = db_next(rows, e)) > 0) {
		r = take_solve(facts, rows, e);
		if (r < 0)
			return r;
		++*ret_count;
	}
	return r;
}

int facts_read_solves(struct facts *facts, struct db *db, const char *competition_id, struct err *e)
{
	size_t count;
	int r;

	do
		r = read_some_solves(facts, db, competition_id, &count, e);
	while (r == 0 && count == SOLVES_AT_ONCE);
	return r;
}

/* Charges */

struct charge_row {
	char *team_id;
	int64_t cost, at;
};

static void read_charge(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(struct charge_row *)ret_struct = (struct charge_row){
		.team_id = arena_strdup(arena, db_get_text(rows, 0)),
		.cost = db_get_int(rows, 1),
		.at = db_get_int(rows, 2),
	};
}

int facts_read_charges(struct facts *facts, struct db *db, const char *competition_id,
		       struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct score_charge *charges;
	struct charge_row *rows;
	size_t count, kept = 0;
	int r;

	if (!arena)
		return err_memory(e);
	r = rows_all(db, arena,
		     "SELECT team_id, cost, unlocked_at FROM unlock WHERE competition_id = ?"
		     " AND cost > 0 ORDER BY unlocked_at",
		     DB_ARGS(db_text(competition_id)), read_charge, sizeof(*rows), &rows, &count,
		     e);
	if (r < 0)
		return r;
	charges = calloc(count + 1, sizeof(*charges));
	if (!charges)
		return err_memory(e);
	for (size_t i = 0; i < count; i++) {
		charges[kept] = (struct score_charge){ .cost = rows[i].cost, .at = rows[i].at };
		kept += find_team(facts, rows[i].team_id, &charges[kept].team);
	}
	free(facts->charges);
	facts->charges = charges;
	facts->charge_count = kept;
	return 0;
}

static int read_all(struct facts *facts, struct db *db, struct challenges *challenges,
		    const struct competition *competition, struct err *e)
{
	int r;

	facts->arena = arena_new();
	facts->shelf = challenges_take(challenges);
	if (!facts->arena)
		return err_memory(e);
	r = choose_challenges(facts, competition, e);
	if (r == 0)
		r = read_teams(facts, db, competition->id, e);
	if (r == 0)
		r = facts_read_solves(facts, db, competition->id, e);
	if (r == 0)
		r = facts_read_charges(facts, db, competition->id, e);
	return r;
}

int facts_read(struct facts *facts, struct db *db, struct challenges *challenges,
	       const struct competition *competition, struct err *e)
{
	int r;

	facts_done(facts);
	r = read_all(facts, db, challenges, competition, e);
	if (r < 0)
		facts_done(facts);
	return r;
}
