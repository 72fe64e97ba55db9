/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request and its answer, as the rooms's own files see them.
 *
 * A request lives from its first line to the last byte of its answer or, where a worker thread
 * still has it when the client goes away, until that is done: it counts these two holders. It
 * belongs to the listening thread until it is handed to a worker, and to that one until the answer
 * is ready.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include "base/buf.h"
#include "http/budget.h"
#include "http/peer.h"
#include "http/route.h"
#include "http/serve.h"
#include "http/worker.h"

#include <microhttpd.h>
#include <stdatomic.h>

struct spool;
struct stream;
struct visit;
struct websocket;

enum { REQUEST_ID_SIZE = 64 };

/* What the requests of a server have in common, each as bytes but for streams. */
struct purse {
	uint64_t seed;
	struct budget bodies;  /* of requests */
	struct budget answers; /* made, and not yet taken by their clients */
	struct budget streams; /* and WebSockets; but no feeds */
};

/* A body or an answer of no more is as good as the memory of its connection: not counted. */
enum { REQUEST_FREE_MAX = 16 << 10 };

struct header {
	struct header *next;
	const char *name;
	const char *value;
};

struct http_res {
	struct http_req *req; /* the one it is a part of */
	struct header *headers;
	struct MHD_Response *ready; /* waits for the listening thread to send it */
	int status;
	unsigned retry_after;     /* seconds; 0: not told */
	enum budget_verdict over; /* of answers: why there is none */
	bool header_lost;         /* one could not be set: better no answer than half of one */
	bool fed;                 /* the stream goes on after the handler */
	bool silent;              /* to a HEAD nothing is sent but headers */
	struct stream *stream;    /* set by http_begin(): the answer is on its way */
	struct websocket *socket; /* set by websocket_accept(): the connection is its own */
};

enum stage {
	REQUEST_NEW,        /* its first line is known */
	REQUEST_READING,    /* its body is being read */
	REQUEST_DISCARDING, /* it is refused, and its body read and thrown away */
	REQUEST_WORKING,    /* a worker thread has it */
};

struct http_req {
	struct http_server *server;
	struct MHD_Connection *connection; /* for lookups; NULL once it may end under us */
	struct task task;
	atomic_int holders;
	enum stage stage;
	struct visit *visit; /* its connection's */
	bool counted;        /* among those the server waits for when it stops */
	struct route_match match;
	const char *method;
	const char *path;  /* as sent, without the query */
	const char *query; /* as sent; "" when there is none */
	char *decoded;     /* room for the decoded path */
	void *user;
	bool admitted;       /* authorize() let it through */
	const char *account; /* who pays for it; NULL: nobody has said so */
	struct bill body_bill, stream_bill;
	struct arena *arena;
	struct header *kept_headers; /* copies, once connection is NULL */
	struct buf body;
	uint64_t discarded;
	json_t *problems; /* found in the body or query */
	struct http_res res;
	char id[REQUEST_ID_SIZE];  /* made when it is asked for, */
	char peer[PEER_TEXT_SIZE]; /* and so are these */
	char source[PEER_TEXT_SIZE];
	bool proxied; /* by one of ours; known with peer */
	char text[];  /* of path, query and decoded */
};

/* target is what stands in the request line. NULL when out of memory. */
struct http_req *request_new(struct http_server *server, struct MHD_Connection *connection,
			     const char *target);
void request_drop(struct http_req *req); /* by one of its holders */

/* Copies what lookups find, for the time when connection is NULL. Fails with MEMORY. */
int request_keep(struct http_req *req, struct err *e);

/* Whose share of a budget its use counts in, by what is known of it now. */
struct payer request_payer(const struct http_req *req);
/* Tells who is refused for want of room that it may come again. `what` is what there are too many
 * of. */
int request_over_budget(struct http_req *req, enum budget_verdict verdict, const char *what,
			struct err *e);

/* One more stream, until the request is over. Fails as request_over_budget() does. */
int request_count_stream(struct http_req *req, struct err *e);

/* Whether the path and the query are UTF-8, and the query can be decoded. */
bool request_path_valid(const struct http_req *req);
bool request_query_valid(const struct http_req *req);

/* Takes the response, NULL where making it failed: the answer is 101. */
int respond_upgrade(struct http_res *res, struct MHD_Response *response);

/* Of a WebSocket's connection: it is over, opened or not. */
void websocket_gone(struct websocket *ws);
void websocket_free(struct websocket *ws);

/* Makes the error the answer, unless one is on its way; then that is cut off. */
void respond_error(struct http_req *req, const struct err *e);

/* What the server is asked by its requests. */
const struct http_server_options *server_options(const struct http_server *server);
const struct networks *server_proxies(const struct http_server *server);
struct spool *server_spool(struct http_server *server);
struct purse *server_purse(struct http_server *server);
const atomic_bool *server_aborting(const struct http_server *server);
bool server_stopping(const struct http_server *server);
void server_request_over(struct http_server *server);
uint64_t server_next_id(struct http_server *server, const char **ret_prefix);

#endif
