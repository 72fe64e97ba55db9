/* SPDX-License-Identifier: Apache-2.0 */
#include "http/serve.h"

#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/own.h"
#include "http/listen.h"
#include "http/patience.h"
#include "http/request.h"
#include "http/stream.h"
#include "http/strict.h"

#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

static const uint64_t SPOOL_DEFAULT = 4ULL << 30, BODIES_DEFAULT = 512 << 20,
		      ANSWERS_DEFAULT = 256 << 20;

enum {
	STREAMS_DEFAULT = 2048,
	SPOOL_WRITERS_MAX = 32,
	LISTENERS_DEFAULT = 2,
	WORKERS_DEFAULT = 512,
	MAX_BODY_DEFAULT = 1 << 20,
	/* A refused body is read to its end up to here, so that the client gets to read the why. */
	DISCARD_MAX = 16 << 20,
	/* Of a connection's headers, and of what is read or sent at once. */
	CONNECTION_MEMORY = 24 << 10,
	/* Longer than our own client keeps an idle connection. */
	IDLE_TIMEOUT_S = 60,
	PATIENCE_MS_DEFAULT = 75 * 1000,
	/* What clients get to take their answers when we stop, and those of the last handlers. */
	GRACE_S = 3,
	LAST_GRACE_S = 1,
	PEM_MAX = 1 << 20,
	ID_PREFIX_LEN = 8,
};

struct http_server {
	struct http_server_options options;
	struct router *router;
	struct workers *workers;
	struct listener *listener;
	struct patience *patience;
	struct MHD_Daemon *daemon;
	char *cert, *key;
	struct networks proxies;
	struct spool spool;
	struct purse purse;
	char id_prefix[ID_PREFIX_LEN + 2];
	atomic_uint_fast64_t ids;
	atomic_uint requests; /* read to their end, and not yet over */
	atomic_bool stopping; /* no request is begun, */
	atomic_bool aborting; /* and none sent any longer */
	pthread_mutex_t lock;
	pthread_cond_t over; /* the last request, while we stop */
	char words[256];     /* libmicrohttpd's last ones */
};

const struct http_server_options *server_options(const struct http_server *server)
{
	return &server->options;
}

const struct networks *server_proxies(const struct http_server *server)
{
	return &server->proxies;
}

struct spool *server_spool(struct http_server *server)
{
	return &server->spool;
}

struct purse *server_purse(struct http_server *server)
{
	return &server->purse;
}

void http_server_refusals(const struct http_server *server, struct http_refusals *ret)
{
	*ret = (struct http_refusals){
		.connections = patience_refused(server->patience),
		.bodies = atomic_load(&server->purse.bodies.refused),
		.answers = atomic_load(&server->purse.answers.refused),
		.streams = atomic_load(&server->purse.streams.refused),
		.writers = atomic_load(&server->spool.writers.refused),
	};
}

const atomic_bool *server_aborting(const struct http_server *server)
{
	return &server->aborting;
}

bool server_stopping(const struct http_server *server)
{
	return atomic_load(&server->stopping);
}

uint64_t server_next_id(struct http_server *server, const char **ret_prefix)
{
	*ret_prefix = server->id_prefix;
	return atomic_fetch_add(&server->ids, 1);
}

void server_request_over(struct http_server *server)
{
	if (atomic_fetch_sub(&server->requests, 1) > 1 || !server_stopping(server))
		return;
	pthread_mutex_lock(&server->lock);
	pthread_cond_signal(&server->over);
	pthread_mutex_unlock(&server->lock);
}

static void count(struct http_req *req)
{
	atomic_fetch_add(&req->server->requests, 1);
	req->counted = true;
}

static struct http_req *request_of(struct task *task)
{
	return (struct http_req *)(void *)((char *)task - offsetof(struct http_req, task));
}

static int run(struct http_req *req, struct err *e)
{
	const struct http_server_options *options = &req->server->options;
	const struct http_route *route = req->match.route;

	return options->run ? options->run(options->ctx, route, req, &req->res, e)
			    : route->serve(options->ctx, req, &req->res, e);
}

/* That of the request which this thread serves. */
static _Thread_local const struct visit *served_visit;

void http_server_cut(struct http_server *server, const char *who)
{
	patience_cut(server->patience, who, served_visit);
}

