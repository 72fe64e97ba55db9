/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/conn.h"

#include "base/buf.h"
#include "base/own.h"
#include "flow/text.h"

#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	FRAME_HEAD = 9,
	STREAMS_MAX = 256,
	TABLE_MAX = 64 << 10,  /* of a compressor; who wants a larger one is raw bytes */
	FIELDS_MAX = 64 << 10, /* bytes of a message's fields that are kept, as JSON */
	TARGET_MAX = 16 << 10,
};

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
enum { PREFACE_LEN = sizeof(preface) - 1, PREFACE_HEAD = 18 /* that was read as HTTP/1 */ };

struct stream {
	struct stream *next;
	uint32_t id;
	struct flow *flow;
	bool has_head[2];
};

/* One direction. */
struct frames {
	unsigned char head[FRAME_HEAD];
	size_t head_len, preface_at;
	bool in_payload;
	uint8_t type, flags;
	uint32_t stream_id, left; /* bytes of the payload */
	uint32_t padding;         /* of DATA: the payload's last bytes */
	bool has_padding;         /* whose length is the payload's first byte, still to come */
	struct bytes payload;     /* of frames that are read as a whole */
	struct bytes block;       /* fields of a HEADERS frame and what continues it */
	bool in_block, ends_stream, is_push;
	uint32_t block_stream;
	nghttp2_hd_inflater *inflater;
	size_t head_before, payload_before; /* of this frame, when the bytes at hand came */
	uint32_t table_size;                /* that it offered to the other, who has yet to agree */
	bool has_table_size;
};

struct http2 {
	nghttp2_mem memory;
	struct frames sides[2];
	struct stream *streams;
	size_t stream_count;
	uint32_t last_id[2]; /* the highest that this side began */
};

/* --- memory ------------------------------------------------------------------------------- */

static void *take_memory(size_t size, void *ration)
{
	return ration_new(ration, size);
}

static void *take_cleared(size_t count, size_t size, void *ration)
{
	return size && count > SIZE_MAX / size ? NULL : ration_new(ration, count * size);
}

static void *resize_memory(void *block, size_t size, void *ration)
{
	return ration_resize(ration, block, size);
}

static void give_memory(void *block, void *ration)
{
	ration_free(ration, block);
}

static struct ration *ration_of(const struct tap *tap)
{
	return lines_ration(tap->peers.writer);
}

void http2_free(struct tap *tap)
{
	struct http2 *http2 = tap->http2;
	struct stream *next;

	if (!http2)
		return;
	for (struct stream *stream = http2->streams; stream; stream = next) {
		next = stream->next;
		ration_free(ration_of(tap), stream);
	}
	for (int side = 0; side < 2; side++) {
		if (http2->sides[side].inflater)
			nghttp2_hd_inflate_del(http2->sides[side].inflater);
		bytes_done(ration_of(tap), &http2->sides[side].payload);
		bytes_done(ration_of(tap), &http2->sides[side].block);
	}
	ration_free(ration_of(tap), http2);
	tap->http2 = NULL;
}

/* --- streams ------------------------------------------------------------------------------ */

static struct stream *find_stream(const struct http2 *http2, uint32_t id)
{
	struct stream *stream = http2->streams;

	while (stream && stream->id != id)
		stream = stream->next;
	return stream;
}

static struct stream *new_stream(struct tap *tap, uint32_t id, struct flow *flow)
{
	struct http2 *http2 = tap->http2;
	struct stream *stream;

	if (http2->stream_count >= STREAMS_MAX)
		return NULL;
	stream = ration_new(ration_of(tap), sizeof(*stream));
	if (!stream)
		return NULL;
	stream->id = id;
	stream->flow = flow ? flow : tap_flow_new(tap, FLOW_HTTP2);
	if (!stream->flow) {
		ration_free(ration_of(tap), stream);
		return NULL;
	}
	stream->next = http2->streams;
	http2->streams = stream;
	http2->stream_count++;
	return stream;
}

static void end_stream(struct tap *tap, struct stream *stream, const char *error)
{
	struct stream **link = &tap->http2->streams;

	while (*link != stream)
		link = &(*link)->next;
	*link = stream->next;
	tap->http2->stream_count--;
	tap_flow_end(tap, stream->flow, error);
	ration_free(ration_of(tap), stream);
}

