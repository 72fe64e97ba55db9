/* SPDX-License-Identifier: Apache-2.0 */
#include "node/vpn.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/plan.h"
#include "engine/archive.h"
#include "engine/container.h"
#include "node/compose.h"
#include "node/instance.h"
#include "node/node.h"
#include "node/own-image.h"
#include "node/sidecar.h"

#include <stdio.h>
#include <string.h>

static const char service_name[] = "openvpn";
static const char profile[] = "/etc/openvpn/client.ovpn";

enum { VPN_PORT = 1194, VPN_MEMORY = 64 << 20, VPN_PIDS = 64 };

/* --- planning ----------------------------------------------------------------------------- */

static struct plan_service *find_service(const struct plan *plan)
{
	for (size_t i = 0; i < plan->service_count; i++)
		if (strcmp(plan->services[i].name, service_name) == 0)
			return &plan->services[i];
	return NULL;
}

/* A network that a port can be published on: the players' own, or one more where that is internal.
 */
static const char *public_network(struct plan *plan)
{
	const struct plan_network *entry = sidecar_network(plan);
	struct plan_network *networks;

	if (entry && !entry->internal)
		return NULL;
	networks = arena_array(plan->arena, plan->network_count + 1, sizeof(*networks));
	if (!networks)
		return NULL;
	memcpy(networks, plan->networks, plan->network_count * sizeof(*networks));
	networks[plan->network_count++] = (struct plan_network){ .name = service_name };
	plan->networks = networks;
	return service_name;
}

static void join(struct plan *plan, struct plan_service *service, const char *network)
{
	service->networks[service->network_count++] = (struct plan_network_use){
		.network = network,
		.aliases = arena_array(plan->arena, 1, sizeof(char *)),
	};
}

static struct plan_service *add_service(struct plan *plan)
{
	const struct plan_network *entry = sidecar_network(plan);
	const char *entry_name = entry ? entry->name : NULL;
	const char *public_name = public_network(plan);
	struct plan_service *services =
		arena_array(plan->arena, plan->service_count + 1, sizeof(*services));
	struct plan_service *service;

	if (!services)
		return NULL;
	memcpy(services, plan->services, plan->service_count * sizeof(*services));
	plan->services = services;
	service = &services[plan->service_count];
	service->name = service_name;
	service->image = IMAGE_OPENVPN;
	service->pull_policy = "missing";
	service->replicas = 1;
	service->memory = VPN_MEMORY;
	service->networks = arena_array(plan->arena, 2, sizeof(*service->networks));
	service->container = json_make("{s:o}", "HostConfig", sidecar_limits(VPN_MEMORY, VPN_PIDS));
	if (!service->networks || !service->container)
		return NULL;
	if (public_name)
		join(plan, service, public_name);
	if (entry_name)
		join(plan, service, entry_name);
	plan->service_count++;
	return service;
}

static json_t *member(json_t *object, const char *name, json_t *(*make)(void))
{
	json_t *value = json_object_get(object, name);

	if (value)
		return value;
	json_object_set_new(object, name, make());
	return json_object_get(object, name);
}

static bool has_text(const json_t *array, const char *text)
{
	const json_t *value;
	size_t i;

	json_array_foreach (array, i, value)
		if (json_is_string(value) && strcmp(json_string_value(value), text) == 0)
			return true;
	return false;
}

/* Configuring its own network is no danger to the host; the device is a door into that alone. */
static void grant_tunnel(struct plan_service *service)
{
	static const char tun[] = "/dev/net/tun";
	json_t *host = member(service->container, "HostConfig", json_object);
	json_t *capabilities = member(host, "CapAdd", json_array);
	json_t *devices = member(host, "Devices", json_array);

	if (!has_text(capabilities, "NET_ADMIN"))
		json_array_append_new(capabilities, json_text("NET_ADMIN"));
	if (json_array_size(devices) == 0)
		json_array_append_new(devices, json_make("{s:s,s:s,s:s}", "PathOnHost", tun,
							 "PathInContainer", tun,
							 "CgroupPermissions", "rwm"));
}

