/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks after the disk that instances take: ends one that has more than its limit, and, where the
 * node's disk runs short, the one that has the most. On a thread of its own, since it may have much
 * to look at.
 *
 * What is counted of an instance: what its containers, sidecars and agents included, have written
 * (the upper directories of their file systems), their volumes, its copies of binds, and
 * what they hold open though it has no name any more. Logs have
 * limits of their own.
 */
#ifndef NODE_DISK_WATCH_H
#define NODE_DISK_WATCH_H

struct disk_watch;
struct err;
struct node;

int disk_watch_start(struct node *node, struct disk_watch **ret_watch, struct err *e);
/* Stops the thread and waits for it. NULL is fine. */
void disk_watch_stop(struct disk_watch *watch);

#endif
