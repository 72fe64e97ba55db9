/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/submission.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/door.h"
#include "platform/limit.h"
#include "platform/score.h"
#include "platform/scoreboard.h"

#include <string.h>

struct handed_in {
	char *question;
	char *answer;
};

static const struct field handed_in_fields[] = {
	FIELD(struct handed_in, STRING, question, 0),
	FIELD(struct handed_in, STRING, answer, FIELD_REQUIRED),
	FIELDS_END,
};

/* What the right answer is worth as things stand. */
static int64_t worth(struct platform *platform, const struct entry *entry, const char *question_id)
{
	AUTO(const struct board *, board_dropp) board = NULL;
	const struct challenge *challenge = entry->challenge;
	const struct standing *standing;

	if (scoreboards_take(platform->boards, &entry->competition, false, &board, NULL) < 0)
		return 0;
	standing = board_standing(board, challenge->id);
	for (size_t i = 0; standing && i < challenge->question_count; i++)
		if (strcmp(challenge->questions[i].id, question_id) == 0)
			return score_share(challenge, i, standing->value);
	return 0;
}

static int send_verdict(struct platform *platform, struct http_res *res, const struct entry *entry,
			const struct submission *s, struct err *e)
{
	bool right = s->question_id &&
		     (strcmp(s->verdict, "correct") == 0 || strcmp(s->verdict, "repeated") == 0);
	bool frozen = competition_is_frozen(&entry->competition, door_now(platform));
	/* Behind a freeze nobody learns what others have solved. */
	json_t *json = json_make("{s:s, s:s, s:s?, s:s, s:o, s:I}", "id", s->id, "challenge_id",
				 s->challenge_id, "question_id", s->question_id, "verdict",
				 submission_verdict_shown(s), "first_blood",
				 frozen ? json_null() : json_boolean(s->first_blood), "value",
				 (json_int_t)(right ? worth(platform, entry, s->question_id) : 0));

	return json ? http_send_json(res, 201, json) : err_memory(e);
}

/* Of the team, and of the account in whichever team: a change of teams gives no second burst. */
static int64_t take_rate(struct platform *platform, const struct rate *rate, const char *team,
			 const char *account)
{
	int64_t now = door_now(platform);
	int64_t wait = limiter_take(platform->limiter, team, rate, now);

	if (wait > 0)
		return wait;
	wait = limiter_take(platform->limiter, account, rate, now);
	if (wait > 0)
		limiter_return(platform->limiter, team, rate);
	return wait;
}

static int check_rate(struct platform *platform, struct http_req *req, struct http_res *res,
		      const struct entry *entry, struct err *e)
{
	const char *challenge = entry->challenge->id;
	const char *team = arena_printf(http_arena(req), "answer %s %s", entry->team.id, challenge);
	const char *account =
		arena_printf(http_arena(req), "answer %s %s %s", door_principal(req)->user_id,
			     entry->competition.id, challenge);
	int64_t wait;
	unsigned seconds;

	if (!team || !account)
		return err_memory(e);
	wait = take_rate(platform, &entry->competition.answer_rate, team, account);
	if (wait == 0)
		return 0;
	seconds = (unsigned)((wait + 999) / 1000);
	http_set_retry_after(res, seconds);
	return err_set(e, ERR_RATE_LIMITED, "your team answers '%s' too often: try again in %u s",
		       challenge, seconds);
}

static int hand_in(struct platform *platform, struct http_req *req, const struct entry *entry,
		   const struct handed_in *body, int64_t now, struct submission *ret_submission,
		   struct err *e)
{
	const struct attempt attempt = {
		.competition_id = entry->competition.id,
		.challenge = entry->challenge,
		.question_id = body->question,
		.team_id = entry->team.id,
		.user_id = door_principal(req)->user_id,
		.answer = body->answer,
		.peer = http_peer(req),
		.only_live = entry->competition.strict_answers,
		.practice = competition_is_practice(&entry->competition, now),
		.ends_at = entry->competition.ends_at,
	};
	int r;