static int publish(struct plan *plan, struct plan_service *service, struct err *e)
{
	struct plan_port *ports;

	for (size_t i = 0; i < service->port_count; i++)
		if (service->ports[i].published)
			return 0;
	ports = arena_array(plan->arena, service->port_count + 1, sizeof(*ports));
	if (!ports)
		return err_memory(e);
	if (service->port_count)
		memcpy(ports, service->ports, service->port_count * sizeof(*ports));
	ports[service->port_count++] = (struct plan_port){ .container_port = VPN_PORT,
							   .protocol = "udp",
							   .published = true };
	service->ports = ports;
	json_object_set_new(member(service->container, "ExposedPorts", json_object), "1194/udp",
			    json_object());
	return 0;
}

bool vpn_has_service(const struct plan *plan)
{
	return find_service(plan) != NULL;
}

int vpn_plan(struct plan *plan, struct err *e)
{
	struct plan_service *service = find_service(plan);

	if (!service && !plan->vpn)
		return 0;
	if (!service)
		service = add_service(plan);
	if (!service)
		return err_memory(e);
	if (!image_is_own(service->image))
		return 0;
	grant_tunnel(service);
	return publish(plan, service, e);
}

/* --- starting ----------------------------------------------------------------------------- */

static bool is_set(const json_t *env, const char *name)
{
	size_t len = strlen(name), i;
	const json_t *value;

	json_array_foreach (env, i, value) {
		const char *text = json_string_value(value);

		if (text && strncmp(text, name, len) == 0 && text[len] == '=')
			return true;
	}
	return false;
}

static void tell(json_t *env, const char *name, const char *value)
{
	AUTO(char *, freep) text = strf("%s=%s", name, value);

	if (!is_set(env, name))
		json_array_append_new(env, json_text(text));
}

void vpn_tell_address(const struct compose *compose, const struct plan_service *service,
		      const uint16_t *ports, json_t *body)
{
	json_t *env;
	char port[8];

	if (strcmp(service->name, service_name) != 0)
		return;
	env = member(body, "Env", json_array);
	tell(env, "CTFY_VPN_REMOTE", compose->node->options->public_host);
	if (compose->resources->vpn_pool[0])
		tell(env, "CTFY_VPN_POOL", compose->resources->vpn_pool);
	for (size_t i = 0; i < service->port_count; i++) {
		if (!service->ports[i].published)
			continue;
		snprintf(port, sizeof(port), "%u", *ports);
		tell(env, "CTFY_VPN_PORT", port);
		tell(env, "CTFY_VPN_PROTO", service->ports[i].protocol);
		break;
	}
}

/* --- reading ------------------------------------------------------------------------------ */

static const struct engine_container *find_container(const struct engine_container_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *name =
			json_string_value(json_object_get(list->items[i].labels, LABEL_SERVICE));

		if (name && strcmp(name, service_name) == 0)
			return &list->items[i];
	}
	return NULL;
}

static int read_profile(struct node *node, const struct engine_container *container,
			struct buf *ret_config, struct err *e)
{
	int r = engine_archive_read_file(node->engine, container->id, profile, ret_config, e);

	if (r != -ERR_NOT_FOUND)
		return r;
	if (strcmp(container->state, "exited") == 0 || strcmp(container->state, "dead") == 0)
		return err_set(e, ERR_ENGINE, "service '%s' ended without making '%s'",
			       service_name, profile);
	return err_set(e, ERR_UNAVAILABLE, "'%s' is still being made", profile);
}

int vpn_config(struct node *node, const char *instance_id, struct buf *ret_config, struct err *e)
{
	AUTO(json_t *, json_decrefp) known = NULL;
	struct engine_container_list list = { 0 };
	const struct engine_container *container;
	struct label_filter filter;
	int r;

	label_filter(node, instance_id, &filter);
	r = instance_services(node, instance_id, &known, e);
	if (r == 0)
		r = engine_container_list(node->engine, filter.labels, &list, e);
	if (r < 0)
		return r;
	container = find_container(&list);
	r = container ? read_profile(node, container, ret_config, e)
		      : err_set(e, ERR_NOT_FOUND, "instance '%s' has no service '%s'", instance_id,
				service_name);
	engine_container_list_done(&list);
	return r;
}
