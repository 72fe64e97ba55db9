#include "node/resource.h"

#include "base/err.h"
#include "base/own.h"
#include "challenge/plan.h"
#include "node/node.h"
#include "node/port.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

void resources_done(struct resources *resources)
{
	free(resources->subnets);
	free(resources->ports);
	*resources = (struct resources){ 0 };
}

void resources_release(struct node *node, struct resources *resources)
{
	for (size_t i = 0; i < resources->subnet_count; i++)
		subnets_release(node->subnets, resources->subnets[i]);
	for (size_t i = 0; i < resources->port_count; i++)
		ports_release(node->ports, resources->ports[i]);
	resources_done(resources);
}

static int make_room(struct resources *resources, size_t subnets, size_t ports, struct err *e)
{
	resources->subnets = calloc(subnets + 1, sizeof(*resources->subnets));
	resources->ports = calloc(ports + 1, sizeof(*resources->ports));
	return resources->subnets && resources->ports ? 0 : err_memory(e);
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

static int take_all(struct node *node, const struct plan *plan, struct resources *resources,
		    struct err *e)
{
	size_t port_count = published_ports(plan);
	int r;

	r = make_room(resources, plan->network_count, port_count, e);
	if (r < 0)
		return r;
	for (; resources->subnet_count < plan->network_count; resources->subnet_count++) {
		r = subnets_take(node->subnets, plan->networks[resources->subnet_count].prefix,
				 resources->subnets[resources->subnet_count], e);
		if (r < 0)
			return r;
	}
	for (; resources->port_count < port_count; resources->port_count++) {
		r = ports_take(node->ports, &resources->ports[resources->port_count], e);
		if (r < 0)
			return r;
	}
	return 0;
}

int resources_take(struct node *node, const struct plan *plan, struct resources *ret_resources,
		   struct err *e)
{
	struct resources resources = { 0 };
	int r;

	r = take_all(node, plan, &resources, e);
	if (r < 0) {
		resources_release(node, &resources);
		return r;
	}
	*ret_resources = resources;
	return 0;
}

char *resources_text(const struct resources *resources)
{
	AUTO(json_t *, json_decrefp) json = json_pack("{s:[],s:[]}", "subnets", "ports");

	for (size_t i = 0; i < resources->subnet_count; i++)
		json_array_append_new(json_object_get(json, "subnets"),
				      json_string(resources->subnets[i]));
	for (size_t i = 0; i < resources->port_count; i++)
		json_array_append_new(json_object_get(json, "ports"),
				      json_integer(resources->ports[i]));
	return json ? json_dumps(json, JSON_COMPACT) : NULL;
}

int resources_claim(struct node *node, const char *text, struct resources *ret_resources,
		    struct err *e)
{
	AUTO(json_t *, json_decrefp) json = text ? json_loads(text, 0, NULL) : json_object();
	const json_t *subnets = json_object_get(json, "subnets");
	const json_t *ports = json_object_get(json, "ports");
	struct resources resources = { 0 };
	json_t *value;
	size_t i;

	if (make_room(&resources, json_array_size(subnets), json_array_size(ports), e) < 0) {
		resources_done(&resources);
		return -(int)ERR_MEMORY;
	}
	json_array_foreach (subnets, i, value) {
		snprintf(resources.subnets[resources.subnet_count++], SUBNET_TEXT_SIZE, "%s",
			 json_string_value(value));
		subnets_claim(node->subnets, json_string_value(value));
	}
	json_array_foreach (ports, i, value) {
		resources.ports[resources.port_count++] = (uint16_t)json_integer_value(value);
		ports_claim(node->ports, (uint16_t)json_integer_value(value));
	}
	*ret_resources = resources;
	return 0;
}
