/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "http/call.h"
#include "http/peer.h"
#include "http/serve.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Handlers that stop here go on when it is opened. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	bool open;
	int waiting;
	int aborted; /* bodies whose client went away */
};

static struct gate gate = { .lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER };
static atomic_int handled;
static atomic_int failed_calls;

static void gate_set(bool open)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = open;
	if (!open)
		gate.aborted = 0;
	pthread_cond_broadcast(&gate.opened);
	pthread_mutex_unlock(&gate.lock);
}

static void gate_wait(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.waiting++;
	pthread_cond_broadcast(&gate.opened);
	while (!gate.open)
		pthread_cond_wait(&gate.opened, &gate.lock);
	gate.waiting--;
	pthread_mutex_unlock(&gate.lock);
}

static void gate_await(int waiting)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.waiting < waiting)
		pthread_cond_wait(&gate.opened, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static void note_aborted(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.aborted++;
	pthread_cond_broadcast(&gate.opened);
	pthread_mutex_unlock(&gate.lock);
}

static void await_aborted(void)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.aborted == 0)
		pthread_cond_wait(&gate.opened, &gate.lock);
	gate.aborted = 0;
	pthread_mutex_unlock(&gate.lock);
}

static int send_text(struct http_res *res, const char *text)
{
	return http_send_bytes(res, 200, "text/plain", text, strlen(text));
}

static int serve_quick(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)req;
	(void)e;
	return http_send_static(res, 200, "text/plain", "quick", 5);
}

static int serve_item(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	char text[300];

	(void)ctx;
	(void)e;
	snprintf(text, sizeof(text), "%s %s", http_method(req), http_param(req, "id"));
	return send_text(res, text);
}

static int serve_special(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)req;
	(void)e;
	return send_text(res, "special");
}

static int serve_rest(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)e;
	return send_text(res, http_param(req, "path"));
}

static int serve_query(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const char *name = http_query(req, "na me");
	char text[300];
	int64_t n;
	int r;

	(void)ctx;
	r = http_query_int(req, "n", 1, 10, 5, &n, e);
	if (r < 0)
		return r;
	snprintf(text, sizeof(text), "%lld %s", (long long)n, name ? name : "(none)");
	return send_text(res, text);
}

static int serve_echo(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	size_t len;
	const void *body = http_body(req, &len);

	(void)ctx;
	(void)e;
	atomic_fetch_add(&handled, 1);
	return http_send_bytes(res, 200, "application/octet-stream", body, len);
}

struct row {
	char *name;
	int64_t ttl;
};

static const struct field row_fields[] = {
	FIELD(struct row, STRING, name, FIELD_REQUIRED),
	FIELD_RANGE(struct row, ttl, FIELD_REQUIRED, 1, 100),
	FIELDS_END,
};

static int serve_row(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct row row = { 0 };
	int r;

	(void)ctx;
	r = http_read(req, row_fields, &row, e);
	if (r == 0 && strcmp(row.name, "taken") == 0)
		r = http_refuse_field(req, "name", "value_error", "is taken", e);
	if (r == 0)
		r = http_send(res, 201, row_fields, &row);
	fields_done(row_fields, &row);
	return r;
}

static int serve_blocked(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)req;
	(void)e;
	gate_wait();
	return send_text(res, "went on");
}

static int serve_failure(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const char *how = http_param(req, "how");

	(void)ctx;
	http_set_header(res, "X-Promise", "kept");
	if (strcmp(how, "later") == 0) {
		http_set_retry_after(res, 7);
		return err_set(e, ERR_UNAVAILABLE, "come back later");
	}
	if (strcmp(how, "garbled") == 0)
		return err_set(e, ERR_ENGINE, "bytes \xff\xc3\xa9 \xed\xa0\x80 end");
	if (strcmp(how, "speechless") == 0)
		return -ERR_MEMORY;
	if (strcmp(how, "header") == 0) {
		http_set_header(res, "X-Evil", "a\r\nX-Worse: b");
		return send_text(res, "fine");
	}
	if (strcmp(how, "twice") == 0) {
		send_text(res, "one");
		return send_text(res, "two");
	}
	return 0; /* no answer at all */
}

static int serve_headers(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)e;
	http_set_header(res, "X-Agent", http_header(req, "x-agent"));
	http_set_header(res, "X-Peer", http_peer(req));
	http_set_header(res, "X-User", http_user(req));
	return http_send_nothing(res, 204);
}

/* As many lines as asked for, each telling what it is; then perhaps a failure. */
static int serve_lines(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	char line[1024];
	int64_t n;
	int r;

	(void)ctx;
	r = http_query_int(req, "n", 0, 1 << 20, 3, &n, e);
	if (r == 0)
		r = http_begin(res, 200, "text/plain", e);
	for (int64_t i = 0; i < n && r == 0; i++) {
		memset(line, '.', sizeof(line));
		snprintf(line, sizeof(line), "%s %lld", http_header(req, "x-agent"), (long long)i);
		line[sizeof(line) - 1] = '\n';
		r = http_write(res, line, sizeof(line), e);
	}
	if (r == 0 && http_query(req, "fail"))
		r = err_set(e, ERR_ENGINE, "it broke half way");
	if (r == -ERR_ABORTED)
		note_aborted();
	return r;
}

static char file_path[64];

static int serve_file(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)req;
	(void)e;
	return http_send_file(res, open(file_path, O_RDONLY | O_CLOEXEC), "text/plain", "v1");
}

static int authorize(void *ctx, struct http_req *req, const struct http_route *route, struct err *e)
{
	static char anna[] = "anna";
	const char *token = http_bearer(req);

	(void)ctx;
	if (!token || strcmp(token, "sesame") != 0)
		return err_set(e, ERR_UNAUTHORIZED, "a token is needed");
	if (route && route->access > 0)
		return err_set(e, ERR_FORBIDDEN, "not you");
	http_set_user(req, anna);
	return 0;
}

static const struct http_route quick_routes[] = {
	{ "GET", "/quick", serve_quick, HTTP_QUICK, 0 },
	{ "GET", "/open", serve_quick, HTTP_QUICK | HTTP_OPEN, 0 },
	{ "PUT", "/open", serve_quick, HTTP_QUICK, 0 },
	{ "GET", "/secret", serve_quick, HTTP_QUICK, 1 },
	{ "POST", "/quick/echo", serve_echo, HTTP_QUICK, 0 },
	{ "GET", "/quick/lines", serve_lines, HTTP_QUICK, 0 },
	{ 0 },
};

static const struct http_route slow_routes[] = {
	{ "GET", "/items/{id}", serve_item, 0, 0 },
	{ "DELETE", "/items/{id}", serve_item, 0, 0 },
	{ "GET", "/items/special", serve_special, 0, 0 },
	{ "GET", "/items/special/{id}/deep", serve_item, 0, 0 },
	{ "GET", "/items/{id}/shallow", serve_item, 0, 0 },
	{ "GET", "/files/{path...}", serve_rest, 0, 0 },
	{ "GET", "/query", serve_query, 0, 0 },
	{ "POST", "/echo", serve_echo, 0, 0 },
	{ "POST", "/rows", serve_row, 0, 0 },
	{ "GET", "/blocked", serve_blocked, 0, 0 },
	{ "GET", "/listener-blocked", serve_blocked, HTTP_QUICK, 0 },
	{ "GET", "/failures/{how}", serve_failure, 0, 0 },
	{ "GET", "/headers", serve_headers, 0, 0 },
	{ "GET", "/lines", serve_lines, 0, 0 },
	{ "GET", "/file", serve_file, 0, 0 },
	{ 0 },
};

static const struct http_route *const tables[] = { quick_routes, slow_routes, NULL };

/* A server and a client of it. */
struct world {
	struct http_server *server;
	struct http_client *client;
	struct http_reply reply;
	struct err e;
};

