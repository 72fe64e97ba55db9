/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/node.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/steady-clock.h"
#include "base/utf8.h"
#include "base/work.h"
#include "http/call.h"
#include "platform/audit.h"
#include "platform/door.h"
#include "platform/guess.h"
#include "platform/join-secret.h"
#include "platform/programme.h"
#include "platform/scoreboard.h"
#include "wire/node.h"

#include <string.h>

enum { NOTE_MAX = 511 };

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

static bool is_standing_secret(const struct platform *platform, const char *secret)
{
	char hash[SECRET_HASH_SIZE];

	secret_hash(secret, hash);
	return secret_equal(hash, platform->join_secret_hash);
}

static int enter_node(struct platform *platform, struct http_req *req,
		      const struct registration *body, char **ret_id, char token[SECRET_TOKEN_SIZE],
		      struct err *e)
{
	int r = nodes_register(platform->nodes, http_arena(req), body->name, body->url, ret_id,
			       token, e);

	return r < 0 ? r : keyring_refresh_node(platform->keyring, *ret_id, e);
}

/*
 * A name that is known gets an instance's answers: it is registered again by itself, with the token
 * it has, or by an admin; a join secret alone makes new names.
 */
static int check_name(struct platform *platform, struct http_req *req, const char *name,
		      struct err *e)
{
	struct principal who = { .role = ROLE_PLAYER };
	const char *id;
	int r;

	r = nodes_find_name(platform->nodes, http_arena(req), name, &id, e);
	if (r < 0 || !id)
		return r;
	if (door_has_token(req))
		r = door_identify(platform, req, &who, e);
	if (r < 0)
		return r;
	if ((who.node_id && strcmp(who.node_id, id) == 0) ||
	    (who.user_id && access_check(&who, ACCESS_ADMIN, NULL, NULL) == 0))
		return 0;
	return err_set(
		e, ERR_FORBIDDEN,
		"there is a node '%s' already: it registers again with its own token, or with "
		"that of an admin, as Authorization: Bearer",
		name);
}

/* Who came, also one that was refused: whose name it is, is whose answers it gets. */
static void note_registration(struct platform *platform, struct http_req *req,
			      const struct registration *body, int r)
{
	const struct audit_entry entry = {
		.action = "node registration",
		.object = arena_strndup(http_arena(req), body->name,
					utf8_cut(body->name, strlen(body->name), NOTE_MAX)),
		.note = arena_strndup(http_arena(req), body->url,
				      utf8_cut(body->url, strlen(body->url), NOTE_MAX)),
		.status = r < 0 ? err_status((enum err_code)(-r)) : 201,
		.peer = http_peer(req),
		.request_id = http_req_id(req),
	};
	struct err e = ERR_INIT;

	if (audit_record(platform->db, http_arena(req), door_now(platform), &entry, NULL, &e) < 0)
		log_error("the registration of '%s' is not in the audit log: %s", body->name,
			  e.msg);
}

static int register_node(struct platform *platform, struct http_req *req,
			 const struct registration *body, char **ret_id,
			 char token[SECRET_TOKEN_SIZE], struct err *e)
{
	struct err lost = ERR_INIT;
	struct join_secret before;
	int r;

	if (!id_valid(body->name))
		return err_set(e, ERR_VALIDATION, NODE_NAME_WANTED, body->name);
	r = check_name(platform, req, body->name, e);
	if (r < 0)
		return r;
	if (is_standing_secret(platform, body->join_secret))
		return enter_node(platform, req, body, ret_id, token, e);
	r = join_secret_use(platform->db, http_arena(req), door_now(platform), body->join_secret,
			    body->name, &before, e);
	if (r < 0)
		return r;
	r = enter_node(platform, req, body, ret_id, token, e);
	if (r < 0 && join_secret_give_back(platform->db, http_arena(req), &before, &lost) < 0)
		log_error("a join secret stays used: %s", lost.msg);
	return r;
}

/* What is refused counts as a guess: of the secret, or of a name. */
static int register_counted(struct platform *platform, struct http_req *req,
			    const struct registration *body, char **ret_id,
			    char token[SECRET_TOKEN_SIZE], struct err *e)
{
	int r = register_node(platform, req, body, ret_id, token, e);

	if (r != -ERR_FORBIDDEN && r != -ERR_UNAUTHORIZED)
		guess_return(platform, req, "join secret");
	return r;
}

