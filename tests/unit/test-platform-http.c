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

#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/*
 * The platform as its clients meet it, with nodes that do as they are told.
 *
 * A test that fails leaves its platform and nodes running: what comes after it may then fail too.
 */

/* A node */

enum { NODE_INSTANCES_MAX = 64, PATIENCE_S = 20 };

struct fake_node {
	struct http_server *server;
	char url[64];
	pthread_mutex_t lock;
	pthread_cond_t changed;

	/* What it is told to do. */
	bool hang_health;  /* heartbeats get no answer */
	bool refuse_stops; /* they are answered with 500 */
	bool hold_starts;  /* starts get no answer until this is taken back */
	const char *words; /* starts fail with these; NULL: they don't */
	int status;        /* of such a failure */
	int64_t lifetime;  /* milliseconds an instance lives; 0: its ttl */
	bool forgets;      /* it has ended by itself what it has just started */

	/* What it has seen. */
	int beats, starts, stops;
	char live[NODE_INSTANCES_MAX][64]; /* ids of instances that it has */
	char last_body[4096];              /* of the last start */
};

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

static size_t count_live(struct fake_node *node)
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
					(json_int_t)count_live(node), "capacity", 10, "version",
					"0", "engine", "fake 1.0"));
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

static const struct http_route fake_routes[] = {
	{ "GET", "/api/v1/health", serve_beat, 0, 0 },
	{ "POST", "/api/v1/instances", serve_start, 0, 0 },
	{ "DELETE", "/api/v1/instances/{id}", serve_stop, 0, 0 },
	{ "PATCH", "/api/v1/instances/{id}", serve_ttl, 0, 0 },
	{ "GET", "/api/v1/instances/{id}/health", serve_instance_health, 0, 0 },
	{ "GET", "/api/v1/instances/{id}/attachments", serve_files, 0, 0 },
	{ "GET", "/api/v1/instances/{id}/attachments/{name}", serve_file, 0, 0 },
	{ .method = NULL },
};

static void listen_as(struct fake_node *node, uint16_t port)
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

static void begin_node(struct fake_node *node)
{
	*node = (struct fake_node){ .server = NULL };
	pthread_mutex_init(&node->lock, NULL);
	pthread_cond_init(&node->changed, NULL);
	listen_as(node, 0);
}

static void tell(struct fake_node *node, bool *what, bool value)
{
	pthread_mutex_lock(&node->lock);
	*what = value;
	pthread_cond_broadcast(&node->changed);
	pthread_mutex_unlock(&node->lock);
}

static void end_node(struct fake_node *node)
{
	tell(node, &node->hang_health, false);
	tell(node, &node->hold_starts, false);
	http_server_free(node->server);
	pthread_cond_destroy(&node->changed);
	pthread_mutex_destroy(&node->lock);
}

/* Until the node has seen so many more of something. */
static void wait_for_more(struct fake_node *node, const int *count, int more)
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

static void wait_for_count(struct fake_node *node, const int *count, int wanted)
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

static void write_file(const char *name, const char *text)
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

static int setup(void **state)
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
	write_file("quiz/challenge.yml", "name: Quiz\ncategory: misc\nvalue: 50\n"
					 "flags: [Paris]\nfiles: [map.txt]\n");
	write_file("quiz/map.txt", "France");
	write_file("secret/challenge.yml", "name: Secret\ncategory: misc\nvalue: 1\n"
					   "flags: [x]\nstate: hidden\n");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tree_remove(root, NULL);
}

struct world {
	struct platform_options options;
	char state[160];
	struct platform_daemon *daemon;
	struct http_client *http;
	char admin[SECRET_TOKEN_SIZE], alice[SECRET_TOKEN_SIZE], bob[SECRET_TOKEN_SIZE];
};

struct reply {
	int status;
	json_t *json;
	struct buf body;
	struct buf headers;
};

static void reply_done(struct reply *reply)
{
	json_decref(reply->json);
	buf_done(&reply->body);
	buf_done(&reply->headers);
}

static _Thread_local struct reply last;
static _Thread_local bool has_last;

/* A thread's last reply is its own to end. */
static void forget_reply(void)
{
	if (has_last)
		reply_done(&last);
	has_last = false;
}

