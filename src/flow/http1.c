/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/conn.h"

#include "base/buf.h"
#include "base/own.h"

#include <string.h>

/* More requests than that whose answers are to come: raw bytes say as much. */
enum { PIPELINE_MAX = 128 };

/* The one that is answered next. */
static struct flow *awaited(const struct tap *tap)
{
	struct flow *flow = tap->first;

	while (flow && flow->halves[TAP_SERVER].is_complete)
		flow = flow->next;
	return flow;
}

static void begin_head(struct side *side)
{
	side->state = SIDE_HEAD;
	side->search = (struct head_search){ 0 };
	side->flow = NULL;
}

static void end_if_complete(struct tap *tap, struct flow *flow)
{
	if (flow->halves[TAP_CLIENT].is_complete && flow->halves[TAP_SERVER].is_complete &&
	    !flow->is_websocket)
		tap_flow_end(tap, flow, NULL);
}

/* A request or a response is all here. */
static void complete(struct tap *tap, enum tap_side at)
{
	struct side *side = &tap->sides[at];
	struct flow *flow = side->flow;
	struct half *half = &flow->halves[at];

	half->is_complete = true;
	half->ended_us = tap->now_us;
	begin_head(side);
	if (at == TAP_CLIENT && (flow->wants_upgrade || flow->is_connect) &&
	    !flow->halves[TAP_SERVER].is_complete)
		side->state = SIDE_HOLD;
	end_if_complete(tap, flow);
}

static bool put_head(struct tap *tap, struct bytes *into, enum tap_side side,
		     const struct head *head)
{
	struct buf *text = lines_begin(tap->peers.writer);

	head_put(text, side, head, tap->peers.authority);
	return !buf_failed(text) &&
	       bytes_put(lines_ration(tap->peers.writer), into, text->data, text->len);
}

static void begin_body(struct tap *tap, enum tap_side at, enum head_body body, uint64_t length)
{
	struct side *side = &tap->sides[at];

	side->left = length;
	switch (body) {
	case BODY_LENGTH:
		side->state = SIDE_LENGTH;
		flow_body_expect(side->flow, at, length);
		if (length > 0)
			return;
		break;
	case BODY_CHUNKED: side->state = SIDE_CHUNK_LINE; return;
	case BODY_TO_END: side->state = SIDE_TO_END; return;
	case BODY_UNKNOWN:
	case BODY_NONE: break;
	}
	complete(tap, at);
	if (body == BODY_UNKNOWN)
		side->state = SIDE_OPAQUE;
}

/* The flow says why, and the bytes themselves are kept beside it. */
static void doubt(struct tap *tap, enum tap_side side, struct flow *flow, const char *why,
		  const void *before, size_t len)
{
	if (!flow->is_ambiguous)
		flow_say(flow, "ambiguous", why);
	flow->is_ambiguous = true;
	tap_raw_begin(tap, side, before, len, flow->id);
}

/* --- requests ----------------------------------------------------------------------------- */

static bool is_preface(const struct tap *tap, const struct head *head)
{
	return !tap->first && slice_is(head->method, "PRI") && slice_is(head->target, "*") &&
	       slice_is(head->version, "HTTP/2.0") &&
	       head->all.len == strlen("PRI * HTTP/2.0\r\n\r\n");
}

static struct flow *new_request(struct tap *tap, const struct head *head)
{
	struct flow *flow = tap_flow_new(tap, FLOW_HTTP1);

	if (!flow)
		return NULL;
	flow->began_us = tap->sides[TAP_CLIENT].line_us;
	flow->halves[TAP_CLIENT].is_known = true;
	flow->halves[TAP_CLIENT].began_us = flow->began_us;
	flow->is_head = slice_is(head->method, "HEAD");
	flow->is_connect = slice_is(head->method, "CONNECT");
	flow->is_simple = head->is_simple;
	flow->expects = head->expects;
	flow->wants_upgrade = head->upgrade.len > 0;
	return flow;
}

