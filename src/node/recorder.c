/* SPDX-License-Identifier: Apache-2.0 */
#include "node/recorder.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/plan.h"
#include "node/compose.h"
#include "node/container.h"
#include "node/node.h"
#include "node/own-image.h"
#include "node/sidecar.h"
#include "node/subnet.h"
#include "node/traffic.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
	/* It has under 8 MiB; the rest is the kernel's, for 2,048 connections of two sockets. */
	MEMORY = 64 << 20,
	PIDS = 4,
	/* In its container. */
	HEALTH_PORT = 8999,
	FIRST_PLAYERS_PORT = 9000,
};

bool recorder_takes(const struct plan *plan, const struct plan_service *service,
		    const struct plan_port *port)
{
	const struct plan_network *network = sidecar_network(plan);

	if (!plan->record_http || !network || network->internal || !port->published ||
	    strcmp(port->protocol, "tcp") != 0 || !port->app_protocol ||
	    strcmp(port->app_protocol, "http") != 0)
		return false;
	for (size_t i = 0; i < service->network_count; i++)
		if (strcmp(service->networks[i].network, network->name) == 0)
			return true;
	return false;
}

/* The recorder's side of players' ports. */
struct players {
	json_t *targets; /* ["9000=web:80,HOST:PORT", ...] */
	json_t *exposed, *bindings;
	unsigned next;
};

static void add_port(const struct compose *compose, struct players *players,
		     const struct plan_service *service, uint32_t replica, uint16_t port,
		     uint16_t host_port)
{
	AUTO(char *, freep) name = project_container_name(compose, service, replica);
	const struct node_options *options = compose->node->options;
	char key[16], published[8];

	snprintf(key, sizeof(key), "%u/tcp", players->next);
	snprintf(published, sizeof(published), "%u", host_port);
	json_array_append_new(players->targets,
			      json_textf("%u=%s:%u,%s:%u", players->next, name ? name : "", port,
					 options->public_host, host_port));
	json_object_set_new(players->exposed, key, json_object());
	json_object_set_new(players->bindings, key,
			    json_make("[{s:s,s:s}]", "HostIp", options->bind, "HostPort",
				      published));
	players->next++;
}

static void add_ports(const struct compose *compose, struct players *players)
{
	const struct plan *plan = compose->plan;
	const uint16_t *host_port = compose->resources->ports;

	for (size_t i = 0; i < plan->service_count; i++) {
		const struct plan_service *service = &plan->services[i];

		for (uint32_t replica = 0; replica < service->replicas; replica++)
			for (size_t j = 0; j < service->port_count; j++) {
				const struct plan_port *port = &service->ports[j];

				if (recorder_takes(plan, service, port))
					add_port(compose, players, service, replica,
						 port->container_port, *host_port);
				host_port += port->published;
			}
	}
}

/* Its arguments: src/relay/main.c has what they mean. */
static json_t *arguments(const struct compose *compose, const struct plan_network *network,
			 const json_t *targets)
{
	const struct pooled_network *held =
		&compose->resources->networks[network - compose->plan->networks];
	char gateway[SUBNET_TEXT_SIZE];
	json_t *arguments;

	subnet_address(held->subnet, network->gateway_offset ? network->gateway_offset : 1,
		       gateway);
	arguments = json_make("[s,s,s,s,s,s,s,o]", "--flows", "/traffic/" TRAFFIC_FILE, "--inside",
			      held->subnet, "--gateway", gateway, "--health-port",
			      json_textf("%d", HEALTH_PORT));
	json_array_extend(arguments, (json_t *)(uintptr_t)targets);
	return arguments;
}

/* Who may write to the directory without any rights of its own. */
static int find_user(const char *dir, char **ret_user, struct err *e)
{
	struct stat st;

	if (stat(dir, &st) < 0)
		return err_errno(e, ERR_INTERNAL, "look at '%s'", dir);
	*ret_user = strf("%u:%u", st.st_uid, st.st_gid);
	return *ret_user ? 0 : err_memory(e);
}

static json_t *host_config(const struct compose *compose, const struct plan_network *network,
			   const char *network_name, const char *dir, json_t *bindings)
{
	json_t *host = sidecar_limits(MEMORY, PIDS);

	json_object_set_new(host, "NetworkMode", json_text(network_name));
	container_close_names(compose, network, host);
	json_object_set_new(host, "Init",
			    json_false()); /* it sees to signals, and has no children */
	json_object_set_new(host, "ReadonlyRootfs", json_true());
	json_object_set_new(host, "RestartPolicy", json_make("{s:s}", "Name", "on-failure"));
	json_object_set_new(host, "Mounts", json_make("[o]", sidecar_mount(dir, "/traffic")));
	json_object_set_new(host, "PortBindings", bindings);
	return host;
}

static json_t *recorder_body(const struct compose *compose, const struct plan_network *network,
			     const char *dir, const char *user)
{
	AUTO(char *, freep) network_name = instance_network(compose, network->name);
	struct players players = { .targets = json_array(),
				   .exposed = json_object(),
				   .bindings = json_object(),
				   .next = FIRST_PLAYERS_PORT };
	json_t *host, *command;

	if (!network_name)
		return NULL;
	add_ports(compose, &players);
	host = host_config(compose, network, network_name, dir, players.bindings);
	command = arguments(compose, network, players.targets);
	json_decref(players.targets);
	return json_make("{s:o,s:o,s:o,s:s,s:{s:{s:{s:[s]}}}}", "HostConfig", host, "ExposedPorts",
			 players.exposed, "Cmd", command, "User", user, "NetworkingConfig",
			 "EndpointsConfig", network_name, "Aliases", RECORDER_SERVICE);
}

int recorder_start(const struct compose *compose, struct err *e)
{
	const struct plan_network *network = sidecar_network(compose->plan);
	AUTO(char *, freep) dir = NULL;
	AUTO(char *, freep) user = NULL;
	char health[8];
	struct sidecar sidecar = { .service = RECORDER_SERVICE,
				   .image = IMAGE_RELAY,
				   .ports = health };
	int r;

	if (!network)
		return 0; /* nobody can be reached */
	r = traffic_dir(compose->node, compose->instance_id, &dir, e);
	if (r == 0)
		r = dir_make(dir, 0700, e);
	if (r == 0)
		r = find_user(dir, &user, e);
	if (r < 0)
		return r;
	snprintf(health, sizeof(health), "%d", HEALTH_PORT);
	sidecar.body = recorder_body(compose, network, dir, user);
	return sidecar_start(compose, &sidecar, e);
}
