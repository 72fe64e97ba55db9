/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/network.h"

#include "base/arena.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/safe-text.h"
#include "challenge/service.h"
#include "challenge/unit.h"

#include <arpa/inet.h>
#include <string.h>

enum { LONGEST_PREFIX = 28 };

struct subnet {
	uint32_t first, size;
};

static const char *network_key(struct planner *p, const char *name)
{
	const char *key = arena_printf(p->arena, "networks.%s", name);

	return key ? key : "networks";
}

static struct plan_network *find(struct planner *p, const char *name)
{
	for (size_t i = 0; i < p->plan->network_count; i++)
		if (strcmp(p->plan->networks[i].name, name) == 0)
			return &p->plan->networks[i];
	return NULL;
}

static const struct yaml_node *defined(struct planner *p, const char *name)
{
	return yaml_get(yaml_get(p->model, "networks"), name);
}

/* --- subnets ------------------------------------------------------------------------------ */

static bool read_address(const char *text, uint32_t *ret_address)
{
	struct in_addr address;

	if (inet_pton(AF_INET, text, &address) != 1)
		return false;
	*ret_address = ntohl(address.s_addr);
	return true;
}

static bool read_subnet(struct planner *p, const char *text, struct subnet *ret_subnet)
{
	const char *slash = strchr(text, '/');
	const char *address = slash ? arena_strndup(p->arena, text, (size_t)(slash - text)) : NULL;
	int64_t prefix;

	if (!address || !unit_integer(slash + 1, 1, 32, &prefix) ||
	    !read_address(address, &ret_subnet->first))
		return false;
	ret_subnet->size = prefix == 32 ? 1 : (uint32_t)1 << (32 - prefix);
	ret_subnet->first &= ~(ret_subnet->size - 1);
	return true;
}

/* The configuration of the network's IPv4 subnet that holds the address, or of its first. */
static const struct yaml_node *find_config(struct planner *p, const struct yaml_node *network,
					   const uint32_t *holding, struct subnet *ret_subnet)
{
	const struct yaml_node *configs = yaml_get(yaml_get(network, "ipam"), "config");

	for (size_t i = 0; configs && configs->kind == YAML_LIST && i < configs->count; i++) {
		const char *text = yaml_string(yaml_get(configs->items[i], "subnet"));

		if (text && read_subnet(p, text, ret_subnet) &&
		    (!holding || *holding - ret_subnet->first < ret_subnet->size))
			return configs->items[i];
	}
	return NULL;
}

/* The network and broadcast addresses are no host's. */
static uint32_t prefix_holding(uint32_t offset)
{
	uint32_t prefix = LONGEST_PREFIX;

	while (prefix > 1 && offset + 1 >= (uint32_t)1 << (32 - prefix))
		prefix--;
	return prefix;
}

static void make_room(struct plan_network *network, uint32_t offset)
{
	uint32_t prefix = prefix_holding(offset);

	if (!network->prefix || network->prefix > prefix)
		network->prefix = prefix;
}

/* One host far from the others makes a network of all the addresses in between. */
static bool permits_room(struct planner *p, const struct yaml_node *at, const char *key,
			 uint32_t offset)
{
	uint32_t prefix = prefix_holding(offset);

	return (int64_t)prefix >= p->limits.prefix_min ||
	       planner_permits(p, "prefix", at, key,
			       "the address needs a /%u for its network, and the node's prefix_min "
			       "is %lld",
			       prefix, (long long)p->limits.prefix_min);
}

bool network_is_internal(struct planner *p, const char *name)
{
	const struct plan_network *network = find(p, name);

	return network && network->internal;
}