/* `before` of the head's bytes had come earlier. */
static void take_request(struct tap *tap, const struct head *head, size_t before)
{
	struct side *side = &tap->sides[TAP_CLIENT];
	struct flow *flow;

	if (is_preface(tap, head)) {
		if (http2_begin(tap, NULL))
			tap_replay(tap, TAP_SERVER);
		return;
	}
	if (tap->sides[TAP_SERVER].state == SIDE_HOLD || tap->flow_count >= PIPELINE_MAX) {
		tap_give_up(tap, TAP_CLIENT, head->all.at, before,
			    tap->first ? "more requests than can be followed"
				       : "the service spoke unasked");
		return;
	}
	tap->has_begun = true;
	flow = new_request(tap, head);
	if (!flow || !put_head(tap, &flow->halves[TAP_CLIENT].head, TAP_CLIENT, head)) {
		tap_give_up(tap, TAP_CLIENT, head->all.at, before, "no memory for a head");
		return;
	}
	side->flow = flow;
	if (head->ambiguous)
		doubt(tap, TAP_CLIENT, flow, head->ambiguous, head->all.at, before);
	flow->table_size = http2_table_size(head->settings);
	begin_body(tap, TAP_CLIENT, head->body, head->length);
}

/* --- responses ---------------------------------------------------------------------------- */

static void take_interim(struct tap *tap, struct flow *flow, const struct head *head)
{
	struct ration *ration = lines_ration(tap->peers.writer);
	struct bytes *interim = &flow->interim;
	size_t begin = interim->len + (interim->len > 0);

	if (interim->len < HEAD_MAX && bytes_puts(ration, interim, interim->len ? ",{" : "{") &&
	    put_head(tap, interim, TAP_SERVER, head) && bytes_puts(ration, interim, "}")) {
		/* Where a comma stands before each member, there is one too many. */
		memmove(interim->data + begin + 1, interim->data + begin + 2,
			interim->len - begin - 2);
		interim->len--;
	} else {
		interim->len = begin - (begin > 0);
		flow->lost += head->all.len;
	}
	begin_head(&tap->sides[TAP_SERVER]);
}

/* From here on both sides speak something else. */
static void switch_protocol(struct tap *tap, struct flow *flow, const struct head *head)
{
	struct side *client = &tap->sides[TAP_CLIENT];
	enum side_state state = SIDE_OPAQUE;
	char id[FLOW_ID_SIZE];

	memcpy(id, flow->id, sizeof(id));
	tap->sides[TAP_SERVER].flow = NULL;
	if (slice_is(head->upgrade, "websocket") && talk_begin(tap, flow))
		state = SIDE_WEBSOCKET;
	else
		end_if_complete(tap, flow);
	tap->sides[TAP_SERVER].state = state;
	if (state == SIDE_OPAQUE)
		tap_raw_after(tap, TAP_SERVER, id);
	client->state = state;
	tap_replay(tap, TAP_CLIENT);
}

static void switch_to_http2(struct tap *tap, struct flow *flow, const struct head *head)
{
	take_interim(tap, flow, head);
	tap->sides[TAP_SERVER].state = SIDE_HTTP2;
	if (http2_begin(tap, flow))
		tap_replay(tap, TAP_CLIENT);
}

/* A client that held its breath goes on as before. */
static void release_client(struct tap *tap)
{
	if (tap->sides[TAP_CLIENT].state != SIDE_HOLD)
		return;
	begin_head(&tap->sides[TAP_CLIENT]);
	tap_replay(tap, TAP_CLIENT);
}

static enum head_body response_body(const struct flow *flow, const struct head *head)
{
	if (flow->is_head || head->status == 204 || head->status == 304)
		return BODY_NONE;
	return head->body == BODY_NONE ? BODY_TO_END : head->body;
}

