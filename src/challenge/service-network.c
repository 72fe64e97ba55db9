/* SPDX-License-Identifier: Apache-2.0 */
/* networks, network_mode, links and names. */
#include "challenge/service.h"

#include "base/arena.h"
#include "base/json.h"
#include "challenge/merge.h"
#include "challenge/network.h"
#include "challenge/safe-text.h"
#include "challenge/unit.h"

#include <stdlib.h>
#include <string.h>

static void add_alias(struct service *s, struct plan_network_use *use, const char *alias)
{
	const char **aliases;

	for (size_t i = 0; i < use->alias_count; i++)
		if (strcmp(use->aliases[i], alias) == 0)
			return;
	aliases = arena_array(s->p->arena, use->alias_count + 1, sizeof(const char *));
	if (!aliases)
		return;
	if (use->alias_count)
		memcpy(aliases, use->aliases, use->alias_count * sizeof(const char *));
	aliases[use->alias_count++] = alias;
	use->aliases = aliases;
}

void service_add_alias(struct service *s, const char *alias)
{
	for (size_t i = 0; i < s->plan->network_count; i++)
		add_alias(s, &s->plan->networks[i], alias);
}

static struct plan_network_use *add_use(struct service *s, const char *network)
{
	struct plan_service *plan = s->plan;
	struct plan_network_use *rows;

	rows = arena_array(s->p->arena, plan->network_count + 1, sizeof(*rows));
	if (!rows)
		return NULL;
	if (plan->network_count)
		memcpy(rows, plan->networks, plan->network_count * sizeof(*rows));
	plan->networks = rows;
	rows[plan->network_count] = (struct plan_network_use){ .network = network };
	return &rows[plan->network_count++];
}

static void read_aliases(struct service *s, const struct yaml_node *value,
			 struct plan_network_use *use)
{
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++) {
		const char *alias = service_text(s, value->items[i]);

		if (alias && *alias && !text_is_host(alias))
			service_fault(s, value->items[i], "'%s' is not a host name", alias);
		else if (alias && *alias)
			add_alias(s, use, alias);
	}
}

static int64_t priority_of(const struct yaml_node *networks, const char *name)
{
	const struct yaml_node *node = yaml_get(yaml_get(networks, name), "priority");
	int64_t priority;

	return node && node->text && unit_integer(node->text, INT32_MIN, INT32_MAX, &priority)
		       ? priority
		       : 0;
}

/* Which of two networks a container joins first: the first one is its eth0. */
static int compare_uses(const void *a, const void *b, void *networks)
{
	const struct plan_network_use *left = a, *right = b;
	int64_t of_left = priority_of(networks, left->network);
	int64_t of_right = priority_of(networks, right->network);

	if (of_left != of_right)
		return of_left > of_right ? -1 : 1;
	return strcmp(left->network, right->network);
}

static void read_use_entry(struct service *s, const struct yaml_entry *entry,
			   struct plan_network_use *use)
{
	if (strcmp(entry->key, "aliases") == 0)
		read_aliases(s, entry->value, use);
	else if (strcmp(entry->key, "ipv4_address") == 0)
		use->host_offset = network_offset(s, use->network, entry->value);
	else if (strcmp(entry->key, "priority") == 0)
		return; /* compare_uses() has read it */
	else if (strcmp(entry->key, "ipv6_address") == 0 ||
		 strcmp(entry->key, "link_local_ips") == 0 ||
		 strcmp(entry->key, "mac_address") == 0 || strcmp(entry->key, "driver_opts") == 0 ||
		 strcmp(entry->key, "interface_name") == 0 ||
		 strcmp(entry->key, "gw_priority") == 0)
		service_warn(s, entry->value, "'%s' has no effect here", entry->key);
	else
		service_unknown(s, entry);
}

