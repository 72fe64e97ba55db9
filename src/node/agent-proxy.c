/* SPDX-License-Identifier: Apache-2.0 */
#include "node/agent-proxy.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "engine/archive.h"
#include "engine/container.h"
#include "node/compose.h"
#include "node/containment.h"
#include "node/node.h"
#include "node/own-image.h"
#include "node/recorder.h"
#include "node/sidecar.h"
#include "node/traffic.h"

#include <jansson.h>
#include <string.h>

#define AUTHORITY "/root/.mitmproxy/mitmproxy-ca-cert.pem"

enum {
	MEMORY = 256 << 20,
	PIDS = 64,
	PORT = 8080,
	AUTHORITY_MAX = 64 << 10,
};

/* --- starting ----------------------------------------------------------------------------- */

/* Where the recorder is, and with its names. */
static json_t *host_config(const json_t *recorder, const char *dir)
{
	const json_t *place = json_object_get(recorder, "HostConfig");
	json_t *host = sidecar_limits(MEMORY, PIDS);

	json_object_set(host, "NetworkMode", json_object_get(place, "NetworkMode"));
	if (json_array_size(json_object_get(place, "Dns")) > 0)
		json_object_set(host, "Dns", json_object_get(place, "Dns"));
	/* The file is the recorder's, which may be another user. */
	json_object_set_new(host, "CapAdd", json_make("[s]", "DAC_OVERRIDE"));
	json_object_set_new(host, "RestartPolicy", json_make("{s:s}", "Name", "on-failure"));
	json_object_set_new(host, "Mounts", json_make("[o]", sidecar_mount(dir, "/traffic")));
	return host;
}

static json_t *labels_beside(const json_t *recorder)
{
	json_t *labels = json_copy(json_object_get(json_object_get(recorder, "Config"), "Labels"));

	json_object_del(labels, LABEL_PORTS);
	json_object_set_new(labels, LABEL_SERVICE, json_text(PROXY_SERVICE));
	return labels;
}

static json_t *container_body(const json_t *recorder, const char *dir)
{
	json_t *host = host_config(recorder, dir);
	const char *network = json_string_value(json_object_get(host, "NetworkMode"));

	return json_make("{s:s,s:o,s:o,s:[s],s:{s:{s:{s:[s]}}}}", "Image", IMAGE_RECORDER,
			 "HostConfig", host, "Labels", labels_beside(recorder), "Env",
			 "CTFY_FLOWS=/traffic/" TRAFFIC_FILE, "NetworkingConfig", "EndpointsConfig",
			 network ? network : "", "Aliases", PROXY_SERVICE);
}

/* "ctfy-1-ctfy-recorder" is beside "ctfy-1-ctfy-proxy". */
static char *name_beside(const struct engine_container *recorder)
{
	size_t len = strlen(recorder->name), suffix = strlen(RECORDER_SERVICE);

	return strf("%.*s%s", (int)(len > suffix ? len - suffix : 0), recorder->name,
		    PROXY_SERVICE);
}

static int create(struct node *node, const char *instance_id,
		  const struct engine_container *recorder, char **ret_id, struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	AUTO(json_t *, json_decrefp) body = NULL;
	AUTO(char *, freep) name = name_beside(recorder);
	AUTO(char *, freep) dir = NULL;
	int r = engine_container_inspect(node->engine, recorder->id, &inspected, e);

	if (r == 0)
		r = traffic_dir(node, instance_id, &dir, e);
	if (r < 0)
		return r;
	body = container_body(inspected, dir);
	if (!body || !name)
		return err_memory(e);
	return container_create(node,
				&(struct container_order){
					.kind = CONTAINER_OURS, .name = name, .body = body },
				ret_id, e);
}

/* Who asks at the same time may be the one that creates it. */
static int start(struct node *node, const char *instance_id,
		 const struct engine_container *recorder, const struct engine_container *proxy,
		 struct err *e)
{
	AUTO(char *, freep) id = NULL;
	struct err cause = ERR_INIT;
	int r = proxy ? 0 : create(node, instance_id, recorder, &id, &cause);

	if (r == 0)
		r = engine_container_start(node->engine, proxy ? proxy->id : id, &cause);
	if (r < 0 && r != -ERR_CONFLICT)
		return err_set(e, cause.code, "sidecar '" PROXY_SERVICE "': %s", cause.msg);
	return err_set(e, ERR_UNAVAILABLE, "the agents' proxy is being started");
}

/* --- describing --------------------------------------------------------------------------- */

static const struct engine_container *find_proxy(const struct engine_container_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *service =
			json_string_value(json_object_get(list->items[i].labels, LABEL_SERVICE));

		if (sidecar_is(list->items[i].labels) && service &&
		    strcmp(service, PROXY_SERVICE) == 0)
			return &list->items[i];
	}
	return NULL;
}

static const char *address_of(const struct engine_container *container)
{
	const char *name, *address = NULL;
	json_t *place;

	json_object_foreach ((json_t *)(uintptr_t)container->networks, name, place) {
		address = json_string_value(json_object_get(place, "IPAddress"));
		break;
	}
	return address && *address ? address : NULL;
}

static int read_authority(struct node *node, const struct engine_container *proxy, char **ret_pem,
			  struct err *e)
{
	struct buf pem = BUF_LIMITED(AUTHORITY_MAX);
	int r = engine_archive_read_file(node->engine, proxy->id, AUTHORITY, &pem, e);

	if (r == -ERR_NOT_FOUND)
		r = err_set(e, ERR_UNAVAILABLE, "the agents' proxy is still making its keys");
	if (r == 0)
		*ret_pem = buf_take(&pem);
	buf_done(&pem);
	return r;
}

int agent_proxy_find(struct node *node, const char *instance_id,
		     const struct engine_container_list *list,
		     const struct engine_container *recorder, char **ret_url, char **ret_pem,
		     struct err *e)
{
	const struct engine_container *proxy = find_proxy(list);
	const char *address = proxy ? address_of(proxy) : NULL;

	/* Nobody goes past the recorder unseen. */
	if (strcmp(recorder->state, "running") != 0)
		return err_set(e, ERR_UNAVAILABLE, "the recorder does not run");
	if (!proxy || strcmp(proxy->state, "running") != 0 || !address)
		return start(node, instance_id, recorder, proxy, e);
	*ret_url = strf("http://%s:%d", address, PORT);
	return *ret_url ? read_authority(node, proxy, ret_pem, e) : err_memory(e);
}
