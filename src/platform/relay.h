/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node says, on its way to our client as it comes: a bounded part of it is here at any time,
 * and a client that is slow slows the node down.
 *
 * For a handler: make a relay, hand its sink to a streaming call of the node's client, and tell its
 * end with relay_end().
 */
#ifndef PLATFORM_RELAY_H
#define PLATFORM_RELAY_H

#include <ctfy/node_client.h>

#include <stdbool.h>
#include <stddef.h>

struct err;
struct http_res;
struct node;

enum { RELAY_TIMEOUT_S = 3600 };

struct relay {
	struct http_res *res;
	const char *filename; /* browsers save it under this name; NULL: they may show it */
	bool plain;           /* a player asks: see plain.h */
	bool may_be_empty;    /* it is an answer too when there is nothing of it */
	/* What the route gives, whatever the node says that it is: no page comes from a node. */
	const char *type;
	bool begun;
	int failure; /* of our client's side */
	struct err *e;
};

/* clang-format off */
/* A call that may take as long, and be as large, as it likes. */
#define RELAY_CALL { .timeout = RELAY_TIMEOUT_S, .body_max = UINT64_MAX }
/* clang-format on */

/* Borrows the relay. */
struct ctfy_sink relay_sink(struct relay *relay);

/* For a body that comes by other ways; fails as http_write() does. */
int relay_begin(struct relay *relay);
int relay_write(struct relay *relay, const void *bytes, size_t size);

/*
 * What the call came to: r and error are its own, e is the relay's. Fails with what nodes_failed()
 * or plain_failure() makes of it, and with NOT_FOUND where there was nothing and that is no answer.
 */
int relay_end(struct relay *relay, const struct node *node, int r, struct ctfy_error *error);

/* Has browsers save the answer under this name, whatever its type. */
void relay_name(struct http_res *res, const char *filename);

#endif
