/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One container's output on its way in: lines, byte for byte as they were written.
 *
 * The engine leads each entry by its time and cuts a line into entries of 16 KiB, which are put
 * together again. By frames it is known where entries begin; of a terminal by their length, for
 * whatever the line itself says.
 */
#ifndef NODE_LOG_LINES_H
#define NODE_LOG_LINES_H

#include "base/buf.h"
#include "engine/demux.h"

#include <stdbool.h>

struct log_line {
	const char *at; /* "2026-11-23T01:16:56.123456789Z"; "": the engine gave none */
	enum engine_stream stream;
	const char *text; /* without its end; len bytes, of which any may be 0 */
	size_t len;
	bool cut; /* it has no end: whoever wrote it ended, or it is longer than 16 MiB */
};

/* Receives a line, borrowed for the call. A failure ends the reading with that error. */
typedef int log_line_sink(void *cookie, const struct log_line *line, struct err *e);

enum { LOG_TIME_LEN = sizeof("2026-11-23T01:16:56.123456789Z") - 1 };

struct log_stream {
	struct buf line;
	char at[LOG_TIME_LEN + 1];
	char head[LOG_TIME_LEN + 1]; /* an entry's time, as far as it has come */
	size_t head_len;
	bool frame_begins; /* with the next byte */
	bool in_text;      /* of an entry, behind its time */
	bool open;         /* a line has begun */
	size_t piece;      /* bytes of this entry's text so far */
};

struct log_parser {
	log_line_sink *sink;
	void *cookie;
	bool framed;
	struct log_stream streams[3];
};

void log_parser_begin(struct log_parser *parser, log_line_sink *sink, void *cookie);
/* An engine_frame and an engine_output whose cookie is the parser. */
void log_parser_frame(void *cookie, enum engine_stream stream);
int log_parser_take(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		    struct err *e);
/* Lines without an end count too; frees what the parser holds, whatever comes of it. */
int log_parser_end(struct log_parser *parser, struct err *e);

#endif
