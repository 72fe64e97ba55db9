/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte-exact relay before an instance's recorded ports: every byte reaches the service, and comes
 * back, unchanged and at once, half-closed and reset connections included. A copy of both
 * directions goes to a tap (flow/tap.h), which writes down what it makes of it.
 *
 * Nothing that passes is held in this process. What a side can't take yet stays in the kernel, in
 * the other's queue; a part of a body that need only be counted changes hands there.
 *
 * A player is accepted before the service is asked: where the service doesn't take the connection,
 * the player's is reset.
 *
 * All of a relay is one thread's, but for relay_stop().
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct relay;

struct relay_target {
	uint16_t port;    /* where players come in; 0: any that is free */
	const char *host; /* the service: a name, or an IPv4 address */
	uint16_t host_port;
	const char *authority; /* what players call it: "host:port" */
};

struct relay_options {
	const struct relay_target *targets;
	size_t target_count;
	const char *flows;    /* the file; NULL: nothing is recorded */
	uint16_t health_port; /* accepts and closes, once all others listen; 0: none */
	/* Who comes from here, but from the gateway, comes from inside the instance. */
	struct in_addr inside, inside_mask, gateway;
	/* At once. 0: as many as descriptors allow, 2,048 at most. */
	size_t connections_max;
};

/*
 * Listens. Borrows the options' strings. Fails with INTERNAL: a port is taken, the file can't be
 * written, there is no name server.
 */
int relay_new(const struct relay_options *options, struct relay **ret_relay, struct err *e);
void relay_free(struct relay *relay);
static inline void relay_freep(struct relay **relay)
{
	relay_free(*relay);
}

/* The port of the i-th target. */
uint16_t relay_port(const struct relay *relay, size_t i);

/*
 * Until relay_stop(), or SIGTERM if that is blocked; writes down then what is known of all flows.
 * SIGPIPE has to be ignored: splice() to who has gone raises it.
 */
int relay_run(struct relay *relay, struct err *e);
/* Any thread may call it. */
void relay_stop(struct relay *relay);

struct relay_counts {
	uint64_t connections; /* that were accepted */
	uint64_t evicted;     /* of these: ended to make room for others */
	uint64_t unreached;   /* of these: the service did not take them */
	uint64_t peak;        /* at once */
};

/* Borrowed. */
const struct relay_counts *relay_counts(const struct relay *relay);

#endif
