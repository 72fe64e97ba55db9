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

/* Takes one out; false: none is ready. */
bool pool_take(struct pool *pool, struct pooled_network *ret_network);

/*
 * Gives one back that its instance has left. One that is not clean, or one too many, is removed
 * from the engine instead. Fails with ENGINE when neither could be done; the caller still has it.
 */
int pool_give(struct pool *pool, const struct pooled_network *network, struct err *e);

/* Makes one more if one is wanted: 1 when it did, 0 when there are enough, or a failure. */
int pool_fill(struct pool *pool, struct err *e);

/* After a restart: what the engine has of the pool and no instance holds is ready again. */
int pool_recover(struct pool *pool, struct err *e);

size_t pool_ready(struct pool *pool);

#endif