static void take_response(struct tap *tap, const struct head *head, size_t before)
{
	struct side *side = &tap->sides[TAP_SERVER];
	struct flow *flow = awaited(tap);
	struct half *half = &flow->halves[TAP_SERVER];
	bool is_switched = head->status == 101 && flow->wants_upgrade && head->upgrade.len > 0;
	bool is_tunnel = flow->is_connect && head->status / 100 == 2;

	if ((is_switched || is_tunnel) && !flow->halves[TAP_CLIENT].is_complete) {
		tap_give_up(tap, TAP_SERVER, head->all.at, before,
			    "another protocol before the request's end");
		return;
	}
	if (is_switched && slice_is(head->upgrade, "h2c") && !flow->is_ambiguous) {
		switch_to_http2(tap, flow, head);
		return;
	}
	if (head->status / 100 == 1 && !is_switched) {
		take_interim(tap, flow, head);
		return;
	}
	half->is_known = true;
	half->began_us = side->line_us;
	side->flow = flow;
	if (!put_head(tap, &half->head, TAP_SERVER, head)) {
		tap_give_up(tap, TAP_SERVER, head->all.at, before, "no memory for a head");
		return;
	}
	if (head->ambiguous && !flow->is_head)
		doubt(tap, TAP_SERVER, flow, head->ambiguous, head->all.at, before);
	if (is_switched || is_tunnel) {
		half->is_complete = true;
		half->ended_us = tap->now_us;
		switch_protocol(tap, flow, head);
	} else {
		if (flow->expects && !flow->halves[TAP_CLIENT].is_complete)
			doubt(tap, TAP_SERVER, flow, "an answer before the body was asked for",
			      head->all.at, before);
		begin_body(tap, TAP_SERVER, response_body(flow, head), head->length);
		release_client(tap);
	}
}

/* --- bytes -------------------------------------------------------------------------------- */

/* An answer without a head, as HTTP/0.9 has it: all of it is the body. */
static void take_simple_response(struct tap *tap, struct flow *flow)
{
	struct side *side = &tap->sides[TAP_SERVER];
	struct half *half = &flow->halves[TAP_SERVER];

	half->is_known = true;
	half->began_us = side->line_us;
	bytes_puts(lines_ration(tap->peers.writer), &half->head,
		   ",\"status\":0,\"reason\":\"\",\"http_version\":\"HTTP/0.9\",\"headers\":[]");
	side->flow = flow;
	side->state = SIDE_TO_END;
	flow_body_put(flow, TAP_SERVER, side->line.data, side->line.len);
	bytes_clear(lines_ration(tap->peers.writer), &side->line);
}

static size_t take_foreign(struct tap *tap, enum tap_side at, size_t len)
{
	struct side *side = &tap->sides[at];
	struct flow *flow = awaited(tap);

	if (at == TAP_SERVER && flow && flow->is_simple) {
		take_simple_response(tap, flow);
		return 0;
	}
	tap_give_up(tap, at, side->line.data, side->line.len,
		    at == TAP_CLIENT ? "what follows is no HTTP" : "the answer is no HTTP");
	return len;
}

static void take(struct tap *tap, enum tap_side at, const char *bytes, size_t len, bool is_simple,
		 size_t before)
{
	struct head head;

	if (!head_read(at, bytes, len, &head)) {
		tap_give_up(tap, at, bytes, before, "what follows is no HTTP");
		return;
	}
	head.is_simple = is_simple;
	if (at == TAP_CLIENT)
		take_request(tap, &head, before);
	else
		take_response(tap, &head, before);
}

/*
 * Gathers a head, which is read where it lies if all of it came at once. Returns how many of the
 * bytes belong to it; 0: it was something else, by whose state they are read again.
 */
static size_t head_bytes(struct tap *tap, enum tap_side at, const char *bytes, size_t len)
{
	struct ration *ration = lines_ration(tap->peers.writer);
	struct side *side = &tap->sides[at];
	size_t before = side->line.len, room = HEAD_MAX - before, end = 0;
	size_t more = len < room ? len : room;
	const char *view = bytes;
	enum head_found found;

	if (before == 0)
		side->line_us = tap->now_us;
	if (before > 0 && bytes_put(ration, &side->line, bytes, more))
		view = side->line.data;
	else if (before > 0)
		more = 0; /* no memory: the same as too long */
	found = more ? head_find(&side->search, at, view, before + more, &end) : HEAD_MORE;
	if (found == HEAD_END || found == HEAD_SIMPLE) {
		take(tap, at, view, end, found == HEAD_SIMPLE, before);
		bytes_clear(ration, &side->line);
		return end - before;
	}
	if (found == HEAD_MORE && before + more < HEAD_MAX && more == len &&
	    (before > 0 || bytes_put(ration, &side->line, bytes, more)))
		return more;
	side->line.len = before;
	if (found == HEAD_FOREIGN)
		return take_foreign(tap, at, len);
	tap_give_up(tap, at, side->line.data, before, "a head that is too long");
	return len;
}

