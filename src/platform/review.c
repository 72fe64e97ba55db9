/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/review.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/page.h"
#include "platform/rows.h"

#include <string.h>

static json_t *time_json(int64_t at)
{
	char text[CLOCK_TEXT_SIZE];

	return at ? json_text(clock_format(at, text)) : json_null();
}

/* One side of it: a team, and the instance that the answer was made for or handed in from. */
struct side {
	char *team_id, *team;
	char *instance_id; /* NULL: none */
	int64_t created_at, started_at, ended_at;
};

struct review_row {
	char *id, *challenge_id, *user_id, *user, *answer, *state, *note, *peer;
	int64_t at;
	struct side own, other;
};

static struct side read_side(const struct db_rows *rows, struct arena *arena, int column)
{
	return (struct side){
		.team_id = arena_strdup(arena, db_get_text(rows, column)),
		.team = arena_strdup(arena, db_get_text(rows, column + 1)),
		.instance_id = arena_strdup(arena, db_get_text(rows, column + 2)),
		.created_at = db_get_int(rows, column + 3),
		.started_at = db_get_int(rows, column + 4),
		.ended_at = db_get_int(rows, column + 5),
	};
}

static void read_review(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(struct review_row *)ret_struct = (struct review_row){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.challenge_id = arena_strdup(arena, db_get_text(rows, 1)),
		.user_id = arena_strdup(arena, db_get_text(rows, 2)),
		.user = arena_strdup(arena, db_get_text(rows, 3)),
		.answer = arena_strdup(arena, db_get_secret(rows, 4)),
		.state = arena_strdup(arena, db_get_text(rows, 5)),
		.note = arena_strdup(arena, db_get_text(rows, 6)),
		.peer = arena_strdup(arena, db_get_text(rows, 7)),
		.at = db_get_int(rows, 8),
		.own = read_side(rows, arena, 9),
		.other = read_side(rows, arena, 15),
	};
}

static json_t *evidence_json(const char *instance_id)
{
	return instance_id ? json_textf("/api/v1/admin/instances/%s/evidence", instance_id)
			   : json_null();
}

static json_t *side_json(const struct side *side)
{
	return json_make("{s:s, s:s, s:s?, s:o, s:o, s:o, s:o}", "team_id", side->team_id, "team",
			 side->team, "instance_id", side->instance_id, "created_at",
			 time_json(side->created_at), "started_at", time_json(side->started_at),
			 "ended_at", time_json(side->ended_at), "evidence",
			 evidence_json(side->instance_id));
}

static json_t *review_json(const struct review_row *row)
{
	return json_make("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?, s:s?, s:o, s:o, s:o}",
			 "submission_id", row->id, "challenge_id", row->challenge_id, "user_id",
			 row->user_id, "user", row->user, "answer", row->answer, "review",
			 row->state, "note", row->note, "peer", row->peer, "submitted_at",
			 time_json(row->at), "by", side_json(&row->own), "of",
			 side_json(&row->other));
}

int review_list(struct db *db, struct arena *arena, const char *competition_id, const char *state,
		const struct page *page, json_t **ret_reviews, struct err *e)
{
	AUTO(json_t *, json_decrefp) list = json_array();
	struct review_row *rows = NULL;
	char *cursor = NULL;
	size_t count = 0;
	int r;

	r = rows_all(db, arena,
		     "SELECT s.id, s.challenge_id, s.account_id, account.name, s.answer, s.review,"
		     " s.review_note, s.peer, s.submitted_at,"
		     " s.team_id, team.name, s.instance_id, COALESCE(mine.created_at, 0),"
		     " COALESCE(mine.started_at, 0), COALESCE(mine.ended_at, 0),"
		     " s.other_team_id, other.name, s.other_instance_id,"
		     " COALESCE(theirs.created_at, 0), COALESCE(theirs.started_at, 0),"
		     " COALESCE(theirs.ended_at, 0)"
		     " FROM submission AS s JOIN account ON account.id = s.account_id"
		     " JOIN team ON team.id = s.team_id JOIN team AS other"
		     " ON other.id = s.other_team_id"
		     " LEFT JOIN instance AS mine ON mine.id = s.instance_id"
		     " LEFT JOIN instance AS theirs ON theirs.id = s.other_instance_id"
		     " WHERE s.competition_id = ? AND s.review IS NOT NULL"
		     " AND (? IS NULL OR s.review = ?) AND s.submitted_at <= ?"
		     " AND (s.submitted_at < ? OR s.id < ?)"
		     " ORDER BY s.submitted_at DESC, s.id DESC LIMIT ?",
		     DB_ARGS(db_text(competition_id), db_text(state), db_text(state),
			     db_int(page->at), db_int(page->at), db_text(page->id),
			     db_int(page->limit)),
		     read_review, sizeof(*rows), &rows, &count, e);
	if (r == 0)
		r = page_next(page, arena, count, count ? rows[count - 1].at : 0,
			      count ? rows[count - 1].id : NULL, &cursor, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, review_json(&rows[i])) < 0)
			return err_memory(e);
	*ret_reviews = json_make("{s:O, s:s?}", "reviews", list, "next_cursor", cursor);
	return *ret_reviews ? 0 : err_memory(e);
}

