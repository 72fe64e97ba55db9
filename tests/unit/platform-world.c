/* SPDX-License-Identifier: Apache-2.0 */
#include "platform-world.h"

#include "platform-schema.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/secret.h"
#include "http/call.h"
#include "http/serve.h"
#include "platform/access.h"
#include "platform/main.h"
#include "platform/platform.h"
#include "wire/instance.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* A node */

static void until_patience_ends(struct timespec *until)
{
	clock_gettime(CLOCK_REALTIME, until);
	until->tv_sec += PATIENCE_S;
}

static char *find_live(struct fake_node *node, const char *id)
{
	for (size_t i = 0; i < NODE_INSTANCES_MAX; i++)
		if (strcmp(node->live[i], id) == 0)
			return node->live[i];
	return NULL;
}

size_t count_live(struct fake_node *node)
{
	size_t count = 0;

	pthread_mutex_lock(&node->lock);
	for (size_t i = 0; i < NODE_INSTANCES_MAX; i++)
		count += node->live[i][0] != '\0';
	pthread_mutex_unlock(&node->lock);
	return count;
}

/* A held call ends too when the test loses its patience: then something else fails. */
static void wait_while(struct fake_node *node, const bool *held)
{
	struct timespec until;

	until_patience_ends(&until);
	while (*held && pthread_cond_timedwait(&node->changed, &node->lock, &until) == 0)
		continue;
}

static int serve_beat(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct fake_node *node = ctx;

	(void)req;
	(void)e;
	pthread_mutex_lock(&node->lock);
	node->beats++;
	pthread_cond_broadcast(&node->changed);
	wait_while(node, &node->hang_health);
	pthread_mutex_unlock(&node->lock);
	return http_send_json(res, 200,
			      json_pack("{s:s, s:I, s:i, s:s, s:s}", "status", "ok", "running",
					(json_int_t)count_live(node), "capacity",
					node->capacity ? node->capacity : 10, "version", "0",
					"engine", "fake 1.0"));
}

static json_t *instance_json(const char *id, const char *challenge, int64_t lifetime)
{
	char now[CLOCK_TEXT_SIZE], then[CLOCK_TEXT_SIZE];
	int64_t ms = clock_now_ms(&clock_real);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:i, s:s, s:s, s:i, s:n}],"
			 " s:[{s:s, s:s, s:s, s:i, s:b}]}",
			 "instance_id", id, "challenge_id", challenge, "status", "running",
			 "started_at", clock_format(ms, now), "expires_at",
			 clock_format(ms + lifetime, then), "endpoints", "service", "web",
			 "container_port", 80, "protocol", "tcp", "host", "10.1.2.3", "port", 4321,
			 "url", "services", "service", "web", "state", "running", "health", "none",
			 "exit_code", 0, "oom_killed", 0);
}

/* It takes a start on at once, like a real one; failures are told to whoever waits for the end. */
static int start_on(struct fake_node *node, const struct instance_spec *spec, struct err *e)
{
	char *room;

	node->starts++;
	pthread_cond_broadcast(&node->changed);
	wait_while(node, &node->hold_starts);
	if (node->words)
		return err_set(e, node->status == 503 ? ERR_UNAVAILABLE : ERR_ENGINE, "%s",
			       node->words);
	room = find_live(node, spec->instance_id);
	if (!room)
		room = find_live(node, "");
	CHECK(room);
	snprintf(room, sizeof(node->live[0]), "%s", node->forgets ? "" : spec->instance_id);
	return 0;
}

