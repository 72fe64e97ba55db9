/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/door.h"
#include "platform/programme.h"
#include "platform/scoreboard.h"

#include <string.h>

static int serve_competitions(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(json_t *, json_decrefp) list = json_array();
	struct platform *platform = ctx;
	const struct competitions *all = programme_all(platform->programme);

	(void)req;
	for (size_t i = 0; i < all->competition_count; i++)
		if (json_array_append_new(list, competition_public_json(&all->competitions[i])) < 0)
			return err_memory(e);
	return http_send_json(res, 200, json_make("{s:O}", "competitions", list));
}

/* With the file it was made from. */
static int serve_competition(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	const struct competition *competition;
	json_t *json;
	int r;

	r = programme_find(platform->programme, http_param(req, "competition"), &competition, e);
	if (r < 0)
		return r;
	json = competition_json(competition);
	if (!json || (competition->file &&
		      json_object_set_new(json, "file", json_text(competition->file)) < 0)) {
		json_decref(json);
		return err_memory(e);
	}
	return http_send_json(res, 200, json);
}

/* Applying */

/* Boards are counted from the programme's own: what was parsed ends with the request. */
static int put_competition(struct platform *platform, const struct competition *parsed,
			   struct err *e)
{
	const struct competition *competition = NULL;
	bool is_new;
	int r;

	r = competition_apply(platform->db, parsed, &is_new, e);
	if (r == 0)
		r = programme_refresh(platform->programme, e);
	if (r == 0)
		r = programme_find(platform->programme, parsed->id, &competition, e);
	if (r < 0)
		return r;
	scoreboards_touch(platform->boards);
	return scoreboards_settle(platform->boards, competition, e);
}

/* What is applied, what that changed, and what about it is odd. */
static int send_applied(struct platform *platform, struct http_res *res,
			const struct competition *competition, bool is_new, json_t *changes,
			struct err *e)
{
	AUTO(const struct shelf *, shelf_dropp) shelf = challenges_take(platform->challenges);
	AUTO(json_t *, json_decrefp) json = competition_json(competition);

	if (!json || json_object_set(json, "changes", changes) < 0 ||
	    json_object_set_new(json, "warnings", competition_warnings(competition, shelf)) < 0)
		return err_memory(e);
	return http_send_json(res, is_new ? 201 : 200, TAKE(json));
}

/* The body is the competition's file; with ?dry_run=true it is looked at, and no more. */
static int serve_apply(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(json_t *, json_decrefp) changes = NULL;
	const char *dry_run = http_query(req, "dry_run");
	bool dry = dry_run && strcmp(dry_run, "true") == 0;
	struct platform *platform = ctx;
	const struct competition *old = NULL;
	struct competition competition;
	const char *text;
	size_t len = 0;
	int r;

	text = http_body(req, &len);
	r = competition_parse(http_arena(req), "body", text, len, &competition, e);
	if (r < 0)
		return r;
	if (programme_find(platform->programme, competition.id, &old, NULL) < 0)
		old = NULL;
	r = competition_diff(old, &competition, &changes, e);
	if (r == 0 && !dry)
		r = put_competition(platform, &competition, e);
	if (r < 0)
		return r;
	door_note(req, "competition '%s': %zu changes%s", competition.id, json_array_size(changes),
		  dry ? ", only looked at" : "");
	return send_applied(platform, res, &competition, !old && !dry, changes, e);
}

/* The scoreboard */

static void release_board(void *cookie)
{
	board_drop(cookie);
}

/* Megabytes in a large event: sent from where they are. */
static int send_part(struct http_req *req, struct http_res *res, const struct board *board,
		     const char *etag, const char *text, size_t len)
{
	const char *known = http_header(req, "If-None-Match");

	http_set_header(res, "ETag", etag);
	http_set_header(res, "Cache-Control", "private, no-cache");
	if (known && strcmp(known, etag) == 0)
		return http_send_nothing(res, 304);
	board_hold(board);
	return http_send_held(res, 200, "application/json", text, len, release_board,
			      (void *)(uintptr_t)board);
}

/* ret_view is a part of the board. */
static const struct board *peek(struct platform *platform, struct http_req *req, bool live,
				const struct board_view **ret_view, struct err *e)
{
	AUTO(const struct board *, board_dropp) board = NULL;
	const char *division = http_query(req, "division");
	struct competition competition;

	if (door_competition(platform, req, &competition, e) < 0 ||
	    (!live && door_check_board(platform, req, &competition, e) < 0))
		return NULL;
	if (division && !competition_has_division(&competition, division)) {
		err_set(e, ERR_NOT_FOUND, "there is no division '%s' in '%s'", division,
			competition.name);
		return NULL;
	}
	board = scoreboards_peek(platform->boards, competition.id, live);
	*ret_view = board ? board_view(board, division) : NULL;
	if (*ret_view)
		return TAKE(board);
	err_set(e, ERR_UNAVAILABLE, "the scoreboard of '%s' is being counted", competition.name);
	return NULL;
}

static int serve_board(void *ctx, struct http_req *req, struct http_res *res, bool live,
		       struct err *e)
{
	const struct board_view *view;
	AUTO(const struct board *, board_dropp) board = peek(ctx, req, live, &view, e);

	return board ? send_part(req, res, board, view->etag, view->json, view->json_len)
		     : -(int)e->code;
}

static int serve_scoreboard(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return serve_board(ctx, req, res, false, e);
}

static int serve_live_scoreboard(void *ctx, struct http_req *req, struct http_res *res,
				 struct err *e)
{
	return serve_board(ctx, req, res, true, e);
}

static int serve_history(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct board_view *view;
	AUTO(const struct board *, board_dropp) board = peek(ctx, req, false, &view, e);

	return board ? send_part(req, res, board, view->etag, view->history, view->history_len)
		     : -(int)e->code;
}

static int serve_ctftime(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct board_view *view;
	AUTO(const struct board *, board_dropp) board = peek(ctx, req, false, &view, e);

	return board ? send_part(req, res, board, view->etag, view->ctftime, view->ctftime_len)
		     : -(int)e->code;
}

static int serve_health(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	static const char body[] = "{\"status\":\"ok\",\"version\":\"" CTFY_VERSION "\"}";

	(void)ctx;
	(void)req;
	(void)e;
	return http_send_static(res, 200, "application/json", body, sizeof(body) - 1);
}

const struct http_route platform_competition_routes[] = {
	{ "GET", "/api/v1/health", serve_health, HTTP_OPEN | HTTP_QUICK, 0 },
	{ "GET", "/api/v1/competitions", serve_competitions, HTTP_OPEN | HTTP_QUICK, 0 },
	{ "GET", "/api/v1/scoreboard", serve_scoreboard, HTTP_OPEN | HTTP_QUICK, 0 },
	{ "GET", "/api/v1/scoreboard/history", serve_history, HTTP_OPEN | HTTP_QUICK, 0 },
	{ "GET", "/api/v1/scoreboard/ctftime", serve_ctftime, HTTP_OPEN | HTTP_QUICK, 0 },
	{ "GET", "/api/v1/admin/scoreboard", serve_live_scoreboard, HTTP_QUICK, ACCESS_ORGANISER },
	{ "POST", "/api/v1/admin/competitions", serve_apply, 0, ACCESS_ORGANISER },
	{ "GET", "/api/v1/admin/competitions/{competition}", serve_competition, 0,
	  ACCESS_ORGANISER },
	{ .method = NULL },
};
