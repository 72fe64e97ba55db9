/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks that containers of others have joined: an agent that was attached by hand, say. They are
 * not ours to remove, but our network is ours to empty.
 */
#ifndef NODE_EVICT_H
#define NODE_EVICT_H

struct engine;
struct err;

/* Puts out whoever is in the network. Fine when nobody is. */
int network_evict(struct engine *engine, const char *network, struct err *e);

#endif