uint32_t network_offset(struct service *s, const char *name, const struct yaml_node *value)
{
	struct plan_network *network = find(s->p, name);
	const char *text = service_text(s, value);
	struct subnet subnet;
	uint32_t address, offset;

	if (!text || !network)
		return 0;
	if (!read_address(text, &address)) {
		service_fault(s, value, "'%s' is not an IPv4 address", text);
		return 0;
	}
	if (!find_config(s->p, defined(s->p, name), NULL, &subnet)) {
		service_warn(
			s, value,
			"'%s' is not kept: the network '%s' has no subnet that it could lie in",
			text, name);
		return 0;
	}
	if (!find_config(s->p, defined(s->p, name), &address, &subnet)) {
		service_fault(s, value, "'%s' lies in no subnet of the network '%s'", text, name);
		return 0;
	}
	offset = address - subnet.first;
	if (offset == 0 || (offset == subnet.size - 1 && subnet.size > 2)) {
		service_fault(s, value, "'%s' is no host's address in its subnet", text);
		return 0;
	}
	if (!permits_room(s->p, value, service_key_path(s), offset))
		return 0;
	make_room(network, offset);
	return offset;
}

static void warn_of(struct planner *p, const struct yaml_node *map, const char *name,
		    const char *key)
{
	const struct yaml_node *value = yaml_get(map, name);

	if (value)
		problem_at(p->problems, PROBLEM_WARNING, value, key, "'%s' has no effect here",
			   name);
}

static void check_ipam(struct planner *p, const struct yaml_node *network, const char *key)
{
	static const char *const known[] = { "driver", "config", "options", NULL };
	static const char *const of_config[] = { "subnet", "gateway", "ip_range", "aux_addresses",
						 NULL };
	const struct yaml_node *ipam = yaml_get(network, "ipam");
	const struct yaml_node *configs = yaml_get(ipam, "config");
	const char *driver = yaml_string(yaml_get(ipam, "driver"));

	planner_check_keys(p, ipam, key, known);
	if (driver && strcmp(driver, "default") != 0)
		warn_of(p, ipam, "driver", key);
	warn_of(p, ipam, "options", key);
	for (size_t i = 0; configs && configs->kind == YAML_LIST && i < configs->count; i++) {
		planner_check_keys(p, configs->items[i], key, of_config);
		warn_of(p, configs->items[i], "ip_range", key);
		warn_of(p, configs->items[i], "aux_addresses", key);
	}
}

static void read_gateway(struct planner *p, const struct yaml_node *node,
			 struct plan_network *network)
{
	struct subnet subnet = { 0, 0 };
	const struct yaml_node *config = find_config(p, node, NULL, &subnet);
	const char *text = yaml_string(yaml_get(config, "gateway"));
	uint32_t gateway;

	if (!text)
		return;
	if (!read_address(text, &gateway) || gateway - subnet.first >= subnet.size) {
		problem_at(p->problems, PROBLEM_ERROR, config, network_key(p, network->name),
			   "the gateway '%s' is not in the subnet", text);
		return;
	}
	if (!permits_room(p, config, network_key(p, network->name), gateway - subnet.first))
		return;
	network->gateway_offset = gateway - subnet.first;
	make_room(network, network->gateway_offset);
}

/* --- keys --------------------------------------------------------------------------------- */

/* What the options that are kept take: an MTU, true or false. */
static bool is_option_value(const char *text)
{
	int64_t mtu;
	bool yes;

	return unit_integer(text, 68, 65535, &mtu) || unit_bool(text, &yes);
}

static void keep_options(struct planner *p, const struct yaml_node *value,
			 struct plan_network *network)
{
	static const char *const kept[] = { "com.docker.network.driver.mtu",
					    "com.docker.network.bridge.enable_icc" };

	for (size_t i = 0; value->kind == YAML_MAP && i < value->count; i++) {
		const struct yaml_entry *entry = &value->entries[i];
		const char *text = yaml_scalar_text(p->arena, entry->value);
		bool keep = false;

		for (size_t j = 0; j < ARRAY_SIZE(kept) && !keep; j++)
			keep = strcmp(kept[j], entry->key) == 0;
		if (!keep || !text) {
			problem_at(p->problems, PROBLEM_WARNING, entry->value,
				   network_key(p, network->name),
				   "the option '%s' is not kept: instances would share it",
				   entry->key);
			continue;
		}
		if (!is_option_value(text)) {
			problem_at(p->problems, PROBLEM_ERROR, entry->value,
				   network_key(p, network->name),
				   "'%s' is no value of the option '%s'", text, entry->key);
			continue;
		}
		if (!network->options)
			network->options = json_object();
		planner_set(p, network->options, entry->key, json_text(text));
	}
}

