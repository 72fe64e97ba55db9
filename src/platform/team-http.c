#include "base/err.h"
#include "platform/door.h"
#include "platform/scoreboard.h"

/* What either way into a team takes. */
struct team_wish {
	char *name;
	char *invite;
};

static const struct field new_team_fields[] = {
	FIELD(struct team_wish, STRING, name, FIELD_REQUIRED),
	FIELDS_END,
};

static const struct field join_fields[] = {
	FIELD(struct team_wish, STRING, invite, FIELD_REQUIRED),
	FIELDS_END,
};

static int serve_new_team(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct team_wish wish = { .name = NULL };
	struct competition competition;
	struct team team;
	int r;

	r = http_read(req, new_team_fields, &wish, e);
	if (r == 0)
		r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = team_create(platform->db, http_arena(req), door_now(platform), &competition,
				door_principal(req)->user_id, wish.name, &team, e);
	fields_done(new_team_fields, &wish);
	if (r < 0)
		return r;
	scoreboards_touch(platform->boards);
	return http_send(res, 201, team_fields, &team);
}

static int serve_join(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct team_wish wish = { .name = NULL };
	struct competition competition;
	struct team team;
	int r;

	r = http_read(req, join_fields, &wish, e);
	if (r == 0)
		r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = team_join(platform->db, http_arena(req), door_now(platform), &competition,
			      door_principal(req)->user_id, wish.invite, &team, e);
	fields_done(join_fields, &wish);
	return r < 0 ? r : http_send(res, 200, team_fields, &team);
}

static int serve_own_team(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct competition competition;
	struct team team;
	int r;

	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = door_team(platform, req, &competition, &team, e);
	if (r == 0)
		r = team_find(platform->db, http_arena(req), team.id, &team, e);
	return r < 0 ? r : http_send(res, 200, team_fields, &team);
}

static int serve_leave(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct competition competition;
	int r;

	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = team_leave(platform->db, competition.id, door_principal(req)->user_id, e);
	return r < 0 ? r : http_send_nothing(res, 204);
}

static int serve_teams(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct competition competition;
	struct teams teams;
	int r;

	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = team_list(platform->db, http_arena(req), competition.id, &teams, e);
	return r < 0 ? r : http_send(res, 200, teams_fields, &teams);
}

const struct http_route platform_team_routes[] = {
	{ "GET", "/api/v1/team", serve_own_team, 0, ACCESS_USER },
	{ "POST", "/api/v1/teams", serve_new_team, 0, ACCESS_USER },
	{ "POST", "/api/v1/team/members", serve_join, 0, ACCESS_USER },
	{ "DELETE", "/api/v1/team/members/me", serve_leave, 0, ACCESS_USER },
	{ "GET", "/api/v1/admin/teams", serve_teams, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