void service_networks(struct service *s, const struct yaml_node *value)
{
	const struct yaml_node *map;

	if (yaml_is_scalar(value) && value->kind != YAML_NULL) {
		service_fault(s, value, "must be a list or a map, not %s",
			      yaml_kind_name(value->kind));
		return;
	}
	map = merge_as_map(s->p->arena, value, "");
	for (size_t i = 0; map && i < map->count; i++) {
		const struct yaml_node *how = map->entries[i].value;
		struct plan_network_use *use;

		if (!network_use(s->p, map->entries[i].key, how, service_key_path(s)))
			continue;
		use = add_use(s, map->entries[i].key);
		for (size_t j = 0; use && how->kind == YAML_MAP && j < how->count; j++)
			read_use_entry(s, &how->entries[j], use);
	}
	if (s->plan->network_count > 1)
		qsort_r(s->plan->networks, s->plan->network_count, sizeof(*s->plan->networks),
			compare_uses, (void *)(uintptr_t)map);
}

/* The service that a container's fixed name belongs to. */
static const char *named_service(struct service *s, const char *container_name)
{
	const struct yaml_node *services = yaml_get(s->p->model, "services");

	for (size_t i = 0; i < services->count; i++) {
		const char *name =
			yaml_string(yaml_get(services->entries[i].value, "container_name"));

		if (name && strcmp(name, container_name) == 0)
			return services->entries[i].key;
	}
	return NULL;
}

static void share_network(struct service *s, const struct yaml_node *value, const char *other)
{
	if (!other || !yaml_get(yaml_get(s->p->model, "services"), other)) {
		service_fault(s, value, "'%s' names no service of this challenge", value->text);
		return;
	}
	s->plan->network_mode = "service";
	s->plan->network_service = other;
	service_add_dependency(s, other, PLAN_STARTED, true);
}

void service_network_mode(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (!text || !*text || strcmp(text, "default") == 0)
		return;
	if (strcmp(text, "none") == 0) {
		s->plan->network_mode = "none";
	} else if (strcmp(text, "host") == 0) {
		if (service_permits(s, "host-network", value,
				    "the service would share the host's network"))
			s->plan->network_mode = "host";
	} else if (strcmp(text, "bridge") == 0) {
		service_warn(s, value,
			     "the instance's own network is used instead of the host's "
			     "bridge");
	} else if (strncmp(text, "service:", 8) == 0) {
		share_network(s, value, text + 8);
	} else if (strncmp(text, "container:", 10) == 0) {
		share_network(s, value, named_service(s, text + 10));
	} else {
		service_fault(s, value, "'%s' is not a network mode", text);
	}
}

/* "service[:alias]": both reach each other over their networks already. */
static void add_link(struct service *s, const struct yaml_node *at, const char *text)
{
	size_t len = strcspn(text, ":");
	const char *other = arena_strndup(s->p->arena, text, len);

	if (!other)
		return;
	if (!yaml_get(yaml_get(s->p->model, "services"), other))
		service_fault(s, at, "there is no service '%s'", other);
	else if (strcmp(other, s->name) != 0)
		service_add_dependency(s, other, PLAN_STARTED, true);
}

void service_links(struct service *s, const struct yaml_node *value)
{
	service_each(s, value, add_link);
}

/* --- names -------------------------------------------------------------------------------- */

static bool is_search(const char *text)
{
	return strcmp(text, ".") == 0 || text_is_host(text);
}

static bool is_resolver_option(const char *text)
{
	return text_is_of(text, TEXT_LETTERS TEXT_DIGITS "-:");
}

static void set_list(struct service *s, const struct yaml_node *value, const char *engine_key,
		     bool (*is_fine)(const char *text))
{
	json_t *array = json_array();
	size_t count = value->kind == YAML_LIST ? value->count : value->kind != YAML_NULL;

	for (size_t i = 0; i < count; i++) {
		const char *text =
			service_text(s, value->kind == YAML_LIST ? value->items[i] : value);

		if (text && !is_fine(text))
			service_fault(s, value, "'%s' can't stand in resolv.conf here", text);
		else if (text)
			planner_append(s->p, array, json_text(text));
	}
	service_set(s, s->host, engine_key, array);
}