static void world_start_with(struct world *w, const struct http_server_options *options)
{
	struct http_client_options client = { .role = "node", .bearer = "sesame" };
	char url[64];

	log_open(LOG_TEXT, LOG_ERROR + 1); /* failures are what we play */
	*w = (struct world){ .reply = HTTP_REPLY_INIT };
	CHECK_EQ(http_serve(options, &w->server, &w->e), 0);
	snprintf(url, sizeof(url), "http%s://127.0.0.1:%u", options->cert_file ? "s" : "",
		 http_server_port(w->server));
	client.base_url = url;
	client.ca_file = options->cert_file;
	CHECK_EQ(http_client_new(&client, &w->client, &w->e), 0);
	gate_set(false);
}

static void world_start(struct world *w)
{
	world_start_with(w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							   .tables = tables,
							   .authorize = authorize });
}

static void world_end(struct world *w)
{
	http_client_free(w->client);
	http_server_free(w->server);
	http_reply_done(&w->reply);
}

static int send_call(struct world *w, const char *method, const char *path, const char *body,
		     const char *const *headers)
{
	const struct http_call call = { .method = method,
					.path = path,
					.body = body,
					.body_len = body ? strlen(body) : 0,
					.headers = headers,
					.timeout_ms = 20000 };

	CHECK_EQ(http_call(w->client, &call, &w->reply, &w->e), 0);
	return w->reply.status;
}

static int get(struct world *w, const char *path)
{
	return send_call(w, "GET", path, NULL, NULL);
}

static const char *header(const struct world *w, const char *name)
{
	static char value[256];

	return http_reply_header(&w->reply, name, value, sizeof(value));
}

/* The reply's {"detail": ...}; compact JSON. */
static const char *detail(const struct world *w)
{
	static char text[4096];
	AUTO(json_t *, json_decrefp) json = NULL;
	json_t *value;
	AUTO(char *, freep) dump = NULL;

	CHECK_EQ(json_parse(w->reply.body.data, w->reply.body.len, &json, NULL), 0);
	CHECK_STR(header(w, "Content-Type"), "application/json");
	value = json_object_get(json, "detail");
	CHECK(value);
	dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
	snprintf(text, sizeof(text), "%s", dump);
	return text;
}

/* A connection of raw bytes, for what no well-behaved client says. */

static int raw_open(const struct world *w)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(http_server_port(w->server)),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_EQ(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void raw_put(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

/* Reads until what came holds `until`, or the end. */
static void raw_read(int fd, struct buf *b, const char *until)
{
	char bytes[4096];

	while (!until || !strstr(b->data, until)) {
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };
		ssize_t n;

		CHECK_EQ(poll(&pollfd, 1, 20000), 1);
		n = recv(fd, bytes, sizeof(bytes), 0);
		if (n <= 0)
			return;
		buf_put(b, bytes, (size_t)n);
	}
}

/* The status that the server says to these bytes; 0: it hangs up. */
static int raw_status(const struct world *w, const char *request)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;
	int fd = raw_open(w);
	int status = 0;

	raw_put(fd, request);
	raw_read(fd, &b, "\r\n");
	sscanf(b.data, "HTTP/1.1 %d", &status);
	close(fd);
	return status;
}

#define TOKEN "Authorization: Bearer sesame\r\n"
#define HOST  "Host: x\r\n"

TEST(a_path_finds_its_most_literal_route)
{
	struct world w;

	world_start(&w);
	CHECK_EQ(get(&w, "/items/7"), 200);
	CHECK_STR(w.reply.body.data, "GET 7");
	CHECK_EQ(get(&w, "/items/special"), 200);
	CHECK_STR(w.reply.body.data, "special");
	CHECK_EQ(get(&w, "/items/special/8/deep"), 200);
	CHECK_STR(w.reply.body.data, "GET 8");
	CHECK_EQ(get(&w, "/items/special/shallow"), 200);
	CHECK_STR(w.reply.body.data, "GET special");
	CHECK_EQ(get(&w, "/files/a/b%20c/d"), 200);
	CHECK_STR(w.reply.body.data, "a/b c/d");
	CHECK_EQ(get(&w, "/files/"), 200);
	CHECK_STR(w.reply.body.data, "");
	CHECK_EQ(send_call(&w, "DELETE", "/items/9", NULL, NULL), 200);
	CHECK_STR(w.reply.body.data, "DELETE 9");
	world_end(&w);
}

TEST(an_unknown_path_is_404_and_an_unknown_method_405)
{
	static const char *const unknown[] = { "/",        "/item",     "/items",        "/items/",
					       "/items//", "/items/1/", "/items/1/deep", "/files",
					       "//quick",  "/quick/" };
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		CHECK_EQ(get(&w, unknown[i]), 404);
	CHECK_STR(detail(&w), "\"no such path\"");
	CHECK_EQ(send_call(&w, "PATCH", "/items/1", "{}", NULL), 405);
	CHECK_STR(header(&w, "Allow"), "GET, HEAD, DELETE");
	CHECK_STR(detail(&w), "\"method 'PATCH' is not allowed here\"");
	world_end(&w);
}

TEST(a_path_is_decoded_segment_by_segment)
{
	struct world w;

	world_start(&w);
	CHECK_EQ(get(&w, "/items/a%2Fb%25"), 200);
	CHECK_STR(w.reply.body.data, "GET a/b%");
	CHECK_EQ(get(&w, "/%69tems/..?x=y"), 200);
	CHECK_STR(w.reply.body.data, "GET ..");
	CHECK_EQ(get(&w, "/items/%00"), 400);
	CHECK_EQ(get(&w, "/items/%zz"), 400);
	CHECK_EQ(get(&w, "/items/%4"), 400);
	CHECK_EQ(get(&w, "/items/%"), 400);
	CHECK_EQ(get(&w, "/query?a=%00"), 400);
	CHECK_EQ(get(&w, "/query?a%=1"), 400);
	world_end(&w);
}

TEST(head_is_get_without_a_body)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	int fd;

	world_start(&w);
	CHECK_EQ(send_call(&w, "HEAD", "/quick", NULL, NULL), 200);
	CHECK_STR(header(&w, "Content-Length"), "5");
	CHECK_EQ(w.reply.body.len, 0);
	CHECK_EQ(send_call(&w, "HEAD", "/lines?n=1000", NULL, NULL), 200);
	CHECK_EQ(w.reply.body.len, 0);
	CHECK_EQ(send_call(&w, "HEAD", "/nowhere", NULL, NULL), 404);
	CHECK_EQ(get(&w, "/quick"), 200);
	fd = raw_open(&w);
	raw_put(fd, "HEAD /lines HTTP/1.1\r\n" HOST TOKEN "\r\n");
	raw_read(fd, &b, NULL);
	CHECK_STR(strstr(b.data, "\r\n\r\n"), "\r\n\r\n");
	close(fd);
	world_end(&w);
}

TEST(who_may_not_is_told_nothing_else)
{
	static const char *const paths[] = { "/quick", "/nowhere", "/items/%zz", "/secret" };
	struct http_client *nobody = NULL;
	char url[64];
	struct world w;

	world_start(&w);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", http_server_port(w.server));
	CHECK_EQ(http_client_new(&(struct http_client_options){ .base_url = url }, &nobody, &w.e),
		 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct http_call call = { .method = "GET", .path = paths[i] };

		CHECK_EQ(http_call(nobody, &call, &w.reply, &w.e), 0);
		CHECK_EQ(w.reply.status, 401);
		CHECK_STR(header(&w, "WWW-Authenticate"), "Bearer");
		CHECK_STR(detail(&w), "\"a token is needed\"");
	}
	for (size_t i = 0; i < 3; i++) {
		static const char *const methods[] = { "GET", "PUT", "DELETE" };
		static const int statuses[] = { 200, 401, 405 };
		const struct http_call call = { .method = methods[i], .path = "/open" };

		CHECK_EQ(http_call(nobody, &call, &w.reply, &w.e), 0);
		CHECK_EQ(w.reply.status, statuses[i]);
	}
	http_client_free(nobody);
	CHECK_EQ(get(&w, "/secret"), 403);
	CHECK_EQ(raw_status(&w, "GET /quick HTTP/1.1\r\n" HOST "Authorization: Bearer\r\n\r\n"),
		 401);
	CHECK_EQ(raw_status(&w,
			    "GET /quick HTTP/1.1\r\n" HOST "Authorization: bearer  sesame\r\n\r\n"),
		 200);
	CHECK_EQ(raw_status(&w,
			    "GET /quick HTTP/1.1\r\n" HOST "Authorization: Basic sesame\r\n\r\n"),
		 401);
	world_end(&w);
}

