/*
 * Containers that come late: a call that a killed node had sent to the engine may take effect after
 * its successor has cleaned up.
 */
#ifndef NODE_LATE_CONTAINER_H
#define NODE_LATE_CONTAINER_H

#include <jansson.h>

struct err;
struct node;

/*
 * As engine_container_create(), but a container that has the name, is of the same instance, and was
 * never started makes way.
 */
int late_container_create(struct node *node, const char *name, const json_t *body, char **ret_id,
			  struct err *e);

/*
 * Removes what was created for instances that run now and never started, a while ago: whoever made
 * it is gone. What instances that have ended left is compose_instances()'s to find.
 */
int late_containers_remove(struct node *node, struct err *e);

#endif