/* The reply is the thread's until its next call. */
static const struct reply *call(struct world *w, const char *token, const char *method,
				const char *path, const char *body, const char *header)
{
	char authorization[128], full[512];
	const char *headers[3] = { NULL };
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
	snprintf(full, sizeof(full), "%s%s", strncmp(path, "/api", 4) == 0 ? "" : "/api/v1", path);
	if (token) {
		snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s", token);
		headers[count++] = authorization;
	}
	headers[count] = header;
	if (http_call(w->http, &request, &raw, &e) < 0)
		fail_msg("%s %s: %s", method, path, e.msg);
	has_last = true;
	last = (struct reply){ .status = raw.status,
			       .body = raw.body,
			       .headers = raw.headers,
			       .json = json_loadb(raw.body.data, raw.body.len, 0, NULL) };
	return &last;
}

static const char *text(const struct reply *reply, const char *name)
{
	const char *value = json_string_value(json_object_get(reply->json, name));

	if (!value)
		fail_msg("no '%s' in %d %s", name, reply->status, reply->body.data);
	return value;
}

#define EXPECT(reply_, status_)                                                               \
	do {                                                                                  \
		const struct reply *got_ = (reply_);                                          \
		if (got_->status != (status_))                                                \
			fail_msg("%d, not %d: %s", got_->status, (status_), got_->body.data); \
	} while (0)

static void read_token(struct world *w)
{
	char path[256];
	AUTO(char *, freep) token = NULL;
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/admin-token", w->state);
	CHECK_EQ(secret_read_file(path, &token, &e), 0);
	snprintf(w->admin, sizeof(w->admin), "%s", token);
}

static void begin_platform(struct world *w)
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
}

static void end_platform(struct world *w)
{
	forget_reply();
	http_client_free(w->http);
	platform_daemon_free(w->daemon);
}

static void make_player(struct world *w, const char *name, const char *team,
			char token[SECRET_TOKEN_SIZE])
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
static void begin_world(struct world *w)
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
	begin_platform(w);
	read_token(w);
	make_player(w, "alice", "Red", w->alice);
	make_player(w, "bob", "Blue", w->bob);
}

static void add_node(struct world *w, const char *name, struct fake_node *node)
{
	struct err e = ERR_INIT;

	CHECK_EQ(platform_daemon_add_node(w->daemon, name, node->url, name, &e), 0);
}

/* Until the platform says that of a node. */
static void wait_for_state(struct world *w, const char *state)
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

#define WAIT "Prefer: wait=20"

/* Of alice's instance of "web". */
static void wait_for_status(struct world *w, const char *status)
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

/* Starting and stopping */

TEST(a_team_gets_an_instance_of_its_own_and_learns_nothing_of_the_node)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	const json_t *endpoint;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 201);
	CHECK_STR(text(reply, "status"), "running");
	endpoint = json_array_get(json_object_get(reply->json, "endpoints"), 0);
	CHECK_STR(json_string_value(json_object_get(endpoint, "command")), "nc 10.1.2.3 4321");
	CHECK(!strstr(reply->body.data, node.url + strlen("http://")));
	CHECK(!json_object_get(reply->json, "node_id"));
	CHECK_HAS(node.last_body, "\"challenge_id\":\"web\"");
	CHECK_HAS(node.last_body, "\"answers\":{\"flag\":\"flag{");

	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 200);
	CHECK_EQ(node.starts, 1);
	EXPECT(call(&w, w.bob, "GET", "/challenges/web/instance", NULL, NULL), 404);
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	CHECK_EQ(count_live(&node), 2);

	reply = call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 200);
	CHECK_STR(text(reply, "status"), "stopped");
	CHECK_EQ(count_live(&node), 1);
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
}

TEST(without_waiting_a_start_is_accepted_and_seen_through)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	tell(&node, &node.hold_starts, true);
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL);
	EXPECT(reply, 202);
	CHECK_STR(text(reply, "status"), "starting");
	tell(&node, &node.hold_starts, false);
	wait_for_status(&w, "running");
}