TEST(a_body_is_refused_before_it_is_sent)
{
	struct world w;

	world_start(&w);
	atomic_store(&handled, 0);
	CHECK_EQ(raw_status(&w, "POST /echo HTTP/1.1\r\n" HOST
				"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"),
		 401);
	CHECK_EQ(raw_status(&w, "POST /echo HTTP/1.1\r\n" HOST TOKEN
				"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n"),
		 413);
	CHECK_EQ(raw_status(&w, "POST /echo HTTP/1.1\r\n" HOST TOKEN
				"Content-Length: 99999999999\r\n\r\n"),
		 413);
	CHECK_EQ(raw_status(&w, "POST /echo HTTP/1.1\r\n" HOST TOKEN
				"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"),
		 100);
	CHECK_EQ(handled, 0);
	world_end(&w);
}

static int more(void *cookie, void *bytes, size_t size, size_t *ret_len, struct err *e)
{
	size_t *left = cookie;

	(void)e;
	*ret_len = size < *left ? size : *left;
	memset(bytes, 'x', *ret_len);
	*left -= *ret_len;
	return 0;
}

TEST(a_body_may_fill_its_limit_and_no_more)
{
	enum { LIMIT = 1 << 20 };
	AUTO(char *, freep) body = malloc(LIMIT + 1);
	size_t left = LIMIT + 1;
	struct http_call call = { .method = "POST", .path = "/echo", .timeout_ms = 20000 };
	struct world w;

	memset(body, 'x', LIMIT + 1);
	world_start(&w);
	call.body = body;
	call.body_len = LIMIT;
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(w.reply.status, 200);
	CHECK_EQ(w.reply.body.len, LIMIT);

	call.body_len = LIMIT + 1;
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(w.reply.status, 413);
	CHECK_STR(detail(&w), "\"the body is larger than 1048576 bytes\"");

	call.body = NULL;
	call.source = more;
	call.source_cookie = &left;
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(w.reply.status, 413);
	CHECK_EQ(get(&w, "/quick"), 200);
	world_end(&w);
}

TEST(a_json_body_fills_a_struct_or_tells_what_is_wrong)
{
	struct world w;
	struct buf deep = BUF_INIT;

	world_start(&w);
	CHECK_EQ(send_call(&w, "POST", "/rows", "{\"name\":\"a\",\"ttl\":7,\"more\":[1]}", NULL),
		 201);
	CHECK_STR(w.reply.body.data, "{\"name\":\"a\",\"ttl\":7}");
	CHECK_EQ(send_call(&w, "POST", "/rows", "{\"name\":", NULL), 422);
	CHECK_HAS(detail(&w), "[{\"loc\":[\"body\"],\"msg\":\"not JSON: line 1, column 8: ");
	CHECK_HAS(detail(&w), "\"type\":\"json_invalid\"}]");
	CHECK_EQ(send_call(&w, "POST", "/rows", "{\"ttl\":0}", NULL), 422);
	CHECK_HAS(detail(&w), "\"loc\":[\"body\",\"name\"]");
	CHECK_HAS(detail(&w), "\"loc\":[\"body\",\"ttl\"]");
	CHECK_EQ(send_call(&w, "POST", "/rows", NULL, NULL), 422);
	CHECK_HAS(detail(&w), "\"loc\":[\"body\",\"name\"]");
	CHECK_EQ(send_call(&w, "POST", "/rows", "[]", NULL), 422);
	CHECK_EQ(send_call(&w, "POST", "/rows", "{\"name\":\"taken\",\"ttl\":1}", NULL), 422);
	CHECK_STR(detail(&w),
		  "[{\"loc\":[\"body\",\"name\"],\"msg\":\"is taken\",\"type\":\"value_error\"}]");

	for (int i = 0; i < 100000; i++)
		buf_puts(&deep, "{\"a\":[");
	CHECK_EQ(send_call(&w, "POST", "/rows", deep.data, NULL), 422);
	CHECK_HAS(detail(&w), "nested deeper than 64");
	buf_done(&deep);
	world_end(&w);
}

TEST(a_query_is_decoded_and_its_numbers_checked)
{
	struct world w;

	world_start(&w);
	CHECK_EQ(get(&w, "/query"), 200);
	CHECK_STR(w.reply.body.data, "5 (none)");
	CHECK_EQ(get(&w, "/query?x&n=10&na+me=a%26b+%C3%A9&na%20me=second"), 200);
	CHECK_STR(w.reply.body.data, "10 a&b \xc3\xa9");
	CHECK_EQ(get(&w, "/query?na%20me"), 200);
	CHECK_STR(w.reply.body.data, "5 ");
	CHECK_EQ(get(&w, "/query?n=11"), 422);
	CHECK_STR(detail(&w), "[{\"loc\":[\"query\",\"n\"],\"msg\":\"an integer between 1 and 10 "
			      "expected\",\"type\":\"value_error.number\"}]");
	CHECK_EQ(get(&w, "/query?n="), 422);
	CHECK_EQ(get(&w, "/query?n=7x"), 422);
	CHECK_EQ(get(&w, "/query?n=99999999999999999999"), 422);
	world_end(&w);
}

TEST(an_error_becomes_a_status_and_a_detail)
{
	struct world w;

	world_start(&w);
	CHECK_EQ(get(&w, "/failures/later"), 503);
	CHECK_STR(header(&w, "Retry-After"), "7");
	CHECK_STR(detail(&w), "\"come back later\"");
	CHECK(!header(&w, "X-Promise"));
	CHECK_EQ(get(&w, "/failures/garbled"), 502);
	CHECK_STR(detail(&w),
		  "\"bytes \xef\xbf\xbd\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd end\"");
	CHECK_EQ(get(&w, "/failures/speechless"), 500);
	CHECK_EQ(get(&w, "/failures/header"), 500);
	CHECK(!header(&w, "X-Worse"));
	CHECK_EQ(get(&w, "/failures/twice"), 500);
	CHECK_EQ(get(&w, "/failures/silent"), 500);
	CHECK_STR(detail(&w), "\"the handler gave no answer\"");
	world_end(&w);
}

TEST(a_request_carries_its_id_through)
{
	const char *const named[] = { "X-Request-Id: abc-123", NULL };
	const char *const spaced[] = { "X-Request-Id: a b", NULL };
	char first[64];
	struct world w;

	world_start(&w);
	CHECK_EQ(send_call(&w, "GET", "/quick", NULL, named), 200);
	CHECK_STR(header(&w, "X-Request-Id"), "abc-123");
	CHECK_EQ(send_call(&w, "GET", "/nowhere", NULL, named), 404);
	CHECK_STR(header(&w, "X-Request-Id"), "abc-123");
	CHECK_EQ(send_call(&w, "GET", "/quick", NULL, spaced), 200);
	snprintf(first, sizeof(first), "%s", header(&w, "X-Request-Id"));
	CHECK(strcmp(first, "a b") != 0);
	CHECK_EQ(get(&w, "/quick"), 200);
	CHECK(strcmp(first, header(&w, "X-Request-Id")) != 0);
	world_end(&w);
}

