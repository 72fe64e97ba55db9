/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/submission.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "challenge/answer-match.h"
#include "platform/rows.h"
#include "platform/schema.h"
#include "platform/team.h"

#include <ctype.h>
#include <string.h>

static const struct field player_fields[] = {
	FIELD(struct submission, STRING, id, 0),
	FIELD(struct submission, STRING, challenge_id, 0),
	FIELD(struct submission, STRING, question_id, 0),
	FIELD(struct submission, STRING, user_id, 0),
	FIELD(struct submission, STRING, answer, 0),
	FIELD(struct submission, STRING, verdict, 0),
	FIELD(struct submission, TIME, submitted_at, 0),
	FIELDS_END,
};

static const struct field admin_fields[] = {
	FIELD(struct submission, STRING, id, 0),
	FIELD(struct submission, STRING, competition_id, 0),
	FIELD(struct submission, STRING, challenge_id, 0),
	FIELD(struct submission, STRING, question_id, 0),
	FIELD(struct submission, STRING, team_id, 0),
	FIELD(struct submission, STRING, team, 0),
	FIELD(struct submission, STRING, user_id, 0),
	FIELD(struct submission, STRING, answer, 0),
	FIELD(struct submission, STRING, verdict, 0),
	FIELD(struct submission, STRING, instance_id, 0),
	FIELD(struct submission, STRING, other_team_id, 0),
	FIELD(struct submission, STRING, other_team, 0),
	FIELD(struct submission, STRING, other_instance_id, 0),
	FIELD(struct submission, STRING, peer, 0),
	FIELD(struct submission, TIME, submitted_at, 0),
	FIELDS_END,
};

const struct field submissions_fields[] = {
	FIELD_LIST_OF(struct submissions, submissions, submission_count, struct submission,
		      player_fields, 0),
	FIELD(struct submissions, STRING, next_cursor, 0),
	FIELDS_END,
};

const struct field submissions_admin_fields[] = {
	FIELD_LIST_OF(struct submissions, submissions, submission_count, struct submission,
		      admin_fields, 0),
	FIELD(struct submissions, STRING, next_cursor, 0),
	FIELDS_END,
};

const char *submission_verdict_shown(const struct submission *submission)
{
	return strcmp(submission->verdict, "foreign") == 0 ? "wrong" : submission->verdict;
}

/* Judging */

enum { HELD_MOST = 5 }; /* of a team or account to a challenge: somebody has to look at each */

/* What the store knows of the team and this challenge. */
struct own_answer {
	char *question_id;
	char *answer;
};

struct judging {
	struct db *db;
	struct arena *arena;
	const struct attempt *attempt;
	const char *answer; /* without the white space around it */
	struct own_answer *own;
	size_t own_count;
	char **solved; /* ids of questions */
	size_t solved_count;
	const struct question **matches; /* that it answers */
	size_t match_count;
	const struct question *held; /* that nobody knows yet whether it answers */
};

static void read_own_answer(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct own_answer *own = ret_struct;

	*own = (struct own_answer){
		.question_id = arena_strdup(arena, db_get_text(rows, 0)),
		.answer = arena_strdup(arena, db_get_secret(rows, 1)),
	};
}