TEST(a_failing_start_tells_the_player_the_nodes_words_and_leaves_nothing)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	node.words = "pull access denied for x";
	node.status = 502;
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 502);
	CHECK_STR(text(reply, "detail"), "pull access denied for x");
	reply = call(&w, w.alice, "GET", "/challenges/web/instance", NULL, NULL);
	CHECK_STR(text(reply, "status"), "failed");
	CHECK_STR(text(reply, "detail"), "pull access denied for x");

	/* And it is no obstacle to the next. */
	pthread_mutex_lock(&node.lock);
	node.words = NULL;
	pthread_mutex_unlock(&node.lock);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	CHECK_EQ(count_live(&node), 1);
}

TEST(what_a_full_node_refuses_another_takes)
{
	AUTO(struct fake_node, end_node) full;
	AUTO(struct fake_node, end_node) other;
	AUTO(struct world, end_platform) w;

	begin_node(&full);
	begin_node(&other);
	begin_world(&w);
	full.words = "10/10 instances are running";
	full.status = 503;
	add_node(&w, "full", &full);
	add_node(&w, "other", &other);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	EXPECT(call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	CHECK_EQ(count_live(&other), 2);
	CHECK_EQ(count_live(&full), 0);
}

TEST(where_all_refuse_the_last_words_are_told)
{
	AUTO(struct fake_node, end_node) full;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&full);
	begin_world(&w);
	full.words = "10/10 instances are running";
	full.status = 503;
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 503);
	add_node(&w, "full", &full);
	wait_for_state(&w, "healthy");
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	CHECK_STR(text(reply, "detail"), "10/10 instances are running");
}

struct starter {
	struct world *w;
	int status;
	char id[64];
};

static void *start_at_once(void *cookie)
{
	struct starter *s = cookie;
	const struct reply *reply =
		call(s->w, s->w->alice, "POST", "/challenges/web/instance", NULL, WAIT);

	s->status = reply->status;
	snprintf(s->id, sizeof(s->id), "%s", text(reply, "id"));
	forget_reply();
	return NULL;
}

TEST(starts_at_once_by_one_team_start_one_instance)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	struct starter starters[8];
	pthread_t threads[8];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	for (size_t i = 0; i < 8; i++) {
		starters[i] = (struct starter){ .w = &w };
		CHECK_EQ(pthread_create(&threads[i], NULL, start_at_once, &starters[i]), 0);
	}
	for (size_t i = 0; i < 8; i++) {
		pthread_join(threads[i], NULL);
		CHECK(starters[i].status == 200 || starters[i].status == 201);
		CHECK_STR(starters[i].id, starters[0].id);
	}
	CHECK_EQ(node.starts, 1);
	CHECK_EQ(count_live(&node), 1);
}

TEST(a_stop_during_a_start_leaves_nothing)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	tell(&node, &node.hold_starts, true);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_count(&node, &node.starts, 1);
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_count(&node, &node.stops, 1); /* the node is told at once */
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 409);
	tell(&node, &node.hold_starts, false);
	wait_for_status(&w, "stopped");
	CHECK_EQ(count_live(&node), 0);
}

TEST(an_instance_ends_when_its_time_is_over)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	node.lifetime = 1;
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_status(&w, "expired");
	CHECK_EQ(count_live(&node), 0);
}

TEST(an_instance_that_its_node_ended_in_time_has_expired_not_failed)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	node.lifetime = 1;
	node.forgets = true;
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	EXPECT(call(&w, w.alice, "GET", "/challenges/web/instance?check=true", NULL, NULL), 200);
	wait_for_status(&w, "expired");
}

TEST(a_renewed_instance_has_its_whole_time_again)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	int64_t before, after;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "PATCH", "/challenges/web/instance", NULL, NULL), 404);
	node.lifetime = 60000;
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 201);
	CHECK(clock_parse(text(reply, "expires_at"), &before));
	reply = call(&w, w.alice, "PATCH", "/challenges/web/instance", NULL, NULL);
	EXPECT(reply, 200);
	CHECK(clock_parse(text(reply, "expires_at"), &after));
	CHECK(after > before + 1000000);
}

TEST(an_instance_that_its_node_lost_is_not_shown_as_running)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	reply = call(&w, w.alice, "GET", "/challenges/web/instance?check=true", NULL, NULL);
	CHECK(json_is_true(json_object_get(reply->json, "is_healthy")));
	pthread_mutex_lock(&node.lock);
	memset(node.live, 0, sizeof(node.live));
	pthread_mutex_unlock(&node.lock);
	EXPECT(call(&w, w.alice, "GET", "/challenges/web/instance?check=true", NULL, NULL), 200);
	wait_for_status(&w, "failed");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
}