/* The handler answers, or its error does. */
static void serve(struct http_req *req)
{
	struct err e = ERR_INIT;
	int r;

	log_set_request(http_req_id(req));
	served_visit = req->visit;
	r = run(req, &e);
	served_visit = NULL;
	if (r < 0 && e.code == ERR_NONE && req->res.over != BUDGET_FITS)
		r = request_over_budget(req, req->res.over, "answers that wait to be read", &e);
	if (r < 0 && e.code == ERR_NONE)
		r = err_set(&e, (enum err_code)(-r), "the answer can't be sent");
	if (r >= 0 && !req->res.stream && !req->res.socket && !req->res.ready)
		r = err_set(&e, ERR_INTERNAL, "the handler gave no answer");
	if (r < 0)
		respond_error(req, &e);
	if (req->res.stream && (!req->res.fed || r < 0))
		stream_end(req->res.stream, r >= 0);
	log_set_request(NULL);
}

static void serve_on_worker(struct task *task)
{
	struct http_req *req = request_of(task);

	serve(req);
	if (!req->res.stream && !req->res.socket)
		MHD_resume_connection(req->connection);
	request_drop(req);
}

static void serve_elsewhere(struct http_req *req, struct MHD_Connection *connection)
{
	struct err e = ERR_INIT;

	req->stage = REQUEST_WORKING;
	req->task.run = serve_on_worker;
	atomic_fetch_add(&req->holders, 1);
	MHD_suspend_connection(connection);
	if (workers_submit(req->server->workers, &req->task, &e) == 0)
		return;
	respond_error(req, &e);
	MHD_resume_connection(connection);
	request_drop(req);
}

static enum MHD_Result send_ready(struct http_req *req, struct MHD_Connection *connection)
{
	struct MHD_Response *response = TAKE(req->res.ready);
	enum MHD_Result sent;

	if (!response)
		return MHD_NO;
	sent = MHD_queue_response(connection, (unsigned)req->res.status, response);
	MHD_destroy_response(response);
	return sent;
}

/* Whether a body comes, and how long it says it is; unknown: UINT64_MAX. */
static bool body_announced(const struct http_req *req, uint64_t *ret_len)
{
	const char *length = http_header(req, MHD_HTTP_HEADER_CONTENT_LENGTH);

	*ret_len = UINT64_MAX;
	if (http_header(req, MHD_HTTP_HEADER_TRANSFER_ENCODING))
		return true;
	*ret_len = length ? strtoull(length, NULL, 10) : 0;
	return *ret_len > 0;
}

static enum MHD_Result count_length(void *cookie, enum MHD_ValueKind kind, const char *name,
				    const char *value)
{
	unsigned *count = cookie;

	(void)kind;
	(void)value;
	*count += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	return MHD_YES;
}

/* A body whose end two readers may see at two places lets one request hide another. */
static int check_framing(const struct http_req *req, struct err *e)
{
	const char *encoding = http_header(req, MHD_HTTP_HEADER_TRANSFER_ENCODING);
	unsigned lengths = 0;

	if (encoding && strcasecmp(encoding, "chunked") != 0)
		return err_set(e, ERR_UNIMPLEMENTED, "transfer encoding '%s' is not known",
			       encoding);
	MHD_get_connection_values(req->connection, MHD_HEADER_KIND, count_length, &lengths);
	if (lengths + (encoding ? 1 : 0) > 1)
		return err_set(e, ERR_INVALID, "the length of the body is told more than once");
	return 0;
}

static int authorize(struct http_req *req, struct err *e)
{
	const struct http_server_options *options = &req->server->options;
	const struct http_route *route = req->match.route;
	int r;

	if (!options->authorize || (route ? route->flags & HTTP_OPEN : req->match.open))
		return 0;
	r = options->authorize(options->ctx, req, route, e);
	req->admitted = r == 0;
	return r;
}

/* The most that its body may be, when its route is known. */
static size_t max_body(const struct http_req *req)
{
	const struct http_route *route = req->match.route;
	size_t most = req->server->options.max_body;

	if (route && route->flags & HTTP_LARGE)
		return HTTP_LARGE_MAX;
	return route && route->flags & HTTP_OPEN && most > HTTP_OPEN_MAX ? HTTP_OPEN_MAX : most;
}

static int refuse_body(const struct http_req *req, struct err *e)
{
	return err_set(e, ERR_TOO_LARGE, "the body is larger than %zu bytes", max_body(req));
}

