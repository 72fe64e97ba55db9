/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "db/db.h"
#include "platform/door.h"
#include "platform/instance.h"
#include "platform/progress.h"
#include "platform/purse.h"
#include "platform/rows.h"
#include "platform/score.h"
#include "platform/scoreboard.h"

#include <stdlib.h>
#include <string.h>

/* What a player's team has here: for telling it along with the challenges. */
struct own {
	struct instances live;
	struct progress progress;
};

static void own_done(struct own *own)
{
	instances_done(&own->live);
}

/* Of the asker's team; of nobody where there is none. */
static int read_own(const struct platform *platform, struct http_req *req,
		    const struct competition *competition, struct own *own, struct err *e)
{
	struct team team;
	int r;

	r = door_team(platform, req, competition, &team, e);
	if (r == -ERR_CONFLICT)
		return 0;
	if (r == 0)
		r = instances_all_of_team(platform->db, http_arena(req), team.id, &own->live, e);
	if (r == 0)
		r = progress_read(platform->db, http_arena(req), team.id, &own->progress, e);
	return r;
}

/* What is told of a challenge depends on all of these. */
struct view {
	const struct competition *competition;
	const struct shelf *shelf;
	const struct board *board;
	const struct own *own;
	bool is_organiser;
};

static json_t *live_instance(const struct own *own, const struct challenge *challenge)
{
	for (size_t i = 0; i < own->live.count; i++)
		if (strcmp(own->live.rows[i].challenge_id, challenge->id) == 0)
			return instances_json(&own->live.rows[i]);
	return json_null();
}

static json_t *strings_json(const char *const *strings, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_text(strings[i]));
	return list;
}

static json_t *time_json(int64_t at)
{
	char text[CLOCK_TEXT_SIZE];

	return at ? json_text(clock_format(at, text)) : json_null();
}

static json_t *missing_json(const struct view *view, const struct challenge *c)
{
	const struct challenge *missing =
		progress_missing(&view->own->progress, view->shelf, view->competition, c);

	return missing ? json_make("{s:s, s:s}", "id", missing->id, "name", missing->name)
		       : json_null();
}

/* Where the scoreboard is for organisers, so is who was first. */
static json_t *first_blood_json(const struct view *view, const struct standing *standing)
{
	bool shown = view->is_organiser || strcmp(view->competition->scoreboard, "organisers") != 0;

	return shown && standing && standing->first
		       ? json_make("{s:s, s:s}", "id", standing->first->team_id, "name",
				   standing->first->team)
		       : json_null();
}

/* Of one that others have to be solved before, where its author wants it so. */
static bool is_nameless(const struct view *view, const struct challenge *c)
{
	return c->anonymous && !view->is_organiser &&
	       progress_missing(&view->own->progress, view->shelf, view->competition, c);
}

/* One line of the list; the page of one challenge says more. NULL: out of memory. */
static json_t *challenge_json(const struct challenge *c, const struct view *view)
{
	const struct competition_challenge *own = competition_challenge(view->competition, c->id);
	const struct standing *standing = board_standing(view->board, c->id);
	bool nameless = is_nameless(view, c);

	return json_make("{s:s, s:s, s:s?, s:I, s:I, s:o, s:b, s:I, s:I, s:b, s:o, s:o, s:o, s:o}",
			 "id", c->id, "name", nameless ? "???" : c->name, "category",
			 nameless ? NULL : c->category, "value",
			 (json_int_t)(standing ? standing->value : c->value), "solvers",
			 (json_int_t)(standing ? standing->solvers : 0), "first_blood",
			 first_blood_json(view, standing), "solved",
			 progress_has_challenge(&view->own->progress, c), "questions",
			 (json_int_t)c->question_count, "questions_solved",
			 (json_int_t)progress_questions(&view->own->progress, c), "has_instance",
			 challenge_has_instance(c), "tags",
			 strings_json(c->tags, nameless ? 0 : c->tag_count), "closes_at",
			 time_json(own ? own->closes_at : 0), "needs", missing_json(view, c),
			 "instance", live_instance(view->own, c));
}

static int add_challenge(json_t *list, struct http_req *req, const struct view *view,
			 const struct challenge *challenge, struct err *e)
{
	const struct challenge *adapted;
	int r = competition_adapt(view->competition, http_arena(req), challenge, &adapted, e);

	if (r < 0)
		return r;
	return json_array_append_new(list, challenge_json(adapted, view)) < 0 ? err_memory(e) : 0;
}

