/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first thing a node does: take up what an earlier life of it left.
 */
#ifndef NODE_RECOVER_H
#define NODE_RECOVER_H

struct err;
struct node;

/*
 * Every instance that had not ended is in the roster afterwards: running ones adopted, acknowledged
 * starts begun anew, all others to be taken down by the keeper. Nothing here waits for the engine's
 * slow work.
 */
int recover_instances(struct node *node, struct err *e);

#endif
