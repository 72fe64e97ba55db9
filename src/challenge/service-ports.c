/* SPDX-License-Identifier: Apache-2.0 */
/* ports and expose: host ports and addresses are the node's to choose. */
#include "challenge/service.h"

#include "base/arena.h"
#include "challenge/safe-text.h"
#include "challenge/unit.h"

#include <string.h>

enum { MAX_PORTS = 1024 };

struct port_range {
	int64_t first, last;
};

static struct plan_port *find_port(struct service *s, uint16_t port, const char *protocol)
{
	for (size_t i = 0; i < s->plan->port_count; i++)
		if (s->plan->ports[i].container_port == port &&
		    strcmp(s->plan->ports[i].protocol, protocol) == 0)
			return &s->plan->ports[i];
	return NULL;
}

struct plan_port *service_add_port(struct service *s, uint16_t port, const char *protocol,
				   bool published)
{
	struct plan_service *plan = s->plan;
	struct plan_port *row = find_port(s, port, protocol);
	const char *engine_key;

	if (row) {
		row->published = row->published || published;
		return row;
	}
	if ((plan->port_count & (plan->port_count - 1)) == 0) { /* full at every power of two */
		struct plan_port *rows =
			arena_array(s->p->arena, plan->port_count ? 2 * plan->port_count : 1,
				    sizeof(*rows));

		if (!rows)
			return NULL;
		if (plan->port_count)
			memcpy(rows, plan->ports, plan->port_count * sizeof(*rows));
		plan->ports = rows;
	}
	row = &plan->ports[plan->port_count++];
	*row = (struct plan_port){ .container_port = port,
				   .protocol = protocol,
				   .published = published };
	engine_key = arena_printf(s->p->arena, "%u/%s", port, protocol);
	if (engine_key)
		service_set(s, json_object_get(s->container, "ExposedPorts"), engine_key,
			    json_object());
	return row;
}

static bool read_range(struct service *s, const char *text, struct port_range *ret_range)
{
	const char *dash = strchr(text, '-');
	const char *first = dash ? arena_strndup(s->p->arena, text, (size_t)(dash - text)) : text;

	if (!first || !unit_integer(first, 1, 65535, &ret_range->first))
		return false;
	ret_range->last = ret_range->first;
	return !dash || unit_integer(dash + 1, ret_range->first, 65535, &ret_range->last);
}

static const char *read_protocol(struct service *s, const struct yaml_node *at, const char *text)
{
	if (!text || !*text || strcasecmp(text, "tcp") == 0)
		return "tcp";
	if (strcasecmp(text, "udp") == 0)
		return "udp";
	service_fault(s, at, "the protocol '%s' is not supported: use tcp or udp", text);
	return NULL;
}

static void add_range(struct service *s, const struct yaml_node *at, const struct port_range *range,
		      const char *protocol, bool published, const char *app_protocol)
{
	if ((int64_t)s->plan->port_count + range->last - range->first >= MAX_PORTS) {
		service_fault(s, at, "more than %d ports", MAX_PORTS);
		return;
	}
	for (int64_t port = range->first; port <= range->last; port++) {
		struct plan_port *row = service_add_port(s, (uint16_t)port, protocol, published);

		if (row && app_protocol)
			row->app_protocol = app_protocol;
	}
}

static bool is_loopback(const char *address)
{
	return strncmp(address, "127.", 4) == 0 || strcmp(address, "[::1]") == 0 ||
	       strcmp(address, "localhost") == 0;
}

/* None means any. */
static bool is_address(const char *text)
{
	return !*text || strcmp(text, "localhost") == 0 || text_is_address(text);
}

/* "[address:][host ports:]container ports[/protocol]" */
static void add_short(struct service *s, const struct yaml_node *at, const char *text)
{
	struct arena *arena = s->p->arena;
	const char *slash = strchr(text, '/');
	char *spec = arena_strndup(arena, text, slash ? (size_t)(slash - text) : strlen(text));
	const char *protocol = read_protocol(s, at, slash ? slash + 1 : NULL);
	struct port_range container, host = { 0 };
	char *colon, *address = NULL, *host_ports = NULL;
	const char *last = spec;
	bool is_fixed;

	if (!spec || !protocol)
		return;
	colon = strrchr(spec, ':');
	if (colon) {
		*colon = '\0';
		last = colon + 1;
		host_ports = spec;
		colon = strrchr(spec, ':');
		if (colon) {
			*colon = '\0';
			host_ports = colon + 1;
			address = spec;
		}
	}
	/* Of "0" the engine picks some, as of none. */
	is_fixed = host_ports && *host_ports && strcmp(host_ports, "0") != 0;
	if ((address && !is_address(address)) || !read_range(s, last, &container) ||
	    (is_fixed && !read_range(s, host_ports, &host))) {
		service_fault(s, at, "'%s' is not a port: write it like '8080' or '80:8080/tcp'",
			      text);
		return;
	}
	/* A range of host ports lets the engine pick one for a single container port. */
	if (is_fixed && container.last != container.first &&
	    container.last - container.first != host.last - host.first) {
		service_fault(s, at, "'%s': the ranges differ in length", text);
		return;
	}
	if (address && is_loopback(address))
		service_warn(s, at, "the address '%s' is not kept: the node publishes the port",
			     address);
	add_range(s, at, &container, protocol, true, NULL);
}

static void add_long(struct service *s, const struct yaml_node *item)
{
	static const char *const known[] = { "target", "published", "protocol",     "host_ip",
					     "mode",   "name",      "app_protocol", NULL };
	const struct yaml_node *target = yaml_get(item, "target");
	const char *text = target ? service_text(s, target) : NULL;
	const char *protocol = read_protocol(s, item, yaml_string(yaml_get(item, "protocol")));
	struct port_range range;

	service_check_keys(s, item, known);
	if (!text || !read_range(s, text, &range))
		service_fault(s, item, "needs a 'target' from 1 to 65535");
	else if (protocol)
		add_range(s, item, &range, protocol, true,
			  yaml_string(yaml_get(item, "app_protocol")));
}

void service_ports(struct service *s, const struct yaml_node *value)
{
	if (value->kind == YAML_NULL)
		return;
	if (value->kind != YAML_LIST) {
		service_fault(s, value, "must be a list, not %s", yaml_kind_name(value->kind));
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		const struct yaml_node *item = value->items[i];
		const char *text = item->kind == YAML_MAP ? NULL : service_text(s, item);

		if (item->kind == YAML_MAP)
			add_long(s, item);
		else if (text && *text)
			add_short(s, item, text);
	}
}

/* A port of the host, on the left as in "3306:3306", means nothing to expose. */
static void add_exposed(struct service *s, const struct yaml_node *at, const char *text)
{
	const char *colon = strrchr(text, ':');
	const char *last = colon ? colon + 1 : text;
	const char *slash = strchr(last, '/');
	char *ports =
		arena_strndup(s->p->arena, last, slash ? (size_t)(slash - last) : strlen(last));
	const char *protocol = read_protocol(s, at, slash ? slash + 1 : NULL);
	struct port_range range;

	if (!ports || !protocol)
		return;
	if (!read_range(s, ports, &range))
		service_fault(s, at, "'%s' is not a port", text);
	else
		add_range(s, at, &range, protocol, false, NULL);
}

void service_expose(struct service *s, const struct yaml_node *value)
{
	service_each(s, value, add_exposed);
}
