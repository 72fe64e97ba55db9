/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where an instance goes. Pure decisions on what the nodes reported; no I/O.
 */
#ifndef PLATFORM_SCHEDULER_H
#define PLATFORM_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* What a node promises to containers: bytes of memory, or thousand millionths of processors. */
struct supply {
	int64_t promised;
	int64_t most; /* 0: no limit, or it doesn't say */
	int64_t need; /* what the instance to be placed takes there; 0: not known */
};

struct node_load {
	const char *id;
	bool healthy;
	bool joining;    /* it was not heard of yet: what it can take isn't known */
	bool drained;    /* it takes nothing new */
	bool warm;       /* it has the challenge's images already */
	int64_t running; /* instances it has, or is promised */
	int64_t capacity;
	struct supply memory, nano_cpus;
};

struct scheduler_want {
	const char *const *avoid; /* ids of nodes that refused it already */
	size_t avoid_count;
};

/*
 * Of the healthy nodes with room for it (a place, memory and processors) one that has the images
 * already; of those the least loaded, a node being as loaded as whatever it has least left of, by
 * its share in use; among equals the one with most places left, then the first by id. Fails with
 * UNAVAILABLE, saying what stands in the way.
 */
int scheduler_pick(const struct node_load *nodes, size_t count, const struct scheduler_want *want,
		   const struct node_load **ret_node, struct err *e);

/*
 * Whether waiting helps: there is a node that would take it, were it empty, or one that was not
 * heard of yet.
 */
bool scheduler_may_wait(const struct node_load *nodes, size_t count);

#endif
