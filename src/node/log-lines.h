/*
 * Log lines of several containers, gathered and printed in the order of time.
 */
#ifndef NODE_LOG_LINES_H
#define NODE_LOG_LINES_H

#include "base/buf.h"
#include "engine/demux.h"

struct log_line {
	size_t at; /* in text: "2026-11-23T01:16:56.123456789Z line" */
	size_t len;
	const char *service; /* borrowed */
};

struct log_lines {
	struct buf text;
	struct log_line *rows;
	size_t count, capacity;
	bool failed;
};

/* clang-format off */
#define LOG_LINES_INIT { .text = BUF_INIT }
/* clang-format on */

/* One container's output on its way in; zeroed but for these two. */
struct log_source {
	struct log_lines *lines;
	const char *service;
	struct buf partial[3]; /* a line that isn't complete yet, by stream */
};

/* An engine_output whose cookie is the source. */
int log_take(void *cookie, enum engine_stream stream, const void *bytes, size_t len, struct err *e);
/* The last, unfinished lines count too; frees what the source holds. */
void log_source_end(struct log_source *source);

/*
 * Appends the last `tail` lines (0: all), at most max_bytes of them, as "service | line"; bytes
 * that are not UTF-8 become U+FFFD.
 */
int log_lines_print(struct log_lines *lines, size_t tail, size_t max_bytes, struct buf *ret_text,
		    struct err *e);
void log_lines_done(struct log_lines *lines);

#endif