/* Nodes */

TEST(a_slow_node_delays_no_other)
{
	AUTO(struct fake_node, end_node) slow;
	AUTO(struct fake_node, end_node) quick;
	AUTO(struct world, end_platform) w;

	begin_node(&slow);
	begin_node(&quick);
	begin_world(&w);
	slow.hang_health = true;
	add_node(&w, "slow", &slow);
	add_node(&w, "quick", &quick);
	wait_for_count(&slow, &slow.beats, 1);
	wait_for_more(&quick, &quick.beats, 5);
	CHECK_EQ(slow.beats, 1);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	CHECK_EQ(count_live(&quick), 1);
}

TEST(a_stop_on_a_lost_node_is_made_up_for_when_it_is_back)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	uint16_t port;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);

	port = http_server_port(node.server);
	http_server_free(TAKE(node.server));
	wait_for_state(&w, "lost");
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	wait_for_status(&w, "stopped");
	CHECK_EQ(count_live(&node), 1);

	listen_as(&node, port);
	wait_for_count(&node, &node.stops, 1);
	CHECK_EQ(count_live(&node), 0);
}

TEST(a_stop_that_the_node_refuses_is_asked_for_again)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	tell(&node, &node.refuse_stops, true);
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_count(&node, &node.stops, 2);
	tell(&node, &node.refuse_stops, false);
	wait_for_status(&w, "stopped");
	CHECK_EQ(count_live(&node), 0);
}

TEST(a_restart_takes_up_what_was_under_way)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char first_body[4096];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	tell(&node, &node.hold_starts, true);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_count(&node, &node.starts, 1);
	snprintf(first_body, sizeof(first_body), "%s", node.last_body);
	end_platform(&w);
	tell(&node, &node.hold_starts, false);
	begin_platform(&w);
	wait_for_status(&w, "running");
	CHECK_STR(node.last_body, first_body);
	CHECK_EQ(count_live(&node), 1);
}

TEST(a_node_joins_with_the_secret_and_speaks_with_its_token)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	AUTO(char *, freep) secret = NULL;
	char path[256], body[512], first[SECRET_TOKEN_SIZE];
	const struct reply *reply;
	struct err e = ERR_INIT;

	begin_node(&node);
	begin_world(&w);
	snprintf(path, sizeof(path), "%s/join-secret", w.state);
	CHECK_EQ(secret_read_file(path, &secret, &e), 0);
	snprintf(body, sizeof(body), "{\"join_secret\":\"no\",\"name\":\"n1\",\"url\":\"%s\"}",
		 node.url);
	EXPECT(call(&w, NULL, "POST", "/nodes/register", body, NULL), 403);
	snprintf(body, sizeof(body), "{\"join_secret\":\"%s\",\"name\":\"n1\",\"url\":\"%s\"}",
		 secret, node.url);
	reply = call(&w, NULL, "POST", "/nodes/register", body, NULL);
	EXPECT(reply, 201);
	snprintf(first, sizeof(first), "%s", text(reply, "token"));
	reply = call(&w, first, "GET", "/nodes/me", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(text(reply, "name"), "n1");

	/* It joins again: the same node, a new token, and the old one is over. */
	reply = call(&w, NULL, "POST", "/nodes/register", body, NULL);
	EXPECT(reply, 201);
	CHECK(strcmp(text(reply, "token"), first) != 0);
	EXPECT(call(&w, first, "GET", "/nodes/me", NULL, NULL), 401);
	reply = call(&w, w.admin, "GET", "/admin/nodes", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "nodes")), 1);

	snprintf(body, sizeof(body), "{\"join_secret\":\"%s\",\"name\":\"n2\",\"url\":\"ftp:x\"}",
		 secret);
	EXPECT(call(&w, NULL, "POST", "/nodes/register", body, NULL), 422);
}

