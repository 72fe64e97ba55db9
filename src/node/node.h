/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node: what its parts share. Made once, at the daemon's start; members don't change afterwards.
 */
#ifndef NODE_NODE_H
#define NODE_NODE_H

#include "base/clock.h"
#include "base/id.h"
#include "node/gate.h"
#include "node/options.h"
#include "node/resource.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct build_ground;
struct catalogue;
struct db;
struct engine;
struct err;
struct firewall;
struct images;
struct metrics;
struct names;
struct roster;
struct policy;
struct pool;
struct ports;
struct steady_clock;
struct subnets;
struct timings;
struct trials;
struct warm;
struct work;

struct node {
	const struct node_options *options;
	const struct clock *clock; /* of the steady one */
	struct steady_clock *steady;
	char *token;
	char *state_dir;           /* absolute */
	char *evidence_dir;        /* absolute: what is recorded lies below it */
	int state_claim, id_claim; /* base/claim.h; -1: none */
	char *engine_name;         /* "Docker 20.10.24" */
	bool maps_users;           /* the engine gives containers a user namespace */
	int64_t nano_cpus;         /* the engine's host has; 0: unknown */
	bool cgroups_by_engine;    /* it makes them itself, on this machine */
	char *engine_dir;          /* where the engine keeps its images and containers */
	char id[ID_SIZE];
	struct db *db;
	struct engine *engine;
	pthread_rwlock_t config; /* of token and policy, which a reload replaces */
	struct policy *policy;   /* NULL: the defaults */
	struct catalogue *catalogue;
	struct subnets *subnets;
	struct ports *ports;
	struct names *names;       /* NULL: closed networks' questions are not answered */
	struct firewall *firewall; /* NULL: no isolation, or only looked at */
	struct pool *pool;         /* networks that are ready */
	struct images *images;     /* being made */
	struct build_ground *build_ground;
	struct warm *warm;     /* images made ahead */
	struct trials *trials; /* test runs of challenges */
	struct roster *roster; /* instances that have not ended */
	struct work *work;     /* jobs that outlive the request that began them */
	struct gate starts;
	struct gate stops; /* of what is over its time */
	struct promises promises;
	struct metrics *metrics;
	struct timings *timings; /* of starts, by challenge */
	atomic_int quarantined;  /* instances whose teardown failed, and will be retried */
	atomic_bool engine_lost; /* the last ping failed */
	/* Unix ms: since when it may have been away; 0: it is there, as far as is known. */
	atomic_llong engine_left_at;
	/* Unix ms: containers that ended later did so with the engine; 0: not known. */
	atomic_llong revive_since;
};

/* Opens the store, the engine and the firewall, and scans the challenges. */
int node_new(const struct node_options *options, struct node **ret_node, struct err *e);
/* The engine doesn't answer, or its events have ended: it may have been restarted. */
void node_miss_engine(struct node *node);
/* Whether instances reach neither host, LAN nor each other: what --isolation says. */
bool node_isolates(const struct node *node);
/* Reads the policy and the token file again; after a failure the old ones stay in force. */
int node_reload(struct node *node, struct err *e);

/* Waits for its jobs; instances go on running. */
void node_free(struct node *node);
static inline void node_freep(struct node **node)
{
	node_free(*node);
}

#endif
