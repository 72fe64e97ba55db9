/* SPDX-License-Identifier: Apache-2.0 */
#include "http-world.h"

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
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
atomic_int http_world_handled;

void gate_set(bool open)
{
	pthread_mutex_lock(&gate.lock);
	gate.open = open;
	if (!open)
		gate.aborted = 0;
	pthread_cond_broadcast(&gate.opened);
	pthread_mutex_unlock(&gate.lock);
}

void gate_wait(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.waiting++;
	pthread_cond_broadcast(&gate.opened);
	while (!gate.open)
		pthread_cond_wait(&gate.opened, &gate.lock);
	gate.waiting--;
	pthread_mutex_unlock(&gate.lock);
}

void gate_await(int waiting)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.waiting < waiting)
		pthread_cond_wait(&gate.opened, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

void note_aborted(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.aborted++;
	pthread_cond_broadcast(&gate.opened);
	pthread_mutex_unlock(&gate.lock);
}

void await_aborted(void)
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

int serve_quick(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
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
	atomic_fetch_add(&http_world_handled, 1);
	return http_send_bytes(res, 200, "application/octet-stream", body, len);
}

/* So many MiB. */
static int serve_large(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(char *, freep) bytes = NULL;
	int64_t n;
	int r;

	(void)ctx;
	r = http_query_int(req, "n", 1, 64, 1, &n, e);
	if (r < 0)
		return r;
	bytes = calloc((size_t)n, 1 << 20);
	return bytes ? http_send_bytes(res, 200, "application/octet-stream", bytes, (size_t)n << 20)
		     : err_memory(e);
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

char http_world_file[64];

static int serve_file(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)req;
	(void)e;
	return http_send_file(res, open(http_world_file, O_RDONLY | O_CLOEXEC), "text/plain", "v1");
}

int http_world_authorize(void *ctx, struct http_req *req, const struct http_route *route,
			 struct err *e)
{
	static char anna[] = "anna";
	const char *token = http_bearer(req);

	(void)ctx;
	if (token && strncmp(token, "user-", 5) == 0)
		http_set_owner(req, token + 5, "a token");
	else if (!token || strcmp(token, "sesame") != 0)
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
	{ "GET", "/large", serve_large, 0, 0 },
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

const struct http_route *const http_world_tables[] = { quick_routes, slow_routes, NULL };

void world_start_with(struct world *w, const struct http_server_options *options)
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

void world_start(struct world *w)
{
	world_start_with(w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							   .tables = http_world_tables,
							   .authorize = http_world_authorize });
}

void world_end(struct world *w)
{
	http_client_free(w->client);
	http_server_free(w->server);
	http_reply_done(&w->reply);
}

int send_call(struct world *w, const char *method, const char *path, const char *body,
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

int get(struct world *w, const char *path)
{
	return send_call(w, "GET", path, NULL, NULL);
}

const char *header(const struct world *w, const char *name)
{
	static char value[256];

	return http_reply_header(&w->reply, name, value, sizeof(value));
}

/* The reply's {"detail": ...}; compact JSON. */
const char *detail(const struct world *w)
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

int raw_open(const struct world *w)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(http_server_port(w->server)),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK_EQ(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

void raw_put(int fd, const char *text)
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
void raw_read(int fd, struct buf *b, const char *until)
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
int raw_status(const struct world *w, const char *request)
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

void read_quick(int fd)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;

	raw_read(fd, &b, "quick");
	CHECK_HAS(b.data, "quick");
}

void ask_quick(int fd)
{
	raw_put(fd, QUICK);
	read_quick(fd);
}

void file_make(const char *text)
{
	int fd;

	snprintf(http_world_file, sizeof(http_world_file), "/tmp/test-http-XXXXXX");
	fd = mkstemp(http_world_file);
	CHECK(fd >= 0);
	CHECK_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

void raw_body(const struct buf *answer, struct buf *ret_body)
{
	const char *at = strstr(answer->data, "\r\n\r\n");
	unsigned long size;

	CHECK(at);
	at += 4;
	do {
		char *line_end;

		size = strtoul(at, &line_end, 16);
		CHECK(line_end > at && line_end + 4 + size <= answer->data + answer->len);
		buf_put(ret_body, line_end + 2, size);
		at = line_end + 4 + size;
	} while (size > 0);
}
