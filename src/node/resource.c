/* SPDX-License-Identifier: Apache-2.0 */
#include "node/resource.h"

#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/spawn.h"
#include "challenge/plan.h"
#include "node/labelled.h"
#include "node/node.h"
#include "node/port.h"
#include "node/vpn.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

void promises_init(struct promises *promises)
{
	*promises = (struct promises){ 0 };
	pthread_mutex_init(&promises->lock, NULL);
}

void promises_done(struct promises *promises)
{
	pthread_mutex_destroy(&promises->lock);
}

void promises_read(struct promises *promises, int64_t *ret_memory, int64_t *ret_nano_cpus)
{
	pthread_mutex_lock(&promises->lock);
	*ret_memory = promises->memory;
	*ret_nano_cpus = promises->nano_cpus;
	pthread_mutex_unlock(&promises->lock);
}

void resources_promised(const struct plan *plan, int64_t *ret_memory, int64_t *ret_nano_cpus)
{
	*ret_memory = *ret_nano_cpus = 0;
	for (size_t i = 0; i < plan->service_count; i++) {
		*ret_memory += plan->services[i].memory * plan->services[i].replicas;
		*ret_nano_cpus += plan->services[i].nano_cpus * plan->services[i].replicas;
	}
}

static void promise(struct promises *promises, int64_t memory, int64_t nano_cpus)
{
	pthread_mutex_lock(&promises->lock);
	promises->memory += memory;
	promises->nano_cpus += nano_cpus;
	pthread_mutex_unlock(&promises->lock);
}

/* Promises what the plan's containers may use, where the operator's limits allow it. */
static int promise_plan(struct node *node, const struct plan *plan, struct resources *resources,
			struct err *e)
{
	enum { MIB = 1 << 20 };
	const struct node_options *options = node->options;
	struct promises *promises = &node->promises;
	int64_t memory, nano_cpus;
	int r = 0;

	resources_promised(plan, &memory, &nano_cpus);
	pthread_mutex_lock(&promises->lock);
	if (options->memory && promises->memory + memory > options->memory)
		r = err_set(e, ERR_UNAVAILABLE,
			    "the node is full: %lld of %lld MiB of memory are promised, %lld more "
			    "are wanted",
			    (long long)(promises->memory / MIB), (long long)(options->memory / MIB),
			    (long long)(memory / MIB));
	else if (options->cpus && promises->nano_cpus + nano_cpus > options->cpus * 1000000000)
		r = err_set(e, ERR_UNAVAILABLE,
			    "the node is full: %.1f of %lld processors are promised, %.1f more are "
			    "wanted",
			    (double)promises->nano_cpus / 1e9, (long long)options->cpus,
			    (double)nano_cpus / 1e9);
	if (r == 0) {
		promises->memory += resources->memory = memory;
		promises->nano_cpus += resources->nano_cpus = nano_cpus;
	}
	pthread_mutex_unlock(&promises->lock);
	return r;
}

unsigned resources_kinds(const struct resources *resources)
{
	unsigned kinds = LABELLED_ALL;
	bool all_pooled = resources->network_count > 0;

	for (size_t i = 0; i < resources->network_count; i++)
		all_pooled = all_pooled && resources->networks[i].id[0];
	if (all_pooled)
		kinds &= ~(1U << LABELLED_NETWORK);
	if (resources->no_images)
		kinds &= ~(1U << LABELLED_IMAGE);
	return kinds;
}

void resources_done(struct resources *resources)
{
	free(resources->networks);
	free(resources->ports);
	*resources = (struct resources){ 0 };
}

/* Connections that came in through a published port end with it: see forget_connections(). */
static void forget_port(uint16_t port)
{
	char text[8];
	const char *const tcp[] = { "conntrack", "-D", "-p", "tcp", "--orig-port-dst", text, NULL };
	const char *const udp[] = { "conntrack", "-D", "-p", "udp", "--orig-port-dst", text, NULL };

	snprintf(text, sizeof(text), "%u", port);
	spawn_wait(tcp, NULL, NULL);
	spawn_wait(udp, NULL, NULL);
}

int resources_clean(struct node *node, struct resources *resources, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < resources->network_count; i++)
		if (resources->networks[i].id[0])
			r = pool_clean(node->pool, &resources->networks[i], e);
	return r;
}

void resources_release(struct node *node, struct resources *resources)
{
	for (size_t i = 0; i < resources->port_count; i++) {
		forget_port(resources->ports[i]);
		ports_release(node->ports, resources->ports[i]);
	}
	for (size_t i = 0; i < resources->network_count; i++)
		pool_put(node->pool, &resources->networks[i]);
	if (resources->vpn_pool[0])
		subnets_release(node->subnets, resources->vpn_pool);
	promise(&node->promises, -resources->memory, -resources->nano_cpus);
	resources_done(resources);
}

static int make_room(struct resources *resources, size_t networks, size_t ports, struct err *e)
{
	resources->networks = calloc(networks + 1, sizeof(*resources->networks));
	resources->ports = calloc(ports + 1, sizeof(*resources->ports));
	return resources->networks && resources->ports ? 0 : err_memory(e);
}

static bool is_own(const struct plan_build *build)
{
	return build && build->per_instance;
}

