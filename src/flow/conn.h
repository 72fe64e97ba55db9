/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap's inside: what its parsers share.
 */
#ifndef FLOW_CONN_H
#define FLOW_CONN_H

#include "flow/flow.h"
#include "flow/head.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http2;
struct talk;

enum side_state {
	SIDE_HEAD,
	SIDE_LENGTH,     /* a body of so many bytes */
	SIDE_CHUNK_LINE, /* its size */
	SIDE_CHUNK,
	SIDE_CHUNK_END, /* the line end behind it */
	SIDE_TRAILERS,
	SIDE_TO_END, /* a body until the connection ends */
	SIDE_HOLD,   /* what it means, the other side has yet to say */
	SIDE_WEBSOCKET,
	SIDE_HTTP2,
	SIDE_OPAQUE, /* raw bytes */
};

enum { HEAD_MAX = 64 << 10, HOLD_MAX = 64 << 10, CHUNK_LINE_MAX = 4 << 10 };

/* One direction. */
struct side {
	enum side_state state;
	struct bytes line; /* the beginning of a head or a line, or what is held */
	struct head_search search;
	int64_t line_us;   /* when its first byte came */
	uint64_t left;     /* bytes of the body or the chunk */
	struct flow *flow; /* whose body it is */
	bool has_ended;
};

struct tap {
	struct flow_peers peers;
	struct side sides[2];
	struct flow *first, **last; /* exchanges that have not ended, in the order of requests */
	size_t flow_count;
	struct flow *raw;  /* bytes from some place on, beside the flows above or alone */
	bool raw_has_this; /* the bytes at hand belong to it */
	bool has_begun;    /* with a request */
	bool is_opaque;    /* nothing is read any more */
	struct talk *talk;
	struct http2 *http2;
	bool is_lost;  /* there was no memory for what came last */
	uint64_t lost; /* bytes since then */
	char *error;   /* how the connection ended */
	int64_t now_us;
};

/* --- tap.c -------------------------------------------------------------------------------- */

/* NULL: no memory; the connection is lost from here on until there is some again. */
struct flow *tap_flow_new(struct tap *tap, enum flow_kind kind);
/* Takes it out of the list, and ends it. */
void tap_flow_end(struct tap *tap, struct flow *flow, const char *error);

/*
 * From the bytes at hand on, everything of both sides is in a raw flow as well; what had been taken
 * of the same element before, and of the other side and was not understood yet, comes first.
 */
void tap_raw_begin(struct tap *tap, enum tap_side side, const void *before, size_t len,
		   const char *follows);
/* From behind the bytes at hand on. */
void tap_raw_after(struct tap *tap, enum tap_side side, const char *follows);

/* And nothing is read any more. The flows that are open end for that reason. */
void tap_give_up(struct tap *tap, enum tap_side side, const void *before, size_t len,
		 const char *why);

/* A side is read anew, by its state of now: what was held of it. */
void tap_replay(struct tap *tap, enum tap_side side);

/* --- parsers: each takes some of the bytes, at least one, and returns how many -------------- */

size_t http1_bytes(struct tap *tap, enum tap_side side, const char *bytes, size_t len);
void http1_skip(struct tap *tap, enum tap_side at, uint64_t len);
/* The side has ended. */
void http1_end(struct tap *tap, enum tap_side at);

size_t talk_bytes(struct tap *tap, enum tap_side side, const char *bytes, size_t len);
bool talk_begin(struct tap *tap, struct flow *flow);
void talk_free(struct tap *tap);
/* Says what had come of messages whose ends did not. */
void talk_end(struct tap *tap);
/* How many of the next bytes belong to a message whose first ones are here. */
uint64_t talk_skippable(const struct tap *tap, enum tap_side side);
void talk_skip(struct tap *tap, enum tap_side side, uint64_t len);

/* After the client's preface, or the answer to the flow's request, which asked for it. */
bool http2_begin(struct tap *tap, struct flow *flow);
size_t http2_bytes(struct tap *tap, enum tap_side side, const char *bytes, size_t len);
void http2_free(struct tap *tap);
/* What a field HTTP2-Settings says of the table's size; 0: nothing. */
uint32_t http2_table_size(struct slice settings);

#endif