static int serve_register(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct registration body = { .name = NULL };
	char token[SECRET_TOKEN_SIZE] = "";
	char *id = NULL;
	int r;

	r = http_read(req, registration_fields, &body, e);
	if (r == 0)
		r = guess_take(ctx, req, res, "join secret", e);
	if (r == 0)
		r = register_counted(ctx, req, &body, &id, token, e);
	if (body.name && body.url && r != -ERR_VALIDATION && r != -ERR_RATE_LIMITED)
		note_registration(ctx, req, &body, r);
	fields_done(registration_fields, &body);
	if (r < 0)
		return r;
	return http_send_json(res, 201, json_make("{s:s, s:s}", "node_id", id, "token", token));
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
	char words[STEADY_CLOCK_WORDS];
	struct platform *platform = ctx;
	int r;

	r = nodes_take_all(platform->nodes, http_arena(req), &all.nodes, &all.count, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < all.count; i++)
		if (json_array_append_new(list, nodes_json(all.nodes[i])) < 0)
			return err_memory(e);
	steady_clock_words(platform->steady, words);
	return http_send_json(res, 200,
			      json_make("{s:O, s:s?}", "nodes", list, "warning",
					*words ? words : NULL));
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

static int drain(struct platform *platform, struct http_req *req, struct http_res *res,
		 bool drained, struct err *e)
{
	const char *id = http_param(req, "node");
	int r = nodes_drain(platform->nodes, id, drained, e);

	return r < 0 ? r : send_node(platform, res, id, e);
}

static int serve_drain(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return drain(ctx, req, res, true, e);
}

static int serve_undrain(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return drain(ctx, req, res, false, e);
}

static int serve_rotate(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	const char *id = http_param(req, "node");
	char token[SECRET_TOKEN_SIZE];
	int r;

	r = nodes_rotate(platform->nodes, http_arena(req), id, token, e);
	if (r == 0)
		r = keyring_refresh_node(platform->keyring, id, e);
	return r < 0 ? r
		     : http_send_json(res, 201,
				      json_make("{s:s, s:s}", "node_id", id, "token", token));
}

static int serve_revoke(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	const char *id = http_param(req, "node");
	int r;

	r = nodes_revoke(platform->nodes, http_arena(req), id, e);
	if (r == 0)
		r = keyring_refresh_node(platform->keyring, id, e);
	return r < 0 ? r : http_send_nothing(res, 204);
}

/* Join secrets */

static const struct field join_wish_fields[] = {
	FIELD(struct join_wish, STRING, name, 0),
	FIELD(struct join_wish, BOOL, single_use, 0),
	FIELD(struct join_wish, INT, days, 0),
	FIELD_STRINGS_OF(struct join_wish, nodes, node_count, 0),
	FIELDS_END,
};

enum { SECRET_DAYS_MAX = 3650 };

static int make_secret(struct platform *platform, struct http_req *req,
		       const struct join_wish *wish, json_t **ret_json, struct err *e)
{
	char secret[SECRET_TOKEN_SIZE];
	struct join_secret made;
	int r;

	if (wish->days < 0 || wish->days > SECRET_DAYS_MAX)
		return http_refuse_field(req, "days", "value_error", "0 to 3650 expected", e);
	r = join_secret_make(platform->db, http_arena(req), door_now(platform), wish, &made, secret,
			     e);
	if (r < 0)
		return r;
	*ret_json = fields_encode(join_secret_fields, &made);
	json_object_set_new(*ret_json, "join_secret", json_text(secret));
	return *ret_json ? 0 : err_memory(e);
}

static int serve_make_secret(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct join_wish wish = { .name = NULL };
	json_t *json = NULL;
	int r;

	r = http_read(req, join_wish_fields, &wish, e);
	if (r == 0)
		r = make_secret(ctx, req, &wish, &json, e);
	fields_done(join_wish_fields, &wish);
	return r < 0 ? r : http_send_json(res, 201, json);
}

static int serve_secrets(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct join_secrets secrets = { .join_secrets = NULL };
	int r = join_secret_list(platform->db, http_arena(req), &secrets, e);

	return r < 0 ? r : http_send(res, 200, join_secrets_fields, &secrets);
}

static int serve_remove_secret(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	int r = join_secret_remove(platform->db, http_param(req, "secret"), e);

	return r < 0 ? r : http_send_nothing(res, 204);
}

/* Which challenges are meant. */
struct scope {
	const char **ids; /* the arena's; NULL: all that a node knows */
	size_t count;
};

/* Of ?competition=: those of its challenges that have something to build or pull. */
static int scope_of_competition(struct platform *platform, struct http_req *req, const char *id,
				struct scope *ret_scope, struct err *e)
{
	AUTO(const struct shelf *, shelf_dropp) shelf = challenges_take(platform->challenges);
	const struct competition *competition;
	int r = programme_find(platform->programme, id, &competition, e);

	if (r < 0)
		return r;
	ret_scope->ids = arena_array(http_arena(req), shelf->count + 1, sizeof(char *));
	for (size_t i = 0; ret_scope->ids && i < shelf->count; i++) {
		const struct challenge *challenge = shelf->challenges[i];

		if (challenge_has_instance(challenge) &&
		    competition_has(competition, challenge->id))
			ret_scope->ids[ret_scope->count++] =
				arena_strdup(http_arena(req), challenge->id);
	}
	return arena_failed(http_arena(req)) ? err_memory(e) : 0;
}

/* By ?challenge= or ?competition=; without either everything. */
static int find_scope(struct platform *platform, struct http_req *req, struct scope *ret_scope,
		      struct err *e)
{
	const char *challenge = http_query(req, "challenge");
	const char *competition = http_query(req, "competition");

	*ret_scope = (struct scope){ .ids = NULL };
	if (!challenge)
		return competition ? scope_of_competition(platform, req, competition, ret_scope, e)
				   : 0;
	ret_scope->ids = arena_array(http_arena(req), 1, sizeof(char *));
	if (!ret_scope->ids)
		return err_memory(e);
	ret_scope->ids[0] = challenge;
	ret_scope->count = 1;
	return 0;
}

enum { NODES_AT_ONCE = 64, IMAGES_TIMEOUT_S = 10, PUT_TIMEOUT_MS = 120000 };

/* A call to every node at once, and what each said. */
struct each_node {
	struct all_nodes all;
	json_t **reports;       /* one per node */
	const char *const *ids; /* of challenges; NULL: all */
	size_t id_count;
	const struct parcel *parcel; /* on its way to them; NULL: none is */
};

/* A challenge's folder, and where nodes take it. */
struct parcel {
	const char *path;
	const void *bytes;
	size_t len;
};

static json_t *failed_report(const struct node *node, struct ctfy_error *error)
{
	json_t *report = json_make("{s:s, s:s, s:s?}", "node_id", nodes_id(node), "node",
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
		each->reports[i] = json_make("{s:s, s:s, s:o}", "node_id", nodes_id(node), "node",
					     nodes_name(node), "rescan",
					     fields_encode(rescan_fields, &rescan));
	ctfy_rescan_done(&rescan);
	return each->reports[i] ? 0 : err_memory(e);
}

/* What a node answered, as the member `what` of its report; takes the answer. */
static int report_answer(struct each_node *each, size_t i, const char *what, json_t *answer,
			 struct err *e)
{
	const struct node *node = each->all.nodes[i];

	each->reports[i] = json_make("{s:s, s:s, s:o}", "node_id", nodes_id(node), "node",
				     nodes_name(node), what, answer);
	return each->reports[i] ? 0 : err_memory(e);
}

static int build_on_node(void *cookie, size_t i, struct err *e)
{
	struct each_node *each = cookie;
	struct node *node = each->all.nodes[i];
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_bulk bulk;
	int r = 0;

	if (ctfy_node_build_all_challenges(nodes_client(node), each->ids, each->id_count, &bulk,
					   NULL, &error) < 0)
		each->reports[i] = failed_report(node, &error);
	else
		r = report_answer(each, i, "build", fields_encode(build_bulk_fields, &bulk), e);
	ctfy_bulk_done(&bulk);
	return r;
}

static int pull_on_node(void *cookie, size_t i, struct err *e)
{
	struct each_node *each = cookie;
	struct node *node = each->all.nodes[i];
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_bulk bulk;
	int r = 0;

	if (ctfy_node_pull_all_challenges(nodes_client(node), each->ids, each->id_count, &bulk,
					  NULL, &error) < 0)
		each->reports[i] = failed_report(node, &error);
	else
		r = report_answer(each, i, "pull", fields_encode(pull_bulk_fields, &bulk), e);
	ctfy_bulk_done(&bulk);
	return r;
}

static bool is_meant(const struct each_node *each, const char *id)
{
	for (size_t i = 0; each->ids && i < each->id_count; i++)
		if (strcmp(each->ids[i], id) == 0)
			return true;
	return !each->ids;
}

/* The rows of the challenges that are meant. */
static json_t *scoped_rows(const struct each_node *each, const struct field *fields,
			   const struct ctfy_image_rows *rows)
{
	json_t *list = json_array();

	for (size_t i = 0; i < rows->row_count; i++)
		if (is_meant(each, rows->rows[i].challenge_id))
			json_array_append_new(list, fields_encode(fields, &rows->rows[i]));
	return list;
}

static int images_of_node(void *cookie, size_t i, struct err *e)
{
	struct each_node *each = cookie;
	struct node *node = each->all.nodes[i];
	const struct ctfy_call call = { .timeout = IMAGES_TIMEOUT_S };
	struct ctfy_image_rows builds = { .rows = NULL }, pulls = { .rows = NULL };
	struct ctfy_error error = CTFY_ERROR_INIT;
	int r = 0;

	if (ctfy_node_get_build_state(nodes_client(node), &builds, &call, &error) < 0 ||
	    ctfy_node_get_pull_state(nodes_client(node), &pulls, &call, &error) < 0)
		each->reports[i] = failed_report(node, &error);
	else
		r = report_answer(each, i, "images",
				  json_make("{s:o, s:o}", "builds",
					    scoped_rows(each, build_row_fields, &builds), "pulls",
					    scoped_rows(each, pull_row_fields, &pulls)),
				  e);
	ctfy_image_rows_done(&builds);
	ctfy_image_rows_done(&pulls);
	return r;
}

static int put_on_node(void *cookie, size_t i, struct err *e)
{
	struct each_node *each = cookie;
	struct node *node = each->all.nodes[i];
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	AUTO(json_t *, json_decrefp) rescan = NULL;
	const struct http_call call = { .method = "PUT",
					.path = each->parcel->path,
					.content_type = "application/gzip",
					.body = each->parcel->bytes,
					.body_len = each->parcel->len,
					.timeout_ms = PUT_TIMEOUT_MS };
	struct err failed = ERR_INIT, why = ERR_INIT;

	if (http_call(nodes_wire(node), &call, &reply, &failed) < 0)
		return report_answer(each, i, "detail", json_text(failed.msg), e);
	if (reply.status >= 300)
		nodes_refused(&reply, &why);
	else if (json_parse(reply.body.data, reply.body.len, &rescan, &why) == 0)
		return report_answer(each, i, "rescan", TAKE(rescan), e);
	return report_answer(each, i, "detail", json_text(why.msg), e);
}

/* What every node is asked. */
struct call_to_all {
	const struct scope *scope;
	const struct parcel *parcel;
	int (*ask)(void *cookie, size_t i, struct err *e);
};

static int ask_each_node(struct platform *platform, struct http_req *req,
			 const struct call_to_all *question, json_t **ret_reports, struct err *e)
{
	struct each_node each = { .ids = question->scope->ids,
				  .id_count = question->scope->count,
				  .parcel = question->parcel };
	AUTO(json_t *, json_decrefp) list = json_array();
	int r;

	r = nodes_take_all(platform->nodes, http_arena(req), &each.all.nodes, &each.all.count, e);
	if (r < 0)
		return r;
	each.reports = arena_array(http_arena(req), each.all.count + 1, sizeof(json_t *));
	r = each.reports ? work_each_always(each.all.count, NODES_AT_ONCE, question->ask, &each, e)
			 : err_memory(e);
	for (size_t i = 0; each.reports && i < each.all.count; i++)
		json_array_append_new(list, each.reports[i]);
	all_nodes_done(&each.all);
	if (r < 0)
		return r;
	*ret_reports = TAKE(list);
	return 0;
}

/* What the platform found, and each node; takes the platform's. */
static int send_reports(struct platform *platform, struct http_req *req, struct http_res *res,
			const struct call_to_all *question, json_t *report, struct err *e)
{
	json_t *nodes = NULL;
	int r;

	scoreboards_touch(platform->boards);
	r = ask_each_node(platform, req, question, &nodes, e);
	if (r < 0) {
		json_decref(report);
		return r;
	}
	return http_send_json(res, 200,
			      json_make("{s:o, s:o}", "platform", report, "nodes", nodes));
}

static const struct scope everything = { .ids = NULL };

static int serve_rescan(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct call_to_all question = { .scope = &everything, .ask = rescan_node };
	struct platform *platform = ctx;
	json_t *report;
	int r = challenges_rescan(platform->challenges, &report, e);

	return r < 0 ? r : send_reports(platform, req, res, &question, report, e);
}

static int serve_put(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const char *id = http_param(req, "id");
	struct platform *platform = ctx;
	struct parcel parcel;
	const struct call_to_all question = { .scope = &everything,
					      .parcel = &parcel,
					      .ask = put_on_node };
	json_t *report;
	int r;

	if (!id_valid(id))
		return err_set(e, ERR_VALIDATION, "'%s' is no id of a challenge", id);
	parcel.bytes = http_body(req, &parcel.len);
	parcel.path = arena_printf(http_arena(req), "/api/v1/admin/challenges/%s", id);
	if (!parcel.path)
		return err_memory(e);
	r = challenges_put(platform->challenges, id, parcel.bytes, parcel.len, &report, e);
	return r < 0 ? r : send_reports(platform, req, res, &question, report, e);
}

static int serve_on_each(struct platform *platform, struct http_req *req, struct http_res *res,
			 int (*ask)(void *cookie, size_t i, struct err *e), int status,
			 struct err *e)
{
	struct scope scope;
	const struct call_to_all question = { .scope = &scope, .ask = ask };
	json_t *nodes = NULL;
	int r = find_scope(platform, req, &scope, e);

	if (r == 0)
		r = ask_each_node(platform, req, &question, &nodes, e);
	return r < 0 ? r : http_send_json(res, status, json_make("{s:o}", "nodes", nodes));
}

static int serve_build(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return serve_on_each(ctx, req, res, build_on_node, 202, e);
}

static int serve_pull(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return serve_on_each(ctx, req, res, pull_on_node, 202, e);
}

static int serve_images(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return serve_on_each(ctx, req, res, images_of_node, 200, e);
}

const struct http_route platform_node_routes[] = {
	{ "POST", "/api/v1/nodes/register", serve_register, HTTP_OPEN, 0 },
	{ "GET", "/api/v1/nodes/me", serve_self, 0, ACCESS_NODE },
	{ "GET", "/api/v1/admin/nodes", serve_nodes, 0, ACCESS_ORGANISER },
	{ "GET", "/api/v1/admin/nodes/{node}", serve_node, 0, ACCESS_ORGANISER },
	{ "DELETE", "/api/v1/admin/nodes/{node}", serve_remove, 0, ACCESS_ADMIN },
	{ "POST", "/api/v1/admin/nodes/{node}/drain", serve_drain, 0, ACCESS_ORGANISER },
	{ "POST", "/api/v1/admin/nodes/{node}/undrain", serve_undrain, 0, ACCESS_ORGANISER },
	{ "POST", "/api/v1/admin/nodes/{node}/token", serve_rotate, 0, ACCESS_ADMIN },
	{ "DELETE", "/api/v1/admin/nodes/{node}/token", serve_revoke, 0, ACCESS_ADMIN },
	{ "GET", "/api/v1/admin/join-secrets", serve_secrets, 0, ACCESS_ADMIN },
	{ "POST", "/api/v1/admin/join-secrets", serve_make_secret, 0, ACCESS_ADMIN },
	{ "DELETE", "/api/v1/admin/join-secrets/{secret}", serve_remove_secret, 0, ACCESS_ADMIN },
	{ "POST", "/api/v1/admin/challenges/rescan", serve_rescan, 0, ACCESS_ORGANISER },
	{ "PUT", "/api/v1/admin/challenges/{id}", serve_put, HTTP_LARGE, ACCESS_ADMIN },
	{ "POST", "/api/v1/admin/challenges/build", serve_build, 0, ACCESS_ORGANISER },
	{ "POST", "/api/v1/admin/challenges/pull", serve_pull, 0, ACCESS_ORGANISER },
	{ "GET", "/api/v1/admin/challenges/images", serve_images, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
