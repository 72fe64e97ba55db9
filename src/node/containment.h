/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What holds every container that a node makes, whoever asked for it: services, sidecars, solvers,
 * agents, makers of attachments. The plan says what a service may do; this is what no plan can
 * leave out.
 */
#ifndef NODE_CONTAINMENT_H
#define NODE_CONTAINMENT_H

#include <jansson.h>

struct err;
struct node;

/* Whose program it is that the container will run. */
enum container_kind {
	CONTAINER_OURS,    /* of an image that ctfy brings */
	CONTAINER_FOREIGN, /* an author's, a player's or an agent's */
};

struct container_order {
	enum container_kind kind;
	const char *challenge_id; /* whose policy holds it; NULL: nobody's */
	const char *name;
	json_t *body; /* of the engine's create call; what is missing is added to it */
};

/* Once, when the node starts: what engines read from a file. */
int containment_prepare(const struct node *node, struct err *e);

/*
 * Creates the container under a system call filter of ours (unless the body has one that the policy
 * let through), in the runtime that it is to have, and with limits of memory (no swap beyond it),
 * processors, processes, open files and log where the body has none. ret_id is the caller's. Fails
 * as engine_container_create() does.
 */
int container_create(struct node *node, const struct container_order *order, char **ret_id,
		     struct err *e);

#endif
