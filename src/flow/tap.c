/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/tap.h"

#include "base/own.h"
#include "flow/conn.h"

#include <string.h>

/* --- life --------------------------------------------------------------------------------- */

static char *copy(struct ration *ration, const char *text)
{
	size_t size = text ? strlen(text) + 1 : 1;
	char *block = ration_new(ration, size);

	if (block && text)
		memcpy(block, text, size);
	return block;
}

static void free_parsers(struct tap *tap)
{
	talk_free(tap);
	http2_free(tap);
}

static void tap_free(struct tap *tap)
{
	struct ration *ration = lines_ration(tap->peers.writer);

	free_parsers(tap);
	for (int side = 0; side < 2; side++)
		bytes_done(ration, &tap->sides[side].line);
	ration_free(ration, tap->peers.client);
	ration_free(ration, tap->peers.server);
	ration_free(ration, tap->peers.via);
	ration_free(ration, tap->peers.authority);
	ration_free(ration, tap->error);
	ration_free(ration, tap);
}

struct tap *tap_open(struct flow_writer *writer, const struct tap_peers *peers, int64_t at_us)
{
	struct ration *ration = lines_ration(writer);
	struct tap *tap = ration_new(ration, sizeof(*tap));

	if (!tap) {
		lines_lose_flow(writer);
		return NULL;
	}
	tap->now_us = at_us;
	tap->last = &tap->first;
	tap->peers.writer = writer;
	lines_id(writer, tap->peers.id);
	tap->peers.client = copy(ration, peers->client);
	tap->peers.server = copy(ration, peers->server);
	tap->peers.via = copy(ration, peers->via);
	tap->peers.authority = copy(ration, peers->authority);
	if (tap->peers.client && tap->peers.server && tap->peers.via && tap->peers.authority)
		return tap;
	tap_free(tap);
	lines_lose_flow(writer);
	return NULL;
}

/* --- flows -------------------------------------------------------------------------------- */

struct flow *tap_flow_new(struct tap *tap, enum flow_kind kind)
{
	struct flow *flow = flow_new(&tap->peers, kind, tap->now_us);

	if (!flow)
		return NULL;
	*tap->last = flow;
	tap->last = &flow->next;
	tap->flow_count++;
	return flow;
}

void tap_flow_end(struct tap *tap, struct flow *flow, const char *error)
{
	struct flow **link = &tap->first;

	while (*link != flow)
		link = &(*link)->next;
	*link = flow->next;
	if (!flow->next)
		tap->last = link;
	tap->flow_count--;
	flow_end(flow, error, tap->now_us);
}

static void lose(struct tap *tap)
{
	if (!tap->is_lost)
		lines_lose_flow(tap->peers.writer);
	tap->is_lost = true;
	tap->raw_has_this = false;
}

static void make_raw(struct tap *tap, enum tap_side side, const char *follows)
{
	struct side *other = &tap->sides[side == TAP_CLIENT ? TAP_SERVER : TAP_CLIENT];

	tap->raw = flow_new(&tap->peers, FLOW_RAW, tap->now_us);
	if (!tap->raw) {
		lose(tap);
		return;
	}
	tap->raw->lost = tap->lost;
	tap->lost = 0;
	tap->is_lost = false;
	if (follows)
		flow_say(tap->raw, "follows", follows);
	flow_raw_put(tap->raw, (enum tap_side)(other - tap->sides), other->line.data,
		     other->line.len, tap->now_us);
}

void tap_raw_begin(struct tap *tap, enum tap_side side, const void *before, size_t len,
		   const char *follows)
{
	if (tap->raw)
		return;
	tap->raw_has_this = true;
	make_raw(tap, side, follows);
	if (tap->raw)
		flow_raw_put(tap->raw, side, before, len, tap->now_us);
}

void tap_raw_after(struct tap *tap, enum tap_side side, const char *follows)
{
	if (!tap->raw)
		make_raw(tap, side, follows);
}

