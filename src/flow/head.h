/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP/1 request or response, read as it stands: what a strict server and a lenient
 * one may take for different things is told, not mended.
 */
#ifndef FLOW_HEAD_H
#define FLOW_HEAD_H

#include "flow/tap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Borrowed bytes. */
struct slice {
	const char *at;
	size_t len;
};

bool slice_is(struct slice slice, const char *text);       /* letters in any case */
bool slice_has_word(struct slice slice, const char *word); /* in a list with commas, likewise */

/* Looks for the end of a head in bytes of which more may come. */
struct head_search {
	size_t scanned, line_at; /* so far, from the first byte on */
	bool has_first;          /* the first line, before which empty ones are passed over */
};

enum head_found {
	HEAD_MORE,   /* its end is still to come */
	HEAD_END,    /* *ret_len: its length, with the empty line */
	HEAD_SIMPLE, /* a request of HTTP/0.9: its line is all of it */
	HEAD_FOREIGN /* no HTTP/1 */
};

/* Call it again with the same bytes and those that follow. */
enum head_found head_find(struct head_search *search, enum tap_side side, const char *bytes,
			  size_t len, size_t *ret_len);

/* The same of trailers, which have no first line. */
enum head_found head_find_trailers(struct head_search *search, const char *bytes, size_t len,
				   size_t *ret_len);

enum head_body { BODY_NONE, BODY_LENGTH, BODY_CHUNKED, BODY_TO_END, BODY_UNKNOWN };

struct head {
	struct slice all;                     /* as it was sent */
	struct slice method, target, version; /* of a request */
	struct slice reason;                  /* of a response */
	struct slice fields, host, upgrade, settings;
	unsigned status;
	uint64_t length;
	enum head_body body;   /* by the fields alone: BODY_NONE where they say nothing */
	const char *ambiguous; /* why others may read it otherwise; NULL: they do not */
	bool has_length, expects, is_canonical, is_simple;
};

/* Of what head_find() found. False: no HTTP/1 after all. */
bool head_read(enum tap_side side, const char *bytes, size_t len, struct head *ret_head);

/* The members of the flow's request or response, with a comma before each. */
void head_put(struct buf *buf, enum tap_side side, const struct head *head, const char *authority);

/* `,"trailers":[...]` of the bytes that head_find_trailers() found. */
void head_put_trailers(struct buf *buf, const char *bytes, size_t len);

/* The size that a line of a chunked body says, with its line end. False: none. */
bool chunk_read(const char *line, size_t len, uint64_t *ret_size, const char **ret_ambiguous);

#endif
