/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The serving side of a WebSocket (RFC 6455), for handlers on worker threads.
 *
 * A handler accepts, which answers the request with 101; from then on it has the connection, until
 * it returns. One thread may receive while others send. Pings are answered here, and sent to a
 * client that is silent.
 */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct http_client;
struct http_reply;
struct http_req;
struct http_res;
struct websocket;

enum websocket_code {
	WEBSOCKET_NORMAL = 1000,
	WEBSOCKET_GOING_AWAY = 1001,
	WEBSOCKET_PROTOCOL = 1002,
	WEBSOCKET_NOT_TEXT = 1007,
	WEBSOCKET_POLICY = 1008,
	WEBSOCKET_TOO_LARGE = 1009,
	WEBSOCKET_INTERNAL = 1011,
};

/*
 * Fails with INVALID (the request is for no WebSocket, or one of another version) or ABORTED (the
 * client went away). The socket is the request's; websocket_close() is due before the handler
 * returns.
 */
int websocket_accept(struct http_req *req, struct http_res *res, struct websocket **ret_ws,
		     struct err *e);

enum websocket_kind {
	WEBSOCKET_BINARY, /* a part of a message, as it came */
	WEBSOCKET_TEXT,   /* a whole message, NUL-terminated */
	WEBSOCKET_CLOSED, /* the client's goodbye */
};

struct websocket_part {
	enum websocket_kind kind;
	const char *bytes; /* borrowed until the next call */
	size_t len;
};

enum { WEBSOCKET_TEXT_MAX = 4096 };

/*
 * Waits for what comes next. Fails with PROTOCOL (then told to the client), TIMEOUT (the client
 * answers no ping), TRANSPORT (it hung up) or ABORTED (the server stops, or websocket_hang_up()).
 */
int websocket_receive(struct websocket *ws, struct websocket_part *ret_part, struct err *e);

/* Sends a message; waits while the client is slow. Fails with TIMEOUT, TRANSPORT or ABORTED. */
int websocket_send_binary(struct websocket *ws, const void *bytes, size_t len, struct err *e);
int websocket_send_text(struct websocket *ws, const char *text, struct err *e);

/* Sends a ping to a client that has been silent for a while. To be called every second or so. */
int websocket_keep_alive(struct websocket *ws, struct err *e);

/* Says goodbye, once; receiving goes on until the client has said it too, or some seconds. */
void websocket_say_close(struct websocket *ws, enum websocket_code code, const char *reason);

/* From any thread: a receive or send under way fails soon. */
void websocket_hang_up(struct websocket *ws);

/* Ends the connection, with a goodbye where none was said. */
void websocket_close(struct websocket *ws, enum websocket_code code, const char *reason);

/*
 * The WebSocket is another server's, at that path: what either side says goes to the other as it
 * comes, a part at a time, until one of them hangs up. Returns then; how it ended is no failure.
 * Fails as websocket_accept() does, and as http_tunnel_open() does where the other server can't be
 * had: with PROTOCOL its refusal is in ret_reply.
 */
int websocket_relay(struct http_req *req, struct http_res *res, struct http_client *client,
		    const char *path, struct http_reply *ret_reply, struct err *e);

#endif