TEST(a_handler_sees_headers_peer_and_user)
{
	const char *const headers[] = { "X-Agent: 47", NULL };
	struct world w;

	world_start(&w);
	CHECK_EQ(send_call(&w, "GET", "/headers", NULL, headers), 204);
	CHECK_STR(header(&w, "X-Agent"), "47");
	CHECK_STR(header(&w, "X-Peer"), "127.0.0.1");
	CHECK_STR(header(&w, "X-User"), "anna");
	world_end(&w);
}

TEST(blocked_handlers_never_delay_a_quick_route)
{
	enum { WORKERS = 512, CLIENTS = 560 };
	static int fds[CLIENTS];
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = tables,
							    .authorize = authorize,
							    .workers = WORKERS });
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = raw_open(&w);
		raw_put(fds[i], "GET /blocked HTTP/1.1\r\n" HOST TOKEN "\r\n");
	}
	gate_await(WORKERS);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(get(&w, "/quick"), 200);
	gate_set(true);
	for (int i = 0; i < CLIENTS; i++) {
		AUTO(struct buf, buf_done) b = BUF_INIT;

		raw_read(fds[i], &b, "went on");
		CHECK_HAS(b.data, "went on");
		close(fds[i]);
	}
	world_end(&w);
}

#define QUICK "GET /quick HTTP/1.1\r\n" HOST TOKEN "\r\n"

static void read_quick(int fd)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;

	raw_read(fd, &b, "quick");
	CHECK_HAS(b.data, "quick");
}

static void ask_quick(int fd)
{
	raw_put(fd, QUICK);
	read_quick(fd);
}

TEST(a_crowd_of_any_number_is_answered)
{
	enum { MOST = 257 };
	static int fds[MOST];
	struct world w;
	int blocked;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = tables,
							    .authorize = authorize,
							    .listeners = 1 });
	for (int count = 126; count <= MOST; count += count == 130 ? 124 : 1) {
		blocked = raw_open(&w);
		for (int i = 0; i < count; i++)
			fds[i] = raw_open(&w);
		ask_quick(fds[count - 1]); /* the last: all have come in */
		gate_set(false);
		raw_put(blocked, "GET /listener-blocked HTTP/1.1\r\n" HOST TOKEN "\r\n");
		gate_await(1);
		for (int i = 0; i < count; i++)
			raw_put(fds[i], QUICK);
		gate_set(true);
		for (int i = 0; i < count; i++) {
			read_quick(fds[i]);
			close(fds[i]);
		}
		close(blocked);
	}
	world_end(&w);
}

struct lines {
	size_t count;
	size_t len;
	bool wrong;
};

static int check_lines(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct lines *lines = cookie;

	(void)e;
	lines->len += len;
	for (const char *c = bytes; (c = memchr(c, '\n', len - (size_t)(c - (const char *)bytes)));
	     c++)
		lines->count++;
	return 0;
}

TEST(a_body_is_sent_while_it_is_made)
{
	const char *const headers[] = { "X-Agent: smith", NULL };
	struct lines lines = { 0 };
	struct http_call call = { .method = "GET",
				  .path = "/lines?n=50000",
				  .headers = headers,
				  .sink = check_lines,
				  .sink_cookie = &lines,
				  .timeout_ms = 30000 };
	struct world w;

	world_start(&w);
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(w.reply.status, 200);
	CHECK_EQ(lines.count, 50000);
	CHECK_EQ(lines.len, 50000 * 1024);
	call.sink = NULL;
	call.path = "/lines?n=2";
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(strncmp(w.reply.body.data, "smith 0", 8), 0);
	CHECK_STR(w.reply.body.data + 1024, "smith 1");
	call.path = "/lines?n=0";
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(w.reply.body.len, 0);
	CHECK_EQ(get(&w, "/quick/lines"), 500);
	world_end(&w);
}

TEST(a_body_that_fails_half_way_has_no_proper_end)
{
	struct http_call call = { .method = "GET",
				  .path = "/lines?fail&n=40",
				  .timeout_ms = 20000 };
	struct world w;

	world_start(&w);
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), -ERR_TRANSPORT);
	call.path = "/lines?fail&n=0";
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), -ERR_TRANSPORT);
	CHECK_EQ(get(&w, "/quick"), 200);
	world_end(&w);
}

TEST(a_writer_whose_client_went_away_is_told)
{
	struct world w;
	int fd;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = tables,
							    .authorize = authorize,
							    .spool_max = 1 });
	fd = raw_open(&w);
	raw_put(fd, "GET /lines?n=1000000 HTTP/1.1\r\n" HOST TOKEN "\r\n");
	{
		AUTO(struct buf, buf_done) b = BUF_INIT;

		raw_read(fd, &b, "\r\n\r\n");
	}
	close(fd);
	await_aborted();
	world_end(&w);
}

static void file_make(const char *text)
{
	int fd;

	snprintf(file_path, sizeof(file_path), "/tmp/test-http-XXXXXX");
	fd = mkstemp(file_path);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static int get_range(struct world *w, const char *range, const char *condition)
{
	const char *const headers[] = { range, condition, NULL };

	return send_call(w, "GET", "/file", NULL, headers);
}

TEST(a_file_is_sent_whole_or_in_part)
{
	static const struct {
		const char *range;
		int status;
		const char *body, *content_range;
	} cases[] = {
		{ "Range: bytes=0-3", 206, "0123", "bytes 0-3/10" },
		{ "Range: bytes=8-", 206, "89", "bytes 8-9/10" },
		{ "Range: bytes=-3", 206, "789", "bytes 7-9/10" },
		{ "Range: bytes=-30", 206, "0123456789", "bytes 0-9/10" },
		{ "Range: bytes=5-99", 206, "56789", "bytes 5-9/10" },
		{ "Range: bytes=9-18446744073709551615", 206, "9", "bytes 9-9/10" },
		{ "Range: bytes=3-2", 200, "0123456789", NULL },
		{ "Range: bytes=0-1,4-5", 200, "0123456789", NULL },
		{ "Range: bytes=x", 200, "0123456789", NULL },
		{ "Range: bytes=-", 200, "0123456789", NULL },
		{ "Range: lines=0-1", 200, "0123456789", NULL },
		{ "Range: bytes=10-", 416, NULL, "bytes */10" },
		{ "Range: bytes=-0", 416, NULL, "bytes */10" },
	};
	struct world w;

	file_make("0123456789");
	world_start(&w);
	CHECK_EQ(get(&w, "/file"), 200);
	CHECK_STR(w.reply.body.data, "0123456789");
	CHECK_STR(header(&w, "ETag"), "\"v1\"");
	CHECK_STR(header(&w, "Accept-Ranges"), "bytes");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_EQ(get_range(&w, cases[i].range, NULL), cases[i].status);
		if (cases[i].body)
			CHECK_STR(w.reply.body.data, cases[i].body);
		if (cases[i].content_range)
			CHECK_STR(header(&w, "Content-Range"), cases[i].content_range);
		else
			CHECK(!header(&w, "Content-Range"));
	}
	CHECK_EQ(get_range(&w, "Range: bytes=0-3", "If-Range: \"v1\""), 206);
	CHECK_EQ(get_range(&w, "Range: bytes=0-3", "If-Range: \"v0\""), 200);
	CHECK_EQ(send_call(&w, "HEAD", "/file", NULL, NULL), 200);
	CHECK_STR(header(&w, "Content-Length"), "10");
	world_end(&w);
	unlink(file_path);
}

TEST(a_file_the_client_has_is_not_sent_again)
{
	static const char *const same[] = { "If-None-Match: \"v1\"", "If-None-Match: *",
					    "If-None-Match: \"v0\", W/\"v1\"",
					    "If-None-Match: \"v1\",\"v2\"" };
	static const char *const other[] = { "If-None-Match: \"v0\"", "If-None-Match: \"xv1\"",
					     "If-None-Match: v1" };
	struct world w;

	file_make("");
	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		CHECK_EQ(get_range(&w, same[i], NULL), 304);
		CHECK_STR(header(&w, "ETag"), "\"v1\"");
	}
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		CHECK_EQ(get_range(&w, other[i], NULL), 200);
	CHECK_EQ(w.reply.body.len, 0);
	CHECK_EQ(get_range(&w, "Range: bytes=0-", NULL), 416);
	unlink(file_path);
	CHECK_EQ(get(&w, "/file"), 500);
	world_end(&w);
}