TEST(a_node_with_instances_is_not_removed)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char path[128];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	reply = call(&w, w.admin, "GET", "/admin/nodes", NULL, NULL);
	snprintf(path, sizeof(path), "/admin/nodes/%s",
		 json_string_value(
			 json_object_get(json_array_get(json_object_get(reply->json, "nodes"), 0),
					 "id")));
	EXPECT(call(&w, w.admin, "DELETE", path, NULL, NULL), 409);
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	EXPECT(call(&w, w.admin, "DELETE", path, NULL, NULL), 204);
	EXPECT(call(&w, w.admin, "DELETE", path, NULL, NULL), 404);
}

/* Challenges and answers */

TEST(files_come_from_the_instances_node_or_from_the_folder)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	reply = call(&w, w.alice, "GET", "/challenges/web/attachments", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_HAS(reply->body.data, "\"gate\"");
	reply = call(&w, w.alice, "GET", "/challenges/web/attachments/gate", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(reply->body.data, "bytes");
	CHECK_HAS(reply->headers.data, "text/x-gate");
	CHECK_HAS(reply->headers.data, "attachment; filename*=UTF-8''gate");
	EXPECT(call(&w, w.alice, "GET", "/challenges/web/attachments/no", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "GET", "/challenges/web/attachments/..%2f..", NULL, NULL), 404);

	reply = call(&w, w.alice, "GET", "/challenges/quiz/attachments", NULL, NULL);
	CHECK_HAS(reply->body.data, "\"map.txt\"");
	reply = call(&w, w.alice, "GET", "/challenges/quiz/attachments/map.txt", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(reply->body.data, "France");
	EXPECT(call(&w, w.alice, "GET", "/challenges/quiz/attachments/challenge.yml", NULL, NULL),
	       404);
}

TEST(hidden_and_unknown_challenges_are_not_there)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	reply = call(&w, w.alice, "GET", "/challenges", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "challenges")), 3);
	EXPECT(call(&w, w.alice, "GET", "/challenges/secret", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "GET", "/challenges/none", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "POST", "/challenges/secret/submissions", "{\"answer\":\"x\"}",
		    NULL),
	       404);
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/instance", NULL, NULL), 409);
}

TEST(a_solve_stands_on_the_scoreboard_at_once)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char etag[128], condition[160];

	begin_world(&w);
	reply = call(&w, NULL, "GET", "/scoreboard", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(sscanf(strcasestr(reply->headers.data, "etag:"), "%*[^\"]%127[^\r\n]", etag), 1);
	snprintf(condition, sizeof(condition), "If-None-Match: %s", etag);
	EXPECT(call(&w, NULL, "GET", "/scoreboard", NULL, condition), 304);
	reply = call(&w, w.bob, "POST", "/challenges/quiz/submissions", "{\"answer\":\"Paris\"}",
		     NULL);
	EXPECT(reply, 201);
	CHECK_STR(text(reply, "verdict"), "correct");
	CHECK(json_is_true(json_object_get(reply->json, "first_blood")));
	CHECK_EQ(json_integer_value(json_object_get(reply->json, "value")), 50);
	reply = call(&w, NULL, "GET", "/scoreboard", NULL, condition);
	EXPECT(reply, 200);
	reply = call(&w, NULL, "GET", "/scoreboard", NULL, NULL);
	CHECK_STR(json_string_value(
			  json_object_get(json_array_get(json_object_get(reply->json, "teams"), 0),
					  "team")),
		  "Blue");
	reply = call(&w, w.alice, "GET", "/submissions", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "submissions")), 0);
}

static void apply(struct world *w, const char *file)
{
	const struct reply *reply = call(w, w->admin, "POST", "/admin/competitions", file, NULL);

	if (reply->status != 200 && reply->status != 201)
		fail_msg("%s", reply->body.data);
}

TEST(before_it_begins_and_after_it_ended_nobody_plays)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	apply(&w, "id: ctf\nname: Soon\nstart: 2999-01-01T00:00:00Z\n");
	reply = call(&w, w.alice, "GET", "/challenges", NULL, NULL);
	EXPECT(reply, 403);
	CHECK_STR(text(reply, "detail"), "'Soon' begins at 2999-01-01T00:00:00.000Z");
	EXPECT(call(&w, w.alice, "GET", "/challenges/web", NULL, NULL), 403);
	EXPECT(call(&w, w.admin, "GET", "/challenges", NULL, NULL), 200);
	apply(&w, "id: ctf\nname: Over\nend: 2001-01-01T00:00:00Z\n");
	EXPECT(call(&w, w.alice, "GET", "/challenges", NULL, NULL), 200);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 403);
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/submissions", "{\"answer\":\"Paris\"}",
		    NULL),
	       403);
}

