/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bridge of ours, as the kernel has it.
 */
#ifndef NODE_BRIDGE_H
#define NODE_BRIDGE_H

struct err;

/* How many MAC addresses a bridge learns: a /27 has 29 containers, a larger network some more. */
enum { BRIDGE_LEARNS_MAX = 256 };

/*
 * Limits that. A container that may write frames of its own makes the kernel remember a new address
 * by each, at some 300 bytes. A kernel before 6.8 can't limit it, and a bridge that is elsewhere
 * (the engine is on another host) is not ours to limit: both succeed. Fails with INTERNAL.
 */
int bridge_limit(const char *name, struct err *e);

#endif