TEST(malformed_requests_are_refused_and_the_server_goes_on)
{
	static const char *const bad[] = {
		"\r\n\r\n\r\ngarbage\r\n\r\n",
		"GET\r\n\r\n",
		"GET /quick\r\n\r\n",
		"GET /quick HTTP/9.9\r\n\r\n",
		"\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: -1\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 1x\r\n\r\nx",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN
		"Content-Length: 99999999999999999999999\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN
		"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN
		"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Transfer-Encoding: gzip, chunked\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN
		"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN "no colon\r\n\r\n",
	};
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int status = raw_status(&w, bad[i]);

		CHECK(status == 0 || status >= 400);
		CHECK_EQ(get(&w, "/quick"), 200);
	}
	world_end(&w);
}

TEST(headers_beyond_all_measure_are_refused)
{
	AUTO(struct buf, buf_done) request = BUF_INIT;
	struct world w;
	int status;

	world_start(&w);
	buf_puts(&request, "GET /quick HTTP/1.1\r\n" HOST TOKEN);
	for (int i = 0; i < 100; i++)
		buf_printf(&request, "X-Filler-%d: some text to fill up\r\n", i);
	buf_puts(&request, "\r\n");
	CHECK_EQ(raw_status(&w, request.data), 200); /* 4 KiB are nothing special */
	request.len -= strlen("\r\n");
	for (int i = 0; i < 5000; i++)
		buf_printf(&request, "X-Filler-%d: some text to fill up\r\n", i);
	status = raw_status(&w, request.data);
	CHECK(status == 0 || status >= 400);
	CHECK_EQ(get(&w, "/quick"), 200);
	world_end(&w);
}

TEST(pipelined_requests_are_answered_in_order)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	int fd;

	world_start(&w);
	fd = raw_open(&w);
	raw_put(fd, "GET /items/1 HTTP/1.1\r\n" HOST TOKEN "\r\n"
		    "POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 3\r\n\r\ntwo"
		    "POST /quick/echo HTTP/1.1\r\n" HOST TOKEN
		    "Transfer-Encoding: chunked\r\n\r\n2\r\nth\r\n3;a=b\r\nree\r\n0\r\n\r\n"
		    "GET /quick HTTP/1.1\r\n" HOST TOKEN "Connection: close\r\n\r\n");
	raw_read(fd, &b, NULL);
	close(fd);
	CHECK_HAS(b.data, "GET 1");
	CHECK_HAS(strstr(b.data, "GET 1"), "two");
	CHECK_HAS(strstr(b.data, "two"), "three");
	CHECK_HAS(strstr(b.data, "three"), "quick");
	world_end(&w);
}

TEST(a_proxy_may_name_the_whole_url)
{
	struct world w;

	world_start(&w);
	CHECK_EQ(raw_status(&w, "GET http://x/quick HTTP/1.1\r\n" HOST TOKEN "\r\n"), 200);
	CHECK_EQ(raw_status(&w, "GET http://x HTTP/1.1\r\n" HOST TOKEN "\r\n"), 404);
	CHECK_EQ(raw_status(&w, "OPTIONS * HTTP/1.1\r\n" HOST TOKEN "\r\n"), 404);
	world_end(&w);
}

static const char *const hammer_requests[] = {
	"GET /quick HTTP/1.1\r\n" HOST TOKEN "\r\n",
	"GET /items/5 HTTP/1.1\r\n" HOST TOKEN "\r\n",
	"GET /quick HTTP/1.1\r\n" HOST "\r\n",
	"GET /lines?n=200 HTTP/1.1\r\n" HOST TOKEN "\r\n",
	"GET /lines?n=3&fail HTTP/1.1\r\n" HOST TOKEN "\r\n",
	"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 1000\r\n\r\nnever all of it",
	"POST /echo HTTP/1.1\r\n" HOST TOKEN "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	"POST /rows HTTP/1.1\r\n" HOST TOKEN "Content-Length: 2\r\n\r\n{}",
	"GET /failures/garbled HTTP/1.1\r\n" HOST TOKEN "\r\n",
	"GET /qui",
	"nonsense\r\n\r\n",
};

/* Asks for this and that, and hangs up at any point. */
static void *hammer(void *cookie)
{
	const struct world *w = cookie;
	unsigned seed = (unsigned)(uintptr_t)pthread_self();
	char bytes[2048];

	for (int i = 0; i < 150; i++) {
		int fd = raw_open(w);

		for (int n = rand_r(&seed) % 4; n >= 0; n--)
			raw_put(fd, hammer_requests[(size_t)rand_r(&seed) %
						    ARRAY_SIZE(hammer_requests)]);
		if (rand_r(&seed) % 2) {
			struct pollfd pollfd = { .fd = fd, .events = POLLIN };

			if (poll(&pollfd, 1, 20) == 1)
				(void)!recv(fd, bytes, sizeof(bytes), 0);
		}
		close(fd);
	}
	return NULL;
}

static void *call_often(void *cookie)
{
	struct world *w = cookie;
	struct http_reply reply = HTTP_REPLY_INIT;

	for (int i = 0; i < 200; i++) {
		static const char *const paths[] = { "/quick", "/items/1", "/lines?n=50" };
		const struct http_call call = { .method = "GET",
						.path = paths[i % 3],
						.timeout_ms = 30000 };

		if (http_call(w->client, &call, &reply, NULL) < 0 || reply.status != 200)
			atomic_fetch_add(&failed_calls, 1);
	}
	http_reply_done(&reply);
	return NULL;
}

TEST(many_clients_some_of_them_mad_are_served_at_once)
{
	enum { MAD = 6, SANE = 6 };
	pthread_t threads[MAD + SANE];
	struct world w;

	world_start(&w);
	atomic_store(&failed_calls, 0);
	for (int i = 0; i < MAD + SANE; i++)
		pthread_create(&threads[i], NULL, i < MAD ? hammer : call_often, &w);
	for (int i = 0; i < MAD + SANE; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(failed_calls, 0);
	world_end(&w);
}

static void *free_server(void *cookie)
{
	struct world *w = cookie;

	http_server_free(w->server);
	return NULL;
}

TEST(a_client_that_never_gets_to_the_point_is_cut_off)
{
	static const char *const beginnings[] = {
		"GET /quick HTTP/1.1\r\nX-Long: ",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 100000\r\n\r\n",
	};
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = tables,
							    .authorize = authorize,
							    .patience_ms = 500 });
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
		int fd = raw_open(&w);
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };

		raw_put(fd, beginnings[i]);
		do { /* one byte now and then is no idleness */
			raw_put(fd, "x");
		} while (poll(&pollfd, 1, 100) == 0);
		close(fd);
	}
	world_end(&w);
}

TEST(who_stops_sending_is_answered_if_all_was_said)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	int whole, half;

	world_start(&w);
	whole = raw_open(&w);
	raw_put(whole, "GET /blocked HTTP/1.1\r\n" HOST TOKEN "\r\n");
	shutdown(whole, SHUT_WR);
	half = raw_open(&w);
	raw_put(half, "POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 9\r\n\r\nhalf");
	shutdown(half, SHUT_WR);
	raw_read(half, &b, NULL);
	CHECK_EQ(b.len, 0);
	gate_set(true);
	raw_read(whole, &b, "went on");
	CHECK_HAS(b.data, "went on");
	close(whole);
	close(half);
	world_end(&w);
}

