#include "node/agent.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "engine/archive.h"
#include "engine/container.h"
#include "node/compose.h"
#include "node/instance.h"
#include "node/node.h"
#include "node/sidecar.h"
#include "node/traffic.h"
#include "wire/instance.h"

#include <string.h>

enum { CA_MAX = 64 << 10 };

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
	return json_pack("{s:s,s:s,s:s,s:s,s:o}", "container_id", container->id, "name",
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
	return json_pack("{s:s?,s:O*,s:O?,s:o,s:s,s:{s:s,s:s,s:s,s:s,s:s}}", "network", network,
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
		json_object_set_new(env, proxies[i], json_string(proxy_url));
	for (size_t i = 0; i < ARRAY_SIZE(authorities); i++)
		json_object_set_new(env, authorities[i], json_string(AGENT_CA_PATH));
	json_object_set_new(env, "NO_PROXY", json_string(direct));
	json_object_set_new(env, "no_proxy", json_string(direct));
	return env;
}

static int read_ca(struct node *node, const struct engine_container *recorder, char **ret_pem,
		   struct err *e)
{
	struct buf pem = BUF_LIMITED(CA_MAX);
	int r = engine_archive_read_file(node->engine, recorder->id, RECORDER_CA, &pem, e);

	if (r == -ERR_NOT_FOUND)
		r = err_set(e, ERR_UNAVAILABLE, "the recorder is still making its keys");
	if (r == 0)
		*ret_pem = buf_take(&pem);
	buf_done(&pem);
	return r;
}

static int describe_recorder(struct node *node, const struct engine_container *recorder,
			     struct agent_runtime *runtime, struct err *e)
{
	const json_t *place = NULL;
	const char *address = NULL;

	if (first_network(recorder, &place))
		address = json_string_value(json_object_get(place, "IPAddress"));
	if (!address || !*address)
		return err_set(e, ERR_UNAVAILABLE, "the recorder does not run");
	runtime->proxy_url = strf("http://%s:%d", address, RECORDER_PORT);
	if (!runtime->proxy_url)
		return err_memory(e);
	return read_ca(node, recorder, &runtime->ca_pem, e);
}

static int describe(struct node *node, const char *instance_id,
		    const struct engine_container_list *list, struct agent_runtime *runtime,
		    struct err *e)
{
	const struct engine_container *recorder = find_recorder(list), *host = find_host(list);
	AUTO(json_t *, json_decrefp) inspected = NULL;
	int r = 0;

	if (recorder)
		r = describe_recorder(node, recorder, runtime, e);
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

int agent_runtime(struct node *node, const char *instance_id, struct agent_runtime *ret_runtime,
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
		r = describe(node, instance_id, &list, ret_runtime, e);
	if (r == 0) {
		ret_runtime->endpoints = TAKE(row.endpoints);
		ret_runtime->endpoint_count = row.endpoint_count;
		row.endpoint_count = 0;
	}
	engine_container_list_done(&list);
	fields_done(instance_fields, &row);
	return r;
}
