/* SPDX-License-Identifier: Apache-2.0 */
#include "node/challenge-http.h"

#include "base/err.h"
#include "base/id.h"
#include "node/catalogue.h"
#include "node/lint.h"
#include "node/node.h"
#include "node/trials.h"
#include "node/warm.h"
#include "wire/node.h"

/* The challenge a path names. An id that can't be one is 422, never a path. */
static int challenge_id(struct http_req *req, const char **ret_id, struct err *e)
{
	*ret_id = http_param(req, "id");
	return id_valid(*ret_id)
		       ? 0
		       : err_set(e, ERR_VALIDATION,
				 "'%s' is not an id: [A-Za-z0-9][A-Za-z0-9_.-]{0,62}", *ret_id);
}

static int serve_lint(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	json_t *json = NULL;
	const char *id;
	int r;

	r = challenge_id(req, &id, e);
	if (r == 0)
		r = node_lint(ctx, id, &json, e);
	return r < 0 ? r : http_send_json(res, 200, json);
}

static int serve_lint_all(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	json_t *json = NULL;
	int r;

	(void)req;
	r = node_lint_all(ctx, &json, e);
	return r < 0 ? r : http_send_json(res, 200, json);
}

static int serve_start_trial(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct node *node = ctx;
	json_t *json = NULL;
	const char *id;
	bool begun = false;
	int r;

	r = challenge_id(req, &id, e);
	if (r == 0)
		r = trials_start(node->trials, id, &begun, &json, e);
	return r < 0 ? r : http_send_json(res, begun ? 202 : 200, json);
}

static int serve_trial(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct node *node = ctx;
	json_t *json = NULL;
	const char *id;
	int r;

	r = challenge_id(req, &id, e);
	if (r == 0)
		r = trials_get(node->trials, id, &json, e);
	return r < 0 ? r : http_send_json(res, 200, json);
}

static int send_rescan(struct node *node, struct http_res *res, struct ctfy_rescan *rescan,
		       struct err *e)
{
	int r;

	warm_review(node->warm);
	r = node_lint_unstartable(node, rescan, e);
	return r < 0 ? r : http_send(res, 200, rescan_fields, rescan);
}

static int serve_rescan(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct node *node = ctx;
	struct ctfy_rescan rescan = { 0 };
	int r;

	(void)req;
	r = catalogue_rescan(node->catalogue, &rescan, e);
	if (r == 0)
		r = send_rescan(node, res, &rescan, e);
	fields_done(rescan_fields, &rescan);
	return r;
}

static int serve_put(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct node *node = ctx;
	struct ctfy_rescan rescan = { 0 };
	const void *parcel;
	const char *id;
	size_t len;
	int r;

	parcel = http_body(req, &len);
	r = challenge_id(req, &id, e);
	if (r == 0)
		r = catalogue_put(node->catalogue, id, parcel, len, &rescan, e);
	if (r == 0)
		r = send_rescan(node, res, &rescan, e);
	fields_done(rescan_fields, &rescan);
	return r;
}

#define CHALLENGES "/api/v1/admin/challenges/"

const struct http_route challenge_routes[] = {
	{ .method = "POST", .path = "/api/v1/admin/rescan-challenges", .serve = serve_rescan },
	{ .method = "PUT", .path = CHALLENGES "{id}", .serve = serve_put, .flags = HTTP_LARGE },
	{ .method = "GET", .path = CHALLENGES "lint", .serve = serve_lint_all },
	{ .method = "GET", .path = CHALLENGES "{id}/lint", .serve = serve_lint },
	{ .method = "POST", .path = CHALLENGES "{id}/trial", .serve = serve_start_trial },
	{ .method = "GET", .path = CHALLENGES "{id}/trial", .serve = serve_trial },
	{ .method = NULL },
};