static void be_opaque(struct tap *tap)
{
	tap->is_opaque = true;
	for (int side = 0; side < 2; side++) {
		tap->sides[side].state = SIDE_OPAQUE;
		tap->sides[side].flow = NULL;
		bytes_done(lines_ration(tap->peers.writer), &tap->sides[side].line);
	}
}

void tap_give_up(struct tap *tap, enum tap_side side, const void *before, size_t len,
		 const char *why)
{
	tap_raw_begin(tap, side, before, len, tap->first ? tap->first->id : NULL);
	if (tap->raw && !tap->raw->is_ambiguous)
		flow_say(tap->raw, "reason", why);
	if (tap->raw)
		tap->raw->is_ambiguous = true;
	talk_end(tap);
	while (tap->first)
		tap_flow_end(tap, tap->first, why);
	be_opaque(tap);
}

/* --- bytes -------------------------------------------------------------------------------- */

static size_t step(struct tap *tap, enum tap_side side, const char *bytes, size_t len)
{
	switch (tap->sides[side].state) {
	case SIDE_WEBSOCKET: return talk_bytes(tap, side, bytes, len);
	case SIDE_HTTP2: return http2_bytes(tap, side, bytes, len);
	case SIDE_OPAQUE: return len;
	default: return http1_bytes(tap, side, bytes, len);
	}
}

/*
 * Parses. Where a raw flow begins on the way, it has the rest. Called within itself by
 * tap_replay(), for the other side.
 */
static void feed(struct tap *tap, enum tap_side side, const char *bytes, size_t len)
{
	bool outer_has_this = tap->raw_has_this;
	const char *from = NULL;
	size_t at = 0;

	while (at < len) {
		bool had_raw = tap->raw != NULL;
		size_t part;

		tap->raw_has_this = false;
		part = step(tap, side, bytes + at, len - at);
		if (!had_raw && tap->raw)
			from = bytes + at + (tap->raw_has_this ? 0 : part);
		at += part;
	}
	if (from && tap->raw)
		flow_raw_put(tap->raw, side, from, (size_t)(bytes + len - from), tap->now_us);
	tap->raw_has_this = outer_has_this;
}

void tap_replay(struct tap *tap, enum tap_side side)
{
	struct bytes line = tap->sides[side].line;

	tap->sides[side].line = (struct bytes){ 0 };
	feed(tap, side, line.data, line.len);
	bytes_done(lines_ration(tap->peers.writer), &line);
}

static void settle(struct tap *tap)
{
	for (struct flow *flow = tap->first; flow; flow = flow->next)
		flow_settle(flow, tap->now_us);
	if (tap->raw)
		flow_settle(tap->raw, tap->now_us);
	if (tap->is_opaque)
		free_parsers(tap);
}

/* There was no memory: perhaps there is now. What was missed in between is counted. */
static bool recover(struct tap *tap, uint64_t missed)
{
	if (!tap->is_lost)
		return true;
	be_opaque(tap);
	while (tap->first)
		tap_flow_end(tap, tap->first, "the recorder had no memory for more");
	make_raw(tap, TAP_CLIENT, NULL);
	tap->lost += tap->raw ? 0 : missed;
	return tap->raw;
}

void tap_bytes(struct tap *tap, enum tap_side side, const void *bytes, size_t len, int64_t at_us)
{
	if (!tap || len == 0)
		return;
	tap->now_us = at_us;
	if (!recover(tap, len))
		return;
	if (tap->raw)
		flow_raw_put(tap->raw, side, bytes, len, at_us);
	feed(tap, side, bytes, len);
	settle(tap);
}

/* --- what need not be looked at ------------------------------------------------------------ */

static uint64_t parser_skippable(const struct tap *tap, enum tap_side at)
{
	const struct side *side = &tap->sides[at];

	switch (side->state) {
	case SIDE_LENGTH:
	case SIDE_CHUNK: return flow_body_is_skippable(side->flow, at) ? side->left : 0;
	case SIDE_TO_END: return flow_body_is_skippable(side->flow, at) ? UINT64_MAX : 0;
	case SIDE_WEBSOCKET: return talk_skippable(tap, at);
	case SIDE_OPAQUE: return UINT64_MAX;
	default: return 0;
	}
}

