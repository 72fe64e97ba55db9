/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what flow/writer.h writes: whole flows, put together from their lines.
 *
 * Never fails for what the file says: a line that is damaged or cut short is passed over and
 * counted. Flows whose recorder ended before they did are told where it says so, with an error.
 */
#ifndef FLOW_READER_H
#define FLOW_READER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct err;
struct flow_reader;

/* What is missing, of the part that was read. */
struct flow_reader_counts {
	uint64_t bad_lines;  /* damaged */
	uint64_t lost_flows; /* that the recorders counted and could not write */
	uint64_t lost_lines;
	uint64_t recorders; /* how often one began */
};

/* No file: no flows. */
int flow_reader_open(const char *path, struct flow_reader **ret_reader, struct err *e);
void flow_reader_close(struct flow_reader *reader);
static inline void flow_reader_closep(struct flow_reader **reader)
{
	flow_reader_close(*reader);
}

/* 1: the next flow that is over, the caller's; 0: there is none at the moment. */
int flow_reader_next(struct flow_reader *reader, json_t **ret_flow, struct err *e);

/* The same, and behind the last of them those that are not over, as far as they came. */
int flow_reader_next_any(struct flow_reader *reader, json_t **ret_flow, struct err *e);

/* Bodies stay as they were sent, not decoded. */
void flow_reader_keep_codings(struct flow_reader *reader);

/* Where in the file the next line begins. Between two flows of one place, it can't be gone on from.
 */
int64_t flow_reader_at(const struct flow_reader *reader);
bool flow_reader_is_between(const struct flow_reader *reader);
int flow_reader_seek(struct flow_reader *reader, int64_t at, struct err *e);

/* Borrowed. */
const struct flow_reader_counts *flow_reader_counts(const struct flow_reader *reader);

/*
 * Says at the end of the file that its recorder has ended, for one that could not say so itself.
 * No file: nothing to do.
 */
int flow_file_end(const char *path, struct err *e);

#endif
