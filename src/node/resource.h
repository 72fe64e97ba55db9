/*
 * What an instance holds of the host: its networks' subnets and its published ports.
 */
#ifndef NODE_RESOURCE_H
#define NODE_RESOURCE_H

#include "node/subnet.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct node;
struct plan;

struct resources {
	char (*subnets)[SUBNET_TEXT_SIZE]; /* one per network of the plan, in its order */
	size_t subnet_count;
	uint16_t *ports; /* one per published port and replica, in the plan's order */
	size_t port_count;
};

/* All that the plan needs, or nothing. Fails with UNAVAILABLE. */
int resources_take(struct node *node, const struct plan *plan, struct resources *ret_resources,
		   struct err *e);
/* Gives all back and empties the struct. */
void resources_release(struct node *node, struct resources *resources);
void resources_done(struct resources *resources); /* frees the memory only */

/* As kept in the store; NULL: out of memory. */
char *resources_text(const struct resources *resources);
/* Marks what the text names as in use, and fills the struct. NULL text: none. */
int resources_claim(struct node *node, const char *text, struct resources *ret_resources,
		    struct err *e);

#endif
