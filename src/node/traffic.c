#include "node/traffic.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "challenge/plan.h"
#include "flow/reader.h"
#include "node/compose.h"
#include "node/container.h"
#include "node/evidence.h"
#include "node/node.h"
#include "node/own-image.h"
#include "node/sidecar.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
	RECORDER_MEMORY = 256 << 20,
	RECORDER_PIDS = 64,
	FIRST_PLAYERS_PORT = 9000, /* in the recorder's container */
};

/* --- recording ---------------------------------------------------------------------------- */

/* What the start said, or the instance's own. */
static int find_dir(struct node *node, const char *instance_id, char **ret_dir, struct err *e)
{
	AUTO(json_t *, json_decrefp) spec = NULL;
	const char *dir;
	int r = evidence_spec(node, instance_id, &spec, e);

	if (r < 0)
		return r;
	dir = json_string_value(json_object_get(spec, "proxy_output_dir"));
	*ret_dir = dir ? strdup(dir) : evidence_path(node, instance_id, "traffic");
	return *ret_dir ? 0 : err_memory(e);
}

int traffic_path(struct node *node, const char *instance_id, char **ret_path, struct err *e)
{
	AUTO(char *, freep) dir = NULL;
	int r = find_dir(node, instance_id, &dir, e);

	if (r < 0)
		return r;
	*ret_path = strf("%s/flows.jsonl", dir);
	return *ret_path ? 0 : err_memory(e);
}

int traffic_end(struct node *node, const char *instance_id, struct err *e)
{
	AUTO(char *, freep) path = NULL;
	int r = traffic_path(node, instance_id, &path, e);

	return r < 0 ? r : flow_file_end(path, e);
}

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
	struct buf targets; /* "9000=web:80 ..." */
	struct buf ports;   /* "9000,..." */
	json_t *exposed, *bindings;
	unsigned next;
};

static void add_port(const struct compose *compose, struct players *players,
		     const struct plan_service *service, uint32_t replica, uint16_t port,
		     uint16_t host_port)
{
	AUTO(char *, freep) name = project_container_name(compose, service, replica);
	char key[16], published[8];

	snprintf(key, sizeof(key), "%u/tcp", players->next);
	snprintf(published, sizeof(published), "%u", host_port);
	buf_printf(&players->targets, "%s%u=%s:%u", players->targets.len ? " " : "", players->next,
		   name ? name : "", port);
	buf_printf(&players->ports, "%s%u", players->ports.len ? "," : "", players->next);
	json_object_set_new(players->exposed, key, json_object());
	json_object_set_new(players->bindings, key,
			    json_pack("[{s:s,s:s}]", "HostIp", compose->node->options->bind,
				      "HostPort", published));
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

static json_t *recorder_body(const struct compose *compose, const char *dir,
			     const struct plan_network *network, char **ret_ports)
{
	AUTO(char *, freep) network_name = instance_network(compose, network->name);
	AUTO(char *, freep) ports = NULL;
	json_t *host = sidecar_limits(RECORDER_MEMORY, RECORDER_PIDS);
	struct players players = { .targets = BUF_INIT,
				   .ports = BUF_INIT,
				   .exposed = json_object(),
				   .bindings = json_object(),
				   .next = FIRST_PLAYERS_PORT };

	add_ports(compose, &players);
	ports = strf("CTFY_PORTS=%s", players.targets.data);
	buf_done(&players.targets);
	*ret_ports = buf_take(&players.ports);
	json_object_set_new(host, "NetworkMode", json_string(network_name));
	container_close_names(compose, network, host);
	json_object_set_new(host, "CapAdd", json_pack("[s]", "DAC_OVERRIDE"));
	json_object_set_new(host, "RestartPolicy", json_pack("{s:s}", "Name", "on-failure"));
	json_object_set_new(host, "Mounts", json_pack("[o]", sidecar_mount(dir, "/traffic")));
	json_object_set_new(host, "PortBindings", players.bindings);
	return json_pack("{s:o,s:o,s:[s,s],s:{s:{s:{s:[s]}}}}", "HostConfig", host, "ExposedPorts",
			 players.exposed, "Env", "CTFY_FLOWS=/traffic/flows.jsonl",
			 ports ? ports : "", "NetworkingConfig", "EndpointsConfig", network_name,
			 "Aliases", RECORDER_SERVICE);
}

int recorder_start(const struct compose *compose, struct err *e)
{
	const struct plan_network *network = sidecar_network(compose->plan);
	AUTO(char *, freep) dir = NULL;
	AUTO(char *, freep) ports = NULL;
	struct sidecar sidecar = { .service = RECORDER_SERVICE, .image = IMAGE_RECORDER };
	int r;

	if (!network)
		return 0; /* nobody can be reached */
	r = find_dir(compose->node, compose->instance_id, &dir, e);
	if (r == 0)
		r = dir_make(dir, 0700, e);
	if (r < 0)
		return r;
	sidecar.body = recorder_body(compose, dir, network, &ports);
	sidecar.ports = ports;
	return sidecar_start(compose, &sidecar, e);
}
