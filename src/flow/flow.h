/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One flow on its way into the file: an exchange of HTTP, or the raw bytes of a connection.
 *
 * The first line is written as soon as its head is known, what comes then when there is some of it
 * or a second has passed, and the rest at the end. What is kept in memory between lines is small.
 */
#ifndef FLOW_FLOW_H
#define FLOW_FLOW_H

#include "flow/digest.h"
#include "flow/lines.h"
#include "flow/ration.h"
#include "flow/tap.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* What all flows of a connection share. */
struct flow_peers {
	struct flow_writer *writer;
	char id[FLOW_ID_SIZE];
	char *client, *server, *via, *authority;
};

/* What is kept of a body, or of one direction of a raw flow. */
struct body {
	uint64_t size;  /* as it was sent */
	uint32_t kept;  /* of its first bytes */
	bool is_hashed; /* all of it so far */
	bool is_lossy;  /* some of the first bytes are missing */
	struct digest digest;
	struct bytes pending; /* kept, but not yet written */
};

/* A request or a response. */
struct half {
	struct bytes
		head; /* members of the JSON object, with a comma before each; not yet written */
	struct body body;
	int64_t began_us, ended_us;
	bool is_known, is_complete;
};

enum flow_kind { FLOW_HTTP1, FLOW_HTTP2, FLOW_RAW };

struct flow {
	struct flow *next;
	const struct flow_peers *peers; /* borrowed */
	enum flow_kind kind;
	char id[FLOW_ID_SIZE];
	int64_t prev; /* where its last line begins; -1: it has none */
	bool has_begun, is_lost;
	int64_t began_us, written_us;
	struct half halves[2]; /* by enum tap_side */
	struct bytes members;  /* more members, each with a comma before it; not yet written */
	struct bytes interim;  /* responses of 1xx, as JSON objects with commas between them */
	struct bytes rows;     /* messages, likewise */
	uint64_t row_count;
	bool is_websocket;
	unsigned close_code;
	int closed_by; /* an enum tap_side; -1: nobody did */
	uint64_t lost; /* bytes that the tap was never shown */

	/* Raw bytes that may become a row with those that follow. */
	enum tap_side held_side;
	int64_t held_us;
	struct bytes held;

	/* What its parser needs to know. */
	bool is_head, is_connect, is_simple, expects, wants_upgrade, is_ambiguous;
	uint32_t table_size; /* that HTTP2-Settings asked for; 0: they did not */
};

/* NULL: not recorded (no memory, or the file is full), which the caller counts. */
struct flow *flow_new(const struct flow_peers *peers, enum flow_kind kind, int64_t at_us);

void flow_body_put(struct flow *flow, enum tap_side side, const void *bytes, size_t len);
void flow_body_skip(struct flow *flow, enum tap_side side, uint64_t len);
/* How many of the next bytes need only be counted. */
bool flow_body_is_skippable(const struct flow *flow, enum tap_side side);
/* No hash: so much is to come that only its beginning is looked at. */
void flow_body_expect(struct flow *flow, enum tap_side side, uint64_t size);

/* Of a raw flow. */
void flow_raw_put(struct flow *flow, enum tap_side side, const void *bytes, size_t len,
		  int64_t at_us);

/* A message of a WebSocket: what is kept of it, and its size. */
void flow_message(struct flow *flow, enum tap_side side, unsigned opcode, bool is_compressed,
		  const void *kept, size_t kept_len, uint64_t size, bool is_cut, int64_t at_us);

/* A member of the flow: a text. */
void flow_say(struct flow *flow, const char *member, const char *text);

/* Writes what is new, where it is much or has waited for a second. The first line always is. */
void flow_settle(struct flow *flow, int64_t at_us);

/* Writes its end, and frees it. The error may be NULL. */
void flow_end(struct flow *flow, const char *error, int64_t at_us);

#endif