static int serve_start(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct fake_node *node = ctx;
	struct instance_spec spec = { .instance_id = NULL };
	bool takes_on = http_header(req, "Prefer") != NULL;
	const char *body;
	int64_t lifetime;
	size_t len;
	int r;

	body = http_body(req, &len);
	r = http_read(req, instance_spec_fields, &spec, e);
	if (r == 0 && takes_on) {
		r = http_send_json(res, 202,
				   json_pack("{s:s, s:s}", "instance_id", spec.instance_id,
					     "status", "starting"));
	} else if (r == 0) {
		pthread_mutex_lock(&node->lock);
		snprintf(node->last_body, sizeof(node->last_body), "%.*s", (int)len, body);
		r = start_on(node, &spec, e);
		lifetime = node->lifetime ? node->lifetime : 1000 * spec.ttl;
		pthread_mutex_unlock(&node->lock);
	}
	if (r == 0 && !takes_on)
		r = http_send_json(res, 201,
				   instance_json(spec.instance_id, spec.challenge_id, lifetime));
	fields_done(instance_spec_fields, &spec);
	return r;
}

static int serve_stop(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct fake_node *node = ctx;
	bool refuse, known;
	char *live;

	pthread_mutex_lock(&node->lock);
	node->stops++;
	refuse = node->refuse_stops;
	live = find_live(node, http_param(req, "id"));
	known = live != NULL;
	if (live && !refuse)
		live[0] = '\0';
	pthread_cond_broadcast(&node->changed);
	pthread_mutex_unlock(&node->lock);
	if (refuse)
		return err_set(e, ERR_INTERNAL, "told to refuse");
	return known ? http_send_nothing(res, 204) : err_set(e, ERR_NOT_FOUND, "never known");
}

static int serve_ttl(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct instance_ttl body = { .ttl = 0 };
	int r = http_read(req, instance_ttl_fields, &body, e);

	(void)ctx;
	return r < 0 ? r
		     : http_send_json(res, 200,
				      instance_json(http_param(req, "id"), "web", 1000 * body.ttl));
}

static int serve_instance_health(void *ctx, struct http_req *req, struct http_res *res,
				 struct err *e)
{
	struct fake_node *node = ctx;
	bool known;

	pthread_mutex_lock(&node->lock);
	known = find_live(node, http_param(req, "id")) != NULL;
	pthread_mutex_unlock(&node->lock);
	if (!known)
		return err_set(e, ERR_NOT_FOUND, "no such instance");
	if (node->illness)
		return http_send_json(res, 200,
				      json_pack("{s:b, s:[{s:s, s:s, s:s, s:i, s:b, s:s}]}",
						"is_healthy", 0, "services", "service", "web",
						"state", "exited", "health", "none", "exit_code", 1,
						"oom_killed", 0, "detail", node->illness));
	return http_send_json(res, 200, json_pack("{s:b, s:[]}", "is_healthy", 1, "services"));
}

static int serve_files(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)req;
	(void)e;
	return http_send_json(res, 200,
			      json_pack("{s:[{s:s, s:i, s:s, s:s}]}", "attachments", "filename",
					"gate", "size", 5, "content_type", "text/x-gate", "sha256",
					"00"));
}

static int serve_file(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	if (strcmp(http_param(req, "name"), "gate") != 0)
		return err_set(e, ERR_NOT_FOUND, "no file '%s'", http_param(req, "name"));
	return http_send_bytes(res, 200, "text/x-gate", "bytes", 5);
}

static int serve_bulk(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct fake_node *node = ctx;
	bool pulls = strstr(http_path(req), "pull") != NULL;
	const char *body;
	size_t len;

	(void)e;
	body = http_body(req, &len);
	pthread_mutex_lock(&node->lock);
	snprintf(node->last_bulk, sizeof(node->last_bulk), "%.*s", (int)len, body ? body : "");
	pthread_mutex_unlock(&node->lock);
	return http_send_json(res, 200,
			      json_pack("{s:[s], s:[], s:[]}", "queued", "web",
					pulls ? "skipped_pulled" : "skipped_built",
					"skipped_in_progress"));
}

static int serve_images(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	bool pulls = strstr(http_path(req), "pull") != NULL;

	(void)ctx;
	(void)e;
	return http_send_json(res, 200,
			      json_pack("{s:[{s:s, s:s}, {s:s, s:s}]}", "rows", "challenge_id",
					"web", "status", pulls ? "pulled" : "built", "challenge_id",
					"pwn", "status", "failed"));
}