int review_resolve(struct db *db, const char *submission_id, const char *state, const char *note,
		   struct err *e)
{
	int64_t changed;
	int r = db_change(db,
			  "UPDATE submission SET review = ?, review_note = ? WHERE id = ?"
			  " AND review IS NOT NULL",
			  DB_ARGS(db_text(state), db_text(note), db_text(submission_id)), &changed,
			  e);

	if (r == 0 && changed == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such submission to review");
	return r;
}

/* Solves that went oddly */

struct solve_row {
	char *team_id, *team, *challenge_id, *question_id, *submission_id, *instance_id;
	int64_t at, seq;
	int64_t started_at, downloaded_at; /* first, before it; 0: never */
};

static void read_solve(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(struct solve_row *)ret_struct = (struct solve_row){
		.team_id = arena_strdup(arena, db_get_text(rows, 0)),
		.team = arena_strdup(arena, db_get_text(rows, 1)),
		.challenge_id = arena_strdup(arena, db_get_text(rows, 2)),
		.question_id = arena_strdup(arena, db_get_text(rows, 3)),
		.submission_id = arena_strdup(arena, db_get_text(rows, 4)),
		.instance_id = arena_strdup(arena, db_get_text(rows, 5)),
		.at = db_get_int(rows, 6),
		.seq = db_get_int(rows, 7),
		.started_at = db_get_int(rows, 8),
		.downloaded_at = db_get_int(rows, 9),
	};
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* What is odd about it: a list of words, empty where nothing is. */
static json_t *reasons_json(const struct suspicion_wish *wish, const struct solve_row *solve,
			    const struct challenge *challenge)
{
	int64_t began = later(solve->started_at, solve->downloaded_at);
	json_t *reasons = json_array();

	if (challenge_has_instance(challenge) && !solve->started_at)
		json_array_append_new(reasons, json_text("not_started"));
	if (challenge->attachment_count > 0 && !solve->downloaded_at)
		json_array_append_new(reasons, json_text("not_downloaded"));
	if (began && solve->at - began < wish->quick_ms)
		json_array_append_new(reasons, json_text("too_quick"));
	return reasons;
}

static int add_suspicion(json_t *list, const struct suspicion_wish *wish,
			 const struct solve_row *solve, struct err *e)
{
	const struct challenge *challenge = shelf_find(wish->shelf, solve->challenge_id);
	AUTO(json_t *, json_decrefp) reasons = NULL;

	if (!challenge)
		return 0;
	reasons = reasons_json(wish, solve, challenge);
	if (json_array_size(reasons) == 0)
		return 0;
	return json_array_append_new(
		       list,
		       json_make("{s:O, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:s?, s:o}",
				 "reasons", reasons, "team_id", solve->team_id, "team", solve->team,
				 "challenge_id", solve->challenge_id, "question_id",
				 solve->question_id, "submission_id", solve->submission_id,
				 "solved_at", time_json(solve->at), "started_at",
				 time_json(solve->started_at), "downloaded_at",
				 time_json(solve->downloaded_at), "instance_id", solve->instance_id,
				 "evidence", evidence_json(solve->instance_id))) < 0
		       ? err_memory(e)
		       : 0;
}

int suspicion_list(struct db *db, struct arena *arena, const struct suspicion_wish *wish,
		   json_t **ret_suspicions, struct err *e)
{
	AUTO(json_t *, json_decrefp) list = json_array();
	const char *cursor = NULL;
	struct solve_row *rows = NULL;
	size_t count = 0;
	int r;

	r = rows_all(
		db, arena,
		"SELECT solve.team_id, team.name, solve.challenge_id, solve.question_id,"
		" solve.submission_id, s.instance_id, solve.solved_at, solve.seq,"
		" COALESCE((SELECT MIN(created_at) FROM instance WHERE team_id = solve.team_id"
		" AND challenge_id = solve.challenge_id AND created_at <= solve.solved_at), 0),"
		" COALESCE((SELECT MIN(at) FROM download WHERE team_id = solve.team_id"
		" AND challenge_id = solve.challenge_id AND at <= solve.solved_at), 0)"
		" FROM solve JOIN team ON team.id = solve.team_id"
		" JOIN submission AS s ON s.id = solve.submission_id"
		" WHERE solve.competition_id = ? AND solve.seq > ? ORDER BY solve.seq LIMIT ?",
		DB_ARGS(db_text(wish->competition->id), db_int(wish->after), db_int(wish->limit)),
		read_solve, sizeof(*rows), &rows, &count, e);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_suspicion(list, wish, &rows[i], e);
	if (r < 0)
		return r;
	if ((int64_t)count == wish->limit)
		cursor = arena_printf(arena, "%lld", (long long)rows[count - 1].seq);
	*ret_suspicions = json_make("{s:O, s:s?}", "suspicions", list, "next_cursor", cursor);
	return *ret_suspicions ? 0 : err_memory(e);
}

int download_note(struct db *db, int64_t now, const char *team_id, const char *user_id,
		  const char *challenge_id, const char *filename, struct err *e)
{
	return db_run(db,
		      "INSERT INTO download (team_id, challenge_id, filename, account_id, at)"
		      " VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		      DB_ARGS(db_text(team_id), db_text(challenge_id), db_text(filename),
			      db_text(user_id), db_int(now)),
		      e);
}