static void end_half(struct tap *tap, struct stream *stream, enum tap_side side)
{
	struct half *half = &stream->flow->halves[side];

	half->is_complete = true;
	half->ended_us = tap->now_us;
	if (stream->flow->halves[TAP_CLIENT].is_complete &&
	    stream->flow->halves[TAP_SERVER].is_complete)
		end_stream(tap, stream, NULL);
}

/* --- fields ------------------------------------------------------------------------------- */

/* What a block of fields says. */
struct fields {
	struct buf list; /* JSON objects */
	struct buf method, scheme, authority, path, status;
	bool is_cut;
};

static void fields_done(struct fields *fields)
{
	buf_done(&fields->list);
	buf_done(&fields->method);
	buf_done(&fields->scheme);
	buf_done(&fields->authority);
	buf_done(&fields->path);
	buf_done(&fields->status);
}

static bool is_name(const nghttp2_nv *nv, const char *name)
{
	return nv->namelen == strlen(name) && memcmp(nv->name, name, nv->namelen) == 0;
}

static struct buf *pseudo_field(struct fields *fields, const nghttp2_nv *nv)
{
	return is_name(nv, ":method")      ? &fields->method
	       : is_name(nv, ":scheme")    ? &fields->scheme
	       : is_name(nv, ":authority") ? &fields->authority
	       : is_name(nv, ":path")      ? &fields->path
	       : is_name(nv, ":status")    ? &fields->status
					   : NULL;
}

static void add_field(struct fields *fields, const nghttp2_nv *nv)
{
	struct buf *pseudo = pseudo_field(fields, nv);

	if (pseudo && pseudo->len == 0) {
		buf_put(pseudo, nv->value, nv->valuelen);
		fields->is_cut |= buf_failed(pseudo);
		return;
	}
	/* Six bytes are the most that one becomes. The address of a member is not NULL. */
	/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	if (fields->list.len + 6 * (nv->namelen + nv->valuelen) + 64 > FIELDS_MAX * 6 ||
	    fields->list.len > FIELDS_MAX)
		fields->is_cut = true;
	if (fields->is_cut)
		return;
	buf_puts(&fields->list, fields->list.len ? ",{\"name\":" : "{\"name\":");
	text_put(&fields->list, nv->name, nv->namelen);
	buf_puts(&fields->list, ",\"value\":");
	text_put(&fields->list, nv->value, nv->valuelen);
	buf_putc(&fields->list, '}');
}

/* False: it is no block of fields. All of it is read, however much is kept: the next needs that. */
static bool inflate(nghttp2_hd_inflater *inflater, const struct bytes *block, struct fields *fields)
{
	const uint8_t *at = (const uint8_t *)(block->len ? block->data : "");
	size_t left = block->len;
	int flags = 0;

	for (;;) {
		nghttp2_nv nv;
		ssize_t part = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, at, left, 1);

		if (part < 0)
			return false;
		at += part;
		left -= (size_t)part;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			add_field(fields, &nv);
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			return nghttp2_hd_inflate_end_headers(inflater) == 0;
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && left == 0)
			return false;
	}
}

static void put_list(struct buf *text, const char *name, const struct fields *fields)
{
	buf_printf(text, ",\"%s\":[", name);
	buf_put(text, fields->list.data, fields->list.len);
	buf_putc(text, ']');
}

static void put_url(struct buf *text, const struct fields *fields, const char *authority)
{
	struct buf url = BUF_INIT;

	if (fields->path.len > 0) {
		buf_puts(&url, fields->scheme.len ? fields->scheme.data : "http");
		buf_puts(&url, "://");
	}
	buf_puts(&url, fields->authority.len ? fields->authority.data : authority);
	if (fields->path.len > 0 && *fields->path.data != '/')
		buf_putc(&url, '/');
	buf_puts(&url, fields->path.data);
	buf_puts(text, ",\"url\":");
	text_put(text, url.data, url.len);
	buf_done(&url);
}

