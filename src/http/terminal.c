/* SPDX-License-Identifier: Apache-2.0 */
#include "http/terminal.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "http/call.h"
#include "http/frame.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

enum {
	INPUT_SIZE = 16 << 10,
	OUTPUT_SIZE = 16 << 10,
	SILENCE_MS = 90 * 1000, /* servers send a ping every 20 s */
	CONTROL_TEXT_MAX = 4096,
};

struct terminal {
	struct http_tunnel *tunnel;
	pthread_mutex_t sending; /* a frame is sent whole */

	char input[INPUT_SIZE];
	size_t input_at, input_len;
	bool in_frame;
	struct frame frame; /* the one that is being received, */
	uint64_t taken;     /* and how much of it was */
	unsigned message;   /* FRAME_TEXT or FRAME_BINARY, which a continuation goes on with */
	struct buf control; /* a control frame's payload, */
	struct buf text;    /* or a text message */
	int64_t heard_at;   /* monotonic ms */

	bool ended;
	int exit_code;
};

/* --- sending ------------------------------------------------------------------------------ */

static int make_random(void *bytes, size_t len, struct err *e)
{
	return getrandom(bytes, len, 0) == (ssize_t)len
		       ? 0
		       : err_errno(e, ERR_INTERNAL, "get random bytes");
}

/* At most OUTPUT_SIZE bytes. */
static int send_frame(struct terminal *t, unsigned opcode, const void *bytes, size_t len,
		      struct err *e)
{
	struct frame frame = { .final = true, .masked = true, .opcode = opcode, .size = len };
	char part[FRAME_HEAD_MAX + OUTPUT_SIZE];
	size_t head;
	int r = make_random(frame.mask, sizeof(frame.mask), e);

	if (r < 0)
		return r;
	head = frame_put_head(&frame, (unsigned char *)part);
	if (len > 0)
		memcpy(part + head, bytes, len);
	frame_mask(frame.mask, 0, part + head, len);
	pthread_mutex_lock(&t->sending);
	r = http_tunnel_write(t->tunnel, part, head + len, e);
	pthread_mutex_unlock(&t->sending);
	return r;
}

int terminal_write(struct terminal *terminal, const void *bytes, size_t len, struct err *e)
{
	const char *next = bytes;
	int r = 0;

	while (r == 0 && len > 0) {
		size_t part = len < OUTPUT_SIZE ? len : OUTPUT_SIZE;

		r = send_frame(terminal, FRAME_BINARY, next, part, e);
		next += part;
		len -= part;
	}
	return r;
}

int terminal_resize(struct terminal *terminal, unsigned columns, unsigned rows, struct err *e)
{
	char text[80];
	int len = snprintf(text, sizeof(text), "{\"type\":\"resize\",\"cols\":%u,\"rows\":%u}",
			   columns, rows);

	return send_frame(terminal, FRAME_TEXT, text, (size_t)len, e);
}

/* --- receiving ---------------------------------------------------------------------------- */

static int broken(struct err *e, const char *why)
{
	return err_set(e, ERR_PROTOCOL, "the server broke the WebSocket protocol: %s", why);
}

/* More bytes are in the input afterwards; -ERR_TIMEOUT leaves everything as it is. */
static int fill(struct terminal *t, int64_t deadline, struct err *e)
{
	int64_t now = clock_monotonic_ms(), lost_at = t->heard_at + SILENCE_MS;
	int64_t until = deadline >= 0 && deadline < lost_at ? deadline : lost_at;
	size_t len;
	int r;

	memmove(t->input, t->input + t->input_at, t->input_len - t->input_at);
	t->input_len -= t->input_at;
	t->input_at = 0;
	r = http_tunnel_read(t->tunnel, t->input + t->input_len, INPUT_SIZE - t->input_len,
			     until > now ? (int)(until - now) : 0, &len, e);
	if (r == -ERR_TIMEOUT && clock_monotonic_ms() >= lost_at)
		return err_set(e, ERR_TRANSPORT, "the server is silent");
	if (r < 0)
		return r;
	if (len == 0)
		return err_set(e, ERR_TRANSPORT, "the server hung up");
	t->heard_at = clock_monotonic_ms();
	t->input_len += len;
	return 0;
}

