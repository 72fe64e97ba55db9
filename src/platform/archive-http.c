/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/archive.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "platform/door.h"
#include "platform/relay.h"

/* For organisers: what was kept of instances after their end. */

static int serve_list(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct archives_query query = { .team_id = http_query(req, "team"),
					.challenge_id = http_query(req, "challenge"),
					.instance_id = http_query(req, "instance"),
					.submission_id = http_query(req, "submission") };
	json_t *page = NULL;
	int r;

	r = page_read(req, &query.page, e);
	if (r == 0)
		r = archives_list(platform->archives, http_arena(req), &query, &page, e);
	return r < 0 ? r : http_send_json(res, 200, page);
}

static int relay_part(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct relay *relay = cookie;

	return relay_write(relay, bytes, len) < 0 ? err_set(e, ERR_ABORTED, "the client went away")
						  : 0;
}

static int relay_file(struct platform *platform, const struct archived *archived,
		      struct relay *relay)
{
	struct err failed = ERR_INIT;
	int r = archives_read(platform->archives, archived, relay_part, relay, &failed);

	if (relay->failure < 0)
		return relay->failure;
	return r < 0 ? err_set(relay->e, failed.code, "%s", failed.msg) : 0;
}

static int serve_file(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	const char *copy = http_param(req, "archive"), *file = http_param(req, "file");
	const char *name = arena_printf(http_arena(req), "%s-%s", copy, file);
	struct relay relay = { .res = res, .type = "application/octet-stream", .e = e };
	struct archived archived;
	int r;

	if (!name)
		return err_memory(e);
	r = archives_open(platform->archives, http_arena(req), copy, file, &archived, e);
	if (r < 0)
		return r;
	if (archived.fd < 0) {
		relay.filename = name;
		return relay_file(platform, &archived, &relay);
	}
	relay_name(res, name);
	return http_send_file(res, archived.fd, "application/octet-stream", NULL);
}

const struct http_route platform_archive_routes[] = {
	{ "GET", "/api/v1/admin/archives", serve_list, 0, ACCESS_ORGANISER },
	{ "GET", "/api/v1/admin/archives/{archive}/{file}", serve_file, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
