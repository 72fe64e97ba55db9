/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/flow.h"

#include "base/buf.h"
#include "flow/text.h"

#include <string.h>

enum {
	WRITE_BYTES = 4 << 10, /* so much that is new is written at once */
	WRITE_US = 1000000,    /* and less when it has waited so long */
};

static struct ration *ration_of(const struct flow *flow)
{
	return lines_ration(flow->peers->writer);
}

static const struct flow_options *options_of(const struct flow *flow)
{
	return flow_writer_options(flow->peers->writer);
}

struct flow *flow_new(const struct flow_peers *peers, enum flow_kind kind, int64_t at_us)
{
	struct flow_writer *writer = peers->writer;
	struct flow *flow = NULL;

	if (lines_take_flows(writer))
		flow = ration_new(lines_ration(writer), sizeof(*flow));
	if (!flow)
		return NULL;
	lines_count_flow(writer);
	flow->peers = peers;
	flow->kind = kind;
	flow->prev = -1;
	flow->began_us = flow->written_us = at_us;
	flow->closed_by = -1;
	lines_id(writer, flow->id);
	for (int side = 0; side < 2; side++) {
		flow->halves[side].body.is_hashed = true;
		digest_begin(&flow->halves[side].body.digest);
	}
	return flow;
}

static void flow_free(struct flow *flow)
{
	struct ration *ration = ration_of(flow);

	for (int side = 0; side < 2; side++) {
		bytes_done(ration, &flow->halves[side].head);
		bytes_done(ration, &flow->halves[side].body.pending);
	}
	bytes_done(ration, &flow->members);
	bytes_done(ration, &flow->interim);
	bytes_done(ration, &flow->rows);
	bytes_done(ration, &flow->held);
	ration_free(ration, flow);
}

/* --- bodies ------------------------------------------------------------------------------- */

static uint32_t kept_max(const struct flow *flow)
{
	return flow->kind == FLOW_RAW ? options_of(flow)->raw_max : options_of(flow)->body_max;
}

static void count(struct flow *flow, struct body *body, const void *bytes, uint64_t len)
{
	body->size += len;
	if (body->is_hashed && body->size > options_of(flow)->hash_max)
		body->is_hashed = false;
	if (body->is_hashed)
		digest_add(&body->digest, bytes, len);
}

/* How many of these bytes belong to the first ones. */
static size_t kept_of(const struct flow *flow, const struct body *body, size_t len)
{
	size_t room = kept_max(flow) - body->kept;

	if ((body->is_lossy && flow->kind != FLOW_RAW) || !lines_have_room(flow->peers->writer))
		return 0;
	return len < room ? len : room;
}

void flow_body_put(struct flow *flow, enum tap_side side, const void *bytes, size_t len)
{
	struct body *body = &flow->halves[side].body;
	size_t kept = kept_of(flow, body, len);

	count(flow, body, bytes, len);
	if (kept == 0)
		return;
	if (bytes_put(ration_of(flow), &body->pending, bytes, kept))
		body->kept += (uint32_t)kept;
	else
		body->is_lossy = true;
}

void flow_body_skip(struct flow *flow, enum tap_side side, uint64_t len)
{
	struct body *body = &flow->halves[side].body;

	body->size += len;
	body->is_hashed = false;
	if (body->kept < kept_max(flow))
		body->is_lossy = true;
}

bool flow_body_is_skippable(const struct flow *flow, enum tap_side side)
{
	const struct body *body = &flow->halves[side].body;

	return !body->is_hashed && kept_of(flow, body, 1) == 0;
}

void flow_body_expect(struct flow *flow, enum tap_side side, uint64_t size)
{
	if (size > options_of(flow)->hash_max)
		flow->halves[side].body.is_hashed = false;
}

/* --- rows --------------------------------------------------------------------------------- */

