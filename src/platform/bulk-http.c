/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/bulk.h"

#include "base/arena.h"
#include "base/err.h"
#include "platform/audit.h"
#include "platform/door.h"
#include "platform/scoreboard.h"
#include "platform/settle.h"

struct request {
	char *act;
	struct bulk_filter filter;
	json_t *expected; /* NULL: a preview */
};

static const struct field filter_fields[] = {
	FIELD_STRINGS_OF(struct bulk_filter, ids, id_count, 0),
	FIELD(struct bulk_filter, STRING, name, 0),
	FIELD(struct bulk_filter, TIME, since, 0),
	FIELD(struct bulk_filter, TIME, until, 0),
	FIELD(struct bulk_filter, BOOL, alone, 0),
	FIELD(struct bulk_filter, BOOL, idle, 0),
	FIELD(struct bulk_filter, BOOL, unsolved, 0),
	FIELDS_END,
};

static const struct field request_fields[] = {
	FIELD(struct request, STRING, act, FIELD_REQUIRED),
	FIELD_STRUCT_OF(struct request, filter, filter_fields),
	FIELD(struct request, JSON, expected, 0),
	FIELDS_END,
};

typedef int bulk_act(struct db *db, struct arena *arena, int64_t now, const struct bulk_wish *wish,
		     struct bulk_report *ret_report, struct err *e);

static int carry_out(struct platform *platform, struct http_req *req, const struct request *body,
		     bulk_act *act, struct bulk_report *ret_report, struct err *e)
{
	const struct audit_entry like = { .user_id = door_principal(req)->user_id,
					  .peer = http_peer(req),
					  .request_id = http_req_id(req) };
	const struct bulk_wish wish = {
		.act = body->act,
		.filter = body->filter,
		.expected = body->expected ? json_integer_value(body->expected) : -1,
		.like = &like,
	};
	int r;

	if (body->expected && (!json_is_integer(body->expected) || wish.expected < 0))
		return http_refuse_field(req, "expected", "type_error.integer",
					 "how many the preview told is expected", e);
	r = act(platform->db, http_arena(req), door_now(platform), &wish, ret_report, e);
	if (r == 0)
		door_note(req, "%s: %lld%s", ret_report->act, (long long)ret_report->count,
			  ret_report->done ? "" : ", a preview");
	return r;
}

/* Those who do it are told when all of it is in force. */
static void follow(struct platform *platform, const struct bulk_report *report)
{
	for (size_t i = 0; i < report->ended_count; i++)
		settler_stop_team(platform->settler, report->ended[i]);
	scoreboards_touch(platform->boards);
}

static int bulk(struct platform *platform, struct http_req *req, bulk_act *act, const char *scope,
		struct bulk_report *ret_report, struct err *e)
{
	struct request body = { .act = NULL };
	int r = http_read(req, request_fields, &body, e);

	body.filter.competition = scope;
	body.filter.asker = door_principal(req)->user_id;
	if (r == 0)
		r = carry_out(platform, req, &body, act, ret_report, e);
	fields_done(request_fields, &body);
	if (r == 0 && ret_report->done)
		follow(platform, ret_report);
	return r;
}

static int serve_bulk_users(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct bulk_report report = { .act = NULL };
	int r = bulk(platform, req, bulk_users, NULL, &report, e);

	for (size_t i = 0; r == 0 && report.done && i < report.row_count; i++)
		r = keyring_refresh_user(platform->keyring, report.rows[i].id, e);
	return r < 0 ? r : http_send(res, 200, bulk_users_fields, &report);
}

static int serve_bulk_teams(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct bulk_report report = { .act = NULL };
	struct platform *platform = ctx;
	struct competition competition;
	int r;

	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = bulk(platform, req, bulk_teams, competition.id, &report, e);
	if (r == 0 && report.done)
		r = scoreboards_settle(platform->boards, &competition, e);
	return r < 0 ? r : http_send(res, 200, bulk_teams_fields, &report);
}

const struct http_route platform_bulk_routes[] = {
	{ "POST", "/api/v1/admin/users/bulk", serve_bulk_users, 0, ACCESS_ADMIN },
	{ "POST", "/api/v1/admin/teams/bulk", serve_bulk_teams, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