static json_t *lint_json(const char *id)
{
	return json_pack("{s:s, s:s?, s:n, s:s, s:[{s:s, s:s, s:i, s:i, s:n, s:s, s:s, s:s}]}",
			 "path", id ? id : "broken", "id", id, "dialect", "outcome", "policy",
			 "problems", "kind", "policy", "file", "web/compose.yml", "line", 3,
			 "column", 5, "key", "message", "no", "opt_in", "gpu", "allows",
			 "use the host's GPUs");
}

static int serve_lint(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const char *id = http_param(req, "id");

	(void)ctx;
	return strcmp(id, "web") == 0
		       ? http_send_json(res, 200, lint_json(id))
		       : err_set(e, ERR_NOT_FOUND, "there is no challenge '%s' on this node", id);
}

static int serve_lint_all(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)req;
	(void)e;
	return http_send_json(res, 200,
			      json_pack("{s:[o, o], s:{}}", "challenges", lint_json("web"),
					lint_json(NULL), "totals"));
}

static int send_trial(struct http_res *res, int status, const char *id, const char *outcome)
{
	return http_send_json(res, status,
			      json_pack("{s:s, s:s, s:[{s:s, s:i}], s:[{s:s, s:b}], s:s}",
					"challenge_id", id, "outcome", outcome, "steps", "step",
					"start", "ms", 12, "answers", "question", "flag", "found",
					1, "output", "flag{x}\n"));
}

static int serve_start_trial(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct fake_node *node = ctx;
	const char *id = http_param(req, "id");

	if (strcmp(id, "web") != 0)
		return err_set(e, ERR_NOT_FOUND, "there is no challenge '%s' on this node", id);
	pthread_mutex_lock(&node->lock);
	node->trials++;
	pthread_mutex_unlock(&node->lock);
	return send_trial(res, 202, id, "running");
}

static int serve_trial(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)e;
	return send_trial(res, 200, http_param(req, "id"), "solved");
}

#define CHALLENGES "/api/v1/admin/challenges/"

static const struct http_route fake_routes[] = {
	{ "POST", CHALLENGES "build-all", serve_bulk, 0, 0 },
	{ "POST", CHALLENGES "pull-all", serve_bulk, 0, 0 },
	{ "GET", CHALLENGES "build-state", serve_images, 0, 0 },
	{ "GET", CHALLENGES "pull-state", serve_images, 0, 0 },
	{ "GET", CHALLENGES "lint", serve_lint_all, 0, 0 },
	{ "GET", CHALLENGES "{id}/lint", serve_lint, 0, 0 },
	{ "POST", CHALLENGES "{id}/trial", serve_start_trial, 0, 0 },
	{ "GET", CHALLENGES "{id}/trial", serve_trial, 0, 0 },
	{ "GET", "/api/v1/health", serve_beat, 0, 0 },
	{ "POST", "/api/v1/instances", serve_start, 0, 0 },
	{ "DELETE", "/api/v1/instances/{id}", serve_stop, 0, 0 },
	{ "PATCH", "/api/v1/instances/{id}", serve_ttl, 0, 0 },
	{ "GET", "/api/v1/instances/{id}/health", serve_instance_health, 0, 0 },
	{ "GET", "/api/v1/instances/{id}/attachments", serve_files, 0, 0 },
	{ "GET", "/api/v1/instances/{id}/attachments/{name}", serve_file, 0, 0 },
	{ .method = NULL },
};

void listen_as(struct fake_node *node, uint16_t port)
{
	static const struct http_route *const tables[] = { fake_routes, NULL };
	char address[64];
	const struct http_server_options options = { .listen = address,
						     .tables = tables,
						     .ctx = node };
	struct err e = ERR_INIT;

	snprintf(address, sizeof(address), "127.0.0.1:%u", port);
	CHECK_EQ(http_serve(&options, &node->server, &e), 0);
	snprintf(node->url, sizeof(node->url), "http://127.0.0.1:%u",
		 http_server_port(node->server));
}

