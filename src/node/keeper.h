/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: what the node does by itself, in two threads. One ends what is over its time, retries
 * teardowns, and looks whether the engine answers. The other makes networks ready and sweeps up
 * orphans, and may be held up by an engine that hangs.
 */
#ifndef NODE_KEEPER_H
#define NODE_KEEPER_H

struct err;
struct keeper;
struct node;

int keeper_start(struct node *node, struct keeper **ret_keeper, struct err *e);
/* Stops the threads and waits for them. */
void keeper_stop(struct keeper *keeper);

#endif