/* Of HTTP/2, which a server may begin before it has heard a word. */
static bool is_settings(const char *bytes, size_t len)
{
	static const char frame[] = { 4, 0, 0, 0, 0, 0 };

	if (len > 3 && memcmp(bytes + 3, frame, len < 9 ? len - 3 : sizeof(frame)) != 0)
		return false;
	return *bytes == 0; /* the first of three bytes of its length, which is short */
}

static size_t response_bytes(struct tap *tap, const char *bytes, size_t len)
{
	struct side *side = &tap->sides[TAP_SERVER];

	if (awaited(tap))
		return head_bytes(tap, TAP_SERVER, bytes, len);
	if (!tap->has_begun && is_settings(bytes, len)) {
		side->state = SIDE_HOLD;
		return 0;
	}
	tap_give_up(tap, TAP_SERVER, NULL, 0, "the service spoke unasked");
	return len;
}

static size_t hold_bytes(struct tap *tap, enum tap_side at, const char *bytes, size_t len)
{
	struct side *side = &tap->sides[at];

	if (side->line.len + len <= HOLD_MAX &&
	    bytes_put(lines_ration(tap->peers.writer), &side->line, bytes, len))
		return len;
	tap_give_up(tap, at, side->line.data, side->line.len, "too much before an answer");
	return len;
}

static size_t length_bytes(struct tap *tap, enum tap_side at, const char *bytes, size_t len)
{
	struct side *side = &tap->sides[at];
	size_t part = len < side->left ? len : (size_t)side->left;

	flow_body_put(side->flow, at, bytes, part);
	side->left -= part;
	if (side->left > 0)
		return part;
	if (side->state == SIDE_LENGTH)
		complete(tap, at);
	else
		side->state = SIDE_CHUNK_END;
	return part;
}

/* Gathers bytes up to a line end. Returns how many; *ret_line: all of the line; NULL: more is to
 * come. */
static size_t line_bytes(struct tap *tap, enum tap_side at, const char *bytes, size_t len,
			 struct slice *ret_line)
{
	struct side *side = &tap->sides[at];
	const char *newline = memchr(bytes, '\n', len);
	size_t part = newline ? (size_t)(newline - bytes) + 1 : len;

	*ret_line = (struct slice){ 0 };
	if (side->line.len == 0 && newline) {
		*ret_line = (struct slice){ bytes, part };
		return part;
	}
	if (side->line.len + part > CHUNK_LINE_MAX ||
	    !bytes_put(lines_ration(tap->peers.writer), &side->line, bytes, part)) {
		tap_give_up(tap, at, side->line.data, side->line.len,
			    "a chunk's line that is too long");
		return len;
	}
	if (newline)
		*ret_line = (struct slice){ side->line.data, side->line.len };
	return part;
}

static size_t chunk_line_bytes(struct tap *tap, enum tap_side at, const char *bytes, size_t len)
{
	struct side *side = &tap->sides[at];
	size_t before = side->line.len;
	const char *ambiguous;
	struct slice line;
	size_t part = line_bytes(tap, at, bytes, len, &line);

	if (!line.at)
		return part;
	if (!chunk_read(line.at, line.len, &side->left, &ambiguous)) {
		tap_give_up(tap, at, line.at, before, "a chunk without a size");
		return part;
	}
	if (ambiguous)
		doubt(tap, at, side->flow, ambiguous, line.at, before);
	bytes_clear(lines_ration(tap->peers.writer), &side->line);
	side->state = side->left > 0 ? SIDE_CHUNK : SIDE_TRAILERS;
	side->search = (struct head_search){ 0 };
	return part;
}

