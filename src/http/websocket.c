/* SPDX-License-Identifier: Apache-2.0 */
#include "http/websocket.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "base/work.h"
#include "http/call.h"
#include "http/frame.h"
#include "http/request.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
	LOOK_UP_MS = 500,       /* how often who waits asks whether it should go on */
	PING_MS = 20 * 1000,    /* silence before a ping */
	SILENCE_MS = 60 * 1000, /* and before the client is taken for gone */
	GOODBYE_MS = 2000,      /* what the client gets to answer ours */
	RELAY_OPEN_MS = 10 * 1000,
	INPUT_SIZE = 16 << 10,
};

enum state {
	OPENING, /* the 101 is on its way */
	OPEN,
	GONE, /* the connection ended before it was open */
};

struct websocket {
	struct http_server *server;
	pthread_mutex_t lock; /* of state */
	pthread_cond_t changed;
	enum state state;
	int fd;
	struct MHD_UpgradeResponseHandle *handle;

	char *input;
	size_t input_at, input_len;
	bool in_frame;
	struct frame frame; /* the one that is being received, */
	uint64_t taken;     /* and how much of its payload was */
	unsigned
		message; /* FRAME_TEXT or FRAME_BINARY: what a continuation goes on with; 0: none */
	struct buf text; /* a text message, */
	struct buf control; /* or a control frame's payload, as far as it has come */
	atomic_int_fast64_t heard_at, pinged_at; /* monotonic ms */

	pthread_mutex_t sending; /* a frame is sent whole */
	atomic_bool said_close;
	bool heard_close;
	bool relayed;                   /* pings are another server's to send */
	atomic_int_fast64_t closing_at; /* when it was said; 0: not yet */
	atomic_bool hung_up;
};

/* --- waiting ------------------------------------------------------------------------------ */

static int check_over(const struct websocket *ws, struct err *e)
{
	int64_t closing_at = atomic_load(&ws->closing_at);

	if (atomic_load(&ws->hung_up))
		return err_set(e, ERR_ABORTED, "the WebSocket was hung up");
	if (server_stopping(ws->server))
		return err_set(e, ERR_ABORTED, "the server is stopping");
	if (closing_at && clock_monotonic_ms() - closing_at > GOODBYE_MS)
		return err_set(e, ERR_TIMEOUT, "the client did not answer our goodbye");
	return 0;
}

static int wait_readable(const struct websocket *ws, struct err *e)
{
	struct pollfd fd = { .fd = ws->fd, .events = POLLIN };
	int r;

	while ((r = check_over(ws, e)) == 0 && poll(&fd, 1, LOOK_UP_MS) <= 0)
		if (!ws->relayed && clock_monotonic_ms() - atomic_load(&ws->heard_at) > SILENCE_MS)
			return err_set(e, ERR_TIMEOUT, "the client answers no ping");
	return r;
}

static int wait_writable(const struct websocket *ws, struct err *e)
{
	struct pollfd fd = { .fd = ws->fd, .events = POLLOUT };
	int64_t begin = clock_monotonic_ms();
	int r;

	while ((r = check_over(ws, e)) == 0 && poll(&fd, 1, LOOK_UP_MS) <= 0)
		if (clock_monotonic_ms() - begin > SILENCE_MS)
			return err_set(e, ERR_TIMEOUT, "the client takes nothing any more");
	return r;
}

/* --- sending ------------------------------------------------------------------------------ */

