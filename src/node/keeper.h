/*
 * The keeper: the node's one background thread. It ends what is over its time, retries teardowns,
 * sweeps up orphans, and looks whether the engine answers.
 */
#ifndef NODE_KEEPER_H
#define NODE_KEEPER_H

struct err;
struct keeper;
struct node;

int keeper_start(struct node *node, struct keeper **ret_keeper, struct err *e);
/* Stops the thread and waits for it. */
void keeper_stop(struct keeper *keeper);

#endif