void begin_node(struct fake_node *node)
{
	*node = (struct fake_node){ .server = NULL };
	pthread_mutex_init(&node->lock, NULL);
	pthread_cond_init(&node->changed, NULL);
	listen_as(node, 0);
}

void tell(struct fake_node *node, bool *what, bool value)
{
	pthread_mutex_lock(&node->lock);
	*what = value;
	pthread_cond_broadcast(&node->changed);
	pthread_mutex_unlock(&node->lock);
}

void end_node(struct fake_node *node)
{
	tell(node, &node->hang_health, false);
	tell(node, &node->hold_starts, false);
	http_server_free(node->server);
	pthread_cond_destroy(&node->changed);
	pthread_mutex_destroy(&node->lock);
}

/* Until the node has seen so many more of something. */
void wait_for_more(struct fake_node *node, const int *count, int more)
{
	struct timespec until;
	int wanted;

	until_patience_ends(&until);
	pthread_mutex_lock(&node->lock);
	wanted = *count + more;
	while (*count < wanted)
		CHECK_EQ(pthread_cond_timedwait(&node->changed, &node->lock, &until), 0);
	pthread_mutex_unlock(&node->lock);
}

void wait_for_count(struct fake_node *node, const int *count, int wanted)
{
	struct timespec until;

	until_patience_ends(&until);
	pthread_mutex_lock(&node->lock);
	while (*count < wanted)
		CHECK_EQ(pthread_cond_timedwait(&node->changed, &node->lock, &until), 0);
	pthread_mutex_unlock(&node->lock);
}

/* A platform */

static char root[] = "/tmp/ctfy-test-platform-http-XXXXXX";
static char challenges[128];
static unsigned states;

void write_file(const char *name, const char *text)
{
	char path[256], *slash;
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/%s", challenges, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	CHECK_EQ(dir_make(path, 0755, &e), 0);
	*slash = '/';
	CHECK_EQ(file_write(path, text, strlen(text), 0644, &e), 0);
}

static const char compose[] = "services:\n  web:\n    image: busybox\n    ports: ['80']\n";

int world_setup(void **state)
{
	(void)state;
	if (!mkdtemp(root) || secret_init(NULL) < 0)
		return -1;
	snprintf(challenges, sizeof(challenges), "%s/challenges", root);
	write_file("web/challenge.yml",
		   "name: Web\ncategory: web\ndescription: A web.\nvalue: 100\n"
		   "questions:\n  - id: flag\n    answer: flag{...}\n");
	write_file("web/compose.yml", compose);
	write_file("pwn/challenge.yml", "name: Pwn\ncategory: pwn\nvalue: 200\n"
					"questions:\n  - id: flag\n    answer: flag{...}\n");
	write_file("pwn/compose.yml", compose);
	write_file("quiz/challenge.yml",
		   "name: Quiz\ncategory: misc\nvalue: 50\n"
		   "flags: [Paris, {type: regex, content: '(R+)+[es][0-9]'}]\n"
		   "files: [map.txt]\n"
		   "hints: [{content: It has a tower., cost: 20}, Europe]\n");
	write_file("quiz/map.txt", "France");
	write_file("secret/challenge.yml", "name: Secret\ncategory: misc\nvalue: 1\n"
					   "flags: [x]\nstate: hidden\n");
	return 0;
}

int world_teardown(void **state)
{
	(void)state;
	return tree_remove(root, NULL);
}

void store_path(const char *name, char *path, size_t size)
{
	snprintf(path, size, "%s/%s.db", root, name);
}

static void reply_done(struct reply *reply)
{
	json_decref(reply->json);
	buf_done(&reply->body);
	buf_done(&reply->headers);
}

static _Thread_local struct reply last;
static _Thread_local bool has_last;

/* A thread's last reply is its own to end. */
void forget_reply(void)
{
	if (has_last)
		reply_done(&last);
	has_last = false;
}

