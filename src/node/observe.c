/* SPDX-License-Identifier: Apache-2.0 */
#include "node/observe.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/work.h"
#include "engine/container.h"
#include "node/agent-run.h"
#include "node/compose.h"
#include "node/early-check.h"
#include "node/instance.h"
#include "node/node.h"
#include "node/recorder.h"
#include "node/sidecar.h"
#include "node/socket-table.h"
#include "wire/instance.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* The containers of an instance, as the engine inspects them. */
struct look {
	struct node *node;
	const char *instance_id;
	bool check; /* healthchecks are run where the engine is slow to */
	struct engine_container_list list;
	json_t **inspected;               /* one per item; NULL: gone meanwhile */
	struct engine_container recorder; /* borrowed from the list; no id: there is none */
	json_t *expected;                 /* {service: containers that should be there} */
};

static const char *label(const json_t *labels, const char *name)
{
	const char *value = json_string_value(json_object_get(labels, name));

	return value ? value : "";
}

static int inspect_one(void *cookie, size_t i, struct err *e)
{
	struct look *look = cookie;
	int r;

	r = engine_container_inspect(look->node->engine, look->list.items[i].id,
				     &look->inspected[i], e);
	return r == -ERR_NOT_FOUND ? 0 : r;
}

static void look_done(struct look *look)
{
	for (size_t i = 0; look->inspected && i < look->list.count; i++)
		json_decref(look->inspected[i]);
	free(look->inspected);
	engine_container_list_done(&look->list);
	json_decref(look->expected);
}

/* Neither sidecars nor agents are what the challenge consists of. */
static void leave_services(struct engine_container_list *list)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		if (!sidecar_is(list->items[i].labels) && !agent_is(list->items[i].labels))
			list->items[count++] = list->items[i];
	list->count = count;
}

static struct engine_container find_recorder(const struct engine_container_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (sidecar_is(list->items[i].labels) &&
		    strcmp(label(list->items[i].labels, LABEL_SERVICE), RECORDER_SERVICE) == 0)
			return list->items[i];
	return (struct engine_container){ 0 };
}

enum look_whom { LOOK_SERVICES, LOOK_ALL };

static int look_at(struct node *node, const char *instance_id, enum look_whom whom,
		   struct look *look, struct err *e)
{
	struct label_filter filter;
	int r;

	*look = (struct look){ .node = node, .instance_id = instance_id };
	label_filter(node, instance_id, &filter);
	r = instance_services(node, instance_id, &look->expected, e);
	if (r == 0)
		r = engine_container_list(node->engine, filter.labels, &look->list, e);
	if (r < 0)
		return r;
	look->recorder = find_recorder(&look->list);
	if (whom == LOOK_SERVICES)
		leave_services(&look->list);
	look->inspected = calloc(look->list.count + 1, sizeof(*look->inspected));
	if (!look->inspected)
		return err_memory(e);
	return work_each(look->list.count, 4, inspect_one, look, e);
}

static int service_set(struct ctfy_service *service, const char *name, const char *state,
		       const char *health, const char *detail, struct err *e)
{
	service->service = strdup(name);
	service->state = strdup(state);
	service->health = strdup(health);
	service->detail = detail ? strdup(detail) : NULL;
	return service->service && service->state && service->health ? 0 : err_memory(e);
}

static const char *last_health_output(const json_t *inspected)
{
	const json_t *log =
		json_object_get(json_object_get(json_object_get(inspected, "State"), "Health"),
				"Log");

	return json_string_value(
		json_object_get(json_array_get(log, json_array_size(log) - 1), "Output"));
}

/* A container that a player reaches has to be there for them. */
static bool is_published(const struct engine_container *container, const json_t *inspected)
{
	const json_t *bindings =
		json_object_get(json_object_get(inspected, "HostConfig"), "PortBindings");

	return json_object_size(bindings) > 0 || *label(container->labels, LABEL_PORTS);
}

