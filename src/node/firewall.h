/*
 * What Docker's own rules leave open, closed: an instance's containers reach each other, and
 * nothing else.
 *
 * Docker's bridges, internal ones too, let a container reach every port that the host listens on,
 * and every network the host routes to. The node's bridges carry a name prefix, so a handful of
 * rules set once covers all of them, now and later, without a firewall call per instance:
 *
 *   INPUT    what is new or belongs to no connection, from a bridge of ours to the host, is dropped
 *   FORWARD  the same where it leaves its bridge, unless the bridge is an open one and the target
 *            is a public address or a name server of the host's; between two of our bridges always
 *
 * Published ports go on working: their connections come from outside.
 */
#ifndef NODE_FIREWALL_H
#define NODE_FIREWALL_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Linux takes 15 characters for an interface's name. */
enum { BRIDGE_NAME_SIZE = 16 };

/* The bridge of one network: named after its owner, open to the outside or closed. */
void firewall_bridge_name(const char *project, const char *network, bool egress,
			  char name[BRIDGE_NAME_SIZE]);

/*
 * Puts the rules in place where they are missing; needs root. Fails with INTERNAL. Podman's
 * containers ask for names at their own bridge's address (names_on_bridges), Docker's within
 * themselves.
 */
int firewall_install(bool names_on_bridges, struct err *e);
/* Takes them away. */
int firewall_remove(struct err *e);

#endif
