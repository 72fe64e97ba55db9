/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/door.h"
#include "platform/node.h"
#include "wire/node.h"

/*
 * Challenges put to the test, where their folders are: on a node, ?node=, or on the first that is
 * healthy.
 */

enum {
	ASK_TIMEOUT_S = 30,
	/* A folder takes a few milliseconds, 50 at most; a node may have thousands. */
	ALL_TIMEOUT_S = 300,
};

static int find_first(struct platform *platform, struct http_req *req, struct node **ret_node,
		      struct err *e)
{
	struct node **nodes, *chosen = NULL;
	size_t count;
	int r;

	r = nodes_take_all(platform->nodes, http_arena(req), &nodes, &count, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		if (!chosen && nodes_state(nodes[i]) == NODE_HEALTHY)
			chosen = nodes[i];
		else
			node_drop(nodes[i]);
	}
	if (!chosen)
		return err_set(e, ERR_UNAVAILABLE, "no node is healthy");
	*ret_node = chosen;
	return 0;
}

static int find_node(struct platform *platform, struct http_req *req, struct node **ret_node,
		     struct err *e)
{
	const char *id = http_query(req, "node");

	if (!id)
		return find_first(platform, req, ret_node, e);
	*ret_node = nodes_take(platform->nodes, id);
	return *ret_node ? 0 : err_set(e, ERR_NOT_FOUND, "there is no node '%s'", id);
}

/* {node_id, node, WHAT: told}, which is taken. */
static int send_told(struct http_res *res, int status, const struct node *node, const char *what,
		     json_t *told)
{
	return http_send_json(res, status,
			      json_make("{s:s, s:s, s:o}", "node_id", nodes_id(node), "node",
					nodes_name(node), what, told));
}

static int serve_lint(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct ctfy_call call = { .timeout = ASK_TIMEOUT_S };
	AUTO(struct node *, node_dropp) node = NULL;
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_lint lint;
	int r = find_node(ctx, req, &node, e);

	if (r < 0)
		return r;
	if (ctfy_node_lint_challenge(nodes_client(node), http_param(req, "id"), &lint, &call,
				     &error) < 0)
		r = nodes_failed(node, &error, e);
	else
		r = send_told(res, 200, node, "lint", fields_encode(lint_fields, &lint));
	ctfy_lint_done(&lint);
	return r;
}

static int serve_lint_all(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct ctfy_call call = { .timeout = ALL_TIMEOUT_S };
	AUTO(struct node *, node_dropp) node = NULL;
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_lints lints;
	int r = find_node(ctx, req, &node, e);

	if (r < 0)
		return r;
	if (ctfy_node_lint_all_challenges(nodes_client(node), &lints, &call, &error) < 0)
		r = nodes_failed(node, &error, e);
	else
		r = send_told(res, 200, node, "lints", fields_encode(lints_fields, &lints));
	ctfy_lints_done(&lints);
	return r;
}

static int serve_start_trial(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct ctfy_call call = { .timeout = ASK_TIMEOUT_S };
	AUTO(struct node *, node_dropp) node = NULL;
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_trial trial;
	int r = find_node(ctx, req, &node, e);

	if (r < 0)
		return r;
	door_note(req, "on node '%s'", nodes_name(node));
	if (ctfy_node_start_trial(nodes_client(node), http_param(req, "id"), &trial, &call,
				  &error) < 0)
		r = nodes_failed(node, &error, e);
	else
		r = send_told(res, 202, node, "trial", fields_encode(trial_fields, &trial));
	ctfy_trial_done(&trial);
	return r;
}

static int serve_trial(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct ctfy_call call = { .timeout = ASK_TIMEOUT_S };
	AUTO(struct node *, node_dropp) node = NULL;
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_trial trial;
	int r = find_node(ctx, req, &node, e);

	if (r < 0)
		return r;
	if (ctfy_node_get_trial(nodes_client(node), http_param(req, "id"), &trial, &call, &error) <
	    0)
		r = nodes_failed(node, &error, e);
	else
		r = send_told(res, 200, node, "trial", fields_encode(trial_fields, &trial));
	ctfy_trial_done(&trial);
	return r;
}

const struct http_route platform_check_routes[] = {
	{ "GET", "/api/v1/admin/challenges/lint", serve_lint_all, 0, ACCESS_ORGANISER },
	{ "GET", "/api/v1/admin/challenges/{id}/lint", serve_lint, 0, ACCESS_ORGANISER },
	{ "POST", "/api/v1/admin/challenges/{id}/trial", serve_start_trial, 0, ACCESS_ORGANISER },
	{ "GET", "/api/v1/admin/challenges/{id}/trial", serve_trial, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
