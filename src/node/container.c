/* SPDX-License-Identifier: Apache-2.0 */
#include "node/container.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/folder.h"
#include "challenge/plan.h"
#include "engine/engine.h"
#include "node/compose.h"
#include "node/node.h"
#include "node/recorder.h"
#include "node/vpn.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *project_network_name(const struct compose *compose, const char *network)
{
	return strf("%s_%s", compose->plan->project, network);
}

char *project_volume_name(const struct compose *compose, const char *volume)
{
	return strf("%s_%s", compose->plan->project, volume);
}

char *project_container_name(const struct compose *compose, const struct plan_service *service,
			     uint32_t replica)
{
	return strf("%s-%s-%u", compose->plan->project, service->name, replica + 1);
}

json_t *instance_labels(const struct compose *compose)
{
	char expires[CLOCK_TEXT_SIZE];

	return json_make("{s:s,s:s,s:s,s:s,s:s}", LABEL_NODE, compose->node->id, LABEL_INSTANCE,
			 compose->instance_id, LABEL_CHALLENGE, compose->plan->challenge_id,
			 LABEL_EXPIRES, clock_format(compose->expires_at, expires), LABEL_PROJECT,
			 compose->plan->project);
}

static char *slot_path(const struct compose *compose, const struct plan_bind *bind)
{
	return strf("%s/binds/%s", compose->dir, bind->slot);
}

static int render_bind(const char *path, const struct plan_bind *bind, struct err *e)
{
	int r;

	r = file_write(path, bind->content, bind->size, bind->mode, e);
	if (r == 0 && chown(path, bind->uid, bind->gid) < 0)
		r = err_errno(e, ERR_INTERNAL, "give '%s' to user %u", path, bind->uid);
	return r;
}

static int copy_bind(const struct plan *plan, const struct plan_bind *bind, const char *path,
		     struct err *e)
{
	AUTO(int, closep) fd = -1;
	int r = plan_open(plan->folder, bind->source, O_RDONLY, &fd, e);

	return r < 0 ? r : tree_copy(fd, path, e);
}

/* The engine is told a name. It must still be what the plan saw, with no link anywhere in it. */
static int check_shared(const struct plan *plan, const struct plan_bind *bind, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const char *real;
	int r = arena ? folder_resolve(arena, plan->folder, bind->source, &real, e) : err_memory(e);

	if (r == 0 && strcmp(real, bind->source) != 0)
		r = err_set(e, ERR_INVALID, "'%s' has become a symlink", bind->source);
	return r;
}

static int prepare_bind(const struct compose *compose, const struct plan_bind *bind, struct err *e)
{
	AUTO(char *, freep) path = NULL;
	AUTO(char *, freep) binds = NULL;
	int r;

	if (bind->kind == PLAN_BIND_HOST)
		return 0;
	if (bind->kind == PLAN_BIND_SHARED)
		return check_shared(compose->plan, bind, e);
	binds = strf("%s/binds", compose->dir);
	path = slot_path(compose, bind);
	if (!binds || !path)
		return err_memory(e);
	if (file_exists(path))
		return 0;
	r = dir_make(binds, 0755, e);
	if (r < 0)
		return r;
	switch (bind->kind) {
	case PLAN_BIND_EMPTY: return dir_make(path, 0755, e);
	case PLAN_BIND_COPY: return copy_bind(compose->plan, bind, path, e);
	case PLAN_BIND_RENDERED: return render_bind(path, bind, e);
	case PLAN_BIND_SHARED:
	case PLAN_BIND_HOST: break;
	}
	return 0;
}

/* Without a user namespace of its own, the root of such a container is the host's. */
static int check_jail(const struct compose *compose, const struct plan_service *service,
		      struct err *e)
{
	const json_t *host = json_object_get(service->container, "HostConfig");

	if (!service->jail || (compose->node->maps_users && !json_object_get(host, "UsernsMode")))
		return 0;
	return err_set(e, ERR_POLICY,
		       "a jail's rights are given only where the engine maps the users of "
		       "containers: set \"userns-remap\": \"default\" in its daemon.json");
}

int container_prepare(const struct compose *compose, const struct plan_service *service,
		      struct err *e)
{
	int r = check_jail(compose, service, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < service->bind_count; i++) {
		r = prepare_bind(compose, &service->binds[i], e);

		if (r < 0)
			return err_wrap(e, "bind to '%s'", service->binds[i].target);
	}
	return 0;
}

