/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's stream of a container's outputs, cut anywhere, and frames of WebSockets. The first
 * byte says how the stream is cut.
 */
#include "fuzz.h"

#include "base/err.h"
#include "engine/demux.h"
#include "http/frame.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int count(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		 struct err *e)
{
	size_t *total = cookie;

	(void)bytes;
	(void)e;
	assert(stream <= ENGINE_STDERR);
	*total += len;
	return 0;
}

/* Returns how much came out of it, and in *ret_end whether it was whole. */
static size_t take_apart(const uint8_t *data, size_t size, size_t step, int *ret_end)
{
	struct err e = ERR_INIT;
	size_t total = 0;
	struct engine_demux demux = { .output = count, .cookie = &total };
	int r = 0;

	for (size_t at = 0; r == 0 && at < size; at += step)
		r = engine_demux_feed(&demux, data + at, step < size - at ? step : size - at, &e);
	*ret_end = r == 0 ? engine_demux_end(&demux, &e) : r;
	assert(*ret_end == 0 || *e.msg);
	return total;
}

static void try_frame(const uint8_t *data, size_t size)
{
	unsigned char head[FRAME_HEAD_MAX];
	struct frame frame, again;
	size_t len = frame_read_head(data, size, &frame);

	assert(len <= FRAME_HEAD_MAX && len <= size);
	if (len == 0 || frame.reserved)
		return;
	len = frame_put_head(&frame, head);
	assert(frame_read_head(head, len, &again) == len);
	assert(again.size == frame.size && again.opcode == frame.opcode &&
	       again.masked == frame.masked && again.final == frame.final);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int whole, cut;

	if (size < 1)
		return 0;
	assert(take_apart(data + 1, size - 1, size, &whole) ==
	       take_apart(data + 1, size - 1, (size_t)data[0] + 1, &cut));
	assert(whole == cut);
	try_frame(data + 1, size - 1);
	return 0;
}
