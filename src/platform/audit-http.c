/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/audit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/utf8.h"
#include "platform/door.h"
#include "platform/meter.h"
#include "platform/page.h"
#include "platform/plain.h"

#include <stdarg.h>
#include <string.h>

enum { NOTE_MAX = 511, OBJECT_MAX = 511 };

/* Who may do it is more than a player, and it changes something. */
static bool is_an_organisers_act(const struct http_route *route)
{
	return !(route->flags & HTTP_OPEN) && !door_is_reading(route->method) &&
	       (route->access == ACCESS_ORGANISER || route->access == ACCESS_ADMIN);
}

static int begin_entry(struct platform *platform, const struct http_route *route,
		       struct http_req *req, char **ret_id, struct err *e)
{
	const char *path = http_path(req);
	const struct audit_entry entry = {
		.user_id = door_principal(req)->user_id,
		.action = arena_printf(http_arena(req), "%s %s", route->method, route->path),
		.object = arena_strndup(http_arena(req), path,
					utf8_cut(path, strlen(path), OBJECT_MAX)),
		.peer = http_peer(req),
		.request_id = http_req_id(req),
	};

	return entry.action && entry.object ? audit_record(platform->db, http_arena(req),
							   door_now(platform), &entry, ret_id, e)
					    : err_memory(e);
}

/* The act is done, or refused: that its end is not on paper changes nothing of it. */
static void end_entry(struct platform *platform, struct http_req *req, const char *id, int status)
{
	struct err e = ERR_INIT;

	if (audit_finish(platform->db, id, status, door_principal(req)->note, &e) < 0)
		log_error("how '%s' ended is not in the audit log: %s", http_path(req), e.msg);
}

static int status_of(const struct http_res *res, int r)
{
	return r < 0 ? err_status((enum err_code)(-r)) : http_sent_status(res);
}

static int run(struct platform *platform, const struct http_route *route, struct http_req *req,
	       struct http_res *res, struct err *e)
{
	char *id;
	int r;

	if (!is_an_organisers_act(route))
		return route->serve(platform, req, res, e);
	r = begin_entry(platform, route, req, &id, e);
	if (r < 0)
		return r;
	r = route->serve(platform, req, res, e);
	end_entry(platform, req, id, status_of(res, r));
	return r;
}

int platform_run(void *ctx, const struct http_route *route, struct http_req *req,
		 struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	int64_t begun = clock_monotonic_us();
	int r = run(platform, route, req, res, e);

	if (r < 0 && !(door_principal(req) && door_is_organiser(req)))
		plain_error(http_req_id(req), e);
	meter_request(platform->meter, route, status_of(res, r), clock_monotonic_us() - begun);
	return r;
}

void door_note(struct http_req *req, const char *format, ...)
{
	struct principal *who = http_user(req);
	char words[NOTE_MAX + sizeof("....")];
	va_list ap;
	int len;

	va_start(ap, format);
	len = vsnprintf(words, sizeof(words), format, ap);
	va_end(ap);
	len = len < 0 ? 0 : (int)utf8_cut(words, (size_t)len, NOTE_MAX);
	who->note = arena_strndup(http_arena(req), words, (size_t)len);
}

static int serve_audit(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct audit audit;
	struct page page;
	int r;

	r = page_read(req, &page, e);
	if (r == 0)
		r = audit_list(platform->db, http_arena(req), &page, &audit, e);
	return r < 0 ? r : http_send(res, 200, audit_fields, &audit);
}

const struct http_route platform_audit_routes[] = {
	{ "GET", "/api/v1/admin/audit", serve_audit, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