	r = submission_make(platform->db, http_arena(req), now, &attempt, ret_submission, e);
	if (r == 0 && strcmp(ret_submission->verdict, "correct") == 0)
		scoreboards_solved(platform->boards);
	return r;
}

static int serve_submit(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	struct platform *platform = ctx;
	struct handed_in body = { .answer = NULL };
	struct submission submission = { .id = NULL };
	int64_t now = door_now(platform); /* when it came, whatever follows takes */
	int r;

	r = http_read(req, handed_in_fields, &body, e);
	if (r == 0)
		r = door_enter_playing(platform, req, &entry, e);
	if (r == 0)
		r = door_check_open(platform, req, &entry, e);
	if (r == 0)
		r = check_rate(platform, req, res, &entry, e);
	if (r == 0)
		r = hand_in(platform, req, &entry, &body, now, &submission, e);
	fields_done(handed_in_fields, &body);
	return r < 0 ? r : send_verdict(platform, res, &entry, &submission, e);
}

static int read_filter(struct http_req *req, struct submission_filter *filter, struct err *e)
{
	*filter = (struct submission_filter){ .challenge_id = http_query(req, "challenge"),
					      .verdict = http_query(req, "verdict") };
	return page_read(req, &filter->page, e);
}

static int serve_own(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct submission_filter filter;
	struct submissions own = { .submissions = NULL };
	struct competition competition;
	struct team team = { .id = NULL };
	int r;

	r = read_filter(req, &filter, e);
	if (r == 0)
		r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = door_team(platform, req, &competition, &team, e);
	if (r == 0)
		r = submission_list_of_team(platform->db, http_arena(req), team.id, &filter, &own,
					    e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < own.submission_count; i++) {
		struct submission *s = &own.submissions[i];

		s->verdict = arena_strdup(http_arena(req), submission_verdict_shown(s));
	}
	return http_send(res, 200, submissions_fields, &own);
}

static int serve_all(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct submission_filter filter;
	struct submissions all;
	struct competition competition;
	int r;

	r = read_filter(req, &filter, e);
	if (r == 0)
		r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = submission_list(platform->db, http_arena(req), competition.id, &filter, &all,
				    e);
	return r < 0 ? r : http_send(res, 200, submissions_admin_fields, &all);
}

/* An answer that no pattern could tell */

struct ruling {
	char *verdict;
};

static const struct field ruling_fields[] = {
	FIELD(struct ruling, STRING, verdict, FIELD_REQUIRED),
	FIELDS_END,
};

static int rule(struct platform *platform, struct http_req *req, const char *verdict,
		struct submission *ret_submission, struct err *e)
{
	bool right = strcmp(verdict, "correct") == 0;
	struct competition competition;
	int r;

	if (!right && strcmp(verdict, "wrong") != 0)
		return http_refuse_field(req, "verdict", "value_error", "correct or wrong expected",
					 e);
	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = submission_judge(platform->db, http_arena(req), &competition,
				     http_param(req, "submission"), right, ret_submission, e);
	if (r < 0)
		return r;
	door_note(req, "%s: %s", ret_submission->challenge_id, ret_submission->verdict);
	if (right)
		scoreboards_solved(platform->boards);
	return 0;
}

static int serve_ruling(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct submission submission = { .id = NULL };
	struct ruling ruling = { .verdict = NULL };
	int r;

	r = http_read(req, ruling_fields, &ruling, e);
	if (r == 0)
		r = rule(ctx, req, ruling.verdict, &submission, e);
	fields_done(ruling_fields, &ruling);
	return r < 0 ? r
		     : http_send_json(res, 200,
				      json_make("{s:s, s:s}", "id", submission.id, "verdict",
						submission.verdict));
}

const struct http_route platform_submission_routes[] = {
	{ "POST", "/api/v1/challenges/{id}/submissions", serve_submit, 0, ACCESS_AGENT },
	{ "GET", "/api/v1/submissions", serve_own, 0, ACCESS_USER },
	{ "GET", "/api/v1/admin/submissions", serve_all, 0, ACCESS_ORGANISER },
	{ "PATCH", "/api/v1/admin/submissions/{submission}", serve_ruling, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