TEST(a_stopping_server_lets_handlers_finish)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	pthread_t stopper;
	int busy, idle, half, again;

	world_start(&w);
	idle = raw_open(&w);
	half = raw_open(&w);
	raw_put(half, "GET /qui");
	again = raw_open(&w);
	raw_put(again, "GET /quick HTTP/1.1\r\n" HOST TOKEN "\r\n");
	raw_read(again, &b, "quick");
	buf_clear(&b);
	busy = raw_open(&w);
	raw_put(busy, "GET /blocked HTTP/1.1\r\n" HOST TOKEN "\r\n");
	gate_await(1);

	pthread_create(&stopper, NULL, free_server, &w);
	do { /* until the server has heard of it */
		buf_clear(&b);
		raw_put(again, "GET /quick HTTP/1.1\r\n" HOST TOKEN "\r\n");
		raw_read(again, &b, "\r\n\r\n");
	} while (strstr(b.data, "HTTP/1.1 200"));
	if (b.len > 0) { /* who is idle is hung up on; who was asked just before is told */
		CHECK_HAS(b.data, "HTTP/1.1 503");
		CHECK_HAS(b.data, "Connection: close");
	}
	gate_set(true);
	buf_clear(&b);
	raw_read(busy, &b, NULL);
	CHECK_HAS(b.data, "went on");
	pthread_join(stopper, NULL);

	close(idle);
	close(half);
	close(again);
	close(busy);
	http_client_free(w.client);
	http_reply_done(&w.reply);
}

TEST(a_stopping_server_does_not_wait_for_who_never_reads)
{
	struct world w;
	int fd;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = tables,
							    .authorize = authorize,
							    .spool_max = 1 });
	fd = raw_open(&w);
	raw_put(fd, "GET /lines?n=1000000 HTTP/1.1\r\n" HOST TOKEN "\r\n");
	{
		AUTO(struct buf, buf_done) b = BUF_INIT;

		raw_read(fd, &b, "\r\n\r\n");
	}
	world_end(&w);
	await_aborted();
	close(fd);
}

TEST(a_server_that_cannot_be_had_says_why)
{
	static const struct http_route twice[] = {
		{ "GET", "/a/{x}", serve_quick, 0, 0 },
		{ "GET", "/a/{y}", serve_quick, 0, 0 },
		{ 0 },
	};
	static const struct http_route unclosed[] = { { "GET", "/a/{x", serve_quick, 0, 0 },
						      { 0 } };
	static const struct http_route goes_on[] = { { "GET", "/{x...}/a", serve_quick, 0, 0 },
						     { 0 } };
	static const struct http_route *const bad_tables[][2] = { { twice, NULL },
								  { unclosed, NULL },
								  { goes_on, NULL } };
	static const char *const bad[] = { "",
					   "7070",
					   "127.0.0.1",
					   "127.0.0.1:",
					   "127.0.0.1:99999",
					   "::1:7070",
					   "no such host.invalid:0" };
	struct http_server_options options = { .tables = tables };
	struct http_server *server = NULL;
	char taken[32];
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		options.listen = bad[i];
		CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_INVALID);
	}
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", http_server_port(w.server));
	options.listen = taken;
	CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_CONNECT);
	CHECK_HAS(w.e.msg, "Address already in use");
	options.listen = "127.0.0.1:0";
	for (size_t i = 0; i < ARRAY_SIZE(bad_tables); i++) {
		options.tables = bad_tables[i];
		CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_INVALID);
	}
	CHECK(!server);
	world_end(&w);
}

TEST(any_address_serves_both_kinds_of_ip)
{
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = ":0", .tables = tables });
	CHECK_EQ(get(&w, "/headers"), 500); /* no X-Agent was sent */
	CHECK_EQ(get(&w, "/quick"), 200);
	world_end(&w);
}

TEST(a_socket_in_the_file_system_serves_as_well)
{
	struct http_server_options options = { .tables = tables, .authorize = authorize };
	struct http_client_options to = { .bearer = "sesame" };
	struct http_server *server = NULL;
	char listen[sizeof(file_path) + 16];
	struct world w;

	file_make("");
	snprintf(listen, sizeof(listen), "unix://%s", file_path);
	options.listen = listen;
	world_start(&w);
	CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_CONNECT);
	unlink(file_path);
	CHECK_EQ(http_serve(&options, &server, &w.e), 0);
	http_client_free(w.client);
	to.base_url = listen;
	CHECK_EQ(http_client_new(&to, &w.client, &w.e), 0);
	CHECK_EQ(get(&w, "/quick"), 200);
	CHECK_EQ(get(&w, "/lines?n=1000"), 200);
	CHECK_EQ(w.reply.body.len, 1000 * 1024);
	http_server_free(server);
	world_end(&w);
	unlink(file_path);
}

static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
			  "MIIBZzCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAljdGZ5IHRl\n"
			  "c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM\n"
			  "CWN0ZnkgdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNJunR91kHyZ5Ysg\n"
			  "P299wQ+nJNz1QDOxXiAK6qNKjweI6SvwC6RL3G+qXW6YHsAh/fClfYdSeOn0qJ1G\n"
			  "dUu6+lijTjBMMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0\n"
			  "hwR/AAABMB0GA1UdDgQWBBQ8GN3sMitMc3daQTm8r76CuXCQdjAKBggqhkjOPQQD\n"
			  "AgNIADBFAiBf0dJK91XHMrKI3GmBBoycKHBTq46b9dpm0UQO+vETbwIhANil4fC9\n"
			  "/wpRv3CyebPx2h/Zh4byWtflbVryvcyIWG1w\n"
			  "-----END CERTIFICATE-----\n"
			  "-----BEGIN PRIVATE KEY-----\n"
			  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGi8CdKYiNgcw7Da5\n"
			  "VBVgyK+5RZhGFjwIfItSm+y5+26hRANCAATSbp0fdZB8meWLID9vfcEPpyTc9UAz\n"
			  "sV4gCuqjSo8HiOkr8AukS9xvql1umB7AIf3wpX2HUnjp9KidRnVLuvpY\n"
			  "-----END PRIVATE KEY-----\n";

TEST(tls_serves_who_trusts_it)
{
	struct http_server_options options = { .listen = "127.0.0.1:0",
					       .tables = tables,
					       .authorize = authorize };
	struct http_client *stranger = NULL;
	struct http_server *server = NULL;
	char cert[sizeof(file_path)], url[64];
	const struct http_call call = { .method = "GET", .path = "/quick", .timeout_ms = 20000 };
	struct world w;

	file_make(pem);
	snprintf(cert, sizeof(cert), "%s", file_path);
	options.cert_file = cert;
	options.key_file = cert;
	options.hsts_days = 2;
	world_start_with(&w, &options);
	CHECK_EQ(get(&w, "/quick"), 200);
	CHECK_STR(header(&w, "Strict-Transport-Security"), "max-age=172800");
	CHECK_EQ(get(&w, "/lines?n=1000"), 200);
	CHECK_EQ(w.reply.body.len, 1000 * 1024);
	snprintf(url, sizeof(url), "https://127.0.0.1:%u", http_server_port(w.server));
	CHECK_EQ(http_client_new(&(struct http_client_options){ .base_url = url }, &stranger, &w.e),
		 0);
	CHECK_EQ(http_call(stranger, &call, &w.reply, &w.e), -ERR_TLS);
	http_client_free(stranger);
	world_end(&w);
	unlink(cert);

	file_make("this is no certificate");
	options.cert_file = options.key_file = file_path;
	CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_INVALID);
	unlink(file_path);
	CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_INVALID);
}