static void read_text(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

static int read_answer(struct judging *j, struct err *e)
{
	size_t len;
	const char *text = answer_trim(j->attempt->answer, &len);

	if (len == 0)
		return err_set(e, ERR_VALIDATION, "the answer is empty");
	if (len > ANSWER_MAX)
		return err_set(e, ERR_VALIDATION, "the answer is longer than %d bytes", ANSWER_MAX);
	j->answer = arena_strndup(j->arena, text, len);
	return j->answer ? 0 : err_memory(e);
}

static int read_own_answers(struct judging *j, struct err *e)
{
	const struct attempt *a = j->attempt;

	return rows_all(j->db, j->arena,
			"SELECT answer.question_id, answer.answer FROM instance"
			" JOIN answer ON answer.instance_id = instance.id"
			" WHERE instance.team_id = ? AND instance.challenge_id = ?"
			" AND instance.live >= ?",
			DB_ARGS(db_text(a->team_id), db_text(a->challenge->id),
				db_int(a->only_live)),
			read_own_answer, sizeof(struct own_answer), &j->own, &j->own_count, e);
}

static int read_solved(struct judging *j, struct err *e)
{
	const struct attempt *a = j->attempt;

	return rows_all(j->db, j->arena,
			"SELECT question_id FROM solve WHERE team_id = ? AND challenge_id = ?",
			DB_ARGS(db_text(a->team_id), db_text(a->challenge->id)), read_text,
			sizeof(char *), &j->solved, &j->solved_count, e);
}

static bool is_solved(const struct judging *j, const struct question *question)
{
	for (size_t i = 0; i < j->solved_count; i++)
		if (strcmp(j->solved[i], question->id) == 0)
			return true;
	return false;
}

static int try_question(const struct judging *j, const struct question *question, bool *ret_matches,
			struct err *e)
{
	const char **own = arena_array(j->arena, j->own_count + 1, sizeof(char *));
	size_t count = 0;

	if (!own)
		return err_memory(e);
	for (size_t i = 0; i < j->own_count; i++)
		if (strcmp(j->own[i].question_id, question->id) == 0)
			own[count++] = j->own[i].answer;
	return answer_matches(question, own, count, j->answer, ret_matches, e);
}

/* Patterns take their time: no other writer waits for that. */
static int judge(struct judging *j, struct err *e)
{
	const struct challenge *challenge = j->attempt->challenge;
	const char *named = j->attempt->question_id;
	bool known = !named;
	int r;

	j->matches = arena_array(j->arena, challenge->question_count + 1, sizeof(*j->matches));
	if (!j->matches)
		return err_memory(e);
	for (size_t i = 0; i < challenge->question_count; i++) {
		const struct question *question = &challenge->questions[i];
		bool matches = false;

		if (named && strcmp(named, question->id) != 0)
			continue;
		known = true;
		r = try_question(j, question, &matches, e);
		if (r == -ERR_TIMEOUT)
			j->held = question;
		else if (r < 0)
			return r;
		if (matches)
			j->matches[j->match_count++] = question;
	}
	if (!known)
		return err_set(e, ERR_NOT_FOUND, "'%s' has no question '%s'", challenge->id, named);
	return 0;
}

/* Keeping */

struct origin {
	char *team_id;
	char *instance_id;
};

static void read_origin(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct origin *origin = ret_struct;

	*origin = (struct origin){
		.team_id = arena_strdup(arena, db_get_text(rows, 0)),
		.instance_id = arena_strdup(arena, db_get_text(rows, 1)),
	};
}

/* Only answers made for one instance alone have a hash in the store. */
static int find_origin(const struct judging *j, struct submission *s, struct err *e)
{
	struct origin origin = { .team_id = NULL };
	char hash[SECRET_HASH_SIZE];
	int r;

	secret_hash(j->answer, hash);
	r = rows_one(j->db, j->arena,
		     "SELECT instance.team_id, instance.id FROM answer"
		     " JOIN instance ON instance.id = answer.instance_id"
		     " WHERE answer.answer_hash = ? AND instance.competition_id = ?"
		     " AND instance.team_id <> ? LIMIT 1",
		     DB_ARGS(db_text(hash), db_text(j->attempt->competition_id),
			     db_text(j->attempt->team_id)),
		     read_origin, &origin, "answer", e);
	if (r < 0 && r != -ERR_NOT_FOUND)
		return r;
	s->verdict = arena_strdup(j->arena, r == 0 ? "foreign" : "wrong");
	s->other_team_id = origin.team_id;
	s->other_instance_id = origin.instance_id;
	return s->verdict ? 0 : err_memory(e);
}

static int find_own_instance(const struct judging *j, struct submission *s, struct err *e)
{
	int r = rows_one(j->db, j->arena,
			 "SELECT id FROM instance WHERE team_id = ? AND challenge_id = ?"
			 " AND live = 1",
			 DB_ARGS(db_text(j->attempt->team_id), db_text(j->attempt->challenge->id)),
			 read_text, &s->instance_id, "instance", e);

	return r == -ERR_NOT_FOUND ? 0 : r;
}

struct made {
	int64_t wrong, all;
};

static void read_made(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	(void)arena;
	*(struct made *)ret_struct = (struct made){ db_get_int(rows, 0), db_get_int(rows, 1) };
}

#define MADE                                                                                    \
	"SELECT COALESCE(SUM(CASE WHEN verdict IN ('wrong', 'foreign') THEN 1 ELSE 0 END), 0)," \
	" COUNT(*) FROM submission WHERE challenge_id = ? AND competition_id = ?"

static int count_made(const struct judging *j, struct made *ret_team, struct made *ret_own,
		      struct err *e)
{
	const struct attempt *a = j->attempt;
	struct db_value challenge = db_text(a->challenge->id);
	struct db_value competition = db_text(a->competition_id);
	int r;

	r = rows_one(j->db, j->arena, MADE " AND team_id = ?",
		     DB_ARGS(challenge, competition, db_text(a->team_id)), read_made, ret_team,
		     "count", e);
	return r < 0 ? r
		     : rows_one(j->db, j->arena, MADE " AND account_id = ?",
				DB_ARGS(challenge, competition, db_text(a->user_id)), read_made,
				ret_own, "count", e);
}

/* Of the team, and of the account in whichever team: nobody gets more by changing it. */
static int check_attempts(const struct judging *j, struct err *e)
{
	const struct challenge *challenge = j->attempt->challenge;
	int64_t most = challenge->attempts;
	struct made team, own;
	int r = count_made(j, &team, &own, e);

	if (r < 0)
		return r;
	if (most && team.wrong >= most)
		return err_set(e, ERR_FORBIDDEN, "your team has made all its %lld attempts at '%s'",
			       (long long)most, challenge->id);
	if (most && own.wrong >= most)
		return err_set(e, ERR_FORBIDDEN,
			       "you have made all your %lld attempts at '%s', those in a team that "
			       "you have left included",
			       (long long)most, challenge->id);
	if (team.all >= ANSWERS_KEPT_MAX || own.all >= ANSWERS_KEPT_MAX)
		return err_set(e, ERR_CONFLICT,
			       "%d answers to '%s' were handed in, and more are not kept: ask an "
			       "organiser",
			       ANSWERS_KEPT_MAX, challenge->id);
	return 0;
}

/* The verdict of a right answer: correct if it is the team's first for the question. */
static int keep_solve(struct db *db, bool practice, struct arena *arena, struct submission *s,
		      struct err *e)
{
	int64_t solved, first = 0;
	int r;

	r = db_change(
		db,
		"INSERT INTO solve (competition_id, challenge_id, question_id, team_id,"
		" submission_id, solved_at, seq) VALUES (?, ?, ?, ?, ?, ?, (SELECT"
		" COALESCE(MAX(seq), 0) + 1 FROM solve WHERE competition_id = ?))"
		" ON CONFLICT (competition_id, challenge_id, question_id, team_id) DO NOTHING",
		DB_ARGS(db_text(s->competition_id), db_text(s->challenge_id),
			db_text(s->question_id), db_text(s->team_id), db_text(s->id),
			db_int(s->submitted_at), db_text(s->competition_id)),
		&solved, e);
	if (r == 0 && solved > 0 && !practice)
		r = db_change(db,
			      "INSERT INTO first_blood (competition_id, challenge_id, question_id,"
			      " team_id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
			      DB_ARGS(db_text(s->competition_id), db_text(s->challenge_id),
				      db_text(s->question_id), db_text(s->team_id)),
			      &first, e);
	if (r < 0)
		return r;
	s->first_blood = first > 0;
	s->verdict = arena_strdup(arena, solved > 0 ? "correct" : "repeated");
	return s->verdict ? 0 : err_memory(e);
}

/* Somebody has to look at it; until then it counts neither as right nor as a wrong attempt. */
static int hold(const struct judging *j, struct submission *s, struct err *e)
{
	int64_t held;
	int r = rows_count(j->db,
			   "SELECT COUNT(*) FROM submission WHERE competition_id = ?"
			   " AND verdict = 'held' AND challenge_id = ?"
			   " AND (team_id = ? OR account_id = ?)",
			   DB_ARGS(db_text(s->competition_id), db_text(s->challenge_id),
				   db_text(s->team_id), db_text(s->user_id)),
			   &held, e);

	if (r < 0)
		return r;
	if (held >= HELD_MOST)
		return err_set(e, ERR_CONFLICT,
			       "%lld of your team's answers, or of your own, wait for the "
			       "organisers: they have to be judged first",
			       (long long)held);
	s->verdict = arena_strdup(j->arena, "held");
	return s->verdict ? 0 : err_memory(e);
}

/* The same answer of the same instance, handed in again, is nothing new to look at. */
static int find_review(const struct judging *j, struct submission *s, struct err *e)
{
	int64_t known;
	int r = rows_count(j->db,
			   "SELECT COUNT(*) FROM submission WHERE team_id = ? AND challenge_id = ?"
			   " AND competition_id = ? AND verdict = 'foreign'"
			   " AND other_instance_id = ?",
			   DB_ARGS(db_text(s->team_id), db_text(s->challenge_id),
				   db_text(s->competition_id), db_text(s->other_instance_id)),
			   &known, e);

	if (r == 0 && known == 0)
		s->review = "open";
	return r;
}

static int judge_unanswered(const struct judging *j, struct submission *s, struct err *e)
{
	int r;

	if (j->held)
		return hold(j, s, e);
	r = find_origin(j, s, e);
	return r < 0 || !s->other_instance_id ? r : find_review(j, s, e);
}

static int insert(struct db *db, const struct submission *s, struct err *e)
{
	return db_run(
		db,
		"INSERT INTO submission (id, competition_id, challenge_id, question_id, team_id,"
		" account_id, answer, verdict, instance_id, other_team_id, other_instance_id, peer,"
		" submitted_at, review) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		DB_ARGS(db_text(s->id), db_text(s->competition_id), db_text(s->challenge_id),
			db_text(s->question_id), db_text(s->team_id), db_text(s->user_id),
			db_secret(s->answer), db_text(s->verdict), db_text(s->instance_id),
			db_text(s->other_team_id), db_text(s->other_instance_id), db_text(s->peer),
			db_int(s->submitted_at), db_text(s->review)),
		e);
}