/* The buffer of the writer's next line is free while no line is made. */
static struct buf *row_begin(struct flow *flow, enum tap_side side, int64_t at_us)
{
	struct buf *row = lines_begin(flow->peers->writer);

	buf_puts(row, flow->rows.len ? ",{\"at\":" : "{\"at\":");
	text_put_time(row, at_us);
	buf_puts(row, side == TAP_CLIENT ? ",\"from_client\":true" : ",\"from_client\":false");
	return row;
}

static bool row_end(struct flow *flow, struct buf *row)
{
	buf_putc(row, '}');
	return !buf_failed(row) && bytes_put(ration_of(flow), &flow->rows, row->data, row->len);
}

static void flush_held(struct flow *flow)
{
	struct body *body = &flow->halves[flow->held_side].body;
	struct buf *row;

	if (flow->held.len == 0)
		return;
	if (flow->row_count++ < options_of(flow)->events_max) {
		row = row_begin(flow, flow->held_side, flow->held_us);
		buf_puts(row, ",\"size\":");
		text_put_number(row, flow->held.len);
		buf_putc(row, ',');
		text_put_content(row, flow->held.data, flow->held.len);
		body->is_lossy |= !row_end(flow, row);
	} else {
		body->is_lossy = true;
	}
	bytes_clear(ration_of(flow), &flow->held);
}

static void hold(struct flow *flow, struct body *body, const char *bytes, size_t len)
{
	while (len > 0) {
		size_t part = len < WRITE_BYTES ? len : WRITE_BYTES;

		if (!bytes_put(ration_of(flow), &flow->held, bytes, part)) {
			body->is_lossy = true;
			return;
		}
		body->kept += (uint32_t)part;
		if (flow->held.len >= WRITE_BYTES)
			flush_held(flow);
		bytes += part;
		len -= part;
	}
}

void flow_raw_put(struct flow *flow, enum tap_side side, const void *bytes, size_t len,
		  int64_t at_us)
{
	struct body *body = &flow->halves[side].body;
	size_t kept = kept_of(flow, body, len);

	count(flow, body, bytes, len);
	if (kept == 0)
		return;
	if (flow->held.len > 0 && flow->held_side != side)
		flush_held(flow);
	if (flow->held.len == 0) {
		flow->held_side = side;
		flow->held_us = at_us;
	}
	hold(flow, body, bytes, kept);
}

void flow_message(struct flow *flow, enum tap_side side, unsigned opcode, bool is_compressed,
		  const void *kept, size_t kept_len, uint64_t size, bool is_cut, int64_t at_us)
{
	struct buf *row;

	if (flow->row_count++ >= options_of(flow)->events_max)
		return;
	row = row_begin(flow, side, at_us);
	buf_printf(row, ",\"type\":\"%s\",\"size\":%llu%s", opcode == 1 ? "text" : "binary",
		   (unsigned long long)size, is_compressed ? ",\"compressed\":true" : "");
	if (lines_have_room(flow->peers->writer)) {
		buf_printf(row, ",\"truncated\":%s,", is_cut ? "true" : "false");
		text_put_content(row, kept, kept_len);
	}
	row_end(flow, row);
}

void flow_say(struct flow *flow, const char *member, const char *text)
{
	struct buf *line = lines_begin(flow->peers->writer);

	buf_printf(line, ",\"%s\":", member);
	text_puts(line, text);
	if (!buf_failed(line))
		bytes_put(ration_of(flow), &flow->members, line->data, line->len);
}

/* --- lines -------------------------------------------------------------------------------- */

static void put_member(struct buf *line, const char *name, const char *text)
{
	buf_puts(line, ",\"");
	buf_puts(line, name);
	buf_puts(line, "\":");
	text_puts(line, text);
}

