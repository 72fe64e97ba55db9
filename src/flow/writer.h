/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of an instance's flows: JSON lines, appended whole.
 *
 * Of a flow there are one or more lines. Each is a part of the flow's object, and has its `id`,
 * what it is (`line`: "begin", "more" or "end") and, but for the first, where in the file the
 * flow's line before it begins (`prev`), so that a reader who finds an end finds the rest. An `end`
 * comes when nothing more will be said of the flow. A line without `line` is a whole flow:
 * mitmproxy's addon writes such, perhaps into the same file at the same time. Lines with `recorder`
 * are not of flows: {"recorder":"begun" or "ended"} ends all flows before it that have no end, and
 * {"recorder":"lost"} says how many flows and lines are missing.
 *
 * What can't be written (the disk is full) is counted, and told in the file when there is room
 * again. A line that was cut short is ended by a line end; readers skip it.
 *
 * A writer and its taps belong to one thread.
 */
#ifndef FLOW_WRITER_H
#define FLOW_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;
struct flow_writer;

struct flow_options {
	uint64_t file_max;   /* bytes of the file from which on contents are left out; at twice as
				many, flows are */
	uint32_t body_max;   /* bytes of a body or message that are kept */
	uint32_t raw_max;    /* bytes of each direction of a raw flow that are kept */
	uint64_t hash_max;   /* bytes up to which a body is hashed; longer ones are but counted */
	size_t memory_max;   /* bytes that all taps of a writer take together */
	uint32_t events_max; /* messages of one WebSocket or raw flow that are kept */
};

/* clang-format off */
#define FLOW_OPTIONS_INIT { .file_max = 512 << 20, .body_max = 64 << 10, .raw_max = 1 << 20, \
			    .hash_max = 16 << 20, .memory_max = 3 << 20, .events_max = 10000 }
/* clang-format on */

/* What became of the flows so far. */
struct flow_counts {
	uint64_t flows;        /* that began */
	uint64_t lines, bytes; /* that were written */
	uint64_t lost_flows;   /* of which there is no line at all */
	uint64_t lost_lines;   /* others that are missing */
};

/* Appends to the file, which is made where there is none. */
int flow_writer_open(const char *path, const struct flow_options *options,
		     struct flow_writer **ret_writer, struct err *e);

/* Close its taps before. */
void flow_writer_close(struct flow_writer *writer);

/* Borrowed. */
const struct flow_options *flow_writer_options(const struct flow_writer *writer);
const struct flow_counts *flow_writer_counts(const struct flow_writer *writer);

#endif
