/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/events.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/board.h"
#include "platform/door.h"
#include "platform/notice.h"
#include "platform/page.h"
#include "platform/scoreboard.h"

#include <string.h>

enum { FEED_BUFFER = 32 << 10 };

static int read_wish(struct platform *platform, struct http_req *req,
		     const struct competition *competition, struct listener_wish *wish,
		     struct err *e)
{
	struct principal *who = arena_alloc(http_arena(req), sizeof(*who));
	struct team team;
	int r;

	if (!who)
		return err_memory(e);
	wish->competition_id = competition->id;
	wish->source = http_peer_key(req);
	if (!door_has_token(req))
		return 0;
	r = door_identify(platform, req, who, e);
	if (r == 0)
		r = access_check(who, ACCESS_USER, NULL, e);
	if (r < 0)
		return r;
	wish->is_user = true;
	wish->source = who->user_id;
	wish->is_organiser = who->role >= ROLE_ORGANISER;
	http_set_user(req, who);
	r = door_team(platform, req, competition, &team, e);
	if (r == 0)
		wish->team_id = team.id;
	return r == -ERR_CONFLICT ? 0 : r;
}

/* What a listener has to compare with what it knows. */
static char *hello_text(struct platform *platform, const struct competition *competition)
{
	AUTO(const struct board *, board_dropp) board =
		scoreboards_peek(platform->boards, competition->id, false);
	AUTO(json_t *, json_decrefp) data =
		json_make("{s:s, s:s?}", "competition_id", competition->id, "etag",
			  board ? board->all.etag : NULL);

	return data ? events_text("hello", data) : NULL;
}

static int serve_events(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(char *, freep) hello = NULL;
	struct platform *platform = ctx;
	struct listener_wish wish = { .team_id = NULL };
	struct http_feed *feed;
	struct competition competition;
	int r;

	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = read_wish(platform, req, &competition, &wish, e);
	if (r < 0)
		return r;
	r = events_check_room(platform->events, &wish, e);
	if (r < 0) {
		http_set_retry_after(res, EVENTS_RETRY_S);
		return r;
	}
	hello = hello_text(platform, &competition);
	if (!hello)
		return err_memory(e);
	if (strcmp(http_method(req), "HEAD") == 0)
		return http_send_bytes(res, 200, "text/event-stream", "", 0);
	http_set_header(res, "Cache-Control", "no-store");
	http_set_header(res, "X-Accel-Buffering", "no");
	r = http_feed_new(res, "text/event-stream", FEED_BUFFER, &feed, e);
	return r < 0 ? r : events_listen(platform->events, &wish, feed, hello, e);
}

/* Of those that are asked to look at the scoreboard. */
void platform_board_changed(void *cookie, const struct competition *competition,
			    const struct board *old, const struct board *new)
{
	struct platform *platform = cookie;
	AUTO(json_t *, json_decrefp) delta = board_delta(old, new);
	const struct event_audience audience = {
		.competition_id = competition->id,
		.users_only = strcmp(competition->scoreboard, "public") != 0,
		.organisers_only = strcmp(competition->scoreboard, "organisers") == 0,
	};

	events_publish(platform->events, &audience, "scoreboard", delta);
}

/* Notices */

struct new_notice {
	char *text;
};

static const struct field new_notice_fields[] = {
	FIELD(struct new_notice, STRING, text, FIELD_REQUIRED),
	FIELDS_END,
};

static int serve_new_notice(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(json_t *, json_decrefp) json = NULL;
	struct platform *platform = ctx;
	struct new_notice body = { .text = NULL };
	struct event_audience audience = { .users_only = true };
	struct competition competition = { .id = NULL };
	struct notice notice = { .id = NULL };
	int r;

	r = http_read(req, new_notice_fields, &body, e);
	if (r == 0)
		r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = notice_make(platform->db, http_arena(req), door_now(platform), competition.id,
				body.text, &notice, e);
	fields_done(new_notice_fields, &body);
	if (r < 0)
		return r;
	json = fields_encode(notice_fields, &notice);
	audience.competition_id = competition.id;
	events_publish(platform->events, &audience, "notice", json);
	return http_send(res, 201, notice_fields, &notice);
}

static int serve_notices(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct competition competition;
	struct notices notices;
	struct page page;
	int r;

	r = page_read(req, &page, e);
	if (r == 0)
		r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = notice_list(platform->db, http_arena(req), competition.id, &page, &notices, e);
	return r < 0 ? r : http_send(res, 200, notices_fields, &notices);
}

const struct http_route platform_events_routes[] = {
	{ "GET", "/api/v1/events", serve_events, HTTP_OPEN, 0 },
	{ "GET", "/api/v1/notices", serve_notices, 0, ACCESS_USER },
	{ "POST", "/api/v1/admin/notices", serve_new_notice, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