static void put_beginning(struct flow *flow, struct buf *line)
{
	static const char *const protocols[] = { "http1", "http2", "raw" };
	const struct flow_peers *peers = flow->peers;

	put_member(line, "connection", peers->id);
	buf_puts(line, ",\"started_at\":");
	text_put_time(line, flow->began_us);
	put_member(line, "client", peers->client);
	put_member(line, "server", peers->server);
	put_member(line, "via", peers->via);
	put_member(line, "protocol", protocols[flow->kind]);
}

static void put_sums(struct buf *line, struct body *body)
{
	char hash[DIGEST_TEXT_SIZE];

	buf_puts(line, "\"size\":");
	text_put_number(line, body->size);
	if (body->size == 0)
		return;
	if (body->is_hashed) {
		digest_end(&body->digest, hash);
		put_member(line, "sha256", hash);
	}
	buf_puts(line, body->kept < body->size || body->is_lossy ? ",\"truncated\":true"
								 : ",\"truncated\":false");
}

static void put_body(struct flow *flow, struct buf *line, struct body *body, bool at_end)
{
	bool has_part = body->pending.len > 0;

	if (!has_part && !at_end)
		return;
	buf_puts(line, ",\"body\":{");
	if (has_part) {
		buf_puts(line, "\"parts\":[{");
		text_put_content(line, body->pending.data, body->pending.len);
		buf_puts(line, at_end ? "}]," : "}]");
	}
	if (at_end)
		put_sums(line, body);
	buf_putc(line, '}');
	bytes_clear(ration_of(flow), &body->pending);
}

static void put_half(struct flow *flow, struct buf *line, enum tap_side side, bool at_end)
{
	struct half *half = &flow->halves[side];
	size_t begin = line->len;

	if (!half->is_known)
		return;
	buf_puts(line, side == TAP_CLIENT ? ",\"request\":{" : ",\"response\":{");
	if (half->head.len == 0 && half->body.pending.len == 0 && !at_end) {
		line->len = begin;
		return;
	}
	begin = line->len;
	buf_put(line, half->head.data, half->head.len);
	bytes_done(ration_of(flow), &half->head);
	put_body(flow, line, &half->body, at_end);
	if (!buf_failed(line) && line->len > begin) /* the first comma */
		memmove(line->data + begin, line->data + begin + 1, line->len-- - begin);
	buf_putc(line, '}');
}

static void put_rows(struct flow *flow, struct buf *line, const char *object, bool at_end)
{
	if (flow->rows.len == 0 && !at_end)
		return;
	buf_printf(line, ",\"%s\":{\"messages\":[", object);
	buf_put(line, flow->rows.data, flow->rows.len);
	buf_putc(line, ']');
	bytes_clear(ration_of(flow), &flow->rows);
}

static void put_websocket(struct flow *flow, struct buf *line, bool at_end)
{
	size_t begin = line->len;

	put_rows(flow, line, "websocket", at_end);
	if (at_end) {
		buf_puts(line, ",\"message_count\":");
		text_put_number(line, flow->row_count);
		if (flow->closed_by >= 0)
			buf_printf(line, ",\"close_code\":%u,\"closed_by_client\":%s",
				   flow->close_code,
				   flow->closed_by == TAP_CLIENT ? "true" : "false");
		else
			buf_puts(line, ",\"close_code\":null,\"closed_by_client\":null");
	}
	if (line->len > begin)
		buf_putc(line, '}');
}

static void put_raw(struct flow *flow, struct buf *line, bool at_end)
{
	size_t begin = line->len;

	put_rows(flow, line, "raw", at_end);
	for (int side = 0; at_end && side < 2; side++) {
		buf_puts(line, side == TAP_CLIENT ? ",\"client\":{" : ",\"server\":{");
		put_sums(line, &flow->halves[side].body);
		buf_putc(line, '}');
	}
	if (line->len > begin)
		buf_putc(line, '}');
}

