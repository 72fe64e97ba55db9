/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serving side of HTTP: routes in tables, handlers that read, act and answer.
 *
 * A few listening threads do all network I/O. A handler runs on a worker thread, where it may
 * block; a route marked HTTP_QUICK answers from memory and runs on the listening thread itself.
 * The dispatcher alone turns an error into {"detail": ...} and one log line with the request's id.
 */
#ifndef HTTP_SERVE_H
#define HTTP_SERVE_H

#include "base/field.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct http_req;
struct http_res;
struct http_server;

typedef int http_handler(void *ctx, struct http_req *req, struct http_res *res, struct err *e);

enum {
	HTTP_QUICK = 1, /* never blocks: no I/O, no lock held over I/O */
	HTTP_OPEN = 2,  /* needs no authorization; its body may have HTTP_OPEN_MAX bytes */
	HTTP_LARGE = 4, /* its body may have HTTP_LARGE_MAX bytes */
};

enum { HTTP_LARGE_MAX = 64 << 20, HTTP_OPEN_MAX = 64 << 10 };

struct http_route {
	const char *method; /* NULL ends a table; GET serves HEAD too */
	const char *path;   /* "/api/v1/instances/{id}/status"; a last "{name...}" takes the rest */
	http_handler *serve;
	unsigned flags;
	int access; /* means what the server's authorize() makes of it */
};

struct http_server_options {
	const char *listen; /* "127.0.0.1:7070", "[::1]:0", ":7070", "unix:///path"; port 0: any
			       free one */
	const struct http_route *const *tables; /* NULL-terminated list of tables */
	void *ctx;                              /* given to every handler and to authorize */
	/*
	 * Asked before every route that is not HTTP_OPEN, and before 404 and 405 are told (route is
	 * then NULL), when only the headers have been read. It runs on a listening thread and must
	 * not block. NULL: all may.
	 */
	int (*authorize)(void *ctx, struct http_req *req, const struct http_route *route,
			 struct err *e);
	/* Calls the handler of a route, and may act before and after; NULL: nothing but the call.
	 */
	int (*run)(void *ctx, const struct http_route *route, struct http_req *req,
		   struct http_res *res, struct err *e);
	unsigned listeners; /* network threads; 0: 2 */
	unsigned workers;   /* most worker threads; 0: 512; idle ones end after a while */
	size_t max_body;    /* bytes of a request body; 0: 1 MiB; more is 413 */
	/* Longest wait for a whole request, body and all, on an open connection; 0: 75 s. */
	int64_t patience_ms;
	const char *cert_file, *key_file; /* PEM, for https (TLS 1.2 and later); NULL: http */
	/*
	 * Networks of proxies of ours, as in http/peer.h: what these say of a client is believed
	 * (X-Forwarded-For, -Proto, -Host); NULL: nobody is.
	 */
	const char *proxies;
	/* Connections begin with a PROXY header (version 2), and come from proxies alone. */
	bool proxy_protocol;
	/*
	 * Where and how much of answers is kept that are made faster than their clients read them:
	 * a directory, NULL: /var/tmp; bytes, 0: 4 GiB.
	 */
	const char *spool_dir;
	uint64_t spool_max;
	/*
	 * Most bytes in memory of all requests' bodies (0: 512 MiB) and of answers that wait to be
	 * read (0: 256 MiB), and most streams and WebSockets at once (0: 2048). What is one
	 * client's share of these, and of spool_max: see http/budget.h. Who gets no share is told
	 * 429, and where there is nothing left for anybody 503, both with Retry-After.
	 */
	uint64_t bodies_max, answers_max, streams_max;
	unsigned hsts_days; /* told to browsers that came by https; 0: not told */
};

/*
 * Borrows the tables and ctx. Fails with INVALID (address, TLS files, a malformed route) or CONNECT
 * (the address is taken).
 */
int http_serve(const struct http_server_options *options, struct http_server **ret_server,
	       struct err *e);
uint16_t http_server_port(const struct http_server *server);
/* Most connections at once of a server in this process: half its limit of open files. */
unsigned http_connection_limit(void);
/*
 * Stops listening, waits for handlers at work, closes. What comes on open connections meanwhile
 * gets 503; clients have some seconds to take what is being sent, then http_write() fails.
 */
void http_server_free(struct http_server *server);
/*
 * Ends the connections of an account or a token at once, whatever is being sent; but not the one
 * whose request is served by this thread: it gets its answer.
 */
void http_server_cut(struct http_server *server, const char *who);

/* How often the server had no room: since it began. */
struct http_refusals {
	uint64_t connections; /* closed as they came */
	uint64_t bodies, answers, streams;
	uint64_t writers; /* of answers, cut off because nothing more of them could be kept */
};
void http_server_refusals(const struct http_server *server, struct http_refusals *ret);
static inline void http_server_freep(struct http_server **server)
{
	http_server_free(*server);
}

