/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the firewall's rules hold on this machine, tried with packets.
 *
 * A probe of its own does what a challenge's service with CAP_NET_RAW, and a machine of the LAN,
 * may try. It has a bridge that is named like those of closed networks, with two ends of wires in a
 * nameless network namespace, and a third wire, which is the LAN. Their addresses are of
 * 192.0.2.0/24, which no network uses (RFC 5737), and they go when it is done. What a killed one
 * leaves, the next one removes.
 */
#ifndef NODE_BOUNDARY_H
#define NODE_BOUNDARY_H

#include <stdbool.h>

enum boundary {
	BOUNDARY_SOURCES,     /* forged ones do not pass for a connection */
	BOUNDARY_HANDSHAKES,  /* nor do both sides of a conversation that a service makes up */
	BOUNDARY_CONNECTIONS, /* what stays in a network is none of the host's */
	BOUNDARY_PORTS,       /* only what is published is reached from outside */
	BOUNDARIES,
};

enum boundary_state { BOUNDARY_UNKNOWN, BOUNDARY_HOLDS, BOUNDARY_OPEN };

struct boundaries {
	enum boundary_state states[BOUNDARIES];
	/* No node has set its rules on this host, and so they were tried in a namespace. */
	bool apart;
	char why[200]; /* what kept it from trying those that are BOUNDARY_UNKNOWN */
};

/*
 * Tries all of them within 3 s; subnets are the node's, for rules that are tried apart. Needs root,
 * ip and nft.
 */
void boundary_try(const char *subnets, struct boundaries *ret_boundaries);

#endif
