/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/buildkit.h"

#include "base/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* Numbers of the fields that we read, from BuildKit's control.proto; stable by protobuf's rules. */
enum {
	STATUS_VERTEX = 1,
	STATUS_LOG = 3,
	VERTEX_NAME = 3,
	VERTEX_CACHED = 4,
	VERTEX_STARTED = 5,
	VERTEX_COMPLETED = 6,
	LOG_MESSAGE = 4,
};

enum wire_type { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

struct span {
	const unsigned char *at, *end;
};

struct proto_field {
	uint64_t number;
	uint64_t value; /* of a VARINT */
	struct span bytes;
};

static bool read_varint(struct span *in, uint64_t *ret_value)
{
	unsigned shift = 0;

	*ret_value = 0;
	for (; in->at < in->end && shift < 64; shift += 7) {
		unsigned char byte = *in->at++;

		*ret_value |= (uint64_t)(byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return true;
	}
	return false;
}

static bool read_bytes(struct span *in, uint64_t len, struct span *ret_bytes)
{
	if (len > (uint64_t)(in->end - in->at))
		return false;
	*ret_bytes = (struct span){ in->at, in->at + len };
	in->at += len;
	return true;
}

/* False at the end, and where the message makes no sense any more. */
static bool read_field(struct span *in, struct proto_field *ret_field)
{
	uint64_t key, len;

	*ret_field = (struct proto_field){ 0 };
	if (!read_varint(in, &key))
		return false;
	ret_field->number = key >> 3;
	switch (key & 7) {
	case VARINT: return read_varint(in, &ret_field->value);
	case FIXED64: return read_bytes(in, 8, &ret_field->bytes);
	case FIXED32: return read_bytes(in, 4, &ret_field->bytes);
	case BYTES: return read_varint(in, &len) && read_bytes(in, len, &ret_field->bytes);
	default: return false;
	}
}

static void put_span(struct buf *text, struct span span)
{
	buf_put(text, span.at, (size_t)(span.end - span.at));
}

/* A vertex is told of when it starts and again when it is done; cached ones are only done. */
static void vertex_text(struct span vertex, struct buf *text)
{
	struct span name = { 0 };
	struct proto_field field;
	bool started = false, completed = false, cached = false;

	while (read_field(&vertex, &field)) {
		if (field.number == VERTEX_NAME)
			name = field.bytes;
		else if (field.number == VERTEX_STARTED)
			started = true;
		else if (field.number == VERTEX_COMPLETED)
			completed = true;
		else if (field.number == VERTEX_CACHED)
			cached = field.value;
	}
	if (!started || completed != cached)
		return;
	put_span(text, name);
	buf_puts(text, cached ? " (cached)\n" : "\n");
}

static void log_text(struct span log, struct buf *text)
{
	struct proto_field field;

	while (read_field(&log, &field))
		if (field.number == LOG_MESSAGE)
			put_span(text, field.bytes);
}

void buildkit_text(const unsigned char *status, size_t len, struct buf *text)
{
	struct span in = { status, status + len };
	struct proto_field field;

	while (read_field(&in, &field)) {
		if (field.number == STATUS_VERTEX)
			vertex_text(field.bytes, text);
		else if (field.number == STATUS_LOG)
			log_text(field.bytes, text);
	}
}
