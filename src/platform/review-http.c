/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/review.h"

#include "base/err.h"
#include "base/own.h"
#include "platform/door.h"
#include "platform/page.h"

#include <string.h>

static int serve_reviews(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct competition competition = { .id = NULL };
	json_t *reviews = NULL;
	struct page page;
	int r;

	r = page_read(req, &page, e);
	if (r == 0)
		r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = review_list(platform->db, http_arena(req), competition.id,
				http_query(req, "state"), &page, &reviews, e);
	return r < 0 ? r : http_send_json(res, 200, reviews);
}

struct resolution {
	char *review;
	char *note;
};

static const struct field resolution_fields[] = {
	FIELD(struct resolution, STRING, review, FIELD_REQUIRED),
	FIELD(struct resolution, STRING, note, 0),
	FIELDS_END,
};

static int resolve(struct platform *platform, struct http_req *req,
		   const struct resolution *resolution, struct err *e)
{
	if (strcmp(resolution->review, "open") != 0 &&
	    strcmp(resolution->review, "dismissed") != 0 &&
	    strcmp(resolution->review, "confirmed") != 0)
		return http_refuse_field(req, "review", "value_error",
					 "open, dismissed or confirmed expected", e);
	door_note(req, "%s: %s", resolution->review, resolution->note ? resolution->note : "");
	return review_resolve(platform->db, http_param(req, "submission"), resolution->review,
			      resolution->note, e);
}

static int serve_resolve(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct resolution resolution = { .review = NULL };
	int r;

	r = http_read(req, resolution_fields, &resolution, e);
	if (r == 0)
		r = resolve(ctx, req, &resolution, e);
	fields_done(resolution_fields, &resolution);
	return r < 0 ? r : http_send_nothing(res, 204);
}

enum { QUICK_DEFAULT_S = 10, QUICK_MAX_S = 86400, SOLVES_DEFAULT = 1000, SOLVES_MAX = 5000 };

static int serve_suspicions(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(const struct shelf *, shelf_dropp) shelf = NULL;
	struct platform *platform = ctx;
	struct competition competition = { .id = NULL };
	struct suspicion_wish wish = { .competition = &competition };
	int64_t seconds;
	json_t *suspicions = NULL;
	int r;

	r = http_query_int(req, "quick", 1, QUICK_MAX_S, QUICK_DEFAULT_S, &seconds, e);
	if (r == 0)
		r = http_query_int(req, "limit", 1, SOLVES_MAX, SOLVES_DEFAULT, &wish.limit, e);
	if (r == 0)
		r = http_query_int(req, "cursor", 0, INT64_MAX, 0, &wish.after, e);
	if (r == 0)
		r = door_competition(platform, req, &competition, e);
	if (r < 0)
		return r;
	shelf = challenges_take(platform->challenges);
	wish.shelf = shelf;
	wish.quick_ms = 1000 * seconds;
	r = suspicion_list(platform->db, http_arena(req), &wish, &suspicions, e);
	return r < 0 ? r : http_send_json(res, 200, suspicions);
}

const struct http_route platform_review_routes[] = {
	{ "GET", "/api/v1/admin/reviews", serve_reviews, 0, ACCESS_ORGANISER },
	{ "PATCH", "/api/v1/admin/reviews/{submission}", serve_resolve, 0, ACCESS_ORGANISER },
	{ "GET", "/api/v1/admin/suspicions", serve_suspicions, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