TEST(a_freeze_hides_later_solves_from_players_only)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	apply(&w, "id: ctf\nfreeze: 2001-01-01T00:00:00Z\n");
	EXPECT(call(&w, w.bob, "POST", "/challenges/quiz/submissions", "{\"answer\":\"Paris\"}",
		    NULL),
	       201);
	reply = call(&w, NULL, "GET", "/scoreboard", NULL, NULL);
	CHECK_HAS(reply->body.data, "\"frozen\":true");
	CHECK(!strstr(reply->body.data, "\"score\":50"));
	reply = call(&w, w.admin, "GET", "/admin/scoreboard", NULL, NULL);
	CHECK_HAS(reply->body.data, "\"score\":50");
}

TEST(a_challenge_that_is_taken_out_is_gone_with_its_points)
{
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	EXPECT(call(&w, w.bob, "POST", "/challenges/quiz/submissions", "{\"answer\":\"Paris\"}",
		    NULL),
	       201);
	apply(&w, "id: ctf\nchallenges: [web]\n");
	EXPECT(call(&w, w.alice, "GET", "/challenges/quiz", NULL, NULL), 404);
	CHECK(!strstr(call(&w, NULL, "GET", "/scoreboard", NULL, NULL)->body.data, ":50"));
}

/* Accounts */

TEST(a_token_that_was_ended_is_good_for_nothing)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char path[128], token[SECRET_TOKEN_SIZE];

	begin_world(&w);
	reply = call(&w, w.alice, "POST", "/me/tokens", "{\"name\":\"bot\",\"days\":1}", NULL);
	EXPECT(reply, 201);
	snprintf(token, sizeof(token), "%s", text(reply, "token"));
	snprintf(path, sizeof(path), "/me/tokens/%s", text(reply, "id"));
	EXPECT(call(&w, token, "GET", "/me", NULL, NULL), 200);
	EXPECT(call(&w, w.bob, "DELETE", path, NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "DELETE", path, NULL, NULL), 204);
	EXPECT(call(&w, token, "GET", "/me", NULL, NULL), 401);
	EXPECT(call(&w, w.alice, "DELETE", "/sessions", NULL, NULL), 204);
	EXPECT(call(&w, w.alice, "GET", "/me", NULL, NULL), 401);
}

TEST(a_new_password_ends_the_other_tokens)
{
	AUTO(struct world, end_platform) w;
	char other[SECRET_TOKEN_SIZE];

	begin_world(&w);
	snprintf(other, sizeof(other), "%s",
		 text(call(&w, w.alice, "POST", "/me/tokens", "{\"name\":\"bot\"}", NULL),
		      "token"));
	EXPECT(call(&w, w.alice, "PUT", "/me/password",
		    "{\"old_password\":\"wrong\",\"password\":\"longer password\"}", NULL),
	       403);
	EXPECT(call(&w, w.alice, "PUT", "/me/password",
		    "{\"old_password\":\"password\",\"password\":\"longer password\"}", NULL),
	       204);
	EXPECT(call(&w, other, "GET", "/me", NULL, NULL), 401);
	EXPECT(call(&w, w.alice, "GET", "/me", NULL, NULL), 200);
	EXPECT(call(&w, NULL, "POST", "/sessions", "{\"name\":\"alice\",\"password\":\"password\"}",
		    NULL),
	       401);
}

TEST(where_registration_is_closed_only_organisers_make_accounts)
{
	static const char body[] = "{\"name\":\"carol\",\"password\":\"password\"}";
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	end_platform(&w);
	w.options.registration = "closed";
	begin_platform(&w);
	EXPECT(call(&w, NULL, "POST", "/users", body, NULL), 403);
	EXPECT(call(&w, w.admin, "POST", "/admin/users", body, NULL), 201);
}

/* Routes and roles */

enum { AS_NOBODY, AS_PLAYER, AS_ORGANISER, AS_ADMIN, AS_NODE, ROLES };