/* Whether ending with 0 was all there was to do: nobody starts it again, and nobody comes to it. */
static bool has_done_its_work(const struct engine_container *container, const json_t *inspected,
			      const struct engine_container_state *state)
{
	const char *restart = json_string_value(
		json_object_get(json_object_get(json_object_get(inspected, "HostConfig"),
						"RestartPolicy"),
				"Name"));

	if (strcmp(state->status, "exited") != 0 || state->exit_code != 0)
		return false;
	if (strcmp(label(container->labels, LABEL_ONE_SHOT), "true") == 0)
		return true;
	return !is_published(container, inspected) &&
	       (!restart || !*restart || strcmp(restart, "no") == 0 ||
		strcmp(restart, "on-failure") == 0);
}

/* Why a container is not well; NULL: it is, as far as its state tells. */
static const char *complaint(const struct engine_container *container, const json_t *inspected,
			     const struct engine_container_state *state)
{
	const char *output = last_health_output(inspected);

	if (state->running && state->health && strcmp(state->health, "unhealthy") == 0)
		return output && *output ? output : "unhealthy";
	/* The engine calls both of these running. */
	if (strcmp(state->status, "paused") == 0)
		return "paused";
	if (strcmp(state->status, "restarting") == 0)
		return "it ended, and is to be started again";
	if (state->running)
		return NULL;
	if (has_done_its_work(container, inspected, state))
		return NULL;
	if (state->oom_killed)
		return "out of memory: the container reached its limit";
	if (state->error && *state->error)
		return state->error;
	return "not running";
}

/* The engine's word on it, or a newer one of our own. */
static void state_of(const struct look *look, size_t i, struct engine_container_state *ret_state)
{
	engine_container_state(look->inspected[i], ret_state);
	if (early_check_passed(look->node, look->instance_id, look->inspected[i], look->check,
			       NULL))
		ret_state->health = "healthy";
}

static int describe(const struct look *look, size_t i, struct ctfy_service *ret, struct err *e)
{
	const struct engine_container *container = &look->list.items[i];
	struct engine_container_state state;

	state_of(look, i, &state);
	ret->exit_code = state.exit_code;
	ret->oom_killed = state.oom_killed;
	return service_set(ret, label(container->labels, LABEL_SERVICE), state.status,
			   state.health ? state.health : "none",
			   complaint(container, look->inspected[i], &state), e);
}

static size_t containers_of(const struct look *look, const char *service)
{
	size_t count = 0;

	for (size_t i = 0; i < look->list.count; i++)
		count += look->inspected[i] &&
			 strcmp(label(look->list.items[i].labels, LABEL_SERVICE), service) == 0;
	return count;
}

/* A row per container, and one for each service that has lost containers. */
static int describe_all(struct look *look, struct ctfy_service **ret_rows, size_t *ret_count,
			struct err *e)
{
	size_t most = look->list.count + json_object_size(look->expected);
	struct ctfy_service *rows = calloc(most + 1, sizeof(*rows));
	const char *service;
	json_t *want;

	if (!rows)
		return err_memory(e);
	*ret_rows = rows;
	for (size_t i = 0; i < look->list.count; i++)
		if (look->inspected[i] && describe(look, i, &rows[(*ret_count)++], e) < 0)
			return -(int)ERR_MEMORY;
	json_object_foreach (look->expected, service, want) {
		if (containers_of(look, service) >= (size_t)json_integer_value(want))
			continue;
		if (service_set(&rows[(*ret_count)++], service, "removed", "none",
				"its container is gone", e) < 0)
			return -(int)ERR_MEMORY;
	}
	return 0;
}

static int by_service(const void *a, const void *b)
{
	return strcmp(((const struct ctfy_service *)a)->service,
		      ((const struct ctfy_service *)b)->service);
}

int instance_status(struct node *node, const char *instance_id, struct ctfy_instance *ret_row,
		    struct err *e)
{
	struct look look = { 0 };
	int r;