/* All that can be said of a request before its body is read. */
static int admit(struct http_req *req, uint64_t body_len, struct err *e)
{
	struct err lost = ERR_INIT;
	int found, r;

	if (server_stopping(req->server))
		return err_set(e, ERR_UNAVAILABLE, "the server is stopping");
	found = router_match(req->server->router, req->method, req->path, strlen(req->path),
			     req->decoded, &req->match, &lost);
	r = authorize(req, e);
	if (r < 0)
		return r;
	if (found < 0)
		return err_set(e, lost.code, "%s", lost.msg);
	if (!request_path_valid(req))
		return err_set(e, ERR_NOT_FOUND, "no such path: it is not UTF-8");
	if (!request_query_valid(req))
		return err_set(e, ERR_INVALID, "the query has a malformed escape, or is not UTF-8");
	if (body_len != UINT64_MAX && body_len > max_body(req))
		return refuse_body(req, e);
	return 0;
}

static struct visit *visit_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
		->socket_context;
}

/*
 * Its headers are known. What is refused now is told at the end of its body, which is thrown away:
 * a client that is still sending would not hear us, and an early answer ends the connection.
 */
static enum MHD_Result begin(struct http_req *req, struct MHD_Connection *connection,
			     const char *method, const char *version)
{
	struct err e = ERR_INIT;
	uint64_t body_len;
	bool has_body = body_announced(req, &body_len);
	bool too_long = body_len != UINT64_MAX && body_len > DISCARD_MAX;
	bool clear = true;
	int r = 0;

	req->visit = visit_of(connection);
	visit_own(req->visit, NULL, NULL);

	r = strict_check(connection, method, version, &e);
	if (r == 0 && has_body)
		r = check_framing(req, &e);
	clear = r == 0;
	if (r == 0)
		r = admit(req, body_len, &e);
	req->body.limit = max_body(req);
	if (has_body)
		visit_await(visit_of(connection));
	if (r == 0) {
		req->stage = REQUEST_READING;
		return MHD_YES;
	}
	req->stage = REQUEST_DISCARDING;
	respond_error(req, &e);
	if (!clear || too_long || (has_body && http_header(req, MHD_HTTP_HEADER_EXPECT)))
		return send_ready(req, connection);
	return MHD_YES;
}

/* A body is paid for as it comes, not as it is announced: who sends nothing uses nothing. */
static int keep_body(struct http_req *req, const char *bytes, size_t len, struct err *e)
{
	enum budget_verdict verdict = BUDGET_FITS;

	if (req->body.len + len > REQUEST_FREE_MAX) {
		if (!req->body_bill.budget)
			req->body_bill = (struct bill){ &server_purse(req->server)->bodies,
							request_payer(req), 0 };
		verdict = bill_raise(&req->body_bill, req->body.len + len);
	}
	if (verdict != BUDGET_FITS)
		return request_over_budget(req, verdict, "bodies of requests", e);
	buf_put(&req->body, bytes, len);
	if (!buf_failed(&req->body))
		return 0;
	return req->body.over_limit ? refuse_body(req, e) : err_memory(e);
}

static enum MHD_Result read_body(struct http_req *req, const char *bytes, size_t len)
{
	struct err e = ERR_INIT;

	if (req->stage == REQUEST_DISCARDING) {
		req->discarded += len;
		return req->discarded <= DISCARD_MAX ? MHD_YES : MHD_NO;
	}
	if (keep_body(req, bytes, len, &e) == 0)
		return MHD_YES;
	req->stage = REQUEST_DISCARDING;
	buf_done(&req->body);
	bill_end(&req->body_bill);
	respond_error(req, &e);
	return MHD_YES;
}

/*
 * libmicrohttpd calls this when the headers are read, with each part of the body, at its end, and
 * again when the connection is resumed.
 */
static enum MHD_Result on_request(void *cookie, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *body,
				  size_t *body_len, void **req_cookie)
{
	struct http_req *req = *req_cookie;
	enum MHD_Result result;

	(void)cookie;
	(void)url;
	if (!req)
		return MHD_NO; /* out of memory */
	if (req->stage == REQUEST_NEW) {
		req->method = method;
		return begin(req, connection, method, version);
	}
	if (*body_len > 0) {
		result = read_body(req, body, *body_len);
		*body_len = 0;
		return result;
	}
	if (req->stage == REQUEST_READING) {
		visit_served(visit_of(connection));
		count(req);
		if (!(req->match.route->flags & HTTP_QUICK)) {
			serve_elsewhere(req, connection);
			return MHD_YES;
		}
		serve(req);
	}
	return send_ready(req, connection);
}

