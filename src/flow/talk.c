/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/conn.h"

#include "http/frame.h"

#include <string.h>

/* One direction's message and frame. */
struct messages {
	unsigned char head[FRAME_HEAD_MAX]; /* of a frame, as far as it is here */
	unsigned char control[FRAME_CONTROL_MAX];
	size_t head_len;
	struct frame frame;
	uint64_t at; /* in the frame's payload */
	bool in_payload, in_message, is_compressed, is_lossy;
	unsigned opcode;   /* the message's */
	uint64_t size;     /* so far, over all its frames */
	struct bytes kept; /* its first bytes */
};

struct talk {
	struct flow *flow;
	struct messages sides[2];
};

bool talk_begin(struct tap *tap, struct flow *flow)
{
	tap->talk = ration_new(lines_ration(tap->peers.writer), sizeof(*tap->talk));
	if (!tap->talk)
		return false;
	tap->talk->flow = flow;
	flow->is_websocket = true;
	return true;
}

void talk_free(struct tap *tap)
{
	struct ration *ration = lines_ration(tap->peers.writer);

	if (!tap->talk)
		return;
	for (int side = 0; side < 2; side++)
		bytes_done(ration, &tap->talk->sides[side].kept);
	ration_free(ration, tap->talk);
	tap->talk = NULL;
}

/* Whether a frame may follow what came before it (RFC 6455, 5.2 to 5.5). */
static bool is_sane(const struct messages *messages, unsigned first_byte)
{
	const struct frame *frame = &messages->frame;
	bool is_control = frame->opcode >= FRAME_CLOSE;

	if (frame->opcode > FRAME_PONG || (frame->opcode > FRAME_BINARY && !is_control))
		return false;
	if (first_byte & 0x30 || (first_byte & 0x40 && (is_control || frame->opcode == 0)))
		return false;
	if (is_control)
		return frame->final && frame->size <= FRAME_CONTROL_MAX;
	return (frame->opcode == FRAME_CONTINUATION) == messages->in_message &&
	       frame->size <= INT64_MAX;
}

static void begin_payload(struct messages *messages)
{
	messages->in_payload = true;
	messages->head_len = 0;
	messages->at = 0;
	if (messages->frame.opcode == FRAME_TEXT || messages->frame.opcode == FRAME_BINARY) {
		messages->in_message = true;
		messages->is_lossy = false;
		messages->opcode = messages->frame.opcode;
		messages->is_compressed = messages->head[0] & 0x40;
		messages->size = 0;
	}
}

static void end_control(struct tap *tap, enum tap_side side)
{
	const struct messages *messages = &tap->talk->sides[side];
	struct flow *flow = tap->talk->flow;

	if (messages->frame.opcode != FRAME_CLOSE || flow->closed_by >= 0)
		return;
	flow->closed_by = (int)side;
	flow->close_code = messages->frame.size >= 2
				   ? (unsigned)messages->control[0] << 8 | messages->control[1]
				   : 1005; /* "no status" (RFC 6455, 7.4.1) */
}

static void end_payload(struct tap *tap, enum tap_side side)
{
	struct messages *messages = &tap->talk->sides[side];

	messages->in_payload = false;
	if (messages->frame.opcode >= FRAME_CLOSE) {
		end_control(tap, side);
		return;
	}
	if (!messages->frame.final)
		return;
	messages->in_message = false;
	flow_message(tap->talk->flow, side, messages->opcode, messages->is_compressed,
		     messages->kept.data, messages->kept.len, messages->size,
		     messages->kept.len < messages->size, tap->now_us);
	bytes_clear(lines_ration(tap->peers.writer), &messages->kept);
}

static size_t head_bytes(struct tap *tap, enum tap_side side, const char *bytes, size_t len)
{
	struct messages *messages = &tap->talk->sides[side];
	size_t before = messages->head_len, room = sizeof(messages->head) - before, head_len;

	memcpy(messages->head + before, bytes, len < room ? len : room);
	messages->head_len += len < room ? len : room;
	head_len = frame_read_head(messages->head, messages->head_len, &messages->frame);
	if (head_len == 0)
		return messages->head_len - before;
	if (!is_sane(messages, messages->head[0])) {
		tap_give_up(tap, side, messages->head, before, "what follows is no WebSocket");
		return len;
	}
	begin_payload(messages);
	if (messages->frame.size == 0)
		end_payload(tap, side);
	return head_len - before;
}

static void keep(struct tap *tap, struct messages *messages, const char *bytes, size_t len)
{
	size_t max = flow_writer_options(tap->peers.writer)->body_max;
	size_t room =
		messages->is_lossy || messages->kept.len >= max ? 0 : max - messages->kept.len;
	size_t part = len < room ? len : room;
	char *to = part ? bytes_room(lines_ration(tap->peers.writer), &messages->kept, part) : NULL;

	messages->size += len;
	messages->is_lossy |= part > 0 && !to;
	if (!to)
		return;
	memcpy(to, bytes, part);
	if (messages->frame.masked)
		frame_mask(messages->frame.mask, messages->at, to, part);
	messages->kept.len += part;
}

size_t talk_bytes(struct tap *tap, enum tap_side side, const char *bytes, size_t len)
{
	struct messages *messages = &tap->talk->sides[side];
	uint64_t left = messages->frame.size - messages->at;
	size_t part = len < left ? len : (size_t)left;

	if (!messages->in_payload)
		return head_bytes(tap, side, bytes, len);
	if (messages->frame.opcode < FRAME_CLOSE) {
		keep(tap, messages, bytes, part);
	} else {
		memcpy(messages->control + messages->at, bytes, part);
		if (messages->frame.masked)
			frame_mask(messages->frame.mask, messages->at,
				   (char *)messages->control + messages->at, part);
	}
	messages->at += part;
	if (messages->at == messages->frame.size)
		end_payload(tap, side);
	return part;
}

uint64_t talk_skippable(const struct tap *tap, enum tap_side side)
{
	const struct messages *messages = &tap->talk->sides[side];
	bool is_full = messages->is_lossy ||
		       messages->kept.len >= flow_writer_options(tap->peers.writer)->body_max;

	return messages->in_payload && messages->frame.opcode < FRAME_CLOSE && is_full
		       ? messages->frame.size - messages->at
		       : 0;
}

void talk_skip(struct tap *tap, enum tap_side side, uint64_t len)
{
	struct messages *messages = &tap->talk->sides[side];

	messages->size += len;
	messages->at += len;
	if (messages->at == messages->frame.size)
		end_payload(tap, side);
}

void talk_end(struct tap *tap)
{
	for (int side = 0; tap->talk && side < 2; side++) {
		struct messages *messages = &tap->talk->sides[side];

		if (messages->in_message && messages->size > 0)
			flow_message(tap->talk->flow, (enum tap_side)side, messages->opcode,
				     messages->is_compressed, messages->kept.data,
				     messages->kept.len, messages->size, true, tap->now_us);
		messages->in_message = false;
	}
}
