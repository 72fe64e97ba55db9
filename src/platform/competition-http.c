#include "base/clock.h"
#include "base/err.h"
#include "platform/door.h"
#include "platform/scoreboard.h"

#include <string.h>

static int serve_competitions(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct competitions all;
	int r;

	r = competition_list(platform->db, http_arena(req), &all, e);
	if (r < 0)
		return r;
	/* Which challenges there will be is no secret once it has begun, and nobody's before. */
	for (size_t i = 0; i < all.competition_count; i++)
		all.competitions[i].challenge_count = 0;
	return http_send(res, 200, competitions_fields, &all);
}

static int serve_competition(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct competition competition;
	int r;

	r = competition_find(platform->db, http_arena(req), http_param(req, "competition"),
			     &competition, e);
	return r < 0 ? r : http_send(res, 200, competition_fields, &competition);
}

/* The body is the competition's file. */
static int serve_apply(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct competition competition;
	bool is_new = false;
	const char *text;
	size_t len = 0;
	int r;

	text = http_body(req, &len);
	r = competition_parse(http_arena(req), "body", text, len, &competition, e);
	if (r == 0)
		r = competition_apply(platform->db, &competition, &is_new, e);
	if (r < 0)
		return r;
	scoreboards_touch(platform->boards);
	return http_send(res, is_new ? 201 : 200, competition_fields, &competition);
}

static int send_board(struct http_req *req, struct http_res *res, const struct board *board)
{
	const char *known = http_header(req, "If-None-Match");

	http_set_header(res, "ETag", board->etag);
	http_set_header(res, "Cache-Control", "no-cache");
	if (known && strcmp(known, board->etag) == 0)
		return http_send_nothing(res, 304);
	return http_send_bytes(res, 200, "application/json", board->json, board->json_len);
}

static int serve_board(struct platform *platform, struct http_req *req, struct http_res *res,
		       bool live, struct err *e)
{
	const struct board *board;
	struct competition competition;
	int r;

	r = door_competition(platform, req, &competition, e);
	if (r < 0)
		return r;
	r = scoreboards_take(platform->boards, &competition, live, &board, e);
	if (r < 0)
		return r;
	r = send_board(req, res, board);
	board_drop(board);
	return r;
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
	{ "GET", "/api/v1/competitions", serve_competitions, HTTP_OPEN, 0 },
	{ "GET", "/api/v1/scoreboard", serve_scoreboard, HTTP_OPEN, 0 },
	{ "GET", "/api/v1/admin/scoreboard", serve_live_scoreboard, 0, ACCESS_ORGANISER },
	{ "POST", "/api/v1/admin/competitions", serve_apply, 0, ACCESS_ORGANISER },
	{ "GET", "/api/v1/admin/competitions/{competition}", serve_competition, 0,
	  ACCESS_ORGANISER },
	{ .method = NULL },
};