static int by_position(const void *a, const void *b)
{
	const struct challenge *left = *(const struct challenge *const *)a;
	const struct challenge *right = *(const struct challenge *const *)b;

	if (left->position != right->position)
		return left->position < right->position ? -1 : 1;
	return strcmp(left->id, right->id);
}

/* Those that the caller may see, in the order that their authors wish. */
static int add_challenges(json_t *list, struct platform *platform, struct http_req *req,
			  const struct view *view, struct err *e)
{
	const struct challenge **seen = arena_array(http_arena(req), view->shelf->count + 1,
						    sizeof(const struct challenge *));
	size_t count = 0;
	int r = seen ? 0 : err_memory(e);

	for (size_t i = 0; r == 0 && i < view->shelf->count; i++)
		if (door_sees(platform, req, view->competition, view->shelf->challenges[i]))
			seen[count++] = view->shelf->challenges[i];
	if (count > 1)
		qsort(seen, count, sizeof(*seen), by_position);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = add_challenge(list, req, view, seen[i], e);
	return r;
}

static int serve_challenges(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct own, own_done) own = { .live = { .rows = NULL } };
	AUTO(const struct board *, board_dropp) board = NULL;
	AUTO(const struct shelf *, shelf_dropp) shelf = NULL;
	AUTO(json_t *, json_decrefp) list = json_array();
	struct platform *platform = ctx;
	struct competition competition;
	struct view view = { .competition = &competition,
			     .own = &own,
			     .is_organiser = door_is_organiser(req) };
	int r;

	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = door_check_begun(platform, req, &competition, e);
	if (r == 0)
		r = read_own(platform, req, &competition, &own, e);
	if (r == 0)
		r = scoreboards_take(platform->boards, &competition, false, &board, e);
	if (r < 0)
		return r;
	shelf = challenges_take(platform->challenges);
	view.shelf = shelf;
	view.board = board;
	r = add_challenges(list, platform, req, &view, e);
	if (r < 0)
		return r;
	return http_send_json(res, 200,
			      json_make("{s:s, s:O}", "competition_id", competition.id,
					"challenges", list));
}

static json_t *questions_json(const struct challenge *c, const struct view *view)
{
	const struct standing *standing = board_standing(view->board, c->id);
	int64_t value = standing ? standing->value : c->value;
	json_t *list = json_array();

	for (size_t i = 0; i < c->question_count; i++) {
		const struct question *q = &c->questions[i];

		json_array_append_new(list,
				      json_make("{s:s, s:s?, s:I, s:b}", "id", q->id, "text",
						q->text, "value",
						(json_int_t)score_share(c, i, value), "solved",
						progress_has_question(&view->own->progress, c, q)));
	}
	return list;
}

/* The text of a hint that costs something is told to those who have paid. */
static json_t *hints_json(const struct challenge *c, const struct view *view)
{
	json_t *list = json_array();

	for (size_t i = 0; i < c->hint_count; i++) {
		const struct hint *hint = &c->hints[i];
		bool unlocked = progress_has_hint(&view->own->progress, c, i);
		size_t missing = progress_hint_missing(&view->own->progress, c, i);

		json_array_append_new(list, json_make("{s:I, s:I, s:b, s:s?, s:s?, s:o}", "index",
						      (json_int_t)i, "cost", (json_int_t)hint->cost,
						      "unlocked", unlocked, "title", hint->title,
						      "text", unlocked ? hint->text : NULL, "needs",
						      missing < c->hint_count
							      ? json_integer((json_int_t)missing)
							      : json_null()));
	}
	return list;
}

/* Where to connect, if the challenge says so and no instance of one's own is the answer. */
static const char *connection_info(const struct challenge *c)
{
	return challenge_has_instance(c) ? NULL : c->connection_info;
}

