/* SPDX-License-Identifier: Apache-2.0 */
#include "node/compose.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/work.h"
#include "challenge/plan.h"
#include "engine/archive.h"
#include "engine/container.h"
#include "engine/network.h"
#include "engine/volume.h"
#include "node/bridge.h"
#include "node/capture.h"
#include "node/container.h"
#include "node/containment.h"
#include "node/early-check.h"
#include "node/evidence.h"
#include "node/firewall.h"
#include "node/node.h"
#include "node/recorder.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

/* How far a service has come; its dependents wait for it. */
enum service_stage { STAGE_WAITING, STAGE_CREATED, STAGE_STARTED };

struct service_up {
	enum service_stage stage;
	char **containers; /* ids, one per replica */
	const uint16_t *ports;
};

struct up {
	const struct compose *compose;
	struct service_up *services;
	pthread_mutex_t populating; /* held while the engine fills volumes */
	pthread_mutex_t lock;       /* of stages and what follows */
	bool watched;               /* what is to see a service's first packet is there */
	pthread_cond_t changed;
	bool failed;
	struct err cause; /* of the first failure: those who then give up are not the cause */
};

static bool is_cancelled(const struct compose *compose)
{
	return compose->cancelled && atomic_load(compose->cancelled);
}

static int check_cancelled(const struct compose *compose, struct err *e)
{
	return is_cancelled(compose) ? err_set(e, ERR_ABORTED, "the start was called off") : 0;
}

/*
 * A call that a killed node had sent may take effect after its successor has cleaned up: whether
 * that is what has the name, and is gone now.
 */
static bool remove_late_network(const struct compose *compose, const char *name)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	const char *node = "", *instance = "";

	if (engine_network_inspect(compose->node->engine, name, &inspected, NULL) < 0)
		return false;
	json_unpack(inspected, "{s:{s:s,s:s}}", "Labels", LABEL_NODE, &node, LABEL_INSTANCE,
		    &instance);
	return strcmp(node, compose->node->id) == 0 &&
	       strcmp(instance, compose->instance_id) == 0 &&
	       engine_network_remove(compose->node->engine, name, NULL) == 0;
}

enum { SUBNETS_TRIED = 8 };

static int make_network(void *cookie, size_t i, struct err *e)
{
	struct up *up = cookie;
	const struct compose *compose = up->compose;
	const struct plan_network *network = &compose->plan->networks[i];
	AUTO(char *, freep) name = project_network_name(compose, network->name);
	AUTO(json_t *, json_decrefp) labels = instance_labels(compose);
	AUTO(char *, freep) id = NULL;
	struct pooled_network *held = &compose->resources->networks[i];
	char gateway[SUBNET_TEXT_SIZE], bridge[BRIDGE_NAME_SIZE];
	struct engine_network_options options = {
		.name = name,
		.bridge = bridge,
		.subnet = held->subnet, /* as it is at each try */
		.gateway = gateway,
		.options = network->options,
		.labels = labels,
		.internal = network->internal,
	};

	int r;

	if (held->id[0])
		return 0; /* one of the pool */
	if (!name || !labels)
		return err_memory(e);
	firewall_bridge_name(compose->node->id, name, network->egress, bridge);
	for (int tries = 0;; tries++) {
		subnet_address(held->subnet, network->gateway_offset ? network->gateway_offset : 1,
			       gateway);
		r = engine_network_create(compose->node->engine, &options, &id, e);
		if (r == 0)
			return bridge_limit(bridge, e);
		if (r != -ERR_CONFLICT || tries == SUBNETS_TRIED)
			return r;
		if (remove_late_network(compose, name))
			continue;
		/* Something else on this host has it: it stays reserved, so that nobody tries it
		 * again. */
		r = subnets_take(compose->node->subnets, network->prefix, held->subnet, e);
		if (r < 0)
			return r;
	}
}