uint64_t tap_skippable(const struct tap *tap, enum tap_side side)
{
	if (!tap)
		return UINT64_MAX;
	if (tap->is_lost || (tap->raw && !flow_body_is_skippable(tap->raw, side)))
		return 0;
	return parser_skippable(tap, side);
}

static void parser_skip(struct tap *tap, enum tap_side at, uint64_t len)
{
	struct side *side = &tap->sides[at];

	switch (side->state) {
	case SIDE_LENGTH:
	case SIDE_CHUNK: http1_skip(tap, at, len); break;
	case SIDE_TO_END: flow_body_skip(side->flow, at, len); break;
	case SIDE_WEBSOCKET: talk_skip(tap, at, len); break;
	default: break;
	}
}

void tap_skip(struct tap *tap, enum tap_side side, uint64_t len, int64_t at_us)
{
	uint64_t known;

	if (!tap || len == 0)
		return;
	tap->now_us = at_us;
	if (!recover(tap, len))
		return;
	known = parser_skippable(tap, side);
	if (tap->raw)
		flow_body_skip(tap->raw, side, len);
	if (known > 0)
		parser_skip(tap, side, len < known ? len : known);
	if (len > known) {
		bool had_raw = tap->raw;

		if (tap->first)
			tap->first->lost += len - known;
		tap_give_up(tap, side, tap->sides[side].line.data, tap->sides[side].line.len,
			    "the recorder was not shown all of it");
		if (tap->raw && !had_raw)
			flow_body_skip(tap->raw, side, len - known);
		if (tap->raw)
			tap->raw->lost += len - known;
	}
	settle(tap);
}

/* --- ends --------------------------------------------------------------------------------- */

static void set_error(struct tap *tap, const char *error)
{
	if (!tap->error)
		tap->error = copy(lines_ration(tap->peers.writer), error);
}

void tap_end(struct tap *tap, enum tap_side side, enum tap_how how, int64_t at_us)
{
	if (!tap || tap->sides[side].has_ended)
		return;
	tap->now_us = at_us;
	tap->sides[side].has_ended = true;
	if (how == TAP_CLOSED)
		http1_end(tap, side);
	else if (how == TAP_RESET)
		set_error(tap, side == TAP_CLIENT ? "the client reset the connection"
						  : "the service reset the connection");
	else
		set_error(tap, "the recorder ended the connection");
	settle(tap);
}

void tap_fail(struct tap *tap, const char *error, int64_t at_us)
{
	if (!tap)
		return;
	tap->now_us = at_us;
	set_error(tap, error);
	if (!tap->has_begun && !tap->raw)
		tap_give_up(tap, TAP_CLIENT, tap->sides[TAP_CLIENT].line.data,
			    tap->sides[TAP_CLIENT].line.len, error);
}

void tap_tick(struct tap *tap, int64_t at_us)
{
	if (!tap)
		return;
	tap->now_us = at_us;
	settle(tap);
}

static const char *find_error(const struct tap *tap, const struct flow *flow)
{
	if (tap->error)
		return tap->error;
	if (flow->is_websocket)
		return NULL;
	if (!flow->halves[TAP_CLIENT].is_complete)
		return "the connection ended within the request";
	return flow->halves[TAP_SERVER].is_known ? "the connection ended within the answer"
						 : "the connection ended without an answer";
}

void tap_close(struct tap *tap, int64_t at_us)
{
	if (!tap)
		return;
	tap->now_us = at_us;
	for (int side = 0; side < 2; side++)
		if (tap->sides[side].line.len > 0 && !tap->is_lost)
			tap_give_up(tap, (enum tap_side)side, tap->sides[side].line.data,
				    tap->sides[side].line.len,
				    tap->error ? tap->error : "the connection ended within a head");
	if (!tap->is_opaque)
		talk_end(tap);
	while (tap->first)
		tap_flow_end(tap, tap->first, find_error(tap, tap->first));
	if (tap->raw)
		flow_end(tap->raw, tap->error, at_us);
	tap_free(tap);
}