static json_t *bind_mount(const struct compose *compose, const struct plan_bind *bind)
{
	AUTO(char *, freep) slot = bind->slot ? slot_path(compose, bind) : NULL;
	bool in_place = bind->kind == PLAN_BIND_SHARED || bind->kind == PLAN_BIND_HOST;
	json_t *mount = json_make("{s:s,s:s,s:s,s:b}", "Type", "bind", "Source",
				  in_place ? bind->source : slot, "Target", bind->target,
				  "ReadOnly", bind->read_only || bind->kind == PLAN_BIND_SHARED);

	if (bind->propagation)
		json_object_set_new(mount, "BindOptions",
				    json_make("{s:s}", "Propagation", bind->propagation));
	return mount;
}

static json_t *volume_mount(const struct compose *compose, const struct plan_volume_use *use)
{
	AUTO(char *, freep) name = use->volume ? project_volume_name(compose, use->volume) : NULL;
	json_t *mount = json_make("{s:s,s:s,s:b}", "Type", "volume", "Target", use->target,
				  "ReadOnly", use->read_only);

	if (name)
		json_object_set_new(mount, "Source", json_text(name));
	if (use->nocopy)
		json_object_set_new(mount, "VolumeOptions", json_make("{s:b}", "NoCopy", 1));
	return mount;
}

static void add_mounts(const struct compose *compose, const struct plan_service *service,
		       json_t *host_config)
{
	json_t *mounts = json_object_get(host_config, "Mounts");

	if (!mounts) {
		mounts = json_array();
		json_object_set_new(host_config, "Mounts", mounts);
	}
	for (size_t i = 0; i < service->bind_count; i++)
		json_array_append_new(mounts, bind_mount(compose, &service->binds[i]));
	for (size_t i = 0; i < service->volume_count; i++)
		json_array_append_new(mounts, volume_mount(compose, &service->volumes[i]));
}

/* The engine publishes only what it also exposes; the plan's body exposes every port. */
static void add_ports(const struct compose *compose, const struct plan_service *service,
		      const uint16_t *ports, json_t *host_config)
{
	json_t *bindings = json_object();

	json_object_set_new(host_config, "PortBindings", bindings);
	for (size_t i = 0; i < service->port_count; i++) {
		const struct plan_port *port = &service->ports[i];
		char key[16], host_port[8];
		json_t *list;

		if (!port->published)
			continue;
		snprintf(key, sizeof(key), "%u/%s", port->container_port, port->protocol);
		snprintf(host_port, sizeof(host_port), "%u", *ports++);
		if (recorder_takes(compose->plan, service, port))
			continue;
		list = json_object_get(bindings, key);
		if (!list) {
			list = json_array();
			json_object_set_new(bindings, key, list);
		}
		json_array_append_new(list,
				      json_make("{s:s,s:s}", "HostIp", compose->node->options->bind,
						"HostPort", host_port));
	}
}

static char *tcp_ports(const struct plan_service *service)
{
	struct buf b = BUF_INIT;

	for (size_t i = 0; i < service->port_count; i++)
		if (service->ports[i].published && strcmp(service->ports[i].protocol, "tcp") == 0)
			buf_printf(&b, "%s%u", b.len ? "," : "", service->ports[i].container_port);
	return buf_take(&b);
}

static bool is_recorded(const struct compose *compose, const struct plan_service *service)
{
	for (size_t i = 0; i < service->port_count; i++)
		if (recorder_takes(compose->plan, service, &service->ports[i]))
			return true;
	return false;
}

static void add_labels(const struct compose *compose, const struct plan_service *service,
		       uint32_t replica, json_t *body)
{
	AUTO(json_t *, json_decrefp) ours = instance_labels(compose);
	AUTO(char *, freep) ports = tcp_ports(service);
	json_t *labels = json_object_get(body, "Labels");
	char number[16];

	if (!labels) {
		labels = json_object();
		json_object_set_new(body, "Labels", labels);
	}
	snprintf(number, sizeof(number), "%u", replica + 1);
	json_object_set_new(ours, LABEL_SERVICE, json_text(service->name));
	json_object_set_new(ours, LABEL_NUMBER, json_text(number));
	json_object_set_new(ours, LABEL_ROLE, json_text("service"));
	json_object_set_new(ours, LABEL_PORTS, json_text(ports ? ports : ""));
	/* Said either way: what is not, an image's own label would say. */
	json_object_set_new(ours, LABEL_RECORDED,
			    json_text(is_recorded(compose, service) ? "true" : ""));
	json_object_set_new(ours, LABEL_ONE_SHOT, json_text(service->one_shot ? "true" : ""));
	json_object_update(labels, ours);
}

