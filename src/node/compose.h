/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan brought up on the engine, and taken down again.
 *
 * Every object is labelled with the node and the instance, and that is how it is found again: after
 * a crash nothing else is needed to take an instance down.
 */
#ifndef NODE_COMPOSE_H
#define NODE_COMPOSE_H

#include "node/resource.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>

struct err;
struct node;
struct plan;

/* clang-format off */
#define LABEL_NODE	"ctfy.node"
#define LABEL_INSTANCE	"ctfy.instance"
#define LABEL_CHALLENGE	"ctfy.challenge"
#define LABEL_EXPIRES	"ctfy.expires"  /* RFC 3339; a later PATCH is in the store alone */
#define LABEL_ROLE	"ctfy.role"     /* "service", "sidecar" or "agent" */
#define LABEL_ONE_SHOT	"ctfy.one-shot" /* "true": exiting with 0 is this container's healthy end */
#define LABEL_PORTS	"ctfy.ports"    /* published TCP ports, "80,443": what a probe connects to */
#define LABEL_RECORDED	"ctfy.recorded" /* "true": players come to it by the recorder's ports */
#define LABEL_POOL	"ctfy.pool"     /* a network of the pool: no instance's own */
#define LABEL_PROJECT	"com.docker.compose.project"
#define LABEL_SERVICE	"com.docker.compose.service"
#define LABEL_NUMBER	"com.docker.compose.container-number"
/* clang-format on */

struct compose {
	struct node *node;
	const char *instance_id;
	const struct plan *plan;
	struct resources *resources;  /* a subnet that somebody else has is exchanged */
	int64_t expires_at;           /* as known when it is made */
	const char *dir;              /* the instance's own directory */
	const atomic_bool *cancelled; /* a start in progress gives up soon after it is set */
};

/*
 * Makes networks, volumes and containers, and starts the containers as their dependencies allow.
 * Images must be there. After a failure, compose_down() is due. Fails with ABORTED when cancelled.
 */
int compose_up(const struct compose *compose, struct err *e);

/* What a player reaches: an array as endpoint_fields encode it. NULL: out of memory. */
json_t *compose_endpoints(const struct compose *compose);

/* Containers that should run, by service: {"web": 1}. NULL: out of memory. */
json_t *compose_services(const struct plan *plan);

/*
 * Removes everything of these kinds (a set: LABELLED_ALL) that carries the instance's label, and
 * sees that it is gone. Fails with the engine's words when something stays.
 */
int compose_down(struct node *node, const char *instance_id, unsigned kinds, struct err *e);

/* An engine that is told to end gives containers 10 s, then ends the stream of events. */
enum { ENGINE_SHUTDOWN_MS = 30 * 1000 };

/*
 * After the engine was lost: starts again what ended with it. That is what ended after since_ms
 * (Unix); where that isn't known (0), and nothing of the instance runs, what ended with the last of
 * it. What ended by itself before is left as it is.
 */
int compose_revive(struct node *node, const char *instance_id, int64_t since_ms, struct err *e);

/* Ids of the instances that the engine has something of: a new object, {id: true}. */
int compose_instances(struct node *node, json_t **ret_ids, struct err *e);

/* Labels for a filter: ours, of one instance (NULL: of any). The strings live in text. */
struct label_filter {
	char text[2][160];
	const char *labels[3];
};
void label_filter(const struct node *node, const char *instance_id, struct label_filter *filter);

#endif
