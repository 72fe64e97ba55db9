#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "platform/door.h"
#include "platform/instance.h"
#include "platform/rows.h"
#include "platform/scoreboard.h"

#include <string.h>

/* What a team has done so far: for telling it along with the challenges. */
struct progress {
	struct instances live;
	struct progress_solve *solves;
	size_t solve_count;
};

struct progress_solve {
	char *challenge_id;
	char *question_id;
};

static void progress_done(struct progress *progress)
{
	instances_done(&progress->live);
}

static void read_solve(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct progress_solve *solve = ret_struct;

	*solve = (struct progress_solve){
		.challenge_id = arena_strdup(arena, db_get_text(rows, 0)),
		.question_id = arena_strdup(arena, db_get_text(rows, 1)),
	};
}

/* Of the asker's team; of nobody where there is none. */
static int read_progress(const struct platform *platform, struct http_req *req,
			 const struct competition *competition, struct progress *progress,
			 struct err *e)
{
	struct team team;
	int r;

	r = door_team(platform, req, competition, &team, e);
	if (r == -ERR_CONFLICT)
		return 0;
	if (r < 0)
		return r;
	r = instances_all_of_team(platform->db, http_arena(req), team.id, &progress->live, e);
	if (r < 0)
		return r;
	return rows_all(platform->db, http_arena(req),
			"SELECT challenge_id, question_id FROM solve WHERE team_id = ?",
			DB_ARGS(db_text(team.id)), read_solve, sizeof(struct progress_solve),
			&progress->solves, &progress->solve_count, e);
}

static bool is_solved(const struct progress *progress, const struct challenge *challenge,
		      const struct question *question)
{
	for (size_t i = 0; i < progress->solve_count; i++)
		if (strcmp(progress->solves[i].challenge_id, challenge->id) == 0 &&
		    strcmp(progress->solves[i].question_id, question->id) == 0)
			return true;
	return false;
}

static size_t count_solved(const struct progress *progress, const struct challenge *challenge)
{
	size_t solved = 0;

	for (size_t i = 0; i < challenge->question_count; i++)
		solved += is_solved(progress, challenge, &challenge->questions[i]);
	return solved;
}

static json_t *live_instance(const struct progress *progress, const struct challenge *challenge)
{
	for (size_t i = 0; i < progress->live.count; i++)
		if (strcmp(progress->live.rows[i].challenge_id, challenge->id) == 0)
			return instances_json(&progress->live.rows[i]);
	return json_null();
}

static json_t *strings_json(const char *const *strings, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(strings[i]));
	return list;
}

/* One line of the list; the page of one challenge says more. NULL: out of memory. */
static json_t *challenge_json(const struct challenge *c, const struct board *board,
			      const struct progress *progress)
{
	const struct standing *standing = board_standing(board, c->id);
	size_t solved = count_solved(progress, c);
	bool all = c->question_count > 0 && solved == c->question_count;

	return json_pack("{s:s, s:s, s:s?, s:I, s:I, s:b, s:I, s:I, s:b, s:o, s:o}", "id", c->id,
			 "name", c->name, "category", c->category, "value",
			 (json_int_t)(standing ? standing->value : c->value), "solvers",
			 (json_int_t)(standing ? standing->solvers : 0), "solved", all, "questions",
			 (json_int_t)c->question_count, "questions_solved", (json_int_t)solved,
			 "has_instance", challenge_has_instance(c), "tags",
			 strings_json(c->tags, c->tag_count), "instance",
			 live_instance(progress, c));
}

static int serve_challenges(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct progress, progress_done) progress = { .solves = NULL };
	AUTO(const struct board *, board_dropp) board = NULL;
	AUTO(const struct shelf *, shelf_dropp) shelf = NULL;
	AUTO(json_t *, json_decrefp) list = json_array();
	struct platform *platform = ctx;
	struct competition competition;
	int r;

	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = door_check_begun(platform, req, &competition, e);
	if (r == 0)
		r = read_progress(platform, req, &competition, &progress, e);
	if (r == 0)
		r = scoreboards_take(platform->boards, &competition, false, &board, e);
	if (r < 0)
		return r;
	shelf = challenges_take(platform->challenges);
	for (size_t i = 0; i < shelf->count; i++)
		if (door_shows(&competition, shelf->challenges[i]) &&
		    json_array_append_new(list, challenge_json(shelf->challenges[i], board,
							       &progress)) < 0)
			return err_memory(e);
	return http_send_json(res, 200,
			      json_pack("{s:s, s:O}", "competition_id", competition.id,
					"challenges", list));
}

static json_t *questions_json(const struct challenge *c, const struct board *board,
			      const struct progress *progress)
{
	const struct standing *standing = board_standing(board, c->id);
	int64_t value = standing ? standing->value : c->value;
	json_t *list = json_array();

	for (size_t i = 0; i < c->question_count; i++) {
		const struct question *q = &c->questions[i];

		json_array_append_new(list, json_pack("{s:s, s:s?, s:I, s:b}", "id", q->id, "text",
						      q->text, "value",
						      (json_int_t)score_share(c, i, value),
						      "solved", is_solved(progress, c, q)));
	}
	return list;
}

/* The text of a hint that costs something isn't given away. */
static json_t *hints_json(const struct challenge *c)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->hint_count; i++) {
		const struct hint *hint = &c->hints[i];

		json_array_append_new(list, json_pack("{s:I, s:s?}", "cost", (json_int_t)hint->cost,
						      "text", hint->cost ? NULL : hint->text));
	}
	return list;
}

/* Where to connect, if the challenge says so and no instance of one's own is the answer. */
static const char *connection_info(const struct challenge *c)
{
	return challenge_has_instance(c) ? NULL : c->connection_info;
}

static json_t *page_json(const struct challenge *c, const struct board *board,
			 const struct progress *progress)
{
	AUTO(json_t *, json_decrefp) more =
		json_pack("{s:s?, s:s?, s:s?, s:I, s:o, s:o, s:o}", "description", c->description,
			  "author", c->author, "connection_info", connection_info(c), "attempts",
			  (json_int_t)c->attempts, "questions", questions_json(c, board, progress),
			  "hints", hints_json(c), "requires",
			  strings_json(c->requires_, c->require_count));
	json_t *json = challenge_json(c, board, progress);

	if (!more || !json || json_object_update(json, more) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int serve_challenge(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct progress, progress_done) progress = { .solves = NULL };
	AUTO(const struct board *, board_dropp) board = NULL;
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	struct platform *platform = ctx;
	json_t *json;
	int r;

	r = door_enter(platform, req, &entry, e);
	if (r == 0)
		r = read_progress(platform, req, &entry.competition, &progress, e);
	if (r == 0)
		r = scoreboards_take(platform->boards, &entry.competition, false, &board, e);
	if (r < 0)
		return r;
	json = page_json(entry.challenge, board, &progress);
	return json ? http_send_json(res, 200, json) : err_memory(e);
}

const struct http_route platform_challenge_routes[] = {
	{ "GET", "/api/v1/challenges", serve_challenges, 0, ACCESS_USER },
	{ "GET", "/api/v1/challenges/{id}", serve_challenge, 0, ACCESS_AGENT },
	{ .method = NULL },
};
