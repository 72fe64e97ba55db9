/* SPDX-License-Identifier: Apache-2.0 */
#include "node/warm-http.h"

#include "base/err.h"
#include "base/id.h"
#include "node/node.h"
#include "node/warm.h"
#include "wire/node.h"

struct twin {
	enum warm_kind kind;
	const struct field *row, *rows, *bulk;
};

static const struct twin builds = { WARM_BUILD, build_row_fields, build_rows_fields,
				    build_bulk_fields };
static const struct twin pulls = { WARM_PULL, pull_row_fields, pull_rows_fields, pull_bulk_fields };

static int serve_one(struct node *node, const struct twin *twin, struct http_req *req,
		     struct http_res *res, struct err *e)
{
	const char *id = http_param(req, "id");
	struct ctfy_image_row row = { 0 };
	int r;

	if (!id_valid(id))
		return err_set(e, ERR_VALIDATION,
			       "'%s' is not an id: [A-Za-z0-9][A-Za-z0-9_.-]{0,62}", id);
	r = warm_ask(node->warm, twin->kind, id, &row, e);
	if (r == 0)
		r = http_send(res, 200, twin->row, &row);
	fields_done(twin->row, &row);
	return r;
}

static int serve_all(struct node *node, const struct twin *twin, struct http_req *req,
		     struct http_res *res, struct err *e)
{
	struct image_scope scope = { 0 };
	struct ctfy_bulk bulk = { 0 };
	int r;

	r = http_read(req, image_scope_fields, &scope, e);
	for (size_t i = 0; r == 0 && i < scope.challenge_id_count; i++)
		if (!id_valid(scope.challenge_ids[i]))
			r = http_refuse_field(
				req, "challenge_ids", "value_error.str.regex",
				"an id does not match [A-Za-z0-9][A-Za-z0-9_.-]{0,62}", e);
	if (r == 0)
		r = warm_ask_all(node->warm, twin->kind, scope.challenge_ids,
				 scope.challenge_id_count, &bulk, e);
	if (r == 0)
		r = http_send(res, 200, twin->bulk, &bulk);
	fields_done(image_scope_fields, &scope);
	fields_done(twin->bulk, &bulk);
	return r;
}

static int serve_state(struct node *node, const struct twin *twin, struct http_res *res,
		       struct err *e)
{
	struct ctfy_image_rows rows = { 0 };
	int r;

	r = warm_rows(node->warm, twin->kind, &rows, e);
	if (r == 0)
		r = http_send(res, 200, twin->rows, &rows);
	fields_done(twin->rows, &rows);
	return r;
}

static int serve_build(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return serve_one(ctx, &builds, req, res, e);
}

static int serve_build_all(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return serve_all(ctx, &builds, req, res, e);
}

static int serve_build_state(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)req;
	return serve_state(ctx, &builds, res, e);
}

static int serve_pull(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return serve_one(ctx, &pulls, req, res, e);
}

static int serve_pull_all(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return serve_all(ctx, &pulls, req, res, e);
}

static int serve_pull_state(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)req;
	return serve_state(ctx, &pulls, res, e);
}

#define CHALLENGES "/api/v1/admin/challenges/"

const struct http_route warm_routes[] = {
	{ .method = "POST", .path = CHALLENGES "{id}/build", .serve = serve_build },
	{ .method = "POST", .path = CHALLENGES "build-all", .serve = serve_build_all },
	{ .method = "GET", .path = CHALLENGES "build-state", .serve = serve_build_state },
	{ .method = "POST", .path = CHALLENGES "{id}/pull", .serve = serve_pull },
	{ .method = "POST", .path = CHALLENGES "pull-all", .serve = serve_pull_all },
	{ .method = "GET", .path = CHALLENGES "pull-state", .serve = serve_pull_state },
	{ .method = NULL },
};