static void on_connection(void *cookie, struct MHD_Connection *connection, void **visit,
			  enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = cookie;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*visit = visit_begin(server->patience,
				     MHD_get_connection_info(connection,
							     MHD_CONNECTION_INFO_CONNECTION_FD)
					     ->connect_fd,
				     MHD_get_connection_info(connection,
							     MHD_CONNECTION_INFO_CLIENT_ADDRESS)
					     ->client_addr);
	} else {
		visit_end(*visit);
		*visit = NULL;
	}
}

static void *on_request_line(void *cookie, const char *target, struct MHD_Connection *connection)
{
	return request_new(cookie, connection, target ? target : "");
}

static void on_completed(void *cookie, struct MHD_Connection *connection, void **req_cookie,
			 enum MHD_RequestTerminationCode code)
{
	struct http_req *req = *req_cookie;

	(void)cookie;
	(void)code;
	visit_await(visit_of(connection));
	visit_own(visit_of(connection), NULL, NULL);
	if (!req)
		return;
	if (req->res.stream)
		stream_gone(req->res.stream);
	if (req->res.socket)
		websocket_gone(req->res.socket);
	*req_cookie = NULL;
	request_drop(req);
}

/* We decode ourselves, where we know what is a separator and what only looks like one. */
static size_t leave_escaped(void *cookie, struct MHD_Connection *connection, char *text)
{
	(void)cookie;
	(void)connection;
	return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_words(void *cookie, const char *fmt,
							   va_list ap)
{
	struct http_server *server = cookie;
	char words[sizeof(server->words)];

	vsnprintf(words, sizeof(words), fmt, ap);
	words[strcspn(words, "\n")] = '\0';
	if (!server->daemon) /* it is about why there will be none */
		memcpy(server->words, words, sizeof(words));
	log_debug("libmicrohttpd: %s", words);
}

unsigned http_connection_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0 || files.rlim_cur == RLIM_INFINITY)
		return 1 << 16;
	return (unsigned)(files.rlim_cur / 2); /* handlers need files, too */
}

static int start_daemon(struct http_server *server, struct err *e)
{
	static char tls_versions[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2";
	const struct http_server_options *options = &server->options;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
			 MHD_ALLOW_UPGRADE | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
	struct MHD_OptionItem items[] = {
		/* Of each of its threads, which share this, more than there are: see patience.h. */
		{ MHD_OPTION_CONNECTION_LIMIT,
		  (intptr_t)(options->listeners * (http_connection_limit() + 1)), NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL },
		{ MHD_OPTION_THREAD_POOL_SIZE, options->listeners, NULL },
		{ MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL },
		{ options->cert_file ? MHD_OPTION_HTTPS_MEM_CERT : MHD_OPTION_END, 0,
		  server->cert },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, server->key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, tls_versions },
		{ MHD_OPTION_END, 0, NULL },
	};

	if (options->cert_file)
		flags |= MHD_USE_TLS;
	server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, server,
					  MHD_OPTION_EXTERNAL_LOGGER, on_words, server,
					  MHD_OPTION_NOTIFY_CONNECTION, on_connection, server,
					  MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
					  MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server,
					  MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, server,
					  MHD_OPTION_ARRAY, items, MHD_OPTION_END);
	if (!server->daemon)
		return err_set(e, options->cert_file ? ERR_INVALID : ERR_INTERNAL,
			       "start the HTTP server: %s", server->words);
	return 0;
}

static int read_tls(struct http_server *server, struct err *e)
{
	const struct http_server_options *options = &server->options;
	int r;

	if (!options->cert_file)
		return 0;
	r = file_read(options->cert_file, PEM_MAX, &server->cert, NULL, e);
	if (r == 0)
		r = file_read(options->key_file ? options->key_file : options->cert_file, PEM_MAX,
			      &server->key, NULL, e);
	if (r < 0 && e)
		e->code = ERR_INVALID;
	return r < 0 ? -ERR_INVALID : 0;
}

