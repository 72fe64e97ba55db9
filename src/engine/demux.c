/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/demux.h"

#include "base/err.h"

#include <string.h>

static uint32_t frame_length(const unsigned char *header)
{
	return (uint32_t)header[4] << 24 | (uint32_t)header[5] << 16 | (uint32_t)header[6] << 8 |
	       (uint32_t)header[7];
}

static int begin_frame(struct engine_demux *demux, struct err *e)
{
	const unsigned char *header = demux->header;

	/* 0 is standard input, which some engines echo. */
	if (header[0] > ENGINE_STDERR || header[1] || header[2] || header[3])
		return err_set(e, ERR_PROTOCOL,
			       "the engine's output is not in frames: %02x %02x %02x %02x",
			       header[0], header[1], header[2], header[3]);
	demux->left = frame_length(header);
	if (demux->frame)
		demux->frame(demux->cookie, (enum engine_stream)header[0]);
	if (demux->left == 0)
		demux->header_len = 0;
	return 0;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Takes what it can of the frame's header or bytes. Returns how much that was. */
static int feed_some(struct engine_demux *demux, const unsigned char *bytes, size_t len,
		     size_t *ret_taken, struct err *e)
{
	size_t taken;
	int r;

	if (demux->header_len < sizeof(demux->header)) {
		taken = smaller(sizeof(demux->header) - demux->header_len, len);
		memcpy(demux->header + demux->header_len, bytes, taken);
		demux->header_len += taken;
		*ret_taken = taken;
		return demux->header_len == sizeof(demux->header) ? begin_frame(demux, e) : 0;
	}

	taken = smaller(demux->left, len);
	r = demux->output(demux->cookie, (enum engine_stream)demux->header[0], bytes, taken, e);
	demux->left -= (uint32_t)taken;
	if (demux->left == 0)
		demux->header_len = 0;
	*ret_taken = taken;
	return r;
}

int engine_demux_feed(struct engine_demux *demux, const void *bytes, size_t len, struct err *e)
{
	const unsigned char *at = bytes;
	size_t taken;
	int r;

	if (demux->raw)
		return len ? demux->output(demux->cookie, ENGINE_TTY, bytes, len, e) : 0;
	for (; len > 0; at += taken, len -= taken) {
		r = feed_some(demux, at, len, &taken, e);
		if (r < 0)
			return r;
	}
	return 0;
}

int engine_demux_end(const struct engine_demux *demux, struct err *e)
{
	if (demux->raw || demux->header_len == 0)
		return 0;
	return err_set(e, ERR_PROTOCOL, "the engine's output ended inside a frame");
}