/* What is wrong with the frame; NULL: nothing. */
static const char *fault_of(const struct terminal *t)
{
	const struct frame *frame = &t->frame;

	if (frame->reserved || frame->masked)
		return "a frame's head";
	if (frame->opcode >= FRAME_CLOSE)
		return frame->opcode > FRAME_PONG || !frame->final ||
				       frame->size > FRAME_CONTROL_MAX
			       ? "a control frame"
			       : NULL;
	if (frame->opcode > FRAME_BINARY)
		return "an unknown frame";
	return (frame->opcode == FRAME_CONTINUATION) == (t->message != 0)
		       ? NULL
		       : "messages that are mixed up";
}

static int begin_frame(struct terminal *t, int64_t deadline, struct err *e)
{
	const char *fault;
	size_t head;
	int r;

	while ((head = frame_read_head(t->input + t->input_at, t->input_len - t->input_at,
				       &t->frame)) == 0) {
		r = fill(t, deadline, e);
		if (r < 0)
			return r;
	}
	fault = fault_of(t);
	if (fault)
		return broken(e, fault);
	t->input_at += head;
	t->in_frame = true;
	t->taken = 0;
	if (t->frame.opcode == FRAME_TEXT || t->frame.opcode == FRAME_BINARY)
		t->message = t->frame.opcode;
	return 0;
}

static void end_frame(struct terminal *t)
{
	t->in_frame = false;
	if (t->frame.final && t->frame.opcode < FRAME_CLOSE)
		t->message = 0;
}

/* The frame's next bytes, at most so many; none where it has ended. Borrowed until the next fill.
 */
static int take(struct terminal *t, size_t size, int64_t deadline, const char **ret_bytes,
		size_t *ret_len, struct err *e)
{
	uint64_t left = t->frame.size - t->taken;
	size_t len;
	int r;

	if (left > 0 && t->input_at == t->input_len) {
		r = fill(t, deadline, e);
		if (r < 0)
			return r;
	}
	len = t->input_len - t->input_at;
	len = len < left ? len : (size_t)left;
	len = len < size ? len : size;
	*ret_bytes = t->input + t->input_at;
	*ret_len = len;
	t->input_at += len;
	t->taken += len;
	return 0;
}

static int take_whole(struct terminal *t, struct buf *kept, int64_t deadline, struct err *e)
{
	const char *bytes;
	size_t len;
	int r = 0;

	while (r == 0 && t->taken < t->frame.size) {
		r = take(t, INPUT_SIZE, deadline, &bytes, &len, e);
		if (r == 0)
			buf_put(kept, bytes, len);
	}
	return r < 0 ? r : buf_check(kept, e);
}

/* What we don't know we let be: the next version of a server may say more. */
static void hear(struct terminal *t)
{
	AUTO(json_t *, json_decrefp) json = json_loadb(t->text.data, t->text.len, 0, NULL);
	const char *type;
	int code;

	if (json_unpack(json, "{s:s,s:i}", "type", &type, "code", &code) == 0 &&
	    strcmp(type, "exit") == 0)
		t->exit_code = code;
	buf_clear(&t->text);
}

static int take_text(struct terminal *t, int64_t deadline, struct err *e)
{
	int r = take_whole(t, &t->text, deadline, e);

	if (r == 0 && t->frame.final)
		hear(t);
	return r;
}

static int take_control(struct terminal *t, int64_t deadline, struct err *e)
{
	int r = take_whole(t, &t->control, deadline, e);

	if (r == 0 && t->frame.opcode == FRAME_PING)
		r = send_frame(t, FRAME_PONG, t->control.data, t->control.len, e);
	if (r == 0 && t->frame.opcode == FRAME_CLOSE) {
		struct err gone = ERR_INIT; /* it said goodbye: whether it hears ours is its own */

		send_frame(t, FRAME_CLOSE, t->control.data, t->control.len, &gone);
		t->ended = true;
	}
	if (r == 0)
		buf_clear(&t->control);
	return r;
}

static int take_bytes(struct terminal *t, void *bytes, size_t size, int64_t deadline,
		      size_t *ret_len, struct err *e)
{
	const char *next;
	int r = take(t, size, deadline, &next, ret_len, e);

	if (r == 0)
		memcpy(bytes, next, *ret_len);
	return r;
}

/* One step: bytes for the caller, or a step towards some. */
static int receive(struct terminal *t, void *bytes, size_t size, int64_t deadline, size_t *ret_len,
		   struct err *e)
{
	int r = t->in_frame ? 0 : begin_frame(t, deadline, e);