static void set_budgets(struct http_server *server)
{
	const struct http_server_options *options = &server->options;
	struct purse *purse = &server->purse;

	if (getrandom(&purse->seed, sizeof(purse->seed), 0) != sizeof(purse->seed))
		purse->seed = (uint64_t)(uintptr_t)server;
	purse->bodies.most = options->bodies_max ? options->bodies_max : BODIES_DEFAULT;
	purse->answers.most = options->answers_max ? options->answers_max : ANSWERS_DEFAULT;
	purse->streams.most = options->streams_max ? options->streams_max : STREAMS_DEFAULT;
	server->spool.bytes.most = options->spool_max ? options->spool_max : SPOOL_DEFAULT;
	server->spool.writers.most = SPOOL_WRITERS_MAX;
}

static int server_new(const struct http_server_options *options, struct http_server **ret_server,
		      struct err *e)
{
	AUTO(struct http_server *, http_server_freep) server = calloc(1, sizeof(*server));
	pthread_condattr_t monotonic;

	if (!server)
		return err_memory(e);
	server->options = *options;
	if (!options->listeners)
		server->options.listeners = LISTENERS_DEFAULT;
	if (!options->workers)
		server->options.workers = WORKERS_DEFAULT;
	if (!options->max_body)
		server->options.max_body = MAX_BODY_DEFAULT;
	if (!options->patience_ms)
		server->options.patience_ms = PATIENCE_MS_DEFAULT;
	server->spool.dir = options->spool_dir ? options->spool_dir : "/var/tmp";
	set_budgets(server);
	id_random(server->id_prefix, ID_PREFIX_LEN);
	server->id_prefix[ID_PREFIX_LEN] = '-';
	pthread_mutex_init(&server->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&server->over, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*ret_server = TAKE(server);
	return 0;
}

/*
 * libmicrohttpd 0.9.75 asks for 128 events at a time, and after a whole 128 it waits for one more,
 * however long that takes, before it looks at any (MHD_epoll() in its daemon.c): a crowd of exactly
 * so many got no answer. So it gets one less than it asks for. This has the C library's name, and
 * stands before it.
 */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): theirs are reserved */
__attribute__((visibility("default"))) int epoll_wait(int fd, struct epoll_event *events, int max,
						      int timeout)
{
	return epoll_pwait(fd, events, max > 1 ? max - 1 : max, timeout, NULL);
}

int http_serve(const struct http_server_options *options, struct http_server **ret_server,
	       struct err *e)
{
	AUTO(struct http_server *, http_server_freep) server = NULL;
	int r;

	if ((r = server_new(options, &server, e)) < 0 ||
	    (r = router_new(options->tables, &server->router, e)) < 0 ||
	    (r = networks_parse(options->proxies, &server->proxies, e)) < 0 ||
	    (r = read_tls(server, e)) < 0 ||
	    (r = workers_new(server->options.workers, &server->workers, e)) < 0 ||
	    (r = patience_new(server->options.patience_ms, http_connection_limit(),
			      &server->proxies, &server->patience, e)) < 0 ||
	    (r = listener_new(options->listen, &server->listener, e)) < 0 ||
	    (r = start_daemon(server, e)) < 0 ||
	    (r = listener_start(server->listener, server->daemon, server->patience,
				options->proxy_protocol ? &server->proxies : NULL, e)) < 0)
		return r;
	*ret_server = TAKE(server);
	return 0;
}

uint16_t http_server_port(const struct http_server *server)
{
	return listener_port(server->listener);
}

/* Until the last request is over, but not for ever: a client may neither read nor go. */
static void wait_for_requests(struct http_server *server, int seconds)
{
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += seconds;
	pthread_mutex_lock(&server->lock);
	while (atomic_load(&server->requests) > 0 && error == 0)
		error = pthread_cond_timedwait(&server->over, &server->lock, &until);
	pthread_mutex_unlock(&server->lock);
}

static void stop(struct http_server *server)
{
	listener_stop(server->listener);
	atomic_store(&server->stopping, true);
	wait_for_requests(server, GRACE_S);
	atomic_store(&server->aborting, true);
	workers_stop(server->workers);
	wait_for_requests(server, LAST_GRACE_S);
	MHD_stop_daemon(server->daemon);
}

void http_server_free(struct http_server *server)
{
	if (!server)
		return;
	if (server->daemon)
		stop(server);
	listener_free(server->listener);
	workers_free(server->workers);
	patience_free(server->patience);
	router_free(server->router);
	pthread_cond_destroy(&server->over);
	pthread_mutex_destroy(&server->lock);
	free(server->cert);
	free(server->key);
	free(server);
}