static int make_volume(void *cookie, size_t i, struct err *e)
{
	struct up *up = cookie;
	const struct compose *compose = up->compose;
	const struct plan_volume *volume = &compose->plan->volumes[i];
	AUTO(char *, freep) name = project_volume_name(compose, volume->name);
	AUTO(json_t *, json_decrefp) labels = instance_labels(compose);

	if (!name || !labels)
		return err_memory(e);
	return engine_volume_create(compose->node->engine, name, volume->driver_opts, labels, e);
}

static size_t service_index(const struct plan *plan, const char *name)
{
	size_t i;

	for (i = 0; i < plan->service_count; i++)
		if (strcmp(plan->services[i].name, name) == 0)
			break;
	return i;
}

static void set_stage(struct up *up, size_t i, enum service_stage stage)
{
	pthread_mutex_lock(&up->lock);
	up->services[i].stage = stage;
	pthread_cond_broadcast(&up->changed);
	pthread_mutex_unlock(&up->lock);
}

/* Waits until service i has come as far as stage; ABORTED when another one has failed. */
static int wait_stage(struct up *up, size_t i, enum service_stage stage, struct err *e)
{
	bool failed;

	pthread_mutex_lock(&up->lock);
	while (up->services[i].stage < stage && !up->failed)
		pthread_cond_wait(&up->changed, &up->lock);
	failed = up->services[i].stage < stage;
	pthread_mutex_unlock(&up->lock);
	return failed ? err_set(e, ERR_ABORTED, "another service failed") : 0;
}

static int wait_watched(struct up *up, struct err *e)
{
	bool failed;

	pthread_mutex_lock(&up->lock);
	while (!up->watched && !up->failed)
		pthread_cond_wait(&up->changed, &up->lock);
	failed = !up->watched;
	pthread_mutex_unlock(&up->lock);
	return failed ? err_set(e, ERR_ABORTED, "a sidecar failed") : 0;
}

