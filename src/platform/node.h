/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes the platform knows, each with a client and a heartbeat of its own.
 *
 * A heartbeat that takes long holds a thread of its own, so that a slow node delays no other; where
 * all answer at once a few threads beat them all. A node that is registered again (a new address, a
 * new token) or removed is replaced as a whole: whoever holds the old one may finish its call.
 */
#ifndef PLATFORM_NODE_H
#define PLATFORM_NODE_H

#include "base/secret.h"
#include "platform/scheduler.h"

#include <ctfy/node_client.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct clock;
struct db;
struct err;
struct http_client;
struct http_reply;
struct node;
struct nodes;

enum node_state {
	NODE_JOINING,  /* registered, not heard of yet */
	NODE_HEALTHY,  /* gets new instances */
	NODE_DEGRADED, /* missed a heartbeat, or says that something is wrong */
	NODE_LOST,     /* missed NODE_MISSES_LOST in a row */
};

enum { NODE_STATES = NODE_LOST + 1, NODE_MISSES_LOST = 3 };

const char *nodes_state_word(enum node_state state);

/*
 * The state after one more heartbeat. misses counts those in a row. A lost node has to answer
 * twice before it is healthy.
 */
enum node_state nodes_next_state(enum node_state state, bool answered, bool well, unsigned *misses);

struct nodes_options {
	struct db *db;
	const struct clock *clock;
	int64_t heartbeat_ms;         /* between two heartbeats of a node */
	int64_t heartbeat_timeout_ms; /* most time for one */
	const char *ca_file;          /* PEM, for nodes with https; NULL: the system's */
	/* After each heartbeat, on its thread. */
	void (*beaten)(void *cookie, const char *node_id, enum node_state state);
	void *cookie;
};

/* Loads the nodes of the store; no heartbeat before nodes_begin(). */
int nodes_new(const struct nodes_options *options, struct nodes **ret_nodes, struct err *e);
int nodes_begin(struct nodes *nodes, struct err *e);
/* Ends the heartbeats; waits for those under way. */
void nodes_end(struct nodes *nodes);
/* Ends and frees them; nobody holds a node any more. */
void nodes_free(struct nodes *nodes);

/*
 * A node by its name: new, or known and now at this URL with a new token. ret_id is the arena's.
 * Fails with VALIDATION (name, URL).
 */
/* What is said of a name that no node may have. */
#define NODE_NAME_WANTED "'%s' is no name for a node: letters, digits, '_', '.', '-', at most 63"

/* The id of the node of this name, the arena's; NULL: there is none. */
int nodes_find_name(struct nodes *nodes, struct arena *arena, const char *name, const char **ret_id,
		    struct err *e);
int nodes_register(struct nodes *nodes, struct arena *arena, const char *name, const char *url,
		   char **ret_id, char token[SECRET_TOKEN_SIZE], struct err *e);
/* As nodes_register(), with a token that both sides have already. */
int nodes_put(struct nodes *nodes, struct arena *arena, const char *name, const char *url,
	      const char *token, char **ret_id, struct err *e);

/* A drained node gets no new instances; what it has stays. Fails with NOT_FOUND. */
int nodes_drain(struct nodes *nodes, const char *id, bool drained, struct err *e);

/*
 * A new token instead of the one it has. Nobody is told that of nodes_revoke(): the node is lost to
 * us until it is registered again. Both fail with NOT_FOUND.
 */
int nodes_rotate(struct nodes *nodes, struct arena *arena, const char *id,
		 char token[SECRET_TOKEN_SIZE], struct err *e);
int nodes_revoke(struct nodes *nodes, struct arena *arena, const char *id, struct err *e);

/* Fails with NOT_FOUND, or CONFLICT while the node has live instances. */
int nodes_remove(struct nodes *nodes, const char *id, struct err *e);

/* To be dropped; NULL where there is none. */
struct node *nodes_take(struct nodes *nodes, const char *id);
void node_drop(struct node *node);
static inline void node_dropp(struct node **node)
{
	node_drop(*node);
}

/* Every node, each to be dropped; the array is the arena's. */
int nodes_take_all(struct nodes *nodes, struct arena *arena, struct node ***ret_nodes,
		   size_t *ret_count, struct err *e);

const char *nodes_id(const struct node *node);
const char *nodes_name(const struct node *node);
struct ctfy_node_client *nodes_client(const struct node *node);
/* For what the SDK has no call for: WebSockets, and what our own nodes have beside the contract. */
struct http_client *nodes_wire(const struct node *node);
enum node_state nodes_state(struct node *node);
/* How many nodes there are in each state. */
void nodes_count(struct nodes *nodes, int64_t ret_counts[NODE_STATES]);
int64_t nodes_seen_at(struct node *node); /* 0: not in this life of ours */
/* {id, name, url, state, running, capacity...}: for organisers. */
json_t *nodes_json(struct node *node);

/* What the scheduler goes by, for this challenge (NULL: none); strings are the arena's. */
int nodes_loads(struct nodes *nodes, struct arena *arena, const char *challenge_id,
		struct node_load **ret_loads, size_t *ret_count, struct err *e);

/*
 * What a failed call means to our callers. The node's own words pass, for organisers: see plain.h
 * for what players are told. An address never does. Frees what the error holds.
 */
int nodes_failed(const struct node *node, struct ctfy_error *error, struct err *e);
/* The same of a call through nodes_wire(): one that failed, one that got an error status. */
int nodes_unreachable(const struct node *node, const struct err *failed, struct err *e);
int nodes_refused(const struct http_reply *reply, struct err *e);

#endif
