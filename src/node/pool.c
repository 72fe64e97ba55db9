/* SPDX-License-Identifier: Apache-2.0 */
#include "node/pool.h"

#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/spawn.h"
#include "engine/network.h"
#include "node/bridge.h"
#include "node/compose.h"
#include "node/evict.h"
#include "node/firewall.h"
#include "node/node.h"
#include "node/roster.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct pool {
	struct node *node;
	pthread_mutex_t lock;
	size_t count, most;
	struct pooled_network
		ready[]; /* a queue's order matters little: the last in is taken first */
};

int pool_new(struct node *node, size_t most, struct pool **ret_pool, struct err *e)
{
	struct pool *pool = calloc(1, sizeof(*pool) + most * sizeof(pool->ready[0]));

	if (!pool)
		return err_memory(e);
	pool->node = node;
	pool->most = most;
	pthread_mutex_init(&pool->lock, NULL);
	*ret_pool = pool;
	return 0;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

size_t pool_ready(struct pool *pool)
{
	size_t count;

	pthread_mutex_lock(&pool->lock);
	count = pool->count;
	pthread_mutex_unlock(&pool->lock);
	return count;
}

/* Nobody is in it any more, by the engine's own account. */
static int is_empty(struct pool *pool, const struct pooled_network *network, struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	int r;

	r = engine_network_inspect(pool->node->engine, network->id, &inspected, e);
	return r < 0 ? r : json_object_size(json_object_get(inspected, "Containers")) == 0;
}

static bool take_oldest(struct pool *pool, struct pooled_network *ret_network)
{
	bool found;

	pthread_mutex_lock(&pool->lock);
	found = pool->count > 0;
	if (found) {
		*ret_network = pool->ready[0];
		memmove(&pool->ready[0], &pool->ready[1], --pool->count * sizeof(pool->ready[0]));
	}
	pthread_mutex_unlock(&pool->lock);
	return found;
}

bool pool_take(struct pool *pool, struct pooled_network *ret_network)
{
	while (take_oldest(pool, ret_network)) {
		int r = is_empty(pool, ret_network, NULL);

		if (r > 0)
			return true;
		if (r == -ERR_NOT_FOUND) /* somebody pruned the engine's networks */
			subnets_release(pool->node->subnets, ret_network->subnet);
		else
			log_warn("network '%s' of the pool is not as it was left: out of use",
				 ret_network->id);
	}
	*ret_network = (struct pooled_network){ .id = "" };
	return false;
}

static bool put(struct pool *pool, const struct pooled_network *network)
{
	bool fits;

	pthread_mutex_lock(&pool->lock);
	fits = pool->count < pool->most;
	if (fits)
		pool->ready[pool->count++] = *network;
	pthread_mutex_unlock(&pool->lock);
	return fits;
}

/*
 * The kernel remembers connections of containers that are gone. The next one to have an address
 * must not be reached through them. conntrack exits with 1 when there was nothing to forget.
 */
static int forget_connections(const struct pooled_network *network, struct err *e)
{
	const char *const from[] = { "conntrack", "-D", "-s", network->subnet, NULL };
	const char *const to[] = { "conntrack", "-D", "-d", network->subnet, NULL };
	int status, r;

	r = spawn_ask(from, &status, e);
	return r < 0 ? r : spawn_ask(to, &status, e);
}

int pool_clean(struct pool *pool, struct pooled_network *network, struct err *e)
{
	struct err unforgotten = ERR_INIT;
	int r;

	r = is_empty(pool, network, e);
	if (r == 0)
		return err_set(e, ERR_ENGINE, "network '%s' still has containers", network->id);
	if (r > 0) {
		if (forget_connections(network, &unforgotten) == 0)
			return 0;
		r = engine_network_remove(pool->node->engine, network->id, e);
	}
	if (r < 0 && r != -ERR_NOT_FOUND)
		return r;
	network->id[0] = '\0';
	return 0;
}

void pool_put(struct pool *pool, const struct pooled_network *network)
{
	struct err e = ERR_INIT;

	if (network->id[0]) {
		int r;

		if (put(pool, network))
			return;
		r = engine_network_remove(pool->node->engine, network->id, &e);
		if (r < 0 && r != -ERR_NOT_FOUND)
			log_warn("a network too many: %s; the sweep will remove it", e.msg);
	}
	subnets_release(pool->node->subnets, network->subnet);
}

void pool_drain(struct pool *pool)
{
	struct pooled_network network;

	pthread_mutex_lock(&pool->lock);
	pool->most = 0;
	pthread_mutex_unlock(&pool->lock);
	while (take_oldest(pool, &network))
		pool_put(pool, &network);
}

static bool wants_more(struct pool *pool)
{
	bool wants;

	pthread_mutex_lock(&pool->lock);
	wants = pool->count < pool->most;
	pthread_mutex_unlock(&pool->lock);
	return wants;
}

static int make_network(struct pool *pool, struct pooled_network *network, struct err *e)
{
	struct node *node = pool->node;
	AUTO(json_t *, json_decrefp) labels =
		json_make("{s:s,s:s}", LABEL_NODE, node->id, LABEL_POOL, "true");
	char name[128], gateway[SUBNET_TEXT_SIZE], bridge[BRIDGE_NAME_SIZE];
	AUTO(char *, freep) id = NULL;
	struct engine_network_options options = {
		.name = name,
		.bridge = bridge,
		.subnet = network->subnet,
		.gateway = gateway,
		.labels = labels,
	};
	int r;

	if (!labels)
		return err_memory(e);
	snprintf(name, sizeof(name), "ctfy-pool-%s-%.*s", node->id,
		 (int)strcspn(network->subnet, "/"), network->subnet);
	subnet_address(network->subnet, 1, gateway);
	firewall_bridge_name(node->id, name, false, bridge);
	r = engine_network_create(node->engine, &options, &id, e);
	if (r < 0)
		return r;
	snprintf(network->id, sizeof(network->id), "%s", id);
	return bridge_limit(bridge, e);
}

int pool_fill(struct pool *pool, struct err *e)
{
	struct pooled_network network = { .id = "" };
	int r;

	if (!wants_more(pool))
		return 0;
	r = subnets_take(pool->node->subnets, SUBNET_PREFIX, network.subnet, e);
	if (r < 0)
		return r;
	r = make_network(pool, &network, e);
	if (r < 0) {
		/* A subnet that something else on the host overlaps is not tried again. */
		if (r != -ERR_CONFLICT)
			subnets_release(pool->node->subnets, network.subnet);
		return r;
	}
	pool_put(pool, &network);
	return 1;
}

static bool is_held(const struct roll *roll, const char *network_id)
{
	for (size_t i = 0; i < roll->count; i++) {
		const struct resources *resources = &roll->instances[i]->resources;

		for (size_t j = 0; j < resources->network_count; j++)
			if (strcmp(resources->networks[j].id, network_id) == 0)
				return true;
	}
	return false;
}

static void recover_one(struct pool *pool, const struct engine_network *found)
{
	struct pooled_network network = { .id = "" };
	struct err e = ERR_INIT;

	snprintf(network.id, sizeof(network.id), "%s", found->id);
	snprintf(network.subnet, sizeof(network.subnet), "%s", found->subnet ? found->subnet : "");
	subnets_claim(pool->node->subnets, network.subnet);
	if (pool_clean(pool, &network, &e) < 0)
		log_warn("network '%s' of the pool stays out of use: %s", found->name, e.msg);
	else
		pool_put(pool, &network);
}

static int list_networks(struct pool *pool, struct engine_network_list *ret_list, struct err *e)
{
	char ours[96];
	const char *const labels[] = { ours, LABEL_POOL, NULL };

	snprintf(ours, sizeof(ours), LABEL_NODE "=%s", pool->node->id);
	return engine_network_list(pool->node->engine, labels, ret_list, e);
}

/* What is ready or held has its subnet reserved; what has not is nobody's. */
int pool_sweep(struct pool *pool, struct err *e)
{
	struct engine_network_list list = { 0 };
	int r;

	r = list_networks(pool, &list, e);
	for (size_t i = 0; r == 0 && i < list.count; i++)
		if (list.items[i].subnet &&
		    !subnets_is_taken(pool->node->subnets, list.items[i].subnet))
			r = engine_network_remove(pool->node->engine, list.items[i].id, e);
	engine_network_list_done(&list);
	return r == -ERR_NOT_FOUND ? 0 : r;
}

int pool_recover(struct pool *pool, struct err *e)
{
	struct engine_network_list list = { 0 };
	struct roll roll = { 0 };
	int r;

	r = list_networks(pool, &list, e);
	if (r == 0)
		r = roster_roll(pool->node->roster, &roll, e);
	for (size_t i = 0; r == 0 && i < list.count; i++)
		if (!is_held(&roll, list.items[i].id))
			recover_one(pool, &list.items[i]);
	roll_done(&roll);
	engine_network_list_done(&list);
	return r;
}