static const char *const role_names[] = { "nobody", "player", "organiser", "admin", "node" };

/* The least that each route takes; written down twice, so that no slip of a row goes unseen. */
static const struct expectation {
	const char *method, *path;
	int least; /* AS_NOBODY: open; AS_NODE: nodes alone */
} expectations[] = {
	{ "POST", "/users", AS_NOBODY },
	{ "POST", "/sessions", AS_NOBODY },
	{ "DELETE", "/sessions", AS_PLAYER },
	{ "GET", "/me", AS_PLAYER },
	{ "PUT", "/me/password", AS_PLAYER },
	{ "GET", "/me/tokens", AS_PLAYER },
	{ "POST", "/me/tokens", AS_PLAYER },
	{ "DELETE", "/me/tokens/{token}", AS_PLAYER },
	{ "GET", "/admin/users", AS_ORGANISER },
	{ "POST", "/admin/users", AS_ORGANISER },
	{ "PATCH", "/admin/users/{user}", AS_ADMIN },
	{ "GET", "/team", AS_PLAYER },
	{ "POST", "/teams", AS_PLAYER },
	{ "POST", "/team/members", AS_PLAYER },
	{ "DELETE", "/team/members/me", AS_PLAYER },
	{ "GET", "/admin/teams", AS_ORGANISER },
	{ "GET", "/health", AS_NOBODY },
	{ "GET", "/competitions", AS_NOBODY },
	{ "GET", "/scoreboard", AS_NOBODY },
	{ "GET", "/admin/scoreboard", AS_ORGANISER },
	{ "POST", "/admin/competitions", AS_ORGANISER },
	{ "GET", "/admin/competitions/{competition}", AS_ORGANISER },
	{ "GET", "/challenges", AS_PLAYER },
	{ "GET", "/challenges/{id}", AS_PLAYER },
	{ "GET", "/instances", AS_PLAYER },
	{ "POST", "/challenges/{id}/instance", AS_PLAYER },
	{ "GET", "/challenges/{id}/instance", AS_PLAYER },
	{ "PATCH", "/challenges/{id}/instance", AS_PLAYER },
	{ "DELETE", "/challenges/{id}/instance", AS_PLAYER },
	{ "GET", "/admin/instances", AS_ORGANISER },
	{ "DELETE", "/admin/instances/{instance}", AS_ORGANISER },
	{ "GET", "/challenges/{id}/attachments", AS_PLAYER },
	{ "GET", "/challenges/{id}/attachments/{name}", AS_PLAYER },
	{ "POST", "/challenges/{id}/submissions", AS_PLAYER },
	{ "GET", "/submissions", AS_PLAYER },
	{ "GET", "/admin/submissions", AS_ORGANISER },
	{ "POST", "/nodes/register", AS_NOBODY },
	{ "GET", "/nodes/me", AS_NODE },
	{ "GET", "/admin/nodes", AS_ORGANISER },
	{ "GET", "/admin/nodes/{node}", AS_ORGANISER },
	{ "DELETE", "/admin/nodes/{node}", AS_ADMIN },
	{ "POST", "/admin/challenges/rescan", AS_ORGANISER },
};

static const struct expectation *expectation_of(const struct http_route *route)
{
	for (size_t i = 0; i < ARRAY_SIZE(expectations); i++)
		if (strcmp(expectations[i].method, route->method) == 0 &&
		    strcmp(expectations[i].path, route->path + strlen("/api/v1")) == 0)
			return &expectations[i];
	fail_msg("nobody wrote down who may %s %s", route->method, route->path);
	return NULL;
}

static bool may(const struct http_route *route, int role)
{
	int least = expectation_of(route)->least;

	if (least == AS_NOBODY || least == AS_NODE)
		return least == AS_NOBODY || role == AS_NODE;
	return role >= least && role <= AS_ADMIN;
}

/* The route's path, with "none" for each of its parameters. */
static void fill_path(const char *route, char *path, size_t size)
{
	size_t len = 0;

	for (; *route && len + 5 < size; route++) {
		if (*route != '{') {
			path[len++] = *route;
			continue;
		}
		memcpy(path + len, "none", 4);
		len += 4;
		route = strchr(route, '}');
	}
	path[len] = '\0';
}