void service_dns(struct service *s, const struct yaml_node *value)
{
	set_list(s, value, "Dns", text_is_address);
}

void service_dns_search(struct service *s, const struct yaml_node *value)
{
	set_list(s, value, "DnsSearch", is_search);
}

void service_dns_opt(struct service *s, const struct yaml_node *value)
{
	set_list(s, value, "DnsOptions", is_resolver_option);
}

static void add_host(struct service *s, const struct yaml_node *at, const char *name,
		     const char *text)
{
	const char *line;

	if (!service_checks_host(s, at, name, text))
		return;
	line = arena_printf(s->p->arena, "%s:%s", name, text);
	if (strcmp(text, "host-gateway") == 0)
		service_warn(s, at, "'%s' resolves, but the host does not answer its instances",
			     name);
	planner_append(s->p, json_object_get(s->host, "ExtraHosts"), json_text(line));
}

static void add_hosts(struct service *s, const struct yaml_node *at, const char *name,
		      const char *text)
{
	(void)text;
	for (size_t i = 0; i < at->count; i++) {
		const char *address = service_text(s, at->items[i]);

		if (address)
			add_host(s, at->items[i], name, address);
	}
}

void service_extra_hosts(struct service *s, const struct yaml_node *value)
{
	for (size_t i = 0; value->kind == YAML_MAP && i < value->count; i++)
		if (value->entries[i].value->kind == YAML_LIST)
			add_hosts(s, value->entries[i].value, value->entries[i].key, NULL);
		else
			add_host(s, value->entries[i].value, value->entries[i].key,
				 service_text(s, value->entries[i].value));
	if (value->kind != YAML_MAP)
		service_each_pair(s, value, "=:", add_host);
}

/* --- what they come to -------------------------------------------------------------------- */

static bool publishes(const struct plan_service *plan)
{
	for (size_t i = 0; i < plan->port_count; i++)
		if (plan->ports[i].published)
			return true;
	return false;
}

/* The engine publishes ports of a container's own network only. */
static void drop_ports(struct service *s)
{
	struct plan_service *plan = s->plan;

	s->key = "ports";
	if (publishes(plan) && plan->network_service)
		service_fault(s, s->node,
			      "a service on the network of '%s' publishes no ports: '%s' has to",
			      plan->network_service, plan->network_service);
	else if (publishes(plan))
		service_warn(s, s->node, "have no effect with network_mode '%s'",
			     plan->network_mode);
	plan->port_count = 0;
	json_object_clear(json_object_get(s->container, "ExposedPorts"));
	s->key = NULL;
}

static bool is_all_internal(struct service *s)
{
	for (size_t i = 0; i < s->plan->network_count; i++)
		if (!network_is_internal(s->p, s->plan->networks[i].network))
			return false;
	return true;
}

void service_finish_networks(struct service *s)
{
	const struct yaml_node *named = yaml_get(s->node, "container_name");
	const char *container_name = named ? yaml_scalar_text(s->p->arena, named) : NULL;

	if (s->plan->network_mode) {
		if (s->plan->network_count)
			problem_at(s->p->problems, PROBLEM_ERROR, s->node, service_key_path(s),
				   "has both network_mode and networks");
		drop_ports(s);
		return;
	}
	if (!s->plan->network_count && network_use(s->p, "default", s->node, service_key_path(s)))
		add_use(s, "default");
	if (publishes(s->plan) && is_all_internal(s))
		problem_at(s->p->problems, PROBLEM_WARNING, s->node, service_key_path(s),
			   "its ports can't be reached: the engine publishes none of an internal "
			   "network");
	service_add_alias(s, s->name);
	if (container_name && *container_name && !text_is_host(container_name))
		problem_at(s->p->problems, PROBLEM_ERROR, named, service_key_path(s),
			   "'%s' is not a host name", container_name);
	else if (container_name && *container_name)
		service_add_alias(s, container_name);
}
