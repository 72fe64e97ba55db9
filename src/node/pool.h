/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ready networks: made while the node is idle, given to instances, emptied, verified clean, and
 * given again.
 *
 * The engine makes and removes networks one at a time, at 0.1 and 0.2 s each, so a start that finds
 * one ready, and a stop that only empties one, are what a burst of starts is won with. A network's
 * labels can't change: a pooled one says only that it is this node's; whose it is at the moment is
 * in the store, among the instance's resources. Safe for threads.
 */
#ifndef NODE_POOL_H
#define NODE_POOL_H

#include "node/subnet.h"

#include <stdbool.h>
#include <stddef.h>

struct err;
struct node;
struct pool;

enum { NETWORK_ID_SIZE = 65 };

/* A network of the pool's making: an ordinary closed bridge of SUBNET_PREFIX. */
struct pooled_network {
	char id[NETWORK_ID_SIZE];
	char subnet[SUBNET_TEXT_SIZE];
};

/* At most `most` networks are kept ready. */
int pool_new(struct node *node, size_t most, struct pool **ret_pool, struct err *e);
void pool_free(struct pool *pool);

/* Takes one out that is still there and empty; false: none is ready. */
bool pool_take(struct pool *pool, struct pooled_network *ret_network);

/*
 * Sees that an instance has left a network, and makes the kernel forget its connections. One that
 * can't be made clean is removed from the engine, or was: its id is "" then, and only the subnet is
 * left of it. Fails with ENGINE: it must not be used by anybody else yet.
 */
int pool_clean(struct pool *pool, struct pooled_network *network, struct err *e);

/* A clean one is ready again, or, where there are enough, removed. The last step: can't fail. */
void pool_put(struct pool *pool, const struct pooled_network *network);

/* Makes one more if one is wanted: 1 when it did, 0 when there are enough, or a failure. */
int pool_fill(struct pool *pool, struct err *e);

/* After a restart: what the engine has of the pool and no instance holds is ready again. */
int pool_recover(struct pool *pool, struct err *e);

/* Removes networks that the engine made after we had given up waiting for them. */
int pool_sweep(struct pool *pool, struct err *e);

size_t pool_ready(struct pool *pool);

/* Removes what is ready, and makes no more: the node is not coming back. */
void pool_drain(struct pool *pool);

#endif