/* An unsolved question that it answers, or else a solved one; NULL: none. */
static const struct question *choose(const struct judging *j)
{
	for (size_t i = 0; i < j->match_count; i++)
		if (!is_solved(j, j->matches[i]))
			return j->matches[i];
	return j->match_count ? j->matches[j->match_count - 1] : NULL;
}

/*
 * Who is first is who is first in the store: times follow its order, except that nobody who was in
 * time comes after the end by it.
 */
static int order_time(const struct judging *j, struct submission *s, struct err *e)
{
	int64_t last = 0, end = j->attempt->ends_at;
	int r = rows_count(j->db,
			   "SELECT solved_at FROM solve WHERE competition_id = ?"
			   " ORDER BY seq DESC LIMIT 1",
			   DB_ARGS(db_text(s->competition_id)), &last, e);

	if (r == 0 && last > s->submitted_at && (end == 0 || last < end || s->submitted_at >= end))
		s->submitted_at = last;
	return r;
}

static int decide(struct judging *j, struct submission *s, struct err *e)
{
	const struct question *question;
	int r = read_solved(j, e);

	if (r < 0)
		return r;
	question = choose(j);
	if (question || j->held)
		s->question_id = arena_strdup(j->arena, question ? question->id : j->held->id);
	if (!question)
		return judge_unanswered(j, s, e);
	r = order_time(j, s, e);
	return r < 0 ? r : keep_solve(j->db, j->attempt->practice, j->arena, s, e);
}