static void put_timings(const struct flow *flow, struct buf *line, int64_t at_us)
{
	const struct half *request = &flow->halves[TAP_CLIENT];
	const struct half *response = &flow->halves[TAP_SERVER];
	int64_t sent_us = request->ended_us ? request->ended_us : flow->began_us;

	buf_puts(line, ",\"duration_ms\":");
	text_put_ms(line, at_us - flow->began_us);
	if (!response->is_known)
		return;
	buf_puts(line, ",\"timings\":{\"send\":");
	text_put_ms(line, sent_us - flow->began_us);
	buf_puts(line, ",\"wait\":");
	text_put_ms(line, response->began_us - sent_us);
	buf_puts(line, ",\"receive\":");
	text_put_ms(line, (response->ended_us ? response->ended_us : at_us) - response->began_us);
	buf_putc(line, '}');
}

static void put_end(const struct flow *flow, struct buf *line, const char *error, int64_t at_us)
{
	put_timings(flow, line, at_us);
	if (!flow->is_websocket)
		buf_puts(line, ",\"websocket\":null");
	if (flow->lost > 0) {
		buf_puts(line, ",\"lost\":");
		text_put_number(line, flow->lost);
	}
	if (error)
		put_member(line, "error", error);
	else
		buf_puts(line, ",\"error\":null");
}

static void put_interim(struct flow *flow, struct buf *line)
{
	if (flow->interim.len == 0)
		return;
	buf_puts(line, ",\"interim\":[");
	buf_put(line, flow->interim.data, flow->interim.len);
	buf_putc(line, ']');
	bytes_done(ration_of(flow), &flow->interim);
}

static void write_line(struct flow *flow, bool at_end, const char *error, int64_t at_us)
{
	struct flow_writer *writer = flow->peers->writer;
	struct buf *line;
	int64_t at;

	flush_held(flow);
	line = lines_begin(writer);
	buf_puts(line, "{\"line\":\"");
	buf_puts(line, at_end ? "end" : flow->has_begun ? "more" : "begin");
	buf_puts(line, "\",\"id\":\"");
	buf_puts(line, flow->id);
	buf_putc(line, '"');
	if (flow->prev >= 0) {
		buf_puts(line, ",\"prev\":");
		text_put_number(line, (uint64_t)flow->prev);
	}
	if (!flow->has_begun)
		put_beginning(flow, line);
	buf_put(line, flow->members.data, flow->members.len);
	bytes_clear(ration_of(flow), &flow->members);
	put_interim(flow, line);
	if (flow->kind == FLOW_RAW) {
		put_raw(flow, line, at_end);
	} else {
		put_half(flow, line, TAP_CLIENT, at_end);
		put_half(flow, line, TAP_SERVER, at_end);
	}
	if (flow->is_websocket)
		put_websocket(flow, line, at_end);
	if (at_end)
		put_end(flow, line, error, at_us);
	buf_putc(line, '}');
	at = lines_put(writer);
	if (at >= 0)
		flow->prev = at;
	else
		for (int side = 0; side < 2; side++)
			flow->halves[side].body.is_lossy = true;
	flow->has_begun |= at >= 0; /* what begins it is said again, where it was lost */
	flow->written_us = at_us;
}

static size_t count_pending(const struct flow *flow)
{
	size_t len = flow->members.len + flow->interim.len + flow->rows.len + flow->held.len;

	for (int side = 0; side < 2; side++)
		len += flow->halves[side].head.len + flow->halves[side].body.pending.len;
	return len;
}

void flow_settle(struct flow *flow, int64_t at_us)
{
	size_t pending;

	if (flow->has_begun) {
		pending = count_pending(flow);
		if (pending == 0 || (pending < WRITE_BYTES && at_us - flow->written_us < WRITE_US))
			return;
	}
	write_line(flow, false, NULL, at_us);
}

void flow_end(struct flow *flow, const char *error, int64_t at_us)
{
	write_line(flow, true, error, at_us);
	if (!flow->has_begun)
		lines_lose_flow(flow->peers->writer);
	flow_free(flow);
}