/* Tokens that outlive whatever the walk does: the route may end the one it is called with. */
static void fresh_token(struct world *w, const char *master, char token[SECRET_TOKEN_SIZE])
{
	const struct reply *reply =
		call(w, master, "POST", "/me/tokens", "{\"name\":\"walk\"}", NULL);

	EXPECT(reply, 201);
	snprintf(token, SECRET_TOKEN_SIZE, "%s", text(reply, "token"));
}

static void walk_route(struct world *w, const struct http_route *route,
		       const char *const masters[ROLES])
{
	char path[256], token[SECRET_TOKEN_SIZE];

	fill_path(route->path, path, sizeof(path));
	for (int role = AS_NOBODY; role < ROLES; role++) {
		const struct reply *reply;
		int expected = role == AS_NOBODY ? 401 : 403;

		if (role == AS_NODE)
			snprintf(token, sizeof(token), "%s", masters[role]);
		else if (role != AS_NOBODY)
			fresh_token(w, masters[role], token);
		reply = call(w, role == AS_NOBODY ? NULL : token, route->method, path, NULL, NULL);
		if (may(route, role) ? reply->status == 401 || reply->status == 403
				     : reply->status != expected)
			fail_msg("%s %s as %s: %d %s", route->method, route->path, role_names[role],
				 reply->status, reply->body.data);
	}
}

TEST(every_route_is_open_to_its_roles_and_to_no_other)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char organiser[SECRET_TOKEN_SIZE], path[128];
	const char *const masters[ROLES] = { NULL, w.alice, organiser, w.admin, "node-token" };
	const struct reply *reply;
	struct err e = ERR_INIT;
	size_t walked = 0;

	begin_node(&node);
	begin_world(&w);
	CHECK_EQ(platform_daemon_add_node(w.daemon, "n1", node.url, "node-token", &e), 0);
	make_player(&w, "olga", NULL, organiser);
	reply = call(&w, organiser, "GET", "/me", NULL, NULL);
	snprintf(path, sizeof(path), "/admin/users/%s", text(reply, "id"));
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"role\":\"organiser\"}", NULL), 200);
	for (size_t i = 0; platform_route_tables[i]; i++) {
		for (size_t j = 0; platform_route_tables[i][j].method; j++, walked++)
			walk_route(&w, &platform_route_tables[i][j], masters);
	}
	CHECK_EQ(walked, ARRAY_SIZE(expectations));
	EXPECT(call(&w, NULL, "GET", "/nowhere", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "PUT", "/team", NULL, NULL), 405);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_team_gets_an_instance_of_its_own_and_learns_nothing_of_the_node),
		T(without_waiting_a_start_is_accepted_and_seen_through),
		T(a_failing_start_tells_the_player_the_nodes_words_and_leaves_nothing),
		T(what_a_full_node_refuses_another_takes),
		T(where_all_refuse_the_last_words_are_told),
		T(starts_at_once_by_one_team_start_one_instance),
		T(a_stop_during_a_start_leaves_nothing),
		T(an_instance_ends_when_its_time_is_over),
		T(an_instance_that_its_node_ended_in_time_has_expired_not_failed),
		T(a_renewed_instance_has_its_whole_time_again),
		T(an_instance_that_its_node_lost_is_not_shown_as_running),
		T(a_slow_node_delays_no_other),
		T(a_stop_on_a_lost_node_is_made_up_for_when_it_is_back),
		T(a_stop_that_the_node_refuses_is_asked_for_again),
		T(a_restart_takes_up_what_was_under_way),
		T(a_node_joins_with_the_secret_and_speaks_with_its_token),
		T(a_node_with_instances_is_not_removed),
		T(files_come_from_the_instances_node_or_from_the_folder),
		T(hidden_and_unknown_challenges_are_not_there),
		T(a_solve_stands_on_the_scoreboard_at_once),
		T(before_it_begins_and_after_it_ended_nobody_plays),
		T(a_freeze_hides_later_solves_from_players_only),
		T(a_challenge_that_is_taken_out_is_gone_with_its_points),
		T(a_token_that_was_ended_is_good_for_nothing),
		T(a_new_password_ends_the_other_tokens),
		T(where_registration_is_closed_only_organisers_make_accounts),
		T(every_route_is_open_to_its_roles_and_to_no_other),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