	r = instance_row(node, instance_id, ret_row, e);
	if (r < 0)
		return r;
	if (strcmp(ret_row->status, "running") == 0 || strcmp(ret_row->status, "starting") == 0)
		r = look_at(node, instance_id, LOOK_SERVICES, &look, e);
	if (r == 0 && look.node)
		r = describe_all(&look, &ret_row->services, &ret_row->service_count, e);
	if (r == 0 && ret_row->service_count > 0)
		qsort(ret_row->services, ret_row->service_count, sizeof(*ret_row->services),
		      by_service);
	look_done(&look);
	return r;
}

/* Connects within a second: 0, or errno. */
static int probe(const char *address, uint16_t port)
{
	AUTO(int, closep) fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
	socklen_t size = sizeof(int);
	int error = 0;

	if (fd < 0 || inet_pton(AF_INET, address, &in.sin_addr) != 1)
		return EINVAL;
	if (connect(fd, (const struct sockaddr *)&in, sizeof(in)) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (poll(&poll_fd, 1, 1000) <= 0)
		return ETIMEDOUT;
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
	return error;
}

static const char *address_in(const json_t *networks)
{
	const char *name, *address = NULL;
	json_t *network;

	json_object_foreach ((json_t *)(uintptr_t)networks, name, network) {
		address = json_string_value(json_object_get(network, "IPAddress"));
		if (address && *address)
			break;
	}
	return address ? address : "";
}

/*
 * A published port that is open inside the container alone: its own healthcheck may pass, and no
 * player comes there. What the container's own firewall makes of a connection is seen by trying.
 */
static bool is_open_to_itself(const struct engine_container *container, int pid,
			      const char *protocol, uint16_t port)
{
	return socket_table_listens(pid, protocol, port) == LISTENS_LOOPBACK &&
	       (strcmp(protocol, "tcp") != 0 || probe(address_in(container->networks), port) != 0);
}

static char *describe_loopback(const char *protocol, unsigned long port)
{
	return strf("port %lu/%s is open on 127.0.0.1 alone, where no player reaches it: let it "
		    "listen on 0.0.0.0",
		    port, protocol);
}

/* Of each published port, whether somebody outside of the container may come there. */
static bool ports_are_open(const struct engine_container *container, const json_t *inspected,
			   int pid, char **ret_detail)
{
	json_t *bindings =
		       json_object_get(json_object_get(inspected, "HostConfig"), "PortBindings"),
	       *unused;
	const char *ports = label(container->labels, LABEL_PORTS), *key;

	while (*ports && !*ret_detail) { /* recorded ones, which are not bound, are among these */
		char *end;
		unsigned long port = strtoul(ports, &end, 10);

		if (is_open_to_itself(container, pid, "tcp", (uint16_t)port))
			*ret_detail = describe_loopback("tcp", port);
		ports = *end == ',' ? end + 1 : end;
	}
	json_object_foreach (bindings, key, unused) {
		unsigned long port = strtoul(key, NULL, 10);

		if (!*ret_detail && strstr(key, "/udp") &&
		    is_open_to_itself(container, pid, "udp", (uint16_t)port))
			*ret_detail = describe_loopback("udp", port);
	}
	return !*ret_detail;
}

/* Whether all published TCP ports of a container accept; ret_detail says which one doesn't. */
static bool ports_accept(const struct engine_container *container, const json_t *networks,
			 const char *whose, char **ret_detail)
{
	const char *ports = label(container->labels, LABEL_PORTS);
	const char *address = address_in(networks);

	if (*ports && !*address) {
		*ret_detail = strf("%sit is in no network", whose);
		return false;
	}
	while (*ports) {
		char *end;
		unsigned long port = strtoul(ports, &end, 10);
		int error = probe(address, (uint16_t)port);

		if (error) {
			*ret_detail = strf("%sport %lu does not accept a connection: %s", whose,
					   port, strerrordesc_np(error));
			return false;
		}
		ports = *end == ',' ? end + 1 : end;
	}
	return true;
}

/* Where players come to a service by the recorder, it has to listen too. */
static bool recorder_accepts(const struct look *look, const struct engine_container *container,
			     char **ret_detail)
{
	const struct engine_container *recorder = &look->recorder;

	if (strcmp(label(container->labels, LABEL_RECORDED), "true") != 0)
		return true;
	if (recorder->id && strcmp(recorder->state, "running") == 0)
		return ports_accept(recorder, recorder->networks,
				    "the recorder before it: ", ret_detail);
	*ret_detail = strdup("the recorder before it does not run");
	return false;
}

static bool is_well(const struct look *look, size_t i, struct ctfy_service *row)
{
	const struct engine_container *container = &look->list.items[i];
	const json_t *inspected = look->inspected[i];
	const json_t *networks =
		json_object_get(json_object_get(inspected, "NetworkSettings"), "Networks");
	struct engine_container_state state;

	engine_container_state(inspected, &state);
	if (row->detail || (state.health && strcmp(row->health, "healthy") != 0))
		return false;
	if (!state.running)
		return true;
	return ports_are_open(container, inspected, state.pid, &row->detail) &&
	       (state.health || ports_accept(container, networks, "", &row->detail)) &&
	       recorder_accepts(look, container, &row->detail);
}

/* What has done its work is well; but of an instance where all have, nothing is left. */
static bool any_runs(const struct ctfy_health *health)
{
	for (size_t i = 0; i < health->service_count; i++)
		if (health->services[i].state && strcmp(health->services[i].state, "exited") != 0)
			return true;
	return false;
}

int instance_health(struct node *node, const char *instance_id, struct ctfy_health *ret_health,
		    struct err *e)
{
	struct ctfy_instance inst = { 0 };
	struct look look = { 0 };
	size_t row = 0;
	int r;

	r = instance_row(node, instance_id, &inst, e);
	if (r == 0 && strcmp(inst.status, "running") == 0) {
		r = look_at(node, instance_id, LOOK_SERVICES, &look, e);
		look.check = true;
		if (r == 0)
			r = describe_all(&look, &ret_health->services, &ret_health->service_count,
					 e);
		ret_health->is_healthy = r == 0 && any_runs(ret_health);
	}
	for (size_t i = 0; r == 0 && i < look.list.count; i++)
		if (look.inspected[i] && !is_well(&look, i, &ret_health->services[row++]))
			ret_health->is_healthy = false;
	if (row < ret_health->service_count) /* the rest are services without their container */
		ret_health->is_healthy = false;
	fields_done(instance_fields, &inst);
	look_done(&look);
	return r;
}

static int container_row(const struct engine_container *container, const char *health,
			 struct ctfy_container *ret, struct err *e)
{
	*ret = (struct ctfy_container){
		.container_id = strdup(container->id),
		.name = strdup(container->name),
		.service = strdup(label(container->labels, LABEL_SERVICE)),
		.role = strdup(label(container->labels, LABEL_ROLE)),
		.image = strdup(container->image),
		.state = strdup(container->state),
		.health = strdup(health),
		.created_at = container->created_ms,
	};
	return ret->container_id && ret->name && ret->service && ret->role && ret->image &&
			       ret->state && ret->health
		       ? 0
		       : err_memory(e);
}

int instance_containers(struct node *node, const char *instance_id,
			struct ctfy_containers *ret_containers, struct err *e)
{
	struct look look = { 0 };
	int r;

	r = look_at(node, instance_id, LOOK_ALL, &look, e);
	if (r == 0) {
		ret_containers->rows = calloc(look.list.count + 1, sizeof(*ret_containers->rows));
		if (!ret_containers->rows)
			r = err_memory(e);
	}
	for (size_t i = 0; r == 0 && i < look.list.count; i++) {
		struct engine_container_state state;

		if (!look.inspected[i])
			continue;
		state_of(&look, i, &state);
		r = container_row(&look.list.items[i], state.health ? state.health : "none",
				  &ret_containers->rows[ret_containers->row_count++], e);
	}
	look_done(&look);
	return r;
}