/* Every answer of every test is as the API's document has it. */
static void check_schema(const struct world *w, const char *method, const char *path)
{
	const char *fault;

	if (strcmp(path, "/metrics") == 0)
		return; /* no part of the API */
	fault = schema_fault(w->document, method, path, last.status, last.json);
	if (fault)
		fail_msg("%s %s: %d: %s: %s", method, path, last.status, fault, last.body.data);
}

const struct reply *call(struct world *w, const char *token, const char *method, const char *path,
			 const char *body, const char *header)
{
	char authorization[128], full[512];
	const char *headers[8] = { NULL };
	char lines[1024] = "", *rest = lines;
	size_t count = 0;
	struct http_reply raw = HTTP_REPLY_INIT;
	struct http_call request = { .method = method,
				     .path = full,
				     .headers = headers,
				     .body = body,
				     .body_len = body ? strlen(body) : 0,
				     .timeout_ms = 60000 };
	struct err e = ERR_INIT;

	forget_reply();
	snprintf(full, sizeof(full), "%s%s",
		 strncmp(path, "/api", 4) == 0 || strcmp(path, "/metrics") == 0 ? "" : "/api/v1",
		 path);
	if (token) {
		snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", token);
		headers[count++] = authorization;
	}
	snprintf(lines, sizeof(lines), "%s", header ? header : "");
	while (rest && *rest && count + 1 < ARRAY_SIZE(headers))
		headers[count++] = strsep(&rest, "\n");
	if (http_call(w->http, &request, &raw, &e) < 0)
		fail_msg("%s %s: %s", method, path, e.msg);
	has_last = true;
	last = (struct reply){ .status = raw.status,
			       .body = raw.body,
			       .headers = raw.headers,
			       .json = json_loadb(raw.body.data, raw.body.len, 0, NULL) };
	if (w->document)
		check_schema(w, method, full);
	return &last;
}

const char *text(const struct reply *reply, const char *name)
{
	const char *value = json_string_value(json_object_get(reply->json, name));

	if (!value)
		fail_msg("no '%s' in %d %s", name, reply->status, reply->body.data);
	return value;
}

static void read_token(struct world *w)
{
	char path[256];
	AUTO(char *, freep) token = NULL;
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/admin-token", w->state);
	CHECK_EQ(secret_read_file(path, &token, &e), 0);
	snprintf(w->admin, sizeof(w->admin), "%s", token);
}

static void read_document(struct world *w)
{
	const struct http_call request = { .method = "GET", .path = "/openapi.json" };
	struct http_reply reply = HTTP_REPLY_INIT;
	struct err e = ERR_INIT;

	CHECK_EQ(http_call(w->http, &request, &reply, &e), 0);
	w->document = json_loadb(reply.body.data, reply.body.len, 0, NULL);
	CHECK(w->document);
	http_reply_done(&reply);
}

void begin_platform(struct world *w)
{
	struct http_client_options client = { .base_url = NULL };
	struct err e = ERR_INIT;
	char url[64];

	if (platform_daemon_new(&w->options, &w->daemon, &e) < 0 ||
	    platform_daemon_listen(w->daemon, &e) < 0)
		fail_msg("%s", e.msg);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", platform_daemon_port(w->daemon));
	client.base_url = url;
	CHECK_EQ(http_client_new(&client, &w->http, &e), 0);
	read_document(w);
}

void end_platform(struct world *w)
{
	forget_reply();
	json_decref(w->document);
	http_client_free(w->http);
	platform_daemon_free(w->daemon);
}

void make_player(struct world *w, const char *name, const char *team, char token[SECRET_TOKEN_SIZE])
{
	char body[128];

	snprintf(body, sizeof(body), "{\"name\":\"%s\",\"password\":\"password\"}", name);
	EXPECT(call(w, NULL, "POST", "/users", body, NULL), 201);
	snprintf(token, SECRET_TOKEN_SIZE, "%s",
		 text(call(w, NULL, "POST", "/sessions", body, NULL), "token"));
	if (!team)
		return;
	snprintf(body, sizeof(body), "{\"name\":\"%s\"}", team);
	EXPECT(call(w, token, "POST", "/teams", body, NULL), 201);
}