static void put_request(struct buf *text, const struct fields *fields, const char *authority)
{
	buf_puts(text, ",\"method\":");
	text_put(text, fields->method.data, fields->method.len);
	put_url(text, fields, authority);
	buf_puts(text, ",\"http_version\":\"HTTP/2.0\"");
	put_list(text, "headers", fields);
}

static void put_response(struct buf *text, const struct fields *fields)
{
	buf_printf(text, ",\"status\":%lu,\"reason\":\"\",\"http_version\":\"HTTP/2.0\"",
		   strtoul(fields->status.data, NULL, 10) % 1000);
	put_list(text, "headers", fields);
}

static bool keep_text(struct tap *tap, struct bytes *into, const struct buf *text, size_t from)
{
	return !buf_failed(text) &&
	       bytes_put(ration_of(tap), into, text->data + from, text->len - from);
}

static bool take_interim(struct tap *tap, struct flow *flow, const struct fields *fields)
{
	struct buf *text = lines_begin(tap->peers.writer);
	size_t before = flow->interim.len;

	if (before > HEAD_MAX)
		return true;
	put_response(text, fields);
	if (bytes_puts(ration_of(tap), &flow->interim, before ? ",{" : "{") &&
	    keep_text(tap, &flow->interim, text, 1) &&
	    bytes_puts(ration_of(tap), &flow->interim, "}"))
		return true;
	flow->interim.len = before; /* half of one would spoil the line */
	return false;
}

static bool take_fields(struct tap *tap, struct stream *stream, enum tap_side side,
			const struct fields *fields)
{
	struct half *half = &stream->flow->halves[side];
	struct buf *text;

	if (side == TAP_SERVER && !stream->has_head[side] && *fields->status.data == '1')
		return take_interim(tap, stream->flow, fields);
	text = lines_begin(tap->peers.writer);
	if (stream->has_head[side])
		put_list(text, "trailers", fields);
	else if (side == TAP_CLIENT)
		put_request(text, fields, tap->peers.authority);
	else
		put_response(text, fields);
	if (!stream->has_head[side])
		half->began_us = tap->now_us;
	stream->has_head[side] = half->is_known = true;
	if (!keep_text(tap, &half->head, text, 0))
		return false;
	if (fields->is_cut)
		flow_say(stream->flow, "ambiguous", "more fields than are kept");
	return true;
}

/* --- frames ------------------------------------------------------------------------------- */

static void keep_raw(struct tap *tap, enum tap_side side, size_t head_len, size_t payload_len)
{
	const struct frames *frames = &tap->http2->sides[side];

	flow_raw_put(tap->raw, side, frames->block.data, frames->block.len, tap->now_us);
	flow_raw_put(tap->raw, side, frames->head, head_len, tap->now_us);
	flow_raw_put(tap->raw, side, frames->payload.data, payload_len, tap->now_us);
}

/* What was taken of the frames that both sides are in is no flow: it belongs to the raw bytes. */
static void give_up(struct tap *tap, enum tap_side side, const char *why)
{
	enum tap_side other = side == TAP_CLIENT ? TAP_SERVER : TAP_CLIENT;
	const struct frames *own = &tap->http2->sides[side], *others = &tap->http2->sides[other];
	bool had_raw = tap->raw;

	tap_raw_begin(tap, side, NULL, 0, tap->first ? tap->first->id : NULL);
	if (tap->raw && !had_raw) {
		keep_raw(tap, other, others->in_payload ? (size_t)FRAME_HEAD : others->head_len,
			 others->payload.len);
		keep_raw(tap, side, own->head_before, own->payload_before);
	}
	tap_give_up(tap, side, NULL, 0, why);
}

/* The stream of a block; it may be new. *ret_stream NULL: one that is over. */
static bool stream_of_block(struct tap *tap, enum tap_side side, struct stream **ret_stream)
{
	struct http2 *http2 = tap->http2;
	struct frames *frames = &http2->sides[side];
	uint32_t id = frames->block_stream;
	enum tap_side starter = frames->is_push ? TAP_SERVER : TAP_CLIENT;

	*ret_stream = find_stream(http2, id);
	if (*ret_stream || id <= http2->last_id[starter] || side != starter)
		return true;
	http2->last_id[starter] = id;
	*ret_stream = new_stream(tap, id, NULL);
	return *ret_stream;
}

