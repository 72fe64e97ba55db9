/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks, and containers' places in them.
 *
 * The engine creates and removes networks one after another (about 0.1 s and 0.2 s each): many at
 * once only wait for each other.
 */
#ifndef ENGINE_NETWORK_H
#define ENGINE_NETWORK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct err;

struct engine_network_options {
	const char *name;
	const char *driver; /* NULL: "bridge" */
	const char *bridge; /* the host's interface, at most 15 characters; NULL: engine's choice */
	const char *subnet; /* "10.64.3.0/28"; NULL: from the engine's pool, of about 30 */
	const char *gateway; /* an address in subnet; NULL: its first */
	const json_t
		*options; /* further driver options, {"com.docker.network.driver.mtu": "1400"} */
	const json_t *labels; /* {name: value} */
	bool internal;        /* no way to the outside; the host itself can still be reached */
};

/*
 * Fails with CONFLICT (the name is taken, or the subnet overlaps another network's). Two calls at
 * once may still make two of a name: go on by ret_id, which is the caller's.
 */
int engine_network_create(struct engine *engine, const struct engine_network_options *options,
			  char **ret_id, struct err *e);

/* Fails with NOT_FOUND or CONFLICT (containers are still in it). */
int engine_network_remove(struct engine *engine, const char *network, struct err *e);

/*
 * Puts a container into a network; fine before its start. endpoint is the API's EndpointSettings,
 * {"Aliases": [...], "IPAMConfig": {"IPv4Address": ...}}; NULL: none. A fixed address needs a
 * network with a subnet of its own. Fails with CONFLICT (it is in there already).
 */
int engine_network_connect(struct engine *engine, const char *network, const char *container,
			   const json_t *endpoint, struct err *e);
int engine_network_disconnect(struct engine *engine, const char *network, const char *container,
			      bool force, struct err *e);

int engine_network_inspect(struct engine *engine, const char *network, json_t **ret_json,
			   struct err *e);

/* A row of the list. Strings and JSON are borrowed from the list. */
struct engine_network {
	const char *id;
	const char *name;
	const char *driver;
	const char *subnet; /* the first; NULL: none */
	const json_t *labels;
	bool internal;
	int64_t created_ms;
};

struct engine_network_list {
	struct engine_network *items;
	size_t count;
	json_t *json; /* what the items borrow from */
};

/* As engine_container_list(). */
int engine_network_list(struct engine *engine, const char *const *labels,
			struct engine_network_list *ret_list, struct err *e);
void engine_network_list_done(struct engine_network_list *list);

#endif
