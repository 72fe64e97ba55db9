/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance holds of the host: its networks and its published ports.
 *
 * A network is one of the pool, or a subnet for one that is made for the instance alone, because
 * the plan wants what the pool's do not have.
 */
#ifndef NODE_RESOURCE_H
#define NODE_RESOURCE_H

#include "node/pool.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct node;
struct plan;

/* What the node has promised to containers in all. */
struct promises {
	pthread_mutex_t lock;
	int64_t memory;    /* bytes */
	int64_t nano_cpus; /* 1e9 is one processor */
};

void promises_init(struct promises *promises);
void promises_done(struct promises *promises);

/* As it is now. */
void promises_read(struct promises *promises, int64_t *ret_memory, int64_t *ret_nano_cpus);

/* What an instance's containers may use: that is promised to them. */
void resources_promised(const struct plan *plan, int64_t *ret_memory, int64_t *ret_nano_cpus);

struct resources {
	struct pooled_network *networks; /* one per network of the plan; id "": a subnet alone */
	size_t network_count;
	uint16_t *ports; /* one per published port and replica, in the plan's order */
	size_t port_count;
	int64_t memory, nano_cpus;       /* promised to its containers */
	bool no_images;                  /* it is known to have none of its own */
	char vpn_pool[SUBNET_TEXT_SIZE]; /* addresses of its VPN's clients; "": it has no VPN */
};

/* All that the plan needs, or nothing. Fails with UNAVAILABLE. */
int resources_take(struct node *node, const struct plan *plan, struct resources *ret_resources,
		   struct err *e);
/*
 * Which labelled_kinds the instance may have made: the engine takes its time to list images and
 * networks, which are many on a busy host.
 */
unsigned resources_kinds(const struct resources *resources);
/*
 * Sees that nothing uses the networks any more, now that what the instance had on the engine is
 * gone. Fails with ENGINE: then nothing may be given back yet.
 */
int resources_clean(struct node *node, struct resources *resources, struct err *e);

/*
 * Gives all back and empties the struct. To be called when the store no longer names them: another
 * instance may have them the next moment, and two rows that claim one network are one too many.
 */
void resources_release(struct node *node, struct resources *resources);
void resources_done(struct resources *resources); /* frees the memory only */

/* As kept in the store; NULL: out of memory. */
char *resources_text(const struct resources *resources);
/* Marks what the text names as in use, and fills the struct. NULL text: none. */
int resources_claim(struct node *node, const char *text, struct resources *ret_resources,
		    struct err *e);

#endif