static void take_block(struct tap *tap, enum tap_side side)
{
	struct frames *frames = &tap->http2->sides[side];
	AUTO(struct fields, fields_done)
	fields = { .list = BUF_LIMITED(FIELDS_MAX * 7),
		   .method = BUF_LIMITED(256),
		   .scheme = BUF_LIMITED(64),
		   .authority = BUF_LIMITED(1024),
		   .path = BUF_LIMITED(TARGET_MAX),
		   .status = BUF_LIMITED(16) };
	struct stream *stream;

	frames->in_block = false;
	if (!inflate(frames->inflater, &frames->block, &fields)) {
		give_up(tap, side, "fields of HTTP/2 that cannot be read");
		return;
	}
	bytes_clear(ration_of(tap), &frames->block);
	if (!stream_of_block(tap, side, &stream)) {
		give_up(tap, side, "more streams than can be followed");
		return;
	}
	if (!stream)
		return;
	if (!take_fields(tap, stream, frames->is_push ? TAP_CLIENT : side, &fields)) {
		give_up(tap, side, "no memory for a head");
		return;
	}
	if (frames->is_push)
		stream->flow->halves[TAP_CLIENT].is_complete = true;
	else if (frames->ends_stream)
		end_half(tap, stream, side);
}

/* Without its padding and, of HEADERS, its priority. False: it is malformed. */
static bool cut_payload(const struct frames *frames, struct slice *payload)
{
	size_t padding = 0;

	if (frames->flags & NGHTTP2_FLAG_PADDED) {
		if (payload->len == 0)
			return false;
		padding = (unsigned char)*payload->at++;
		payload->len--;
	}
	if (frames->type == NGHTTP2_HEADERS && frames->flags & NGHTTP2_FLAG_PRIORITY) {
		if (payload->len < 5)
			return false;
		payload->at += 5;
		payload->len -= 5;
	}
	if (padding > payload->len)
		return false;
	payload->len -= padding;
	return true;
}