TEST(one_address_has_half_of_the_connections_and_no_more)
{
	enum { FILES = 240, MOST = FILES / 4 };
	struct rlimit before, few;
	int64_t until;
	int fds[MOST];
	struct world w;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = FILES;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	world_start(&w);
	for (int i = 0; i < MOST; i++) {
		fds[i] = raw_open(&w);
		ask_quick(fds[i]);
	}
	CHECK_EQ(raw_status(&w, QUICK), 0);
	close(fds[0]);
	until = clock_monotonic_ms() + 20000;
	while (raw_status(&w, QUICK) != 200)
		CHECK(clock_monotonic_ms() < until);
	for (int i = 1; i < MOST; i++)
		close(fds[i]);
	world_end(&w);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* From 127.0.0.N, and has begun to speak. */
static int half_spoken(const struct world *w, unsigned n)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + n) };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(http_server_port(w->server)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
	CHECK_EQ(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	send(fd, "GET /qu", 7, MSG_NOSIGNAL); /* fails where it was not let in */
	return fd;
}

TEST(a_server_that_was_full_serves_again_when_it_is_not)
{
	enum { FILES = 64, CROWD = 2 * FILES, ADDRESSES = 8 };
	struct rlimit before, few;
	int64_t until;
	int fds[CROWD];
	struct world w;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = FILES;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	world_start(&w); /* for FILES / 2 connections */
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < CROWD; i++)
			fds[i] = half_spoken(&w, i % ADDRESSES);
		CHECK_EQ(raw_status(&w, QUICK), 0);
		for (int i = 0; i < CROWD; i++)
			close(fds[i]);
		until = clock_monotonic_ms() + 20000;
		while (raw_status(&w, QUICK) != 200)
			CHECK(clock_monotonic_ms() < until);
	}
	world_end(&w);
}

/* Slow readers */

TEST(clients_that_do_not_read_hold_no_worker)
{
	enum { WORKERS = 4, READERS = 40, LINES = 4096 };
	static int fds[READERS];
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = tables,
							    .authorize = authorize,
							    .workers = WORKERS });
	for (int i = 0; i < READERS; i++) {
		fds[i] = raw_open(&w);
		raw_put(fds[i], "GET /lines?n=4096 HTTP/1.1\r\n" HOST TOKEN
				"X-Agent: smith\r\nConnection: close\r\n\r\n");
	}
	for (int i = 0; i < 20; i++)
		CHECK_EQ(get(&w, "/items/7"), 200);
	for (int i = 0; i < READERS; i++) {
		AUTO(struct buf, buf_done) b = BUF_INIT;
		const char *last = NULL;

		raw_read(fds[i], &b, NULL);
		CHECK(b.len > LINES * 1024);
		last = memmem(b.data, b.len, "smith 4095", 10);
		CHECK(last && memmem(b.data, (size_t)(last - b.data), "smith 4094", 10));
		close(fds[i]);
	}
	world_end(&w);
}

TEST(beyond_the_spool_few_writers_wait_and_the_rest_are_cut_off)
{
	enum { WORKERS = 64, READERS = 60 };
	static int fds[READERS];
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = tables,
							    .authorize = authorize,
							    .spool_max = 1,
							    .workers = WORKERS });
	for (int i = 0; i < READERS; i++) {
		fds[i] = raw_open(&w);
		raw_put(fds[i],
			"GET /lines?n=8192 HTTP/1.1\r\n" HOST TOKEN "X-Agent: smith\r\n\r\n");
	}
	await_aborted();
	for (int i = 0; i < 20; i++)
		CHECK_EQ(get(&w, "/items/7"), 200);
	for (int i = 0; i < READERS; i++)
		close(fds[i]);
	world_end(&w);
}

/* Reading strictly */

TEST(a_request_that_two_readers_may_read_otherwise_is_refused)
{
	static const char *const malformed[] = {
		"GET /quick HTTP/1.1\r\nHost: a\r\nHost: b\r\n" TOKEN "\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length : 1\r\n\r\nx",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length\t: 1\r\n\r\nx",
		"GET /quick HTTP/1.1\r\n" HOST "X-A: b\r\n c\r\n" TOKEN "\r\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN "X-A: b\r\n\tc\r\n\r\n",
		"GET /quick HTTP/1.1\r\n" HOST "X-A: b\n" TOKEN "\r\n",
		"GET /quick HTTP/1.1\n" HOST TOKEN "\r\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN "X-A: b\n\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN "X A: b\r\n\r\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN ": b\r\n\r\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN "X-A: b\x01\r\n\r\n",
		"GET /quick HTTP/1.1\r\n" TOKEN "\r\n", /* whose? */
	};
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		int status = raw_status(&w, malformed[i]);

		if (status != 400)
			fail_msg("%d to %s", status, malformed[i]);
	}
	CHECK_EQ(raw_status(&w, "GET /quick HTTP/1.1\r\nHost:x\r\n" TOKEN
				"X-A:  \tb c \r\nX-Empty:\r\n\r\n"),
		 200);
	CHECK_EQ(raw_status(&w, "GET /open HTTP/1.0\r\n\r\n"), 200);
	world_end(&w);
}

/* Its body passes for the rest of a CRLF CRLF that was none. */
TEST(a_bare_lf_at_the_end_is_refused_whatever_comes_behind)
{
	static const char request[] =
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 2\n\n\0\0";
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	int fd;

	world_start(&w);
	fd = raw_open(&w);
	CHECK_EQ(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
	raw_read(fd, &b, "\r\n");
	CHECK_HAS(b.data, "HTTP/1.1 400 ");
	close(fd);
	world_end(&w);
}

TEST(a_nul_in_a_request_is_refused)
{
	static const char request[] = "GET /quick HTTP/1.1\r\n" HOST TOKEN "X-A: b\0c\r\n\r\n";
	static const char named[] = "GET /quick HTTP/1.1\r\n" HOST TOKEN "X\0A: b\r\n\r\n";
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	int fd;

	world_start(&w);
	fd = raw_open(&w);
	CHECK_EQ(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
	raw_read(fd, &b, "\r\n");
	CHECK_HAS(b.data, "HTTP/1.1 400 ");
	close(fd);
	buf_clear(&b);
	fd = raw_open(&w);
	CHECK_EQ(send(fd, named, sizeof(named) - 1, MSG_NOSIGNAL), sizeof(named) - 1);
	raw_read(fd, &b, "\r\n");
	CHECK_HAS(b.data, "HTTP/1.1 400 ");
	close(fd);
	world_end(&w);
}

TEST(a_path_and_a_query_are_utf8)
{
	static const char *const nowhere[] = { "/items/%ff", "/items/a%c3", "/files/x/%ed%a0%80" };
	static const char *const broken[] = { "/query?n=1&x=%e2%82", "/query?%fe=1" };
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++)
		CHECK_EQ(get(&w, nowhere[i]), 404);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		CHECK_EQ(get(&w, broken[i]), 400);
	CHECK_EQ(raw_status(&w, "GET /items/\xff HTTP/1.1\r\n" HOST TOKEN "\r\n"), 404);
	CHECK_EQ(get(&w, "/items/%e2%82%ac"), 200);
	CHECK_STR(w.reply.body.data, "GET \xe2\x82\xac");
	world_end(&w);
}

TEST(an_answer_is_nobody_elses_and_no_page)
{
	static const char *const paths[] = { "/quick", "/lines", "/nowhere", "/file" };
	struct world w;

	world_start(&w);
	file_make("text");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		get(&w, paths[i]);
		CHECK_STR(header(&w, "Cache-Control"), "no-store");
		CHECK_STR(header(&w, "X-Content-Type-Options"), "nosniff");
		CHECK_HAS(header(&w, "Content-Security-Policy"), "sandbox;");
		CHECK(!header(&w, "Strict-Transport-Security"));
	}
	world_end(&w);
	unlink(file_path);
}

/* Proxies */

static void check_peer(struct world *w, const char *forwarded, const char *peer)
{
	const char *const headers[] = { "X-Agent: 47", forwarded, NULL };

	CHECK_EQ(send_call(w, "GET", "/headers", NULL, headers), 204);
	CHECK_STR(header(w, "X-Peer"), peer);
}