	if (r < 0)
		return r;
	if (t->frame.opcode >= FRAME_CLOSE)
		r = take_control(t, deadline, e);
	else if (t->message == FRAME_TEXT)
		r = take_text(t, deadline, e);
	else
		r = take_bytes(t, bytes, size, deadline, ret_len, e);
	if (r == 0 && t->taken == t->frame.size)
		end_frame(t);
	return r;
}

int terminal_read(struct terminal *terminal, void *bytes, size_t size, int timeout_ms,
		  size_t *ret_len, struct err *e)
{
	int64_t deadline = timeout_ms < 0 ? -1 : clock_monotonic_ms() + timeout_ms;
	size_t len = 0;
	int r = 0;

	while (r == 0 && len == 0 && !terminal->ended)
		r = receive(terminal, bytes, size, deadline, &len, e);
	if (r == 0)
		*ret_len = len;
	return r;
}

int terminal_exit_code(const struct terminal *terminal)
{
	return terminal->exit_code;
}

/* --- its life ----------------------------------------------------------------------------- */

/* 16 random bytes in base64: all but the last of its 22 digits have 6 bits, that one has 2. */
static int make_key(char key[FRAME_KEY_LEN + 1], struct err *e)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	enum { DIGITS = 22 };
	unsigned char random[DIGITS];
	int r = make_random(random, sizeof(random), e);

	for (size_t i = 0; i < DIGITS; i++)
		key[i] = digits[i == DIGITS - 1 ? random[i] & 0x30 : random[i] & 63];
	memcpy(key + DIGITS, "==", sizeof("=="));
	return r;
}

static int check_proof(const char *key, const struct http_reply *reply, struct err *e)
{
	char expected[FRAME_PROOF_SIZE], told[FRAME_PROOF_SIZE];

	frame_proof(key, expected);
	if (reply->status != 101 ||
	    !http_reply_header(reply, "Sec-WebSocket-Accept", told, sizeof(told)) ||
	    strcmp(told, expected) != 0)
		return broken(e, "it did not mean our request");
	return 0;
}

static int open_tunnel(struct http_client *client, const struct http_call *wanted,
		       struct http_tunnel **ret_tunnel, struct http_reply *ret_reply, struct err *e)
{
	static const char name[] = "Sec-WebSocket-Key: ";
	enum { HEADERS_MAX = 8 };
	char key[sizeof(name) + FRAME_KEY_LEN];
	const char *headers[HEADERS_MAX + 1] = { key, "Sec-WebSocket-Version: 13" };
	struct http_call call = *wanted;
	size_t count = 2;
	int r;

	memcpy(key, name, sizeof(name));
	r = make_key(key + sizeof(name) - 1, e);
	for (size_t i = 0; wanted->headers && wanted->headers[i] && count < HEADERS_MAX; i++)
		headers[count++] = wanted->headers[i];
	call.method = "GET";
	call.headers = headers;
	if (r == 0)
		r = http_tunnel_open(client, &call, "websocket", ret_tunnel, ret_reply, e);
	return r < 0 ? r : check_proof(key + sizeof(name) - 1, ret_reply, e);
}

int terminal_open(struct http_client *client, const struct http_call *call,
		  struct terminal **ret_terminal, struct http_reply *ret_reply, struct err *e)
{
	AUTO(struct terminal *, terminal_closep) t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return err_memory(e);
	pthread_mutex_init(&t->sending, NULL);
	t->control = (struct buf)BUF_LIMITED(FRAME_CONTROL_MAX);
	t->text = (struct buf)BUF_LIMITED(CONTROL_TEXT_MAX);
	t->exit_code = TERMINAL_NO_CODE;
	t->heard_at = clock_monotonic_ms();
	r = open_tunnel(client, call, &t->tunnel, ret_reply, e);
	if (r < 0)
		return r;
	*ret_terminal = TAKE(t);
	return 0;
}

void terminal_stop(struct terminal *terminal)
{
	http_tunnel_stop(terminal->tunnel);
}

void terminal_close(struct terminal *terminal)
{
	if (!terminal)
		return;
	http_tunnel_close(terminal->tunnel);
	buf_done(&terminal->control);
	buf_done(&terminal->text);
	pthread_mutex_destroy(&terminal->sending);
	free(terminal);
}
