/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A service of a plan as the body of POST /containers/create.
 */
#ifndef NODE_CONTAINER_H
#define NODE_CONTAINER_H

#include <jansson.h>
#include <stdint.h>

struct compose;
struct err;
struct node;
struct plan_network;
struct plan_network_use;
struct plan_service;

/* What the node adds to a service's plan for one of its containers. */
struct container_facts {
	uint32_t replica; /* from 0 */
	const uint16_t
		*ports; /* host ports of this container, in the order of its published ones */
	const char *network_mode; /* NULL: the first of the service's networks */
};

/* Copies the service's binds into the instance's directory where it needs its own. */
int container_prepare(const struct compose *compose, const struct plan_service *service,
		      struct err *e);

/* A new reference; NULL: out of memory. */
json_t *container_body(const struct compose *compose, const struct plan_service *service,
		       const struct container_facts *facts);

/*
 * Gives a container of a closed network the network's gateway for a name server, unless it has its
 * own: there, node/names.h says of every name that there is none. The engine would ask one on the
 * host's loopback in the host's name, which no rule of the firewall sees.
 */
void container_close_names(const struct compose *compose, const struct plan_network *network,
			   json_t *host_config);

/*
 * Has the engine keep what the container writes byte for byte: its files of JSON replace what is no
 * UTF-8. How much is kept stays as it is.
 */
void container_keep_log(const struct node *node, json_t *host_config);

/* {"Aliases": [...], "IPAMConfig": {...}} for one of a service's networks. NULL: out of memory. */
json_t *container_endpoint(const struct compose *compose, const struct plan_network_use *use);

/* "PROJECT_network", "PROJECT_volume", "PROJECT-service-1": compose's names. */
char *project_network_name(const struct compose *compose, const char *network);
char *project_volume_name(const struct compose *compose, const char *volume);
char *project_container_name(const struct compose *compose, const struct plan_service *service,
			     uint32_t replica);

/* The engine's name for one of the instance's networks: its own, or the pooled one's id. */
char *instance_network(const struct compose *compose, const char *network);

/* The labels that every object of the instance carries. NULL: out of memory. */
json_t *instance_labels(const struct compose *compose);

#endif