/* All that is decided by what others do is decided here, in one transaction. */
static int keep(struct judging *j, struct submission *s, struct err *e)
{
	int r;

	r = db_begin(j->db, e);
	if (r < 0)
		return r;
	r = team_check_member(j->db, j->attempt->team_id, j->attempt->user_id, e);
	if (r == 0)
		r = check_attempts(j, e);
	if (r == 0)
		r = decide(j, s, e);
	if (r == 0)
		r = find_own_instance(j, s, e);
	if (r == 0)
		r = insert(j->db, s, e);
	return rows_end(j->db, r, e);
}

int submission_make(struct db *db, struct arena *arena, int64_t now, const struct attempt *attempt,
		    struct submission *ret_submission, struct err *e)
{
	struct judging j = { .db = db, .arena = arena, .attempt = attempt };
	struct submission s = { .submitted_at = now };
	char id[ROW_ID_SIZE];
	int r;

	r = read_answer(&j, e);
	if (r == 0)
		r = read_own_answers(&j, e);
	if (r == 0)
		r = judge(&j, e);
	if (r < 0)
		return r;
	id_random(id, ROW_ID_SIZE - 1);
	s.id = arena_strdup(arena, id);
	s.competition_id = arena_strdup(arena, attempt->competition_id);
	s.challenge_id = arena_strdup(arena, attempt->challenge->id);
	s.question_id = arena_strdup(arena, attempt->question_id);
	s.team_id = arena_strdup(arena, attempt->team_id);
	s.user_id = arena_strdup(arena, attempt->user_id);
	s.answer = arena_strdup(arena, j.answer);
	s.peer = arena_strdup(arena, attempt->peer);
	if (arena_failed(arena))
		return err_memory(e);
	r = keep(&j, &s, e);
	if (r < 0)
		return r;
	*ret_submission = s;
	return 0;
}

