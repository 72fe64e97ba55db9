/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of the engine's runtimes runs an author's, a player's or an agent's programs: what the
 * challenge was let ask for, else what the policy says for it, else the node's --runtime, else the
 * engine's default. Our own sidecars are the default's.
 */
#ifndef NODE_RUNTIME_H
#define NODE_RUNTIME_H

#include <jansson.h>

struct engine;
struct err;
struct node;

/*
 * Whether containers of the engine can have it; info is its own account. Fails with NOT_FOUND, and
 * names those that it has, or with POLICY: Podman has one for all containers.
 */
int runtime_check(const struct engine *engine, const json_t *info, const char *name, struct err *e);

/*
 * Puts it into the HostConfig of a container that is to be created; challenge_id may be NULL. Fails
 * with POLICY where the engine is Podman.
 */
int runtime_settle(struct node *node, const char *challenge_id, json_t *host_config, struct err *e);

#endif
