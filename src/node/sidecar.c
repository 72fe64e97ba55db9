/* SPDX-License-Identifier: Apache-2.0 */
#include "node/sidecar.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/plan.h"
#include "engine/container.h"
#include "node/compose.h"
#include "node/container.h"
#include "node/containment.h"
#include "node/image.h"
#include "node/node.h"
#include "node/own-image.h"

#include <string.h>

int sidecar_images(struct node *node, const char *instance_id, const struct plan *plan,
		   const atomic_bool *cancelled, struct err *e)
{
	const struct image_job job = {
		.node = node,
		.challenge_id = plan->challenge_id,
		.instance_id = instance_id,
		.cancelled = cancelled,
	};
	int r = 0;

	if (plan->capture)
		r = own_image_ensure(&job, IMAGE_CAPTURE, e);
	if (r == 0 && plan->record_http)
		r = own_image_ensure(&job, IMAGE_RELAY, e);
	if (r == 0 && plan->record_http) /* here, so that no agent has to wait for it */
		r = own_image_ensure(&job, IMAGE_RECORDER, e);
	return r;
}

json_t *sidecar_limits(int64_t memory, int64_t pids)
{
	return json_make("{s:[s],s:[],s:[s],s:b,s:I,s:I,s:I,s:{s:s,s:{s:s,s:s}}}", "CapDrop", "ALL",
			 "CapAdd", "SecurityOpt", "no-new-privileges:true", "Init", 1, "Memory",
			 (json_int_t)memory, "MemorySwap", (json_int_t)memory, "PidsLimit",
			 (json_int_t)pids, "LogConfig", "Type", "json-file", "Config", "max-size",
			 "1048576", "max-file", "2");
}

json_t *sidecar_mount(const char *host_path, const char *path)
{
	return json_make("{s:s,s:s,s:s}", "Type", "bind", "Source", host_path, "Target", path);
}

static json_t *sidecar_labels(const struct compose *compose, const struct sidecar *sidecar)
{
	json_t *labels = instance_labels(compose);

	json_object_set_new(labels, LABEL_SERVICE, json_text(sidecar->service));
	json_object_set_new(labels, LABEL_ROLE, json_text("sidecar"));
	json_object_set_new(labels, LABEL_NUMBER, json_text("1"));
	if (sidecar->ports)
		json_object_set_new(labels, LABEL_PORTS, json_text(sidecar->ports));
	return labels;
}

int sidecar_start(const struct compose *compose, struct sidecar *sidecar, struct err *e)
{
	AUTO(json_t *, json_decrefp) body = TAKE(sidecar->body);
	AUTO(char *, freep) name = strf("%s-%s", compose->plan->project, sidecar->service);
	AUTO(char *, freep) id = NULL;
	int r;

	container_keep_log(compose->node, json_object_get(body, "HostConfig"));
	if (!body || !name || json_object_set_new(body, "Image", json_text(sidecar->image)) < 0 ||
	    json_object_set_new(body, "Labels", sidecar_labels(compose, sidecar)) < 0)
		return err_memory(e);
	r = container_create(compose->node,
			     &(struct container_order){
				     .kind = CONTAINER_OURS, .name = name, .body = body },
			     &id, e);
	if (r == 0)
		r = engine_container_start(compose->node->engine, id, e);
	return r < 0 ? err_wrap(e, "sidecar '%s'", sidecar->service) : 0;
}

static bool is_published(const struct plan_service *service)
{
	for (size_t i = 0; i < service->port_count; i++)
		if (service->ports[i].published)
			return true;
	return false;
}

const struct plan_network *sidecar_network(const struct plan *plan)
{
	const struct plan_network *internal = NULL;

	for (size_t i = 0; i < plan->service_count; i++) {
		const struct plan_service *service = &plan->services[i];

		for (size_t j = 0; is_published(service) && j < service->network_count; j++) {
			const struct plan_network *network =
				plan_find_network(plan, service->networks[j].network);

			if (network && !network->internal)
				return network;
			if (!internal)
				internal = network;
		}
	}
	if (internal)
		return internal;
	return plan->network_count ? &plan->networks[0] : NULL;
}

bool sidecar_is(const json_t *labels)
{
	const char *role = json_string_value(json_object_get(labels, LABEL_ROLE));

	return role && strcmp(role, "sidecar") == 0;
}