/* Reading */

static void read_submission(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct submission *s = ret_struct;

	*s = (struct submission){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.competition_id = arena_strdup(arena, db_get_text(rows, 1)),
		.challenge_id = arena_strdup(arena, db_get_text(rows, 2)),
		.question_id = arena_strdup(arena, db_get_text(rows, 3)),
		.team_id = arena_strdup(arena, db_get_text(rows, 4)),
		.user_id = arena_strdup(arena, db_get_text(rows, 5)),
		.answer = arena_strdup(arena, db_get_secret(rows, 6)),
		.verdict = arena_strdup(arena, db_get_text(rows, 7)),
		.instance_id = arena_strdup(arena, db_get_text(rows, 8)),
		.other_team_id = arena_strdup(arena, db_get_text(rows, 9)),
		.other_instance_id = arena_strdup(arena, db_get_text(rows, 10)),
		.peer = arena_strdup(arena, db_get_text(rows, 11)),
		.submitted_at = db_get_int(rows, 12),
		.team = arena_strdup(arena, db_get_text(rows, 13)),
		.other_team = arena_strdup(arena, db_get_text(rows, 14)),
	};
}

#define SUBMISSION_SELECT                                                                        \
	"SELECT s.id, s.competition_id, s.challenge_id, s.question_id, s.team_id, s.account_id," \
	" s.answer, s.verdict, s.instance_id, s.other_team_id, s.other_instance_id, s.peer,"     \
	" s.submitted_at, team.name, other.name FROM submission AS s"                            \
	" JOIN team ON team.id = s.team_id LEFT JOIN team AS other ON other.id = s.other_team_id"