static json_t *page_json(const struct challenge *c, const struct view *view)
{
	AUTO(json_t *, json_decrefp) more =
		json_make("{s:s?, s:s?, s:s?, s:I, s:o, s:o, s:o}", "description", c->description,
			  "author", c->author, "connection_info", connection_info(c), "attempts",
			  (json_int_t)c->attempts, "questions", questions_json(c, view), "hints",
			  hints_json(c, view), "requires",
			  strings_json(c->requires_, c->require_count));
	json_t *json = challenge_json(c, view);

	if (!more || !json || json_object_update(json, more) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

/* One that others have to be solved before is there, but doesn't say what it is about. */
static int check_unlocked(const struct view *view, const struct challenge *challenge, struct err *e)
{
	const struct challenge *missing =
		progress_missing(&view->own->progress, view->shelf, view->competition, challenge);

	return missing && !view->is_organiser
		       ? err_set(e, ERR_FORBIDDEN, "'%s' opens when your team has solved '%s'",
				 challenge->name, missing->name)
		       : 0;
}

static int serve_challenge(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct own, own_done) own = { .live = { .rows = NULL } };
	AUTO(const struct board *, board_dropp) board = NULL;
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	struct platform *platform = ctx;
	struct view view = { .competition = &entry.competition,
			     .own = &own,
			     .is_organiser = door_is_organiser(req) };
	json_t *json;
	int r;

	r = door_enter(platform, req, &entry, e);
	if (r == 0)
		r = read_own(platform, req, &entry.competition, &own, e);
	view.shelf = entry.shelf;
	if (r == 0)
		r = check_unlocked(&view, entry.challenge, e);
	if (r == 0)
		r = scoreboards_take(platform->boards, &entry.competition, false, &board, e);
	if (r < 0)
		return r;
	view.board = board;
	json = page_json(entry.challenge, &view);
	return json ? http_send_json(res, 200, json) : err_memory(e);
}

/* Hints that cost something */

static int find_hint(struct http_req *req, const struct challenge *challenge, size_t *ret_hint,
		     struct err *e)
{
	const char *text = http_param(req, "hint");
	char *end;
	long index = strtol(text, &end, 10);

	if (end == text || *end || index < 0 || (size_t)index >= challenge->hint_count)
		return err_set(e, ERR_NOT_FOUND, "'%s' has no hint '%s'", challenge->id, text);
	*ret_hint = (size_t)index;
	return 0;
}

/* In a transaction: nothing that it decides by is older. */
static int unlock_now(struct platform *platform, struct http_req *req, const struct entry *entry,
		      size_t hint, struct err *e)
{
	const struct purse purse = { entry->shelf, &entry->competition, &entry->team,
				     door_principal(req)->user_id };
	int64_t cost = entry->challenge->hints[hint].cost, points = 0;
	struct arena *arena = http_arena(req);
	struct progress progress;
	size_t missing;
	int r;

	r = progress_read(platform->db, arena, entry->team.id, &progress, e);
	if (r < 0 || progress_has_hint(&progress, entry->challenge, hint))
		return r;
	missing = progress_hint_missing(&progress, entry->challenge, hint);
	if (missing < entry->challenge->hint_count)
		return err_set(e, ERR_CONFLICT, "hint %zu has to be unlocked before", missing + 1);
	r = team_check_member(platform->db, entry->team.id, purse.user_id, e);
	if (r == 0 && cost > 0)
		r = purse_points(platform->db, arena, &purse, cost, &points, e);
	if (r < 0)
		return r;
	if (cost > 0 && points < cost)
		return err_set(e, ERR_CONFLICT,
			       "the hint costs %lld points, and you have %lld to spend: your "
			       "team's, less what it has paid, and you in other teams",
			       (long long)cost, (long long)points);
	return hint_unlock(platform->db, door_now(platform), &entry->team, purse.user_id,
			   entry->challenge, hint, e);
}

static int unlock(struct platform *platform, struct http_req *req, const struct entry *entry,
		  size_t hint, struct err *e)
{
	int r = db_begin(platform->db, e);

	if (r < 0)
		return r;
	r = rows_end(platform->db, unlock_now(platform, req, entry, hint, e), e);
	if (r < 0)
		return r;
	scoreboards_charged(platform->boards);
	return scoreboards_settle(platform->boards, &entry->competition, e);
}

static int serve_unlock(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	struct platform *platform = ctx;
	size_t hint = 0;
	int r;

	r = door_enter_playing(platform, req, &entry, e);
	if (r == 0)
		r = door_check_open(platform, req, &entry, e);
	if (r == 0)
		r = find_hint(req, entry.challenge, &hint, e);
	if (r == 0)
		r = unlock(platform, req, &entry, hint, e);
	if (r < 0)
		return r;
	return http_send_json(res, 200,
			      json_make("{s:I, s:I, s:b, s:s?}", "index", (json_int_t)hint, "cost",
					(json_int_t)entry.challenge->hints[hint].cost, "unlocked",
					1, "text", entry.challenge->hints[hint].text));
}

const struct http_route platform_challenge_routes[] = {
	{ "GET", "/api/v1/challenges", serve_challenges, 0, ACCESS_USER },
	{ "GET", "/api/v1/challenges/{id}", serve_challenge, 0, ACCESS_AGENT },
	{ "POST", "/api/v1/challenges/{id}/hints/{hint}", serve_unlock, 0, ACCESS_USER },
	{ .method = NULL },
};