static uint32_t read_u32(const char *bytes)
{
	const unsigned char *at = (const unsigned char *)bytes;

	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool begin_block(struct frames *frames, struct slice *payload)
{
	if (!cut_payload(frames, payload))
		return false;
	frames->in_block = true;
	frames->is_push = frames->type == NGHTTP2_PUSH_PROMISE;
	frames->ends_stream =
		frames->type == NGHTTP2_HEADERS && frames->flags & NGHTTP2_FLAG_END_STREAM;
	frames->block_stream = frames->stream_id;
	if (!frames->is_push)
		return true;
	if (payload->len < 4)
		return false;
	frames->block_stream = read_u32(payload->at) & INT32_MAX;
	payload->at += 4;
	payload->len -= 4;
	return true;
}

static void take_headers(struct tap *tap, enum tap_side side, struct slice payload)
{
	struct frames *frames = &tap->http2->sides[side];
	bool goes_on = frames->type == NGHTTP2_CONTINUATION;

	if (goes_on ? !frames->in_block || frames->block_stream != frames->stream_id
		    : frames->in_block || !begin_block(frames, &payload)) {
		give_up(tap, side, "frames of HTTP/2 out of order");
		return;
	}
	if (frames->block.len + payload.len > HEAD_MAX ||
	    !bytes_put(ration_of(tap), &frames->block, payload.at, payload.len)) {
		give_up(tap, side, "fields of HTTP/2 that are too long");
		return;
	}
	if (frames->flags & NGHTTP2_FLAG_END_HEADERS)
		take_block(tap, side);
}

/* A table's size holds for the other's blocks from the moment on that the other agrees. */
static void take_settings(struct tap *tap, enum tap_side side, struct slice payload)
{
	struct frames *own = &tap->http2->sides[side];
	struct frames *other = &tap->http2->sides[side == TAP_CLIENT ? TAP_SERVER : TAP_CLIENT];

	if (own->flags & NGHTTP2_FLAG_ACK) {
		if (other->has_table_size)
			nghttp2_hd_inflate_change_table_size(own->inflater, other->table_size);
		other->has_table_size = false;
		return;
	}
	for (; payload.len >= 6; payload.at += 6, payload.len -= 6) {
		uint32_t value = read_u32(payload.at + 2);

		if (payload.at[0] != 0 || payload.at[1] != NGHTTP2_SETTINGS_HEADER_TABLE_SIZE)
			continue;
		own->table_size = value < TABLE_MAX ? value : TABLE_MAX;
		own->has_table_size = true;
	}
}

static void take_reset(struct tap *tap, enum tap_side side, struct slice payload)
{
	struct stream *stream = find_stream(tap->http2, tap->http2->sides[side].stream_id);
	uint32_t code = payload.len >= 4 ? read_u32(payload.at) : 0;
	char error[64];

	if (!stream)
		return;
	snprintf(error, sizeof(error), "the %s reset the stream (%s)",
		 side == TAP_CLIENT ? "client" : "service", nghttp2_http2_strerror(code));
	/* Nothing is amiss when a service has answered and needs no more of the request. */
	end_stream(tap, stream,
		   code == 0 && stream->flow->halves[TAP_SERVER].is_complete ? NULL : error);
}

static void end_frame(struct tap *tap, enum tap_side side)
{
	struct frames *frames = &tap->http2->sides[side];
	struct slice payload = { frames->payload.data, frames->payload.len };
	struct stream *stream;

	frames->in_payload = false;
	switch (frames->type) {
	case NGHTTP2_DATA:
		stream = find_stream(tap->http2, frames->stream_id);
		if (stream && frames->flags & NGHTTP2_FLAG_END_STREAM)
			end_half(tap, stream, side);
		break;
	case NGHTTP2_HEADERS:
	case NGHTTP2_CONTINUATION:
	case NGHTTP2_PUSH_PROMISE: take_headers(tap, side, payload); break;
	case NGHTTP2_SETTINGS: take_settings(tap, side, payload); break;
	case NGHTTP2_RST_STREAM: take_reset(tap, side, payload); break;
	default: break;
	}
	if (tap->sides[side].state == SIDE_HTTP2)
		bytes_clear(ration_of(tap), &frames->payload);
}

static bool is_read_whole(uint8_t type)
{
	return type == NGHTTP2_HEADERS || type == NGHTTP2_CONTINUATION ||
	       type == NGHTTP2_PUSH_PROMISE || type == NGHTTP2_SETTINGS ||
	       type == NGHTTP2_RST_STREAM;
}

static void begin_frame(struct tap *tap, enum tap_side side)
{
	struct frames *frames = &tap->http2->sides[side];
	const unsigned char *head = frames->head;

	frames->left = (uint32_t)head[0] << 16 | (uint32_t)head[1] << 8 | head[2];
	frames->type = head[3];
	frames->flags = head[4];
	frames->stream_id = read_u32((const char *)head + 5) & INT32_MAX;
	frames->head_len = 0;
	frames->in_payload = true;
	frames->padding = 0;
	frames->has_padding = frames->type == NGHTTP2_DATA && frames->flags & NGHTTP2_FLAG_PADDED;
	if (is_read_whole(frames->type) && frames->left > HEAD_MAX)
		give_up(tap, side, "a frame of HTTP/2 that is too long");
	else if (frames->left == 0)
		end_frame(tap, side);
}

static size_t data_bytes(struct tap *tap, enum tap_side side, const char *bytes, size_t len)
{
	struct frames *frames = &tap->http2->sides[side];
	struct stream *stream = find_stream(tap->http2, frames->stream_id);
	uint32_t data = frames->left > frames->padding ? frames->left - frames->padding : 0;
	size_t part = len < data ? len : data;

	if (frames->has_padding) {
		frames->has_padding = false;
		frames->padding = (unsigned char)*bytes;
		return 1;
	}
	if (data == 0)
		return len < frames->left ? len : frames->left;
	if (stream)
		flow_body_put(stream->flow, side, bytes, part);
	return part;
}

static size_t payload_bytes(struct tap *tap, enum tap_side side, const char *bytes, size_t len)
{
	struct frames *frames = &tap->http2->sides[side];
	size_t part = len < frames->left ? len : frames->left;

	if (frames->type == NGHTTP2_DATA) {
		part = data_bytes(tap, side, bytes, len);
	} else if (is_read_whole(frames->type) &&
		   !bytes_put(ration_of(tap), &frames->payload, bytes, part)) {
		give_up(tap, side, "no memory for a frame");
		return len;
	}
	frames->left -= (uint32_t)part;
	if (frames->left == 0)
		end_frame(tap, side);
	return part;
}

static size_t head_bytes(struct tap *tap, enum tap_side side, const char *bytes, size_t len)
{
	struct frames *frames = &tap->http2->sides[side];
	size_t room = FRAME_HEAD - frames->head_len, part = len < room ? len : room;

	memcpy(frames->head + frames->head_len, bytes, part);
	frames->head_len += part;
	if (frames->head_len == FRAME_HEAD)
		begin_frame(tap, side);
	return part;
}

static size_t preface_bytes(struct tap *tap, const char *bytes)
{
	struct frames *frames = &tap->http2->sides[TAP_CLIENT];

	if (*bytes != preface[frames->preface_at])
		tap_give_up(tap, TAP_CLIENT, preface, frames->preface_at, "no HTTP/2 after all");
	else
		frames->preface_at++;
	return 1;
}

size_t http2_bytes(struct tap *tap, enum tap_side side, const char *bytes, size_t len)
{
	struct frames *frames = &tap->http2->sides[side];

	if (side == TAP_CLIENT && frames->preface_at < PREFACE_LEN)
		return preface_bytes(tap, bytes);
	frames->head_before = frames->in_payload ? (size_t)FRAME_HEAD : frames->head_len;
	frames->payload_before = frames->payload.len;
	return frames->in_payload ? payload_bytes(tap, side, bytes, len)
				  : head_bytes(tap, side, bytes, len);
}

/* --- beginning ---------------------------------------------------------------------------- */

static bool make(struct tap *tap, struct flow *flow)
{
	struct http2 *http2 = tap->http2 = ration_new(ration_of(tap), sizeof(*http2));

	if (!http2)
		return false;
	http2->memory = (nghttp2_mem){ ration_of(tap), take_memory, give_memory, take_cleared,
				       resize_memory };
	for (int side = 0; side < 2; side++)
		if (nghttp2_hd_inflate_new2(&http2->sides[side].inflater, &http2->memory) != 0)
			return false;
	if (!flow)
		return true;
	http2->last_id[TAP_CLIENT] = 1;
	return new_stream(tap, 1, flow);
}

bool http2_begin(struct tap *tap, struct flow *flow)
{
	struct frames *server;

	if (!make(tap, flow)) {
		tap_give_up(tap, TAP_CLIENT, NULL, 0, "no memory for HTTP/2");
		return false;
	}
	server = &tap->http2->sides[TAP_SERVER];
	tap->has_begun = true;
	if (flow) {
		tap->http2->streams->has_head[TAP_CLIENT] = true;
		if (flow->table_size)
			nghttp2_hd_inflate_change_table_size(server->inflater, flow->table_size);
	} else {
		tap->http2->sides[TAP_CLIENT].preface_at = PREFACE_HEAD;
	}
	tap->sides[TAP_CLIENT].state = SIDE_HTTP2;
	tap->sides[TAP_SERVER].state = SIDE_HTTP2;
	return true;
}

static int digit_of(char c)
{
	return c >= 'A' && c <= 'Z'   ? c - 'A'
	       : c >= 'a' && c <= 'z' ? c - 'a' + 26
	       : c >= '0' && c <= '9' ? c - '0' + 52
	       : c == '-'             ? 62
	       : c == '_'             ? 63
				      : -1;
}

/* Base64 for URLs of the frame's payload: settings of six bytes, which are eight digits. */
uint32_t http2_table_size(struct slice settings)
{
	uint64_t bits;

	for (size_t i = 0; i + 8 <= settings.len; i += 8) {
		bits = 0;
		for (size_t j = 0; j < 8; j++) {
			if (digit_of(settings.at[i + j]) < 0)
				return 0;
			bits = bits << 6 | (uint64_t)digit_of(settings.at[i + j]);
		}
		if (bits >> 32 == NGHTTP2_SETTINGS_HEADER_TABLE_SIZE)
			return (bits & UINT32_MAX) < TABLE_MAX ? (uint32_t)bits : TABLE_MAX;
	}
	return 0;
}
