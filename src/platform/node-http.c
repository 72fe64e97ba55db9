#include "platform/node.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "base/work.h"
#include "platform/door.h"
#include "platform/scoreboard.h"
#include "wire/node.h"

struct registration {
	char *join_secret;
	char *name;
	char *url;
};

static const struct field registration_fields[] = {
	FIELD(struct registration, STRING, join_secret, FIELD_REQUIRED),
	FIELD(struct registration, STRING, name, FIELD_REQUIRED),
	FIELD(struct registration, STRING, url, FIELD_REQUIRED),
	FIELDS_END,
};

static int register_node(struct platform *platform, struct http_req *req,
			 const struct registration *body, char **ret_id,
			 char token[SECRET_TOKEN_SIZE], struct err *e)
{
	char hash[SECRET_HASH_SIZE];
	int r;

	secret_hash(body->join_secret, hash);
	if (!secret_equal(hash, platform->join_secret_hash))
		return err_set(e, ERR_FORBIDDEN, "the join secret is wrong");
	r = nodes_register(platform->nodes, http_arena(req), body->name, body->url, ret_id, token,
			   e);
	return r < 0 ? r : keyring_refresh_node(platform->keyring, *ret_id, e);
}

static int serve_register(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct registration body = { .name = NULL };
	char token[SECRET_TOKEN_SIZE] = "";
	char *id = NULL;
	int r;

	r = http_read(req, registration_fields, &body, e);
	if (r == 0)
		r = register_node(ctx, req, &body, &id, token, e);
	fields_done(registration_fields, &body);
	if (r < 0)
		return r;
	return http_send_json(res, 201, json_pack("{s:s, s:s}", "node_id", id, "token", token));
}

static int send_node(struct platform *platform, struct http_res *res, const char *id, struct err *e)
{
	AUTO(struct node *, node_dropp) node = nodes_take(platform->nodes, id);

	if (!node)
		return err_set(e, ERR_NOT_FOUND, "there is no such node");
	return http_send_json(res, 200, nodes_json(node));
}

static int serve_self(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return send_node(ctx, res, door_principal(req)->node_id, e);
}

static int serve_node(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return send_node(ctx, res, http_param(req, "node"), e);
}

/* Every node, held for as long as this lives. */
struct all_nodes {
	struct node **nodes;
	size_t count;
};

static void all_nodes_done(struct all_nodes *all)
{
	for (size_t i = 0; i < all->count; i++)
		node_drop(all->nodes[i]);
}

static int serve_nodes(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct all_nodes, all_nodes_done) all = { .nodes = NULL };
	AUTO(json_t *, json_decrefp) list = json_array();
	struct platform *platform = ctx;
	int r;

	r = nodes_take_all(platform->nodes, http_arena(req), &all.nodes, &all.count, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all.count; i++)
		if (json_array_append_new(list, nodes_json(all.nodes[i])) < 0)
			return err_memory(e);
	return http_send_json(res, 200, json_pack("{s:O}", "nodes", list));
}

static int serve_remove(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	const char *id = http_param(req, "node");
	int r;

	r = nodes_remove(platform->nodes, id, e);
	if (r == 0)
		r = keyring_refresh_node(platform->keyring, id, e);
	return r < 0 ? r : http_send_nothing(res, 204);
}

/* A call to every node at once, and what each said. */
struct each_node {
	struct all_nodes all;
	json_t **reports; /* one per node */
};

static json_t *failed_report(const struct node *node, struct ctfy_error *error)
{
	json_t *report = json_pack("{s:s, s:s, s:s?}", "node_id", nodes_id(node), "node",
				   nodes_name(node), "detail", error->detail);

	ctfy_error_done(error);
	return report;
}

static int rescan_node(void *cookie, size_t i, struct err *e)
{
	struct each_node *each = cookie;
	struct node *node = each->all.nodes[i];
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_rescan rescan;

	if (ctfy_node_rescan_challenges(nodes_client(node), &rescan, NULL, &error) < 0)
		each->reports[i] = failed_report(node, &error);
	else
		each->reports[i] = json_pack("{s:s, s:s, s:o}", "node_id", nodes_id(node), "node",
					     nodes_name(node), "rescan",
					     fields_encode(rescan_fields, &rescan));
	ctfy_rescan_done(&rescan);
	return each->reports[i] ? 0 : err_memory(e);
}

enum { NODES_AT_ONCE = 64 };

static int ask_each_node(struct platform *platform, struct http_req *req,
			 int (*ask)(void *cookie, size_t i, struct err *e), json_t **ret_reports,
			 struct err *e)
{
	struct each_node each = { .reports = NULL };
	AUTO(json_t *, json_decrefp) list = json_array();
	int r;

	r = nodes_take_all(platform->nodes, http_arena(req), &each.all.nodes, &each.all.count, e);
	if (r < 0)
		return r;
	each.reports = arena_array(http_arena(req), each.all.count + 1, sizeof(json_t *));
	r = each.reports ? work_each_always(each.all.count, NODES_AT_ONCE, ask, &each, e)
			 : err_memory(e);
	for (size_t i = 0; each.reports && i < each.all.count; i++)
		json_array_append_new(list, each.reports[i]);
	all_nodes_done(&each.all);
	if (r < 0)
		return r;
	*ret_reports = TAKE(list);
	return 0;
}

static int serve_rescan(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	json_t *report, *nodes;
	int r;

	r = challenges_rescan(platform->challenges, &report, e);
	if (r < 0)
		return r;
	scoreboards_touch(platform->boards);
	r = ask_each_node(platform, req, rescan_node, &nodes, e);
	if (r < 0) {
		json_decref(report);
		return r;
	}
	return http_send_json(res, 200,
			      json_pack("{s:o, s:o}", "platform", report, "nodes", nodes));
}

const struct http_route platform_node_routes[] = {
	{ "POST", "/api/v1/nodes/register", serve_register, HTTP_OPEN, 0 },
	{ "GET", "/api/v1/nodes/me", serve_self, 0, ACCESS_NODE },
	{ "GET", "/api/v1/admin/nodes", serve_nodes, 0, ACCESS_ORGANISER },
	{ "GET", "/api/v1/admin/nodes/{node}", serve_node, 0, ACCESS_ORGANISER },
	{ "DELETE", "/api/v1/admin/nodes/{node}", serve_remove, 0, ACCESS_ADMIN },
	{ "POST", "/api/v1/admin/challenges/rescan", serve_rescan, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
