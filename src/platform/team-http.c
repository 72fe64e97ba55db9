/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/door.h"
#include "platform/guess.h"
#include "platform/limit.h"
#include "platform/page.h"
#include "platform/programme.h"
#include "platform/scoreboard.h"
#include "platform/settle.h"

#include <string.h>

static const struct field new_team_fields[] = {
	FIELD(struct team_wish, STRING, name, FIELD_REQUIRED),
	FIELD(struct team_wish, STRING, division, 0),
	FIELD(struct team_wish, STRING, code, 0),
	FIELDS_END,
};

struct joining {
	char *invite;
};

static const struct field joining_fields[] = {
	FIELD(struct joining, STRING, invite, FIELD_REQUIRED),
	FIELDS_END,
};

/* Of one account in one competition, so that leaving and making another one leads nowhere. */
static const struct rate new_teams = { .burst = 5, .period_ms = 10 * 60 * 1000 };

static int create(struct platform *platform, struct http_req *req, struct http_res *res,
		  const struct competition *competition, const struct team_wish *wish,
		  struct team *ret_team, struct err *e)
{
	const char *user_id = door_principal(req)->user_id;
	const char *key = arena_printf(http_arena(req), "team %s %s", user_id, competition->id);
	int64_t wait;
	int r;

	if (!key)
		return err_memory(e);
	wait = limiter_take(platform->limiter, key, &new_teams, door_now(platform));
	if (wait > 0) {
		http_set_retry_after(res, (unsigned)((wait + 999) / 1000));
		return err_set(e, ERR_RATE_LIMITED,
			       "you have made too many teams: try again later");
	}
	r = team_create(platform->db, http_arena(req), door_now(platform), competition, user_id,
			wish, ret_team, e);
	if (r < 0)
		limiter_return(platform->limiter, key, &new_teams);
	return r;
}

/* A code that is shown may be wrong. */
static int create_by_code(struct platform *platform, struct http_req *req, struct http_res *res,
			  const struct competition *competition, const struct team_wish *wish,
			  struct team *ret_team, struct err *e)
{
	int r = wish->code ? guess_take(platform, req, res, "code", e) : 0;

	if (r < 0)
		return r;
	r = create(platform, req, res, competition, wish, ret_team, e);
	if (wish->code && r != -ERR_FORBIDDEN)
		guess_return(platform, req, "code");
	return r;
}

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
		r = create_by_code(platform, req, res, &competition, &wish, &team, e);
	fields_done(new_team_fields, &wish);
	if (r < 0)
		return r;
	scoreboards_touch(platform->boards);
	r = scoreboards_settle(platform->boards, &competition, e);
	return r < 0 ? r : http_send(res, 201, team_fields, &team);
}

static int join(struct platform *platform, struct http_req *req, struct http_res *res,
		const struct competition *competition, const char *invite, struct team *ret_team,
		struct err *e)
{
	int r = guess_take(platform, req, res, "invite", e);

	if (r < 0)
		return r;
	r = team_join(platform->db, http_arena(req), door_now(platform), competition,
		      door_principal(req)->user_id, invite, ret_team, e);
	if (r != -ERR_NOT_FOUND)
		guess_return(platform, req, "invite");
	return r;
}

static int serve_join(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct joining body = { .invite = NULL };
	struct competition competition;
	struct team team;
	int r;

	r = http_read(req, joining_fields, &body, e);
	if (r == 0)
		r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = join(platform, req, res, &competition, body.invite, &team, e);
	fields_done(joining_fields, &body);
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

/* What is on the scoreboard of a team, to whom that is shown: no invite, and no account's id. */

static json_t *members_json(const struct team *team)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < team->member_count; i++) {
		const struct team_member *member = &team->members[i];

		if (json_array_append_new(list,
					  json_make("{s:s, s:b}", "name", member->name, "captain",
						    strcmp(member->id, team->captain_id) == 0)) ==
		    0)
			continue;
		json_decref(list);
		return NULL;
	}
	return list;
}