static void read_driver(struct planner *p, const struct yaml_node *value,
			const struct plan_network *network)
{
	const char *driver = yaml_scalar_text(p->arena, value);

	if (!driver)
		problem_at(p->problems, PROBLEM_ERROR, value, network_key(p, network->name),
			   "the driver must be a string");
	else if (*driver && strcmp(driver, "bridge") != 0 && strcmp(driver, "default") != 0)
		problem_at(p->problems, PROBLEM_WARNING, value, network_key(p, network->name),
			   "a bridge is used instead of the driver '%s'", driver);
}

static void read_internal(struct planner *p, const struct yaml_node *value,
			  struct plan_network *network)
{
	const char *text = yaml_scalar_text(p->arena, value);

	if (!text || !unit_bool(*text ? text : "false", &network->internal))
		problem_at(p->problems, PROBLEM_ERROR, value, network_key(p, network->name),
			   "'internal' must be true or false");
}

static void read_entry(struct planner *p, const struct yaml_entry *entry,
		       struct plan_network *network)
{
	/* What would make instances share a network is set aside; check_ipam() reads the rest. */
	static const char *const rewritten[] = { "external", "name", "ipam" };

	if (strcmp(entry->key, "driver") == 0) {
		read_driver(p, entry->value, network);
	} else if (strcmp(entry->key, "driver_opts") == 0) {
		keep_options(p, entry->value, network);
	} else if (strcmp(entry->key, "internal") == 0) {
		read_internal(p, entry->value, network);
	} else if (strcmp(entry->key, "enable_ipv6") == 0 ||
		   strcmp(entry->key, "enable_ipv4") == 0) {
		problem_at(p->problems, PROBLEM_WARNING, entry->value,
			   network_key(p, network->name),
			   "'%s' has no effect: instances have IPv4 networks", entry->key);
	} else if (strcmp(entry->key, "labels") == 0 || strcmp(entry->key, "attachable") == 0) {
		problem_at(p->problems, PROBLEM_WARNING, entry->value,
			   network_key(p, network->name), "'%s' has no effect here", entry->key);
	} else if (strncmp(entry->key, "x-", 2) != 0) {
		for (size_t i = 0; i < ARRAY_SIZE(rewritten); i++)
			if (strcmp(rewritten[i], entry->key) == 0)
				return;
		problem_add(p->problems, PROBLEM_ERROR, entry->value->file->path, entry->line,
			    entry->column, network_key(p, network->name), "unknown key '%s'",
			    entry->key);
	}
}

static struct plan_network *network_new(struct planner *p, const char *name)
{
	struct plan *plan = p->plan;
	struct plan_network *rows = arena_array(p->arena, plan->network_count + 1, sizeof(*rows));

	if (!rows)
		return NULL;
	if (plan->network_count)
		memcpy(rows, plan->networks, plan->network_count * sizeof(*rows));
	plan->networks = rows;
	rows[plan->network_count] = (struct plan_network){ .name = name, .egress = p->egress };
	return &rows[plan->network_count++];
}

bool network_use(struct planner *p, const char *name, const struct yaml_node *at, const char *key)
{
	const struct yaml_node *node = defined(p, name);
	struct plan_network *network;

	if (find(p, name))
		return true;
	if (!text_is_name(name)) {
		problem_at(p->problems, PROBLEM_ERROR, at, key,
			   "'%s' can't be the name of a network", name);
		return false;
	}
	if (!node && strcmp(name, "default") != 0) {
		problem_at(p->problems, PROBLEM_ERROR, at, key,
			   "the network '%s' is not defined under 'networks:'", name);
		return false;
	}
	if ((int64_t)p->plan->network_count == p->limits.networks_max &&
	    !planner_permits(p, "networks", at, key,
			     "more networks than the node's networks_max of %lld",
			     (long long)p->limits.networks_max))
		return false;
	network = network_new(p, name);
	if (!network)
		return false;
	for (size_t i = 0; node && node->kind == YAML_MAP && i < node->count; i++)
		read_entry(p, &node->entries[i], network);
	check_ipam(p, node, network_key(p, name));
	read_gateway(p, node, network);
	return true;
}
