/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance is doing, asked of the engine: services, health, containers.
 */
#ifndef NODE_OBSERVE_H
#define NODE_OBSERVE_H

#include <ctfy/types.h>
#include <stddef.h>

struct err;
struct node;

/* The row with its services. Fails with NOT_FOUND or ENGINE. */
int instance_status(struct node *node, const char *instance_id, struct ctfy_instance *ret_row,
		    struct err *e);

/*
 * Healthy is: every service that should run does, its healthcheck passes, and where it has none,
 * its published TCP ports accept a connection (on the container's own address: the engine's proxy
 * in front of it accepts always). So does the recorder, where players come in by it. No published
 * port is open on the container's loopback alone. What ended with 0, and has neither a restart
 * policy nor a published port, has done its work.
 */
int instance_health(struct node *node, const char *instance_id, struct ctfy_health *ret_health,
		    struct err *e);

int instance_containers(struct node *node, const char *instance_id,
			struct ctfy_containers *ret_containers, struct err *e);

#endif