/* Heartbeats follow each other closely, so that nothing here waits for the clock. */
void prepare_world(struct world *w)
{
	int rest;
	struct err e = ERR_INIT;

	*w = (struct world){ .daemon = NULL };
	CHECK_EQ(options_parse(platform_option_rows, &w->options, 0, NULL, &rest, &e), 0);
	snprintf(w->state, sizeof(w->state), "%s/state-%u", root, states++);
	w->options.state = w->state;
	w->options.challenges = challenges;
	w->options.listen = "127.0.0.1:0";
	w->options.heartbeat = 20;
	w->options.heartbeat_timeout = 5000;
	w->options.call_timeout = 2000;
}

void make_people(struct world *w)
{
	read_token(w);
	make_player(w, "alice", "Red", w->alice);
	make_player(w, "bob", "Blue", w->bob);
}

void begin_world(struct world *w)
{
	prepare_world(w);
	begin_platform(w);
	make_people(w);
}

void add_node(struct world *w, const char *name, struct fake_node *node)
{
	struct err e = ERR_INIT;

	CHECK_EQ(platform_daemon_add_node(w->daemon, name, node->url, name, &e), 0);
}

/* Until the platform says that of a node. */
void wait_for_state(struct world *w, const char *state)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int64_t until = clock_monotonic_ms() + 1000 * PATIENCE_S;

	for (;;) {
		const struct reply *reply = call(w, w->admin, "GET", "/admin/nodes", NULL, NULL);
		json_t *nodes = json_object_get(reply->json, "nodes"), *node;
		size_t i, others = 0;

		json_array_foreach (nodes, i, node)
			others += strcmp(json_string_value(json_object_get(node, "state")),
					 state) != 0;
		if (json_array_size(nodes) > 0 && others == 0)
			return;
		if (clock_monotonic_ms() > until)
			fail_msg("not %s: %s", state, reply->body.data);
		nanosleep(&pause, NULL);
	}
}

/* Of alice's instance of "web". */
void wait_for_status(struct world *w, const char *status)
{
	const struct timespec pause = { .tv_nsec = 5000000 };
	int64_t until = clock_monotonic_ms() + 1000 * PATIENCE_S;

	for (;;) {
		const struct reply *reply =
			call(w, w->alice, "GET", "/challenges/web/instance", NULL, NULL);

		if (strcmp(text(reply, "status"), status) == 0)
			return;
		if (clock_monotonic_ms() > until)
			fail_msg("not %s: %s", status, reply->body.data);
		nanosleep(&pause, NULL);
	}
}

void make_agent(struct world *w, const char *player, const char *challenge,
		char token[SECRET_TOKEN_SIZE])
{
	char path[128], body[160];

	snprintf(path, sizeof(path), "/challenges/%s/instance", challenge);
	snprintf(body, sizeof(body), "{\"name\":\"agent\",\"instance_id\":\"%s\"}",
		 text(call(w, player, "POST", path, NULL, WAIT), "id"));
	snprintf(token, SECRET_TOKEN_SIZE, "%s",
		 text(call(w, player, "POST", "/me/tokens", body, NULL), "token"));
}

bool reply_header(const struct reply *reply, const char *name, char *value, size_t size)
{
	const struct http_reply raw = { .headers = reply->headers };

	return http_reply_header(&raw, name, value, size) != NULL;
}

void apply(struct world *w, const char *file)
{
	const struct reply *reply = call(w, w->admin, "POST", "/admin/competitions", file, NULL);

	if (reply->status != 200 && reply->status != 201)
		fail_msg("%s", reply->body.data);
}

const struct reply *answer(struct world *w, const char *token, const char *challenge,
			   const char *text)
{
	char path[128], body[256];

	snprintf(path, sizeof(path), "/challenges/%s/submissions", challenge);
	snprintf(body, sizeof(body), "{\"answer\":\"%s\"}", text);
	return call(w, token, "POST", path, body, NULL);
}
