/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling side of HTTP: one client per base URL.
 *
 * Connections are kept and used again. Any number of threads may call through one client at once;
 * each call borrows a connection for its time. Redirects are not followed, and no proxy of the
 * environment is used: the peers are our own nodes and engines.
 */
#ifndef HTTP_CALL_H
#define HTTP_CALL_H

#include "base/buf.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct http_client;

struct http_client_options {
	const char *base_url;    /* http://..., https://... or unix:///path/of/socket */
	const char *role;        /* what messages call the peer: "node"; NULL: "server" */
	const char *bearer;      /* token for Authorization; NULL: none */
	const char *ca_file;     /* PEM of accepted authorities; NULL: the system's */
	const char *client_cert; /* PEM; NULL: none */
	const char *client_key;
	unsigned max_idle; /* connections kept when not in use; 0: 8 */
};

/* Fails with INVALID (the URL; credentials in it are refused, a trailing "/" is dropped). */
int http_client_new(const struct http_client_options *options, struct http_client **ret_client,
		    struct err *e);
void http_client_free(struct http_client *client); /* after its last call and tunnel */
static inline void http_client_freep(struct http_client **client)
{
	http_client_free(*client);
}

/* Receives a part of a body. A failure ends the call with that error. */
typedef int http_sink(void *cookie, const void *bytes, size_t len, struct err *e);

/* Gives the next part of a body: at most size bytes into bytes; 0 in ret_len ends it. */
typedef int http_source(void *cookie, void *bytes, size_t size, size_t *ret_len, struct err *e);

struct http_call {
	const char *method;
	const char *path;           /* from the base URL on, with its query: "/health?x=1" */
	const char *const *headers; /* "Name: value", NULL-terminated; NULL: none */
	const char *content_type;   /* of the body; NULL with a body: application/json */
	const void *body;
	size_t body_len;
	http_source *source; /* instead of body: sent while it is made, */
	void *source_cookie;
	uint64_t source_len; /* which has to come to so many bytes; 0: who knows, sent chunked */
	http_sink *sink;     /* a 2xx body goes there as it comes; any other is kept in the reply */
	void *sink_cookie;
	int64_t timeout_ms;           /* for the whole call; 0: no limit */
	int64_t idle_timeout_ms;      /* longest time without a byte; 0: no limit */
	uint64_t max_body;            /* bytes, kept or sunk; 0: HTTP_BODY_MAX */
	const atomic_bool *cancelled; /* set: the call is given up, within a second; NULL: never */
};

enum { HTTP_BODY_MAX = 64 << 20 };

struct http_reply {
	int status;
	struct buf body;
	struct buf headers; /* raw lines; ask http_reply_header() */
};

#define HTTP_REPLY_INIT                               \
	{                                             \
		.body = BUF_INIT, .headers = BUF_INIT \
	}

/*
 * Succeeds whenever a response arrived whole, whatever its status. Fails with CONNECT (refused, no
 * such host), INVALID (path, headers), TIMEOUT, TLS, TOO_LARGE, TRANSPORT (reset, cut short, not
 * HTTP), ABORTED (cancelled), MEMORY, or with what the sink or source said.
 */
int http_call(struct http_client *client, const struct http_call *call,
	      struct http_reply *ret_reply, struct err *e);
void http_reply_done(struct http_reply *reply);

/* Copies the header's (first) value and returns it; NULL when absent or too long for value[size].
 */
const char *http_reply_header(const struct http_reply *reply, const char *name, char *value,
			      size_t size);

/* Appends s percent-encoded as one path segment or query value. */
void http_escape(struct buf *b, const char *s);

/*
 * A connection taken over: after a 101 (or a 200 without length) it carries raw bytes both ways.
 *
 * One thread may read while another writes. Its client must outlive it.
 */
struct http_tunnel;

/*
 * A refused upgrade fails with PROTOCOL and leaves the refusal in ret_reply; otherwise fails as
 * http_call() does. ret_reply gets the headers of a 101 too. Takes no source and no sink, and
 * timeout_ms limits the opening only.
 */
int http_tunnel_open(struct http_client *client, const struct http_call *call, const char *upgrade,
		     struct http_tunnel **ret_tunnel, struct http_reply *ret_reply, struct err *e);
/* Waits up to timeout_ms (-1: for ever); ret_len 0 is the peer's end. Fails with TIMEOUT,
 * TRANSPORT.
 */
int http_tunnel_read(struct http_tunnel *tunnel, void *bytes, size_t size, int timeout_ms,
		     size_t *ret_len, struct err *e);
/* Waits until all is sent. */
int http_tunnel_write(struct http_tunnel *tunnel, const void *bytes, size_t len, struct err *e);
int http_tunnel_end_write(struct http_tunnel *tunnel, struct err *e); /* half-close */
/* From any thread: a read under way sees the end, a write fails. */
void http_tunnel_stop(struct http_tunnel *tunnel);
void http_tunnel_close(struct http_tunnel *tunnel);

#endif