/* Judging what was held */

static int judge_held(struct db *db, struct arena *arena, struct submission *s, bool right,
		      bool practice, struct err *e)
{
	int r = 0;

	if (strcmp(s->verdict, "held") != 0)
		return err_set(e, ERR_CONFLICT, "the answer is not held: it is %s", s->verdict);
	if (right)
		r = keep_solve(db, practice, arena, s, e);
	else
		s->verdict = arena_strdup(arena, "wrong");
	if (r < 0)
		return r;
	return db_run(db, "UPDATE submission SET verdict = ? WHERE id = ?",
		      DB_ARGS(db_text(s->verdict), db_text(s->id)), e);
}

int submission_judge(struct db *db, struct arena *arena, const struct competition *competition,
		     const char *submission_id, bool right, struct submission *ret_submission,
		     struct err *e)
{
	struct submission s = { .id = NULL };
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = rows_one(db, arena, SUBMISSION_SELECT " WHERE s.id = ? AND s.competition_id = ?",
		     DB_ARGS(db_text(submission_id), db_text(competition->id)), read_submission, &s,
		     "submission", e);
	if (r == 0)
		r = judge_held(db, arena, &s, right,
			       competition_is_practice(competition, s.submitted_at), e);
	r = rows_end(db, r, e);
	if (r == 0)
		*ret_submission = s;
	return r;
}

/* Listing */

#define SUBMISSION_PAGE                                                 \
	" AND s.submitted_at <= ? AND (s.submitted_at < ? OR s.id < ?)" \
	" ORDER BY s.submitted_at DESC, s.id DESC LIMIT ?"

static int end_page(const struct page *page, struct arena *arena, struct submissions *submissions,
		    struct err *e)
{
	size_t count = submissions->submission_count;
	const struct submission *last = count ? &submissions->submissions[count - 1] : NULL;

	return page_next(page, arena, count, last ? last->submitted_at : 0, last ? last->id : NULL,
			 &submissions->next_cursor, e);
}

int submission_list_of_team(struct db *db, struct arena *arena, const char *team_id,
			    const struct submission_filter *filter,
			    struct submissions *ret_submissions, struct err *e)
{
	const struct page *page = &filter->page;
	struct db_value challenge = db_text(filter->challenge_id);
	int r = rows_all(db, arena,
			 SUBMISSION_SELECT " WHERE s.team_id = ? AND (? IS NULL OR"
					   " s.challenge_id = ?)" SUBMISSION_PAGE,
			 DB_ARGS(db_text(team_id), challenge, challenge, db_int(page->at),
				 db_int(page->at), db_text(page->id), db_int(page->limit)),
			 read_submission, sizeof(struct submission), &ret_submissions->submissions,
			 &ret_submissions->submission_count, e);

	return r < 0 ? r : end_page(page, arena, ret_submissions, e);
}

int submission_list(struct db *db, struct arena *arena, const char *competition_id,
		    const struct submission_filter *filter, struct submissions *ret_submissions,
		    struct err *e)
{
	const struct page *page = &filter->page;
	struct db_value challenge = db_text(filter->challenge_id);
	struct db_value verdict = db_text(filter->verdict);
	int r = rows_all(db, arena,
			 SUBMISSION_SELECT " WHERE s.competition_id = ?"
					   " AND (? IS NULL OR s.challenge_id = ?)"
					   " AND (? IS NULL OR s.verdict = ?)" SUBMISSION_PAGE,
			 DB_ARGS(db_text(competition_id), challenge, challenge, verdict, verdict,
				 db_int(page->at), db_int(page->at), db_text(page->id),
				 db_int(page->limit)),
			 read_submission, sizeof(struct submission), &ret_submissions->submissions,
			 &ret_submissions->submission_count, e);

	return r < 0 ? r : end_page(page, arena, ret_submissions, e);
}
