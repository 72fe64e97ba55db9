/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine's default bridge, closed towards the host and private addresses: BuildKit can be given
 * no other network. The rules (nftables, a table of their own for each node) hold for new
 * connections of whatever comes to the bridge while they are there, and for all of its IPv6;
 * containers that were in it before keep what they had in IPv4, for they are somebody else's.
 */
#ifndef NODE_BUILD_FENCE_H
#define NODE_BUILD_FENCE_H

struct err;
struct node;

/* Puts the rules in place, or anew. Needs root and nft. Fails with INTERNAL or as the engine does.
 */
int build_fence_install(const struct node *node, struct err *e);
/* None there is fine. */
void build_fence_remove(const char *node_id);

#endif