static int send_parts(const struct websocket *ws, struct iovec *parts, size_t count, struct err *e)
{
	while (count > 0) {
		struct msghdr message = { .msg_iov = parts, .msg_iovlen = count };
		ssize_t n = sendmsg(ws->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_set(e, ERR_TRANSPORT, "the client hung up");
		if (n < 0 && wait_writable(ws, e) < 0)
			return -(int)e->code;
		for (; n > 0 && count > 0; parts++, count--) {
			size_t took = (size_t)n < parts->iov_len ? (size_t)n : parts->iov_len;

			parts->iov_base = (char *)parts->iov_base + took;
			parts->iov_len -= took;
			n -= (ssize_t)took;
			if (parts->iov_len > 0)
				break;
		}
		for (; count > 0 && parts->iov_len == 0; count--)
			parts++;
	}
	return 0;
}

static int send_locked(struct websocket *ws, enum frame_opcode opcode, const void *bytes,
		       size_t len, struct err *e)
{
	const struct frame frame = { .final = true, .opcode = opcode, .size = len };
	unsigned char head[FRAME_HEAD_MAX];
	struct iovec parts[] = {
		{ head, frame_put_head(&frame, head) },
		{ (void *)(uintptr_t)bytes, len },
	};

	if (atomic_load(&ws->said_close))
		return err_set(e, ERR_ABORTED, "the WebSocket is being closed");
	return send_parts(ws, parts, ARRAY_SIZE(parts), e);
}

static int send_frame(struct websocket *ws, enum frame_opcode opcode, const void *bytes, size_t len,
		      struct err *e)
{
	int r;

	pthread_mutex_lock(&ws->sending);
	r = send_locked(ws, opcode, bytes, len, e);
	pthread_mutex_unlock(&ws->sending);
	return r;
}

int websocket_send_binary(struct websocket *ws, const void *bytes, size_t len, struct err *e)
{
	return send_frame(ws, FRAME_BINARY, bytes, len, e);
}

int websocket_send_text(struct websocket *ws, const char *text, struct err *e)
{
	return send_frame(ws, FRAME_TEXT, text, strlen(text), e);
}

int websocket_keep_alive(struct websocket *ws, struct err *e)
{
	int64_t now = clock_monotonic_ms();

	if (now - atomic_load(&ws->heard_at) < PING_MS ||
	    now - atomic_load(&ws->pinged_at) < PING_MS)
		return 0;
	atomic_store(&ws->pinged_at, now);
	return send_frame(ws, FRAME_PING, "", 0, e);
}

void websocket_say_close(struct websocket *ws, enum websocket_code code, const char *reason)
{
	unsigned char payload[FRAME_CONTROL_MAX];
	size_t len = strnlen(reason, sizeof(payload) - 2);
	struct err lost = ERR_INIT; /* it has gone already: then nobody is there to be told */

	payload[0] = (unsigned char)(code >> 8);
	payload[1] = (unsigned char)code;
	memcpy(payload + 2, reason, len);
	pthread_mutex_lock(&ws->sending);
	send_locked(ws, FRAME_CLOSE, payload, len + 2, &lost);
	atomic_store(&ws->said_close, true);
	pthread_mutex_unlock(&ws->sending);
	atomic_store(&ws->closing_at, clock_monotonic_ms());
}

/* --- receiving ---------------------------------------------------------------------------- */

static int refuse(struct websocket *ws, enum websocket_code code, struct err *e, const char *why)
{
	websocket_say_close(ws, code, why);
	return err_set(e, ERR_PROTOCOL, "the client broke the WebSocket protocol: %s", why);
}

/* At least one byte is in the input afterwards. */
static int fill(struct websocket *ws, struct err *e)
{
	while (ws->input_at == ws->input_len) {
		ssize_t n = recv(ws->fd, ws->input, INPUT_SIZE, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			return err_set(e, ERR_TRANSPORT, "the client hung up");
		if (n < 0 && wait_readable(ws, e) < 0)
			return -(int)e->code;
		if (n > 0) {
			atomic_store(&ws->heard_at, clock_monotonic_ms());
			ws->input_at = 0;
			ws->input_len = (size_t)n;
		}
	}
	return 0;
}

/* What is wrong with the frame; NULL: nothing. */
static const char *fault_of(const struct websocket *ws)
{
	const struct frame *frame = &ws->frame;

	if (frame->reserved)
		return "reserved bits are set";
	if (!frame->masked)
		return "a frame is not masked";
	if (frame->opcode >= FRAME_CLOSE)
		return frame->opcode > FRAME_PONG        ? "an unknown control frame"
		       : !frame->final                   ? "a control frame in parts"
		       : frame->size > FRAME_CONTROL_MAX ? "a control frame too long"
							 : NULL;
	if (frame->opcode > FRAME_BINARY)
		return "an unknown frame";
	if (frame->opcode == FRAME_CONTINUATION)
		return ws->message ? NULL : "a continuation of nothing";
	return ws->message ? "a message inside another" : NULL;
}

static int begin_frame(struct websocket *ws, struct err *e)
{
	unsigned char head[FRAME_HEAD_MAX];
	const char *fault;
	size_t len = 0;
	int r;

	while (frame_read_head(head, len, &ws->frame) == 0) {
		r = fill(ws, e);
		if (r < 0)
			return r;
		head[len++] = (unsigned char)ws->input[ws->input_at++];
	}
	fault = fault_of(ws);
	if (fault)
		return refuse(ws, WEBSOCKET_PROTOCOL, e, fault);
	if (ws->frame.opcode == FRAME_TEXT || ws->frame.opcode == FRAME_BINARY)
		ws->message = ws->frame.opcode;
	ws->in_frame = true;
	ws->taken = 0;
	return 0;
}

/* The next bytes of the frame's payload, unmasked in place; none where it has ended. */
static int take_payload(struct websocket *ws, struct websocket_part *part, struct err *e)
{
	uint64_t left = ws->frame.size - ws->taken;
	char *bytes;
	size_t len;
	int r;

	*part = (struct websocket_part){ .kind = WEBSOCKET_BINARY, .bytes = "" };
	if (left == 0)
		return 0;
	r = fill(ws, e);
	if (r < 0)
		return r;
	bytes = ws->input + ws->input_at;
	len = ws->input_len - ws->input_at;
	if (len > left)
		len = (size_t)left;
	frame_mask(ws->frame.mask, ws->taken, bytes, len);
	ws->input_at += len;
	ws->taken += len;
	part->bytes = bytes;
	part->len = len;
	return 0;
}

/* 1: the client said goodbye. */
static int end_control(struct websocket *ws, struct err *e)
{
	unsigned code = WEBSOCKET_NORMAL;
	int r = buf_check(&ws->control, e);

	if (r < 0)
		return r;
	switch (ws->frame.opcode) {
	case FRAME_PING:
		r = send_frame(ws, FRAME_PONG, ws->control.data, ws->control.len, e);
		break;
	case FRAME_CLOSE:
		if (ws->control.len >= 2)
			code = (unsigned)(unsigned char)ws->control.data[0] << 8 |
			       (unsigned char)ws->control.data[1];
		ws->heard_close = true;
		if (!atomic_load(&ws->said_close))
			websocket_say_close(ws, (enum websocket_code)code, "");
		r = 1;
		break;
	case FRAME_PONG: break;
	}
	buf_clear(&ws->control);
	return r;
}

static bool is_utf8(const char *bytes, size_t len)
{
	AUTO(json_t *, json_decrefp) text = json_stringn(bytes, len);

	return text;
}

static int end_text(struct websocket *ws, struct websocket_part *part, struct err *e)
{
	if (ws->text.over_limit)
		return refuse(ws, WEBSOCKET_TOO_LARGE, e, "a text message too long");
	if (buf_failed(&ws->text))
		return err_memory(e);
	if (!is_utf8(ws->text.data, ws->text.len))
		return refuse(ws, WEBSOCKET_NOT_TEXT, e, "a text message that is not UTF-8");
	*part = (struct websocket_part){ .kind = WEBSOCKET_TEXT,
					 .bytes = ws->text.data,
					 .len = ws->text.len };
	return 1;
}

/* One step: 1 when there is something for the caller in part. */
static int receive(struct websocket *ws, struct websocket_part *part, struct err *e)
{
	const struct frame *frame = &ws->frame;
	bool is_message_end;
	int r = ws->in_frame ? 0 : begin_frame(ws, e);

	if (r == 0)
		r = take_payload(ws, part, e);
	if (r < 0)
		return r;
	ws->in_frame = ws->taken < frame->size;
	if (frame->opcode >= FRAME_CLOSE) {
		buf_put(&ws->control, part->bytes, part->len);
		part->kind = WEBSOCKET_CLOSED;
		return ws->in_frame ? 0 : end_control(ws, e);
	}
	is_message_end = !ws->in_frame && frame->final;
	if (ws->message == FRAME_TEXT) {
		buf_put(&ws->text, part->bytes, part->len);
		r = is_message_end ? end_text(ws, part, e) : 0;
	} else {
		r = part->len > 0;
	}
	if (is_message_end)
		ws->message = 0;
	return r;
}

int websocket_receive(struct websocket *ws, struct websocket_part *ret_part, struct err *e)
{
	int r;

	if (ws->message == 0) { /* what was told last is used up */
		buf_done(&ws->text);
		ws->text.limit = WEBSOCKET_TEXT_MAX;
	}
	do
		r = receive(ws, ret_part, e);
	while (r == 0);
	return r < 0 ? r : 0;
}

/* --- its life ----------------------------------------------------------------------------- */

static void set_state(struct websocket *ws, enum state state)
{
	pthread_mutex_lock(&ws->lock);
	if (ws->state == OPENING)
		ws->state = state;
	pthread_cond_broadcast(&ws->changed);
	pthread_mutex_unlock(&ws->lock);
}

void websocket_gone(struct websocket *ws)
{
	set_state(ws, GONE);
}

void websocket_free(struct websocket *ws)
{
	if (!ws)
		return;
	buf_done(&ws->text);
	buf_done(&ws->control);
	pthread_cond_destroy(&ws->changed);
	pthread_mutex_destroy(&ws->lock);
	pthread_mutex_destroy(&ws->sending);
	free(ws->input);
	free(ws);
}

static void websocket_freep(struct websocket **ws)
{
	websocket_free(*ws);
}

/* libmicrohttpd has sent the 101, and hands the connection over with what came behind the request.
 */
static void on_upgraded(void *cookie, struct MHD_Connection *connection, void *req,
			const char *early, size_t early_len, MHD_socket fd,
			struct MHD_UpgradeResponseHandle *handle)
{
	struct websocket *ws = cookie;

	(void)connection;
	(void)req;
	ws->fd = fd;
	ws->handle = handle;
	ws->input_len = early_len < INPUT_SIZE ? early_len : INPUT_SIZE;
	memcpy(ws->input, early, ws->input_len);
	if (early_len > INPUT_SIZE) /* more than a connection's memory holds: it can't be */
		atomic_store(&ws->hung_up, true);
	set_state(ws, OPEN);
}

static int websocket_new(struct http_server *server, struct websocket **ret_ws, struct err *e)
{
	AUTO(struct websocket *, websocket_freep) ws = calloc(1, sizeof(*ws));

	if (!ws)
		return err_memory(e);
	ws->server = server;
	ws->text = (struct buf)BUF_LIMITED(WEBSOCKET_TEXT_MAX);
	ws->control = (struct buf)BUF_INIT;
	ws->fd = -1;
	ws->input = malloc(INPUT_SIZE);
	atomic_store(&ws->heard_at, clock_monotonic_ms());
	pthread_mutex_init(&ws->lock, NULL);
	pthread_mutex_init(&ws->sending, NULL);
	pthread_cond_init(&ws->changed, NULL);
	if (!ws->input)
		return err_memory(e);
	*ret_ws = TAKE(ws);
	return 0;
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *c = list; c && *c; c += strcspn(c, ",")) {
		c += strspn(c, ", \t");
		if (strncasecmp(c, word, len) == 0 && (c[len] == '\0' || strchr(", \t", c[len])))
			return true;
	}
	return false;
}

static int check_request(const struct http_req *req, struct err *e)
{
	const char *version = http_header(req, "Sec-WebSocket-Version");
	const char *key = http_header(req, "Sec-WebSocket-Key");

	if (!has_word(http_header(req, "Upgrade"), "websocket") ||
	    !has_word(http_header(req, "Connection"), "upgrade") || !key ||
	    strcmp(req->method, "GET") != 0)
		return err_set(e, ERR_INVALID, "'%s' is a WebSocket", req->path);
	if (!version || strcmp(version, "13") != 0)
		return err_set(e, ERR_UPGRADE, "version %s of WebSockets is not spoken here: 13 is",
			       version ? version : "(none)");
	if (strlen(key) != FRAME_KEY_LEN)
		return err_set(e, ERR_INVALID, "the WebSocket key is not 16 bytes in base64");
	return 0;
}

static struct MHD_Response *upgrade_response(struct http_req *req, struct websocket *ws)
{
	struct MHD_Response *response = MHD_create_response_for_upgrade(on_upgraded, ws);
	char proof[FRAME_PROOF_SIZE];

	if (!response)
		return NULL;
	frame_proof(http_header(req, "Sec-WebSocket-Key"), proof);
	MHD_add_response_header(response, MHD_HTTP_HEADER_UPGRADE, "websocket");
	MHD_add_response_header(response, "Sec-WebSocket-Accept", proof);
	return response;
}

int websocket_accept(struct http_req *req, struct http_res *res, struct websocket **ret_ws,
		     struct err *e)
{
	struct MHD_Connection *connection = req->connection;
	struct websocket *ws = NULL;
	int r;

	if (req->stage != REQUEST_WORKING)
		return err_set(e, ERR_INTERNAL, "a quick route can't take the connection");
	r = check_request(req, e);
	if (r == 0)
		r = request_keep(req, e);
	if (r == 0)
		r = request_count_stream(req, e);
	if (r < 0)
		return r;
	r = websocket_new(req->server, &ws, e);
	if (r < 0)
		return r;
	r = respond_upgrade(res, upgrade_response(req, ws));
	if (r < 0) {
		websocket_free(ws);
		return err_set(e, (enum err_code) - r, "accept the WebSocket");
	}
	res->socket = ws;
	MHD_resume_connection(connection);
	pthread_mutex_lock(&ws->lock);
	while (ws->state == OPENING)
		pthread_cond_wait(&ws->changed, &ws->lock);
	pthread_mutex_unlock(&ws->lock);
	if (ws->state == GONE)
		return err_set(e, ERR_ABORTED, "the client went away");
	*ret_ws = ws;
	return 0;
}

void websocket_hang_up(struct websocket *ws)
{
	atomic_store(&ws->hung_up, true);
}

/* What the client still says is read, so that its end doesn't lose what we said last. */
void websocket_close(struct websocket *ws, enum websocket_code code, const char *reason)
{
	struct websocket_part part;
	struct err over = ERR_INIT;

	if (!atomic_load(&ws->said_close))
		websocket_say_close(ws, code, reason);
	while (!ws->heard_close && websocket_receive(ws, &part, &over) == 0)
		;
	MHD_upgrade_action(ws->handle, MHD_UPGRADE_ACTION_CLOSE);
}

/* --- on to another server ----------------------------------------------------------------- */

struct relay {
	struct websocket *ws;
	struct http_tunnel *tunnel;
};

static int relay_to_server(struct relay *relay, struct err *e)
{
	struct websocket *ws = relay->ws;
	int r;

	while ((r = fill(ws, e)) == 0) {
		size_t at = ws->input_at;

		ws->input_at = ws->input_len;
		r = http_tunnel_write(relay->tunnel, ws->input + at, ws->input_len - at, e);
		if (r < 0)
			break;
	}
	return r;
}

static int relay_to_client(struct relay *relay, struct err *e)
{
	char bytes[INPUT_SIZE];
	size_t len;
	int r;

	for (;;) {
		struct iovec part = { .iov_base = bytes };

		r = http_tunnel_read(relay->tunnel, bytes, sizeof(bytes), LOOK_UP_MS, &len, e);
		if (r == -ERR_TIMEOUT) {
			r = check_over(relay->ws, e);
			if (r < 0)
				return r;
			continue;
		}
		if (r < 0 || len == 0)
			return r;
		part.iov_len = len;
		r = send_parts(relay->ws, &part, 1, e);
		if (r < 0)
			return r;
	}
}

/* A direction that has ended ends the other. */
static int relay_direction(void *cookie, size_t i, struct err *e)
{
	struct relay *relay = cookie;
	int r = i == 0 ? relay_to_server(relay, e) : relay_to_client(relay, e);

	websocket_hang_up(relay->ws);
	http_tunnel_stop(relay->tunnel);
	return r;
}

static int open_relay(const struct http_req *req, struct http_client *client, const char *path,
		      struct http_tunnel **ret_tunnel, struct http_reply *ret_reply, struct err *e)
{
	static const char name[] = "Sec-WebSocket-Key: ";
	char key[sizeof(name) + FRAME_KEY_LEN];
	const char *const headers[] = { key, "Sec-WebSocket-Version: 13", NULL };
	const struct http_call call = {
		.method = "GET", .path = path, .headers = headers, .timeout_ms = RELAY_OPEN_MS
	};

	snprintf(key, sizeof(key), "%s%s", name, http_header(req, "Sec-WebSocket-Key"));
	return http_tunnel_open(client, &call, "websocket", ret_tunnel, ret_reply, e);
}

int websocket_relay(struct http_req *req, struct http_res *res, struct http_client *client,
		    const char *path, struct http_reply *ret_reply, struct err *e)
{
	struct relay relay = { .ws = NULL };
	struct err over = ERR_INIT;
	int r;

	r = check_request(req, e);
	if (r == 0)
		r = open_relay(req, client, path, &relay.tunnel, ret_reply, e);
	if (r < 0)
		return r;
	r = websocket_accept(req, res, &relay.ws, e);
	if (r == 0) {
		relay.ws->relayed = true;
		work_each_always(2, 2, relay_direction, &relay, &over);
		MHD_upgrade_action(relay.ws->handle, MHD_UPGRADE_ACTION_CLOSE);
	}
	http_tunnel_close(relay.tunnel);
	return r;
}