/* What was asked. Strings are borrowed from the request and live as long as it. */
const char *http_method(const struct http_req *req);
const char *http_path(const struct http_req *req);
const char *http_param(const struct http_req *req, const char *name); /* of the path, decoded */
const char *http_query(const struct http_req *req, const char *name); /* decoded; NULL: absent */
const char *http_header(const struct http_req *req, const char *name);
const char *http_bearer(const struct http_req *req); /* NULL: no Authorization: Bearer */
const void *http_body(const struct http_req *req, size_t *ret_len);
const char *http_req_id(const struct http_req *req); /* X-Request-Id as sent, or made */
/*
 * The client's address; behind a proxy of ours the last one of all X-Forwarded-For lines, which is
 * what that proxy has heard. "local" for a socket without one.
 */
const char *http_peer(const struct http_req *req);
/* What counts as one client's address: of IPv6 it is the /64. */
const char *http_peer_key(const struct http_req *req);
/* Whether the client came by https, to us or to a proxy of ours; the host it asked for. */
bool http_is_https(const struct http_req *req);
const char *http_host(const struct http_req *req);    /* NULL: it didn't say */
struct arena *http_arena(struct http_req *req);       /* ends with the request */
void http_set_user(struct http_req *req, void *user); /* what authorize() found; borrowed */
/*
 * By whose leave it is answered: ids of an account and of the token it came with. When either is no
 * longer good, http_server_cut() ends what is still open: streams, downloads, WebSockets.
 */
void http_set_owner(struct http_req *req, const char *user, const char *token);
void *http_user(const struct http_req *req);

/*
 * A decimal integer of the query within min..max; absent gives def. Fails with VALIDATION, which is
 * told as a fault of the query.
 */
int http_query_int(const struct http_req *req, const char *name, int64_t min, int64_t max,
		   int64_t def, int64_t *ret_value, struct err *e);

/*
 * The JSON body into a zeroed struct; no body is read as {}. Fails with VALIDATION; the list of
 * faults is sent as detail. Whatever the outcome, fields_done() frees obj's members.
 */
int http_read(struct http_req *req, const struct field *fields, void *obj, struct err *e);

/* Adds a fault of the body found later; the handler then returns its -ERR_VALIDATION. */
int http_refuse_field(struct http_req *req, const char *name, const char *type, const char *msg,
		      struct err *e);

/* The answer: exactly one of these per request. All return 0 or a negative code with no words. */
int http_send(struct http_res *res, int status, const struct field *fields, const void *obj);
int http_send_json(struct http_res *res, int status, json_t *json); /* steals json */
int http_send_bytes(struct http_res *res, int status, const char *content_type, const void *bytes,
		    size_t len); /* copies */
int http_send_static(struct http_res *res, int status, const char *content_type, const void *bytes,
		     size_t len); /* borrowed for ever */
/* Borrowed until it is sent, then release(cookie); also when this fails. */
int http_send_held(struct http_res *res, int status, const char *content_type, const void *bytes,
		   size_t len, void (*release)(void *cookie), void *cookie);
int http_send_nothing(struct http_res *res, int status);
/*
 * Takes fd, a regular file; serves Range and If-None-Match by itself. etag names the content,
 * without quotes; NULL: no name.
 */
int http_send_file(struct http_res *res, int fd, const char *content_type, const char *etag);

/* The status of the answer that is ready or on its way; 0: there is none yet. */
int http_sent_status(const struct http_res *res);

/*
 * One more header of the answer to come; copies. An answer that says an error goes without. What no
 * handler sets itself: Cache-Control is no-store, X-Content-Type-Options is nosniff, and
 * Content-Security-Policy keeps an answer that a browser opens from running anything.
 */
void http_set_header(struct http_res *res, const char *name, const char *value);
/* For 503 and 429, errors or not. */
void http_set_retry_after(struct http_res *res, unsigned seconds);

/*
 * A body made while it is sent: begin, then write. What a slow client doesn't take waits in a file
 * (spool_max); once the client is gone writing fails with ABORTED. A handler that fails in between
 * cuts the connection, so that the client doesn't take what it got for the whole. Worker threads
 * only.
 */
int http_begin(struct http_res *res, int status, const char *content_type, struct err *e);
int http_write(struct http_res *res, const void *bytes, size_t len, struct err *e);

/*
 * An answer that goes on after its handler has returned, and holds no thread: news, sent from any
 * thread, until it is freed. What a client doesn't take waits in a buffer of so many bytes. Every
 * feed has to be freed before its server. Worker threads only.
 */
struct http_feed;

int http_feed_new(struct http_res *res, const char *content_type, size_t buffer,
		  struct http_feed **ret_feed, struct err *e);
/* Never waits. False: the buffer has no room for it, or the client is gone; free the feed then. */
bool http_feed_send(struct http_feed *feed, const void *bytes, size_t len);
void http_feed_free(struct http_feed *feed);

#endif