/* What the instance holds for one of its networks; NULL: the plan has no such network. */
static const struct pooled_network *held_network(const struct compose *compose, const char *network)
{
	const struct plan *plan = compose->plan;
	const struct plan_network *found = plan_find_network(plan, network);

	return found ? &compose->resources->networks[found - plan->networks] : NULL;
}

char *instance_network(const struct compose *compose, const char *network)
{
	const struct pooled_network *held = held_network(compose, network);

	return held && held->id[0] ? strdup(held->id) : project_network_name(compose, network);
}

json_t *container_endpoint(const struct compose *compose, const struct plan_network_use *use)
{
	json_t *endpoint = json_make("{s:[]}", "Aliases");
	const struct pooled_network *held = held_network(compose, use->network);
	char address[SUBNET_TEXT_SIZE];

	for (size_t i = 0; i < use->alias_count; i++)
		json_array_append_new(json_object_get(endpoint, "Aliases"),
				      json_text(use->aliases[i]));
	if (use->host_offset && held) {
		subnet_address(held->subnet, use->host_offset, address);
		json_object_set_new(endpoint, "IPAMConfig",
				    json_make("{s:s}", "IPv4Address", address));
	}
	return endpoint;
}

void container_close_names(const struct compose *compose, const struct plan_network *network,
			   json_t *host_config)
{
	char gateway[SUBNET_TEXT_SIZE];

	if (!compose->node->names || !network || network->egress ||
	    json_object_get(host_config, "Dns"))
		return;
	subnet_address(held_network(compose, network->name)->subnet,
		       network->gateway_offset ? network->gateway_offset : 1, gateway);
	json_object_set_new(host_config, "Dns", json_make("[s]", gateway));
}

/* One network may be named at creation; it is the container's NetworkMode as well. */
static void add_first_network(const struct compose *compose, const struct plan_service *service,
			      json_t *body, json_t *host_config)
{
	AUTO(char *, freep) name = instance_network(compose, service->networks[0].network);

	json_object_set_new(host_config, "NetworkMode", json_text(name));
	container_close_names(compose,
			      plan_find_network(compose->plan, service->networks[0].network),
			      host_config);
	json_object_set_new(body, "NetworkingConfig",
			    json_make("{s:{s:o}}", "EndpointsConfig", name,
				      container_endpoint(compose, &service->networks[0])));
}

/* The engine refuses more processors than its host has; a challenge written elsewhere may ask. */
static void clamp_cpus(const struct compose *compose, json_t *host_config)
{
	int64_t asked = json_integer_value(json_object_get(host_config, "NanoCpus"));
	int64_t most = compose->node->nano_cpus;

	if (most > 0 && asked > most)
		json_object_set_new(host_config, "NanoCpus", json_integer(most));
}

void container_keep_log(const struct node *node, json_t *host_config)
{
	json_t *log = json_object_get(host_config, "LogConfig");
	json_t *options = json_object_get(log, "Config");

	if (!options || engine_is_podman(node->engine))
		return; /* Podman has one kind of file alone */
	json_object_set_new(log, "Type", json_text("local"));
	json_object_set_new(options, "compress", json_text("false"));
}

json_t *container_body(const struct compose *compose, const struct plan_service *service,
		       const struct container_facts *facts)
{
	json_t *body = json_deep_copy(service->container);
	json_t *host_config = json_object_get(body, "HostConfig");

	if (!host_config) {
		host_config = json_object();
		if (json_object_set_new(body, "HostConfig", host_config) < 0) {
			json_decref(body);
			return NULL;
		}
	}
	json_object_set_new(body, "Image", json_text(service->image));
	add_labels(compose, service, facts->replica, body);
	add_mounts(compose, service, host_config);
	clamp_cpus(compose, host_config);
	container_keep_log(compose->node, host_config);
	if (facts->network_mode) {
		json_object_set_new(host_config, "NetworkMode", json_text(facts->network_mode));
		return body;
	}
	add_ports(compose, service, facts->ports, host_config);
	vpn_tell_address(compose, service, facts->ports, body);
	if (service->network_count > 0)
		add_first_network(compose, service, body, host_config);
	return body;
}