static json_t *team_json(const struct competition *competition, const struct board *board,
			 const struct team *team)
{
	AUTO(json_t *, json_decrefp) standing = board_team_json(board, team->id);
	json_t *json = standing ? json_make("{s:s, s:s, s:b, s:o}", "competition_id",
					    competition->id, "competition", competition->name,
					    "frozen", board->frozen, "members", members_json(team))
				: NULL;

	if (json && json_object_update(json, standing) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}

static int send_team(struct platform *platform, struct http_res *res,
		     const struct competition *competition, const struct team *team, struct err *e)
{
	AUTO(const struct board *, board_dropp) board = NULL;
	json_t *json;
	int r;

	r = scoreboards_take(platform->boards, competition, false, &board, e);
	if (r < 0)
		return r;
	if (!board_line(board, team->id))
		return err_set(e, ERR_NOT_FOUND, "there is no such team");
	json = team_json(competition, board, team);
	return json ? http_send_json(res, 200, json) : err_memory(e);
}

static int serve_team(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct competition *competition = NULL;
	struct platform *platform = ctx;
	struct team team;
	int r;

	r = team_find(platform->db, http_arena(req), http_param(req, "team"), &team, e);
	if (r == 0)
		r = programme_find(platform->programme, team.competition_id, &competition, e);
	if (r == 0)
		r = door_check_board(platform, req, competition, e);
	return r == 0 ? send_team(platform, res, competition, &team, e) : r;
}

static int leave(struct platform *platform, struct http_req *req,
		 const struct competition *competition, struct err *e)
{
	bool emptied = false;
	char *team_id;
	int r = team_leave(platform->db, http_arena(req), door_now(platform), competition->id,
			   door_principal(req)->user_id, &team_id, &emptied, e);

	if (r < 0 || !emptied)
		return r;
	settler_stop_team(platform->settler, team_id);
	scoreboards_touch(platform->boards);
	return scoreboards_settle(platform->boards, competition, e);
}

static int serve_leave(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct competition competition;
	int r = door_competition(ctx, req, &competition, e);

	if (r == 0)
		r = leave(ctx, req, &competition, e);
	return r < 0 ? r : http_send_nothing(res, 204);
}

static int serve_teams(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct competition competition;
	struct teams teams;
	struct page page;
	int r;

	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = page_read(req, &page, e);
	if (r == 0)
		r = team_list(platform->db, http_arena(req), competition.id, &page, &teams, e);
	return r < 0 ? r : http_send(res, 200, teams_fields, &teams);
}

struct team_change {
	char *division;
	json_t *hidden;
};

static const struct field team_change_fields[] = {
	FIELD(struct team_change, STRING, division, 0),
	FIELD(struct team_change, JSON, hidden, 0),
	FIELDS_END,
};

static int change_team(struct platform *platform, struct http_req *req,
		       const struct team_change *change, struct team *team, struct err *e)
{
	const struct competition *competition;
	bool hidden;
	int r;

	r = programme_find(platform->programme, team->competition_id, &competition, e);
	if (r < 0)
		return r;
	if (change->division && !competition_has_division(competition, change->division))
		return http_refuse_field(req, "division", "value_error",
					 "the competition has no such division", e);
	if (change->hidden && !json_is_boolean(change->hidden))
		return http_refuse_field(req, "hidden", "type_error.bool",
					 "value could not be parsed to a boolean", e);
	hidden = json_is_true(change->hidden);
	r = team_set(platform->db, team->id, change->division, change->hidden ? &hidden : NULL, e);
	if (r == 0)
		r = team_find(platform->db, http_arena(req), team->id, team, e);
	if (r < 0)
		return r;
	door_note(req, "team '%s': division '%s'%s", team->name,
		  team->division ? team->division : "", team->hidden ? ", hidden" : "");
	scoreboards_touch(platform->boards);
	return scoreboards_settle(platform->boards, competition, e);
}

static int serve_change_team(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct team_change change = { .division = NULL };
	struct team team;
	int r;

	r = http_read(req, team_change_fields, &change, e);
	if (r == 0)
		r = team_find(platform->db, http_arena(req), http_param(req, "team"), &team, e);
	if (r == 0)
		r = change_team(platform, req, &change, &team, e);
	fields_done(team_change_fields, &change);
	return r < 0 ? r : http_send(res, 200, team_fields, &team);
}

const struct http_route platform_team_routes[] = {
	{ "GET", "/api/v1/team", serve_own_team, 0, ACCESS_USER },
	{ "POST", "/api/v1/teams", serve_new_team, 0, ACCESS_USER },
	{ "GET", "/api/v1/teams/{team}", serve_team, HTTP_OPEN, 0 },
	{ "POST", "/api/v1/team/members", serve_join, 0, ACCESS_USER },
	{ "DELETE", "/api/v1/team/members/me", serve_leave, 0, ACCESS_USER },
	{ "GET", "/api/v1/admin/teams", serve_teams, 0, ACCESS_ORGANISER },
	{ "PATCH", "/api/v1/admin/teams/{team}", serve_change_team, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