static void sleep_ms(int64_t ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static bool another_failed(struct up *up)
{
	bool failed;

	pthread_mutex_lock(&up->lock);
	failed = up->failed;
	pthread_mutex_unlock(&up->lock);
	return failed;
}

/* The last words of the healthcheck: what an organiser wants to read. */
static const char *health_output(const json_t *inspected)
{
	const json_t *log =
		json_object_get(json_object_get(json_object_get(inspected, "State"), "Health"),
				"Log");
	const json_t *last = json_array_get(log, json_array_size(log) - 1);
	const char *output = json_string_value(json_object_get(last, "Output"));

	return output ? output : "";
}

/*
 * 1: the condition holds; 0: not yet; negative: it never will. ret_words: what a check of our own
 * said that failed, the caller's.
 */
static int check_condition(struct up *up, const char *container, const char *service,
			   enum plan_condition condition, char **ret_words, struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	struct engine_container_state state;
	int r;

	r = engine_container_inspect(up->compose->node->engine, container, &inspected, e);
	if (r < 0)
		return r;
	engine_container_state(inspected, &state);
	if (condition == PLAN_COMPLETED) {
		if (state.running || strcmp(state.status, "exited") != 0)
			return 0;
		return state.exit_code == 0 ? 1
					    : err_set(e, ERR_ENGINE, "service '%s' exited with %d",
						      service, state.exit_code);
	}
	if (!state.running && strcmp(state.status, "restarting") != 0)
		return err_set(e, ERR_ENGINE, "service '%s' exited with %d%s", service,
			       state.exit_code, state.oom_killed ? ": out of memory" : "");
	if (!state.health)
		return err_set(e, ERR_ENGINE, "service '%s' has no healthcheck to wait for",
			       service);
	if (early_check_passed(up->compose->node, up->compose->instance_id, inspected, true,
			       ret_words))
		return 1;
	if (strcmp(state.health, "unhealthy") == 0)
		return err_set(e, ERR_ENGINE, "service '%s' is unhealthy: %s", service,
			       health_output(inspected));
	return strcmp(state.health, "healthy") == 0;
}

static int wait_condition(struct up *up, size_t service, enum plan_condition condition,
			  struct err *e)
{
	const struct plan *plan = up->compose->plan;
	const char *name = plan->services[service].name;
	int64_t deadline = clock_monotonic_ms() + plan->health_deadline_ms;
	int64_t pause_ms = 20;

	for (uint32_t i = 0; i < plan->services[service].replicas;) {
		AUTO(char *, freep) words = NULL;
		int r = check_condition(up, up->services[service].containers[i], name, condition,
					&words, e);

		if (r < 0)
			return r;
		if (r > 0) {
			i++;
			continue;
		}
		if (another_failed(up) || is_cancelled(up->compose))
			return err_set(e, ERR_ABORTED, "the start was called off");
		if (clock_monotonic_ms() > deadline)
			return err_set(e, ERR_ENGINE, "service '%s' is not %s after %lld s%s%s",
				       name, condition == PLAN_COMPLETED ? "done" : "healthy",
				       (long long)plan->health_deadline_ms / 1000,
				       words ? ": " : "", words ? words : "");
		sleep_ms(pause_ms);
		pause_ms = pause_ms < 250 ? pause_ms * 2 : 500;
	}
	return 0;
}

static int wait_dependency(struct up *up, const struct plan_dependency *dependency, struct err *e)
{
	size_t i = service_index(up->compose->plan, dependency->service);
	struct err cause = ERR_INIT;
	int r;

	if (i == up->compose->plan->service_count)
		return dependency->required
			       ? err_set(e, ERR_INVALID, "there is no service '%s' to depend on",
					 dependency->service)
			       : 0;
	r = wait_stage(up, i, STAGE_STARTED, e);
	if (r < 0 || dependency->condition == PLAN_STARTED)
		return r;
	r = wait_condition(up, i, dependency->condition, &cause);
	if (r == 0 || (!dependency->required && cause.code != ERR_ABORTED))
		return 0;
	*e = cause;
	return r;
}

static int put_files(const struct compose *compose, const struct plan_service *service,
		     const char *container, struct err *e)
{
	AUTO(struct engine_file *, freep) files = calloc(service->file_count + 1, sizeof(*files));

	if (service->file_count == 0)
		return 0;
	if (!files)
		return err_memory(e);
	for (size_t i = 0; i < service->file_count; i++) {
		const struct plan_file *file = &service->files[i];

		files[i] = (struct engine_file){ .path = file->path,
						 .bytes = file->content,
						 .size = file->size,
						 .mode = file->mode,
						 .uid = file->uid,
						 .gid = file->gid };
	}
	return engine_archive_put_files(compose->node->engine, container, files,
					service->file_count, e);
}

static int join_networks(struct up *up, const struct plan_service *service, const char *container,
			 struct err *e)
{
	const struct compose *compose = up->compose;

	for (size_t i = 1; i < service->network_count; i++) {
		AUTO(char *, freep) name = instance_network(compose, service->networks[i].network);
		AUTO(json_t *, json_decrefp) endpoint =
			container_endpoint(compose, &service->networks[i]);
		int r;

		if (!name || !endpoint)
			return err_memory(e);
		r = engine_network_connect(compose->node->engine, name, container, endpoint, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A service without a network of its own: none, the host's, or another service's. */
static int find_network_mode(struct up *up, const struct plan_service *service, char **ret_mode,
			     struct err *e)
{
	const struct plan *plan = up->compose->plan;
	size_t other;
	int r;

	if (service->network_service) {
		other = service_index(plan, service->network_service);
		if (other == plan->service_count)
			return err_set(e, ERR_INVALID, "there is no service '%s' to share with",
				       service->network_service);
		r = wait_stage(up, other, STAGE_STARTED, e);
		if (r < 0)
			return r;
		*ret_mode = strf("container:%s", up->services[other].containers[0]);
	} else if (service->network_mode) {
		*ret_mode = strdup(service->network_mode);
	} else if (service->network_count == 0) {
		*ret_mode = strdup("none");
	} else {
		return 0;
	}
	return *ret_mode ? 0 : err_memory(e);
}

/* A volume that the engine fills, with what the image has there, when its first container is made.
 */
static bool is_filled(const struct plan_volume_use *use)
{
	return use->volume && !use->nocopy;
}

static bool fills_volumes(const struct plan_service *service)
{
	for (size_t i = 0; i < service->volume_count; i++)
		if (is_filled(&service->volumes[i]))
			return true;
	return false;
}

static bool share_volume(const struct plan_service *a, const struct plan_service *b)
{
	for (size_t i = 0; i < a->volume_count; i++)
		for (size_t j = 0; is_filled(&a->volumes[i]) && j < b->volume_count; j++)
			if (is_filled(&b->volumes[j]) &&
			    strcmp(a->volumes[i].volume, b->volumes[j].volume) == 0)
				return true;
	return false;
}

/* The engine fills one volume for two containers at once, and fails at what the other has made. */
static int create_alone(struct up *up, const struct plan_service *service,
			const struct container_order *order, char **ret_id, struct err *e)
{
	bool alone = fills_volumes(service);
	int r;

	if (alone)
		pthread_mutex_lock(&up->populating);
	r = container_create(up->compose->node, order, ret_id, e);
	if (alone)
		pthread_mutex_unlock(&up->populating);
	return r;
}

/*
 * Nobody writes to a volume that is still being filled for another. Who is made only after somebody
 * else's start is not waited for: that may be ours.
 */
static int wait_filled(struct up *up, const struct plan_service *service, struct err *e)
{
	const struct plan *plan = up->compose->plan;
	int r = 0;

	for (size_t i = 0; r == 0 && i < plan->service_count; i++)
		if (!plan->services[i].network_service && share_volume(service, &plan->services[i]))
			r = wait_stage(up, i, STAGE_CREATED, e);
	return r;
}

static int create_container(struct up *up, size_t i, uint32_t replica, const char *network_mode,
			    struct err *e)
{
	const struct compose *compose = up->compose;
	const struct plan_service *service = &compose->plan->services[i];
	AUTO(char *, freep) name = project_container_name(compose, service, replica);
	AUTO(json_t *, json_decrefp) body = NULL;
	struct container_facts facts = { .replica = replica, .network_mode = network_mode };
	size_t published = 0;
	char **id = &up->services[i].containers[replica];
	struct container_order order = { .kind = CONTAINER_FOREIGN,
					 .challenge_id = compose->plan->challenge_id };
	int r;

	for (size_t j = 0; j < service->port_count; j++)
		published += service->ports[j].published;
	facts.ports = up->services[i].ports + replica * published;
	body = container_body(compose, service, &facts);
	if (!name || !body)
		return err_memory(e);
	order.name = name;
	order.body = body;
	r = check_cancelled(compose, e);
	if (r == 0)
		r = create_alone(up, service, &order, id, e);
	if (r == 0)
		r = join_networks(up, service, *id, e);
	if (r == 0)
		r = put_files(compose, service, *id, e);
	return r;
}

static int start_containers(struct up *up, size_t i, struct err *e)
{
	const struct compose *compose = up->compose;
	const struct plan_service *service = &compose->plan->services[i];

	for (uint32_t replica = 0; replica < service->replicas; replica++) {
		int r = check_cancelled(compose, e);

		if (r == 0)
			r = engine_container_start(compose->node->engine,
						   up->services[i].containers[replica], e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int bring_up(struct up *up, size_t i, struct err *e)
{
	const struct compose *compose = up->compose;
	const struct plan_service *service = &compose->plan->services[i];
	AUTO(char *, freep) network_mode = NULL;
	int r;

	r = find_network_mode(up, service, &network_mode, e);
	for (uint32_t replica = 0; r == 0 && replica < service->replicas; replica++)
		r = create_container(up, i, replica, network_mode, e);
	if (r < 0)
		return r;
	set_stage(up, i, STAGE_CREATED);

	for (size_t j = 0; r == 0 && j < service->dependency_count; j++)
		r = wait_dependency(up, &service->depends_on[j], e);
	if (r == 0)
		r = wait_watched(up, e);
	if (r == 0)
		r = wait_filled(up, service, e);
	if (r == 0)
		r = start_containers(up, i, e);
	if (r == 0)
		set_stage(up, i, STAGE_STARTED);
	return r;
}

static int bring_sidecars_up(struct up *up, struct err *e)
{
	const struct compose *compose = up->compose;
	int r = 0;

	if (compose->plan->capture)
		r = capture_start(compose, e);
	if (r < 0)
		return r;
	pthread_mutex_lock(&up->lock);
	up->watched = true;
	pthread_cond_broadcast(&up->changed);
	pthread_mutex_unlock(&up->lock);
	return compose->plan->record_http ? recorder_start(compose, e) : 0;
}

/* Round service_count is the sidecars'. */
static int bring_one_up(void *cookie, size_t i, struct err *e)
{
	struct up *up = cookie;
	const struct plan *plan = up->compose->plan;
	int r;

	r = i < plan->service_count ? bring_up(up, i, e) : bring_sidecars_up(up, e);
	if (r == 0)
		return 0;
	if (i < plan->service_count)
		r = err_wrap(e, "service '%s'", plan->services[i].name);
	pthread_mutex_lock(&up->lock);
	if (!up->failed)
		up->cause = *e;
	up->failed = true;
	pthread_cond_broadcast(&up->changed);
	pthread_mutex_unlock(&up->lock);
	return r;
}

static int up_init(struct up *up, const struct compose *compose, struct err *e)
{
	const struct plan *plan = compose->plan;
	const uint16_t *ports = compose->resources->ports;

	*up = (struct up){ .compose = compose };
	pthread_mutex_init(&up->populating, NULL);
	pthread_mutex_init(&up->lock, NULL);
	pthread_cond_init(&up->changed, NULL);
	up->services = calloc(plan->service_count + 1, sizeof(*up->services));
	if (!up->services)
		return err_memory(e);
	for (size_t i = 0; i < plan->service_count; i++) {
		const struct plan_service *service = &plan->services[i];

		up->services[i].containers = calloc(service->replicas, sizeof(char *));
		up->services[i].ports = ports;
		if (!up->services[i].containers)
			return err_memory(e);
		for (size_t j = 0; j < service->port_count; j++)
			if (service->ports[j].published)
				ports += service->replicas;
	}
	return 0;
}

static void up_done(struct up *up)
{
	const struct plan *plan = up->compose->plan;

	for (size_t i = 0; up->services && i < plan->service_count; i++) {
		char **containers = up->services[i].containers;

		for (uint32_t j = 0; containers && j < plan->services[i].replicas; j++)
			free(containers[j]);
		free(containers);
	}
	free(up->services);
	pthread_cond_destroy(&up->changed);
	pthread_mutex_destroy(&up->lock);
	pthread_mutex_destroy(&up->populating);
}

int compose_up(const struct compose *compose, struct err *e)
{
	const struct plan *plan = compose->plan;
	struct up up;
	int r;

	r = up_init(&up, compose, e);
	if (r == 0)
		r = evidence_begin(compose->node, compose->instance_id, e);
	/* One after the other: services may share a copy. */
	for (size_t i = 0; r == 0 && i < plan->service_count; i++)
		r = container_prepare(compose, &plan->services[i], e);
	if (r == 0)
		r = work_each(plan->network_count, plan->network_count, make_network, &up, e);
	if (r == 0)
		r = work_each(plan->volume_count, plan->volume_count, make_volume, &up, e);
	if (r == 0)
		r = work_each(plan->service_count + 1, plan->service_count + 1, bring_one_up, &up,
			      e);
	if (up.failed) {
		*e = up.cause;
		r = -(int)e->code;
	}
	up_done(&up);
	return r;
}

json_t *compose_services(const struct plan *plan)
{
	json_t *services = json_object();

	for (size_t i = 0; i < plan->service_count; i++)
		json_object_set_new(services, plan->services[i].name,
				    json_integer(plan->services[i].replicas));
	return services;
}

static json_t *endpoint(const struct compose *compose, const struct plan_service *service,
			const struct plan_port *port, uint16_t host_port)
{
	const char *host = compose->node->options->public_host;
	AUTO(char *, freep) url =
		port->app_protocol ? strf("%s://%s:%u", port->app_protocol, host, host_port) : NULL;

	return json_make("{s:s,s:i,s:s,s:s,s:i,s:s?}", "service", service->name, "container_port",
			 port->container_port, "protocol", port->protocol, "host", host, "port",
			 host_port, "url", url);
}

json_t *compose_endpoints(const struct compose *compose)
{
	const uint16_t *host_port = compose->resources->ports;
	json_t *endpoints = json_array();

	for (size_t i = 0; i < compose->plan->service_count; i++) {
		const struct plan_service *service = &compose->plan->services[i];

		for (uint32_t replica = 0; replica < service->replicas; replica++)
			for (size_t j = 0; j < service->port_count; j++)
				if (service->ports[j].published)
					json_array_append_new(endpoints,
							      endpoint(compose, service,
								       &service->ports[j],
								       *host_port++));
	}
	return endpoints;
}

static bool should_run(const struct engine_container *container)
{
	const char *one_shot =
		json_string_value(json_object_get(container->labels, LABEL_ONE_SHOT));

	return !one_shot || strcmp(one_shot, "true") != 0;
}

static bool runs(const struct engine_container *container)
{
	return strcmp(container->state, "running") == 0 ||
	       strcmp(container->state, "restarting") == 0;
}

static bool any_runs(const struct engine_container_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (runs(&list->items[i]))
			return true;
	return false;
}

/* Unix ms; 0: it runs, never ran, or is gone. */
static int64_t ended_at(struct node *node, const char *container)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	struct engine_container_state state;

	if (engine_container_inspect(node->engine, container, &inspected, NULL) < 0)
		return 0;
	engine_container_state(inspected, &state);
	return state.running ? 0 : state.finished_ms;
}

/*
 * Since when they have ended with the engine: the last of them did, and what had done its work did
 * so before. 0: none has run.
 */
static int64_t ended_since(struct node *node, const struct engine_container_list *list)
{
	int64_t last = 0;

	for (size_t i = 0; i < list->count; i++) {
		int64_t at = ended_at(node, list->items[i].id);

		last = at > last ? at : last;
	}
	return last ? last - ENGINE_SHUTDOWN_MS : 0;
}

int compose_revive(struct node *node, const char *instance_id, int64_t since_ms, struct err *e)
{
	struct engine_container_list list = { 0 };
	struct label_filter filter;
	int r;

	label_filter(node, instance_id, &filter);
	r = engine_container_list(node->engine, filter.labels, &list, e);
	if (r == 0 && !since_ms && !any_runs(&list))
		since_ms = ended_since(node, &list);
	/* The newest comes first in the list; what others depend on was made before them. */
	for (size_t i = list.count; r == 0 && i-- > 0;) {
		const struct engine_container *container = &list.items[i];

		if (should_run(container) && !runs(container) && since_ms &&
		    ended_at(node, container->id) >= since_ms)
			r = engine_container_start(node->engine, container->id, e);
	}
	engine_container_list_done(&list);
	return r;
}
