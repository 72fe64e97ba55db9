/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's multiplexed stream: standard output and error of a container or exec without a
 * terminal, in frames of [stream, 0, 0, 0, length (4 bytes, big-endian)] and their bytes.
 *
 * Pieces may be cut anywhere; a frame's bytes are handed on as they come, none is kept.
 */
#ifndef ENGINE_DEMUX_H
#define ENGINE_DEMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum engine_stream {
	ENGINE_TTY = 0, /* raw: a terminal has only one */
	ENGINE_STDOUT = 1,
	ENGINE_STDERR = 2,
};

/* Receives a part of an output. A failure ends the call with that error. */
typedef int engine_output(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
			  struct err *e);

/* A frame begins, before its bytes: an entry of a container's log. */
typedef void engine_frame(void *cookie, enum engine_stream stream);

struct engine_demux {
	bool raw; /* a terminal's output: handed on as it is */
	engine_output *output;
	engine_frame *frame; /* NULL: nobody needs to know */
	void *cookie;
	/* Where in a frame the stream stands; starts zeroed. */
	unsigned char header[8];
	size_t header_len;
	uint32_t left; /* bytes of the frame yet to come */
};

/* Takes the next piece. Fails with PROTOCOL (not a frame) or with what output said. */
int engine_demux_feed(struct engine_demux *demux, const void *bytes, size_t len, struct err *e);

/* The stream has ended: fails with PROTOCOL inside a frame. */
int engine_demux_end(const struct engine_demux *demux, struct err *e);

#endif