TEST(a_proxy_is_believed_by_its_address_and_by_its_last_word)
{
	struct http_server_options options = { .listen = "127.0.0.1:0",
					       .tables = tables,
					       .authorize = authorize,
					       .proxies = "127.0.0.0/8, ::1" };
	struct world w;

	world_start_with(&w, &options);
	check_peer(&w, "X-Forwarded-For: 192.0.2.7", "192.0.2.7");
	check_peer(&w, "X-Forwarded-For: 198.51.100.1, 192.0.2.8 ", "192.0.2.8");
	check_peer(&w, "X-Forwarded-For: [2001:db8::1]:443", "2001:db8::1");
	check_peer(&w, "X-Forwarded-For: 192.0.2.9:1234", "192.0.2.9");
	check_peer(&w, "X-Forwarded-For: ::ffff:192.0.2.10", "192.0.2.10");
	check_peer(&w, "X-Forwarded-For: \xff\xfe", "127.0.0.1");
	check_peer(&w, "X-Forwarded-For: unknown", "127.0.0.1");
	check_peer(&w, "X-Forwarded-For: 192.0.2.11,", "127.0.0.1");
	CHECK_EQ(send_call(&w, "GET", "/headers", NULL,
			   (const char *const[]){ "X-Agent: 47", "X-Forwarded-For: 203.0.113.1",
						  "X-Forwarded-For: 192.0.2.12", NULL }),
		 204);
	CHECK_STR(header(&w, "X-Peer"), "192.0.2.12");
	world_end(&w);

	options.proxies = "192.0.2.0/24";
	world_start_with(&w, &options);
	check_peer(&w, "X-Forwarded-For: 192.0.2.7", "127.0.0.1");
	world_end(&w);
	options.proxies = NULL;
	world_start_with(&w, &options);
	check_peer(&w, "X-Forwarded-For: 192.0.2.7", "127.0.0.1");
	world_end(&w);
}

TEST(networks_are_read_or_refused)
{
	static const char *const malformed[] = { "x",       "192.0.2.0/33", "192.0.2.0/",
						 "::1/129", "192.0.2.0/8x", "10.0.0.0/8,y" };
	struct networks networks;
	struct in6_addr peer;
	char text[PEER_TEXT_SIZE];
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
		CHECK_EQ(networks_parse(malformed[i], &networks, &e), -ERR_INVALID);
	CHECK_EQ(networks_parse("10.1.0.0/15,2001:db8::/33", &networks, &e), 0);
	CHECK(peer_parse("10.0.255.255", 12, &peer) && networks_have(&networks, &peer));
	CHECK(peer_parse("10.2.0.0", 8, &peer) && !networks_have(&networks, &peer));
	CHECK(peer_parse("2001:db8:7fff::1", 16, &peer) && networks_have(&networks, &peer));
	peer_source(&peer, text);
	CHECK_STR(text, "2001:db8:7fff::/64");
	CHECK(peer_parse("2001:db8:8000::", 15, &peer) && !networks_have(&networks, &peer));
}

/* Sends the header in two parts, then the request; the answer. */
static void ask_through_proxy(const struct world *w, const void *head, size_t len, struct buf *b)
{
	int fd = raw_open(w);

	CHECK(send(fd, head, len / 2, MSG_NOSIGNAL) >= 0 || errno == EPIPE || errno == ECONNRESET);
	/* Who is refused may have been left by now. */
	CHECK(send(fd, (const char *)head + len / 2, len - len / 2, MSG_NOSIGNAL) >= 0 ||
	      errno == EPIPE || errno == ECONNRESET);
	raw_put(fd, "GET /headers HTTP/1.1\r\n" HOST TOKEN
		    "X-Agent: 47\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
	raw_read(fd, b, "\r\n\r\n");
	close(fd);
}

#define PROXY_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

TEST(a_proxy_header_says_whose_a_connection_is)
{
	static const char v4[] = PROXY_SIGNATURE "\x21\x11\0\x0c\xc0\0\2\7\x7f\0\0\1\0\1\0\2";
	static const char local[] = PROXY_SIGNATURE "\x20\0\0\0";
	static const char v6[] =
		PROXY_SIGNATURE "\x21\x21\0\x27\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
				"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\1\0\2\4\0\0";
	static const char *const refused[] = { "PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n",
					       "GET /quick HTTP/1.1\r\n" HOST TOKEN "\r\n" };
	struct http_server_options options = { .listen = "127.0.0.1:0",
					       .tables = tables,
					       .authorize = authorize,
					       .proxies = "127.0.0.0/8",
					       .proxy_protocol = true };
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;

	world_start_with(&w, &options);
	ask_through_proxy(&w, v4, sizeof(v4) - 1, &b);
	CHECK_HAS(b.data, "X-Peer: 192.0.2.7\r\n");
	buf_clear(&b);
	ask_through_proxy(&w, v6, sizeof(v6) - 1, &b);
	CHECK_HAS(b.data, "X-Peer: 2001:db8::1\r\n");
	buf_clear(&b);
	ask_through_proxy(&w, local, sizeof(local) - 1, &b);
	CHECK_HAS(b.data, "X-Peer: 127.0.0.1\r\n");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		CHECK_EQ(raw_status(&w, refused[i]), 0);
	world_end(&w);

	options.proxies = "192.0.2.0/24"; /* we are none */
	world_start_with(&w, &options);
	buf_clear(&b);
	ask_through_proxy(&w, v4, sizeof(v4) - 1, &b);
	CHECK_STR(b.data, "");
	world_end(&w);
}

RUN_TESTS(T(a_path_finds_its_most_literal_route),
	  T(an_unknown_path_is_404_and_an_unknown_method_405),
	  T(a_path_is_decoded_segment_by_segment), T(head_is_get_without_a_body),
	  T(who_may_not_is_told_nothing_else), T(a_body_is_refused_before_it_is_sent),
	  T(a_body_may_fill_its_limit_and_no_more),
	  T(a_json_body_fills_a_struct_or_tells_what_is_wrong),
	  T(a_query_is_decoded_and_its_numbers_checked), T(an_error_becomes_a_status_and_a_detail),
	  T(a_request_carries_its_id_through), T(a_handler_sees_headers_peer_and_user),
	  T(blocked_handlers_never_delay_a_quick_route), T(a_crowd_of_any_number_is_answered),
	  T(a_body_is_sent_while_it_is_made), T(a_body_that_fails_half_way_has_no_proper_end),
	  T(a_writer_whose_client_went_away_is_told), T(a_file_is_sent_whole_or_in_part),
	  T(a_file_the_client_has_is_not_sent_again),
	  T(malformed_requests_are_refused_and_the_server_goes_on),
	  T(headers_beyond_all_measure_are_refused), T(pipelined_requests_are_answered_in_order),
	  T(a_proxy_may_name_the_whole_url), T(many_clients_some_of_them_mad_are_served_at_once),
	  T(a_client_that_never_gets_to_the_point_is_cut_off),
	  T(who_stops_sending_is_answered_if_all_was_said),
	  T(a_stopping_server_lets_handlers_finish),
	  T(a_stopping_server_does_not_wait_for_who_never_reads),
	  T(a_server_that_cannot_be_had_says_why), T(any_address_serves_both_kinds_of_ip),
	  T(a_socket_in_the_file_system_serves_as_well), T(tls_serves_who_trusts_it),
	  T(one_address_has_half_of_the_connections_and_no_more),
	  T(a_server_that_was_full_serves_again_when_it_is_not),
	  T(clients_that_do_not_read_hold_no_worker),
	  T(beyond_the_spool_few_writers_wait_and_the_rest_are_cut_off),
	  T(a_request_that_two_readers_may_read_otherwise_is_refused),
	  T(a_bare_lf_at_the_end_is_refused_whatever_comes_behind),
	  T(a_nul_in_a_request_is_refused), T(a_path_and_a_query_are_utf8),
	  T(an_answer_is_nobody_elses_and_no_page),
	  T(a_proxy_is_believed_by_its_address_and_by_its_last_word),
	  T(networks_are_read_or_refused), T(a_proxy_header_says_whose_a_connection_is))
