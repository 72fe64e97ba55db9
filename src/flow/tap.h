/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tap sees copies of both directions of a TCP connection to a recorded port, and writes the flows
 * that they are: HTTP/1, WebSockets, HTTP/2 in clear text, or raw bytes where they are none of
 * these or may be read in more than one way.
 *
 * It never fails and never says anything to the connection: what it cannot understand is a raw
 * flow, what it has no memory for is counted. Its memory is bounded whatever is sent, and all taps
 * of a writer share a bound (flow/writer.h).
 *
 * A tap belongs to its writer's thread.
 */
#ifndef FLOW_TAP_H
#define FLOW_TAP_H

#include "flow/writer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tap;

/* Whose bytes. */
enum tap_side { TAP_CLIENT, TAP_SERVER };

enum tap_how {
	TAP_CLOSED, /* it sends no more (FIN) */
	TAP_RESET,
	TAP_CUT, /* the relay ended it */
};

struct tap_peers {
	const char *client, *server; /* "address:port"; copied */
	const char *via;             /* "port", "proxy" or "inside"; copied */
	const char *authority;       /* what a URL has where a request names no host; copied */
};

/* Times are Unix time in microseconds. NULL: no memory, which is counted; all calls take that. */
struct tap *tap_open(struct flow_writer *writer, const struct tap_peers *peers, int64_t at_us);

void tap_bytes(struct tap *tap, enum tap_side side, const void *bytes, size_t len, int64_t at_us);

/*
 * How many of the next bytes of that side need only be counted: what lies beyond the kept part of a
 * body whose length is beyond doubt. UINT64_MAX: all to come. It may change with every call.
 */
uint64_t tap_skippable(const struct tap *tap, enum tap_side side);

/* That many bytes passed unseen. More than were skippable are lost, and the flow says so. */
void tap_skip(struct tap *tap, enum tap_side side, uint64_t len, int64_t at_us);

/* This side sends no more. */
void tap_end(struct tap *tap, enum tap_side side, enum tap_how how, int64_t at_us);

/* Why the service was never reached, for the flows' `error`; copied. */
void tap_fail(struct tap *tap, const char *error, int64_t at_us);

/* Ends all of its flows. */
void tap_close(struct tap *tap, int64_t at_us);

/* Writes what has waited for more of its kind; call it for each tap about once a second. */
void tap_tick(struct tap *tap, int64_t at_us);

#endif