static size_t chunk_end_bytes(struct tap *tap, enum tap_side at, const char *bytes, size_t len)
{
	struct side *side = &tap->sides[at];
	size_t before = side->line.len, part = before == 0 && *bytes == '\r' ? 1 : 0;

	if (part == len) {
		bytes_put(lines_ration(tap->peers.writer), &side->line, bytes, 1);
		return 1;
	}
	if (bytes[part] != '\n') {
		tap_give_up(tap, at, side->line.data, before,
			    "a chunk that is longer than its size");
		return len;
	}
	if (before + part == 0)
		doubt(tap, at, side->flow, "line ends of chunks that are not CRLF", NULL, 0);
	bytes_clear(lines_ration(tap->peers.writer), &side->line);
	side->state = SIDE_CHUNK_LINE;
	return part + 1;
}

static void take_trailers(struct tap *tap, enum tap_side at, const char *bytes, size_t len)
{
	struct side *side = &tap->sides[at];
	struct buf *text;

	if (len > 2) {
		text = lines_begin(tap->peers.writer);
		head_put_trailers(text, bytes, len);
		if (buf_failed(text) ||
		    !bytes_put(lines_ration(tap->peers.writer), &side->flow->halves[at].head,
			       text->data, text->len))
			side->flow->lost += len;
	}
	bytes_clear(lines_ration(tap->peers.writer), &side->line);
	complete(tap, at);
}

static size_t trailer_bytes(struct tap *tap, enum tap_side at, const char *bytes, size_t len)
{
	struct ration *ration = lines_ration(tap->peers.writer);
	struct side *side = &tap->sides[at];
	size_t before = side->line.len, end;

	if (before + len > HEAD_MAX)
		len = HEAD_MAX - before;
	if (len == 0 || !bytes_put(ration, &side->line, bytes, len)) {
		tap_give_up(tap, at, side->line.data, before, "trailers that are too long");
		return 1;
	}
	if (head_find_trailers(&side->search, side->line.data, side->line.len, &end) == HEAD_MORE)
		return len;
	take_trailers(tap, at, side->line.data, end);
	return end - before;
}

size_t http1_bytes(struct tap *tap, enum tap_side side, const char *bytes, size_t len)
{
	switch (tap->sides[side].state) {
	case SIDE_HEAD:
		return side == TAP_CLIENT ? head_bytes(tap, side, bytes, len)
					  : response_bytes(tap, bytes, len);
	case SIDE_LENGTH:
	case SIDE_CHUNK: return length_bytes(tap, side, bytes, len);
	case SIDE_CHUNK_LINE: return chunk_line_bytes(tap, side, bytes, len);
	case SIDE_CHUNK_END: return chunk_end_bytes(tap, side, bytes, len);
	case SIDE_TRAILERS: return trailer_bytes(tap, side, bytes, len);
	case SIDE_TO_END: flow_body_put(tap->sides[side].flow, side, bytes, len); return len;
	case SIDE_HOLD: return hold_bytes(tap, side, bytes, len);
	case SIDE_WEBSOCKET:
	case SIDE_HTTP2:
	case SIDE_OPAQUE: break;
	}
	return len;
}

void http1_end(struct tap *tap, enum tap_side at)
{
	struct side *side = &tap->sides[at];

	if (side->state == SIDE_TO_END)
		complete(tap, at);
	else if (side->state == SIDE_HEAD && side->line.len > 0)
		tap_give_up(tap, at, side->line.data, side->line.len,
			    "the connection ended within a head");
}

void http1_skip(struct tap *tap, enum tap_side at, uint64_t len)
{
	struct side *side = &tap->sides[at];

	flow_body_skip(side->flow, at, len);
	side->left -= len;
	if (side->left > 0)
		return;
	if (side->state == SIDE_LENGTH)
		complete(tap, at);
	else
		side->state = SIDE_CHUNK_END;
}
