/* SPDX-License-Identifier: Apache-2.0 */
#include "node/agent.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "engine/container.h"
#include "node/agent-proxy.h"
#include "node/compose.h"
#include "node/instance.h"
#include "node/node.h"
#include "node/recorder.h"
#include "node/sidecar.h"
#include "wire/instance.h"

#include <string.h>
#include <time.h>

enum {
	/* The proxy is there within 1.3 s on an idle machine; who waits in vain is to come again.
	 */
	PATIENCE_MS = 5 * 1000,
	LOOK_UP_MS = 100,
};

static const char *label(const struct engine_container *container, const char *name)
{
	const char *value = json_string_value(json_object_get(container->labels, name));

	return value ? value : "";
}

static const struct engine_container *find_recorder(const struct engine_container_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (sidecar_is(list->items[i].labels) &&
		    strcmp(label(&list->items[i], LABEL_SERVICE), RECORDER_SERVICE) == 0)
			return &list->items[i];
	return NULL;
}

static bool is_recorded(const struct engine_container_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (*label(&list->items[i], LABEL_RECORDED))
			return true;
	return false;
}

/* The container whose network an agent joins: the recorder, or one that players reach, or any. */
static const struct engine_container *find_host(const struct engine_container_list *list)
{
	const struct engine_container *found = find_recorder(list);

	for (size_t i = 0; !found && i < list->count; i++)
		if (*label(&list->items[i], LABEL_PORTS))
			found = &list->items[i];
	for (size_t i = 0; !found && i < list->count; i++)
		if (!sidecar_is(list->items[i].labels))
			found = &list->items[i];
	return found;
}

static const char *first_network(const struct engine_container *container, const json_t **ret_place)
{
	const char *name;
	json_t *place;

	json_object_foreach ((json_t *)(uintptr_t)container->networks, name, place) {
		*ret_place = place;
		return name;
	}
	return NULL;
}

static json_t *container_json(const struct engine_container *container)
{
	json_t *addresses = json_object();
	const char *name;
	json_t *place;

	json_object_foreach ((json_t *)(uintptr_t)container->networks, name, place)
		json_object_set(addresses, name, json_object_get(place, "IPAddress"));
	return json_make("{s:s,s:s,s:s,s:s,s:o}", "container_id", container->id, "name",
			 container->name, "service", label(container, LABEL_SERVICE), "role",
			 label(container, LABEL_ROLE), "addresses", addresses);
}

static json_t *docker_json(const struct node *node, const char *instance_id,
			   const struct engine_container_list *list,
			   const struct engine_container *host, const json_t *inspected)
{
	const json_t *dns = json_object_get(json_object_get(inspected, "HostConfig"), "Dns");
	const json_t *place = NULL;
	const char *network = host ? first_network(host, &place) : NULL;
	json_t *containers = json_array();

	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(containers, container_json(&list->items[i]));
	return json_make("{s:s?,s:O*,s:O?,s:o,s:s,s:{s:s,s:s,s:s,s:s,s:s}}", "network", network,
			 "network_id", json_object_get(place, "NetworkID"), "dns", dns,
			 "containers", containers, "ca_path", AGENT_CA_PATH, "labels", LABEL_NODE,
			 node->id, LABEL_INSTANCE, instance_id, LABEL_ROLE, "agent", LABEL_SERVICE,
			 "ctfy-agent", LABEL_ONE_SHOT, "true");
}

/* What curl, Python, Node, Go, Ruby and their like look at. */
static json_t *environment(const char *proxy_url)
{
	static const char *const proxies[] = { "HTTP_PROXY", "HTTPS_PROXY", "http_proxy",
					       "https_proxy" };
	static const char *const authorities[] = { "SSL_CERT_FILE", "CURL_CA_BUNDLE",
						   "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
						   "GIT_SSL_CAINFO" };
	static const char direct[] = "localhost,127.0.0.1,::1";
	json_t *env = json_object();

	if (!proxy_url)
		return env;
	for (size_t i = 0; i < ARRAY_SIZE(proxies); i++)
		json_object_set_new(env, proxies[i], json_text(proxy_url));
	for (size_t i = 0; i < ARRAY_SIZE(authorities); i++)
		json_object_set_new(env, authorities[i], json_text(AGENT_CA_PATH));
	json_object_set_new(env, "NO_PROXY", json_text(direct));
	json_object_set_new(env, "no_proxy", json_text(direct));
	return env;
}

static int describe(struct node *node, const char *instance_id,
		    const struct engine_container_list *list, struct agent_runtime *runtime,
		    struct err *e)
{
	const struct engine_container *recorder = find_recorder(list), *host = find_host(list);
	AUTO(json_t *, json_decrefp) inspected = NULL;
	int r = 0;

	if (recorder)
		r = agent_proxy_find(node, instance_id, list, recorder, &runtime->proxy_url,
				     &runtime->ca_pem, e);
	else if (is_recorded(list)) /* nobody goes past it unseen */
		r = err_set(e, ERR_UNAVAILABLE, "the recorder does not run");
	if (r == 0 && host)
		r = engine_container_inspect(node->engine, host->id, &inspected, e);
	if (r < 0)
		return r;
	runtime->provider = strdup("docker");
	runtime->env = environment(runtime->proxy_url);
	runtime->docker = docker_json(node, instance_id, list, host, inspected);
	return runtime->provider && runtime->env && runtime->docker ? 0 : err_memory(e);
}

static int look(struct node *node, const char *instance_id, struct agent_runtime *runtime,
		struct err *e)
{
	struct engine_container_list list = { 0 };
	struct ctfy_instance row = { 0 };
	struct label_filter filter;
	int r;

	label_filter(node, instance_id, &filter);
	r = instance_row(node, instance_id, &row, e);
	if (r == 0 && strcmp(row.status, "running") != 0)
		r = err_set(e, ERR_CONFLICT, "instance '%s' is %s", instance_id, row.status);
	if (r == 0)
		r = engine_container_list(node->engine, filter.labels, &list, e);
	if (r == 0)
		r = describe(node, instance_id, &list, runtime, e);
	if (r == 0) {
		runtime->endpoints = TAKE(row.endpoints);
		runtime->endpoint_count = row.endpoint_count;
		row.endpoint_count = 0;
	}
	engine_container_list_done(&list);
	fields_done(instance_fields, &row);
	return r;
}

int agent_runtime(struct node *node, const char *instance_id, struct agent_runtime *ret_runtime,
		  struct err *e)
{
	const struct timespec pause = { .tv_nsec = LOOK_UP_MS * 1000000L };
	int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
	int r;

	while ((r = look(node, instance_id, ret_runtime, e)) == -ERR_UNAVAILABLE &&
	       clock_monotonic_ms() < deadline) {
		fields_done(agent_runtime_fields, ret_runtime);
		*ret_runtime = (struct agent_runtime){ 0 };
		nanosleep(&pause, NULL);
	}
	return r;
}
