/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of one stream of one container, kept in files without a name: the first ones and the
 * newest, when there are more than there is room for. What went from between is counted.
 */
#ifndef NODE_LOG_REEL_H
#define NODE_LOG_REEL_H

#include "node/log-lines.h"

#include <stdint.h>
#include <stdio.h>

struct err;

struct log_take {
	FILE *file;
	int64_t bytes, lines, text_bytes;
};

struct log_reel {
	const char *dir; /* where the files are made; borrowed */
	int64_t room;    /* bytes of the first lines, and as many to twice as many of the newest */
	bool first_is_full;
	struct log_take first, before, newest;
	int64_t lines, text_bytes;                   /* of all that it was given */
	int64_t left_out_lines, left_out_text_bytes; /* and of what it has no longer */
	/* Reading. */
	int part;
	int64_t left; /* of the part, in bytes */
	struct buf text;
	struct log_line line;
	char at[LOG_TIME_LEN + 1];
};

void log_reel_begin(struct log_reel *reel, const char *dir, int64_t room);
void log_reel_done(struct log_reel *reel);

int log_reel_put(struct log_reel *reel, const struct log_line *line, struct err *e);

/* To its first line; then lines are read, and no more are put. */
int log_reel_rewind(struct log_reel *reel, struct err *e);

enum log_reel_next { LOG_REEL_END, LOG_REEL_LINE, LOG_REEL_GAP };

/* The next line is in reel->line. GAP: here is what was left out. */
int log_reel_next(struct log_reel *reel, struct err *e);

#endif