static bool has_own_images(const struct plan *plan)
{
	for (size_t i = 0; i < plan->service_count; i++)
		if (is_own(plan->services[i].build))
			return true;
	for (size_t i = 0; i < plan->attachment_count; i++)
		if (is_own(plan->attachments[i].build))
			return true;
	return false;
}

static size_t published_ports(const struct plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->service_count; i++)
		for (size_t j = 0; j < plan->services[i].port_count; j++)
			if (plan->services[i].ports[j].published)
				count += plan->services[i].replicas;
	return count;
}

/* Whether a network of the pool is what the plan asks for. */
static bool is_ordinary(const struct plan_network *network)
{
	return !network->internal && !network->egress && !network->options &&
	       (network->prefix == 0 || network->prefix >= SUBNET_PREFIX) &&
	       network->gateway_offset <= 1;
}

static int take_network(struct node *node, const struct plan_network *network,
			struct pooled_network *ret, struct err *e)
{
	if (is_ordinary(network) && pool_take(node->pool, ret))
		return 0;
	return subnets_take(node->subnets, network->prefix, ret->subnet, e);
}

static int take_all(struct node *node, const struct plan *plan, struct resources *resources,
		    struct err *e)
{
	size_t port_count = published_ports(plan);
	int r;

	resources->no_images = !has_own_images(plan);
	r = make_room(resources, plan->network_count, port_count, e);
	if (r == 0)
		r = promise_plan(node, plan, resources, e);
	for (; r == 0 && resources->port_count < port_count; resources->port_count += r == 0)
		r = ports_take(node->ports, &resources->ports[resources->port_count], e);
	for (; r == 0 && resources->network_count < plan->network_count;
	     resources->network_count += r == 0)
		r = take_network(node, &plan->networks[resources->network_count],
				 &resources->networks[resources->network_count], e);
	if (r == 0 && vpn_has_service(plan))
		r = subnets_take(node->subnets, VPN_POOL_PREFIX, resources->vpn_pool, e);
	return r;
}

int resources_take(struct node *node, const struct plan *plan, struct resources *ret_resources,
		   struct err *e)
{
	int r;

	r = take_all(node, plan, ret_resources, e);
	if (r < 0)
		resources_release(node, ret_resources); /* unused, so clean */
	return r;
}

char *resources_text(const struct resources *resources)
{
	AUTO(json_t *, json_decrefp) json =
		json_make("{s:[],s:[],s:I,s:I,s:b,s:s}", "networks", "ports", "memory",
			  (json_int_t)resources->memory, "nano_cpus",
			  (json_int_t)resources->nano_cpus, "no_images", resources->no_images,
			  "vpn_pool", resources->vpn_pool);

	for (size_t i = 0; i < resources->network_count; i++)
		json_array_append_new(json_object_get(json, "networks"),
				      json_make("{s:s,s:s}", "id", resources->networks[i].id,
						"subnet", resources->networks[i].subnet));
	for (size_t i = 0; i < resources->port_count; i++)
		json_array_append_new(json_object_get(json, "ports"),
				      json_integer(resources->ports[i]));
	return json ? json_dumps(json, JSON_COMPACT) : NULL;
}

static void claim_network(struct node *node, const json_t *json, struct pooled_network *network)
{
	const char *id = json_string_value(json_object_get(json, "id"));
	const char *subnet = json_string_value(json_object_get(json, "subnet"));

	snprintf(network->id, sizeof(network->id), "%s", id ? id : "");
	snprintf(network->subnet, sizeof(network->subnet), "%s", subnet ? subnet : "");
	subnets_claim(node->subnets, network->subnet);
}

/* A row of an earlier version has none. */
static void claim_vpn_pool(struct node *node, const json_t *json, struct resources *resources)
{
	const char *pool = json_string_value(json_object_get(json, "vpn_pool"));

	snprintf(resources->vpn_pool, sizeof(resources->vpn_pool), "%s", pool ? pool : "");
	if (resources->vpn_pool[0])
		subnets_claim(node->subnets, resources->vpn_pool);
}

int resources_claim(struct node *node, const char *text, struct resources *ret_resources,
		    struct err *e)
{
	AUTO(json_t *, json_decrefp) json = text ? json_loads(text, 0, NULL) : json_object();
	const json_t *networks = json_object_get(json, "networks");
	const json_t *ports = json_object_get(json, "ports");
	struct resources *resources = ret_resources;
	json_t *value;
	size_t i;
	int r;

	r = make_room(resources, json_array_size(networks), json_array_size(ports), e);
	if (r < 0)
		return r;
	resources->memory = json_integer_value(json_object_get(json, "memory"));
	resources->nano_cpus = json_integer_value(json_object_get(json, "nano_cpus"));
	resources->no_images = json_is_true(json_object_get(json, "no_images"));
	claim_vpn_pool(node, json, resources);
	promise(&node->promises, resources->memory, resources->nano_cpus);
	json_array_foreach (networks, i, value)
		claim_network(node, value, &resources->networks[resources->network_count++]);
	json_array_foreach (ports, i, value) {
		resources->ports[resources->port_count++] = (uint16_t)json_integer_value(value);
		ports_claim(node->ports, (uint16_t)json_integer_value(value));
	}
	return 0;
}
