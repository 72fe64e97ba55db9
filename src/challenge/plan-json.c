/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as JSON, for people and tests: what says nothing is left out. */
#include "challenge/plan.h"

#include "base/json.h"
#include "base/own.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/*
 * json_object_set_new() with a NULL value fails and so does one on a NULL object: a lack of memory
 * shows at the end, where the root is asked whether it is whole.
 */
struct writer {
	bool failed;
};

static void set(struct writer *w, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		w->failed = true;
}

static void set_text(struct writer *w, json_t *object, const char *key, const char *text)
{
	if (text)
		set(w, object, key, json_text(text));
}

static void set_true(struct writer *w, json_t *object, const char *key, bool yes)
{
	if (yes)
		set(w, object, key, json_true());
}

static void set_number(struct writer *w, json_t *object, const char *key, int64_t number)
{
	if (number)
		set(w, object, key, json_integer(number));
}

static void set_json(struct writer *w, json_t *object, const char *key, const json_t *value)
{
	if (value && (json_object_size(value) || json_array_size(value)))
		set(w, object, key, json_deep_copy(value));
}

static void append(struct writer *w, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) < 0)
		w->failed = true;
}

/* Bytes as text where they are UTF-8, else as base64. */
static void set_content(struct writer *w, json_t *object, const void *content, size_t size)
{
	json_t *text = content ? json_stringn(content, size) : NULL;
	char *base64;

	if (text) {
		set(w, object, "content", text);
	} else if (content) {
		size_t len = sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL);

		base64 = malloc(len);
		if (base64)
			sodium_bin2base64(base64, len, content, size,
					  sodium_base64_VARIANT_ORIGINAL);
		set(w, object, "content_base64", base64 ? json_text(base64) : NULL);
		free(base64);
	}
}

static void set_mode(struct writer *w, json_t *object, uint32_t mode)
{
	char text[16];

	snprintf(text, sizeof(text), "%04o", mode);
	set(w, object, "mode", json_text(text));
}

static json_t *build_json(struct writer *w, const struct plan_build *build)
{
	json_t *json = json_object();

	set_text(w, json, "context", build->context);
	set_text(w, json, "dockerfile", build->dockerfile);
	set_text(w, json, "dockerfile_inline", build->dockerfile_inline);
	set_text(w, json, "target", build->target);
	set_text(w, json, "network", build->network);
	set_text(w, json, "platform", build->platform);
	set_json(w, json, "args", build->args);
	set_json(w, json, "labels", build->labels);
	set_json(w, json, "extra_hosts", build->extra_hosts);
	set_text(w, json, "content_hash", build->content_hash);
	set_number(w, json, "shm_size", build->shm_size);
	set_true(w, json, "pull", build->pull);
	set_true(w, json, "per_instance", build->per_instance);
	set_true(w, json, "needs_buildkit", build->needs_buildkit);
	return json;
}

static json_t *networks_json(struct writer *w, const struct plan_service *service)
{
	json_t *array = json_array();

	for (size_t i = 0; i < service->network_count; i++) {
		const struct plan_network_use *use = &service->networks[i];
		json_t *json = json_object(), *aliases = json_array();

		for (size_t j = 0; j < use->alias_count; j++)
			append(w, aliases, json_text(use->aliases[j]));
		set_text(w, json, "network", use->network);
		set(w, json, "aliases", aliases);
		set_number(w, json, "host_offset", use->host_offset);
		append(w, array, json);
	}
	return array;
}

static json_t *ports_json(struct writer *w, const struct plan_service *service)
{
	json_t *array = json_array();

	for (size_t i = 0; i < service->port_count; i++) {
		const struct plan_port *port = &service->ports[i];
		json_t *json = json_object();

		set(w, json, "container_port", json_integer(port->container_port));
		set_text(w, json, "protocol", port->protocol);
		set_text(w, json, "app_protocol", port->app_protocol);
		set(w, json, "published", json_boolean(port->published));
		append(w, array, json);
	}
	return array;
}

static json_t *dependencies_json(struct writer *w, const struct plan_service *service)
{
	static const char *const conditions[] = { [PLAN_STARTED] = "started",
						  [PLAN_HEALTHY] = "healthy",
						  [PLAN_COMPLETED] = "completed" };
	json_t *array = json_array();

	for (size_t i = 0; i < service->dependency_count; i++) {
		const struct plan_dependency *on = &service->depends_on[i];
		json_t *json = json_object();

		set_text(w, json, "service", on->service);
		set_text(w, json, "condition", conditions[on->condition]);
		if (!on->required)
			set(w, json, "required", json_false());
		append(w, array, json);
	}
	return array;
}

static json_t *binds_json(struct writer *w, const struct plan_service *service)
{
	static const char *const kinds[] = { [PLAN_BIND_SHARED] = "shared",
					     [PLAN_BIND_COPY] = "copy",
					     [PLAN_BIND_EMPTY] = "empty",
					     [PLAN_BIND_HOST] = "host",
					     [PLAN_BIND_RENDERED] = "rendered" };
	json_t *array = json_array();

	for (size_t i = 0; i < service->bind_count; i++) {
		const struct plan_bind *bind = &service->binds[i];
		json_t *json = json_object();

		set_text(w, json, "kind", kinds[bind->kind]);
		set_text(w, json, "source", bind->source);
		set_text(w, json, "slot", bind->slot);
		set_text(w, json, "target", bind->target);
		set_true(w, json, "read_only", bind->read_only || bind->kind == PLAN_BIND_SHARED);
		set_text(w, json, "propagation", bind->propagation);
		if (bind->kind == PLAN_BIND_RENDERED) {
			set_mode(w, json, bind->mode);
			set_content(w, json, bind->content, bind->size);
		}
		append(w, array, json);
	}
	return array;
}

static json_t *volume_uses_json(struct writer *w, const struct plan_service *service)
{
	json_t *array = json_array();

	for (size_t i = 0; i < service->volume_count; i++) {
		const struct plan_volume_use *use = &service->volumes[i];
		json_t *json = json_object();

		set_text(w, json, "volume", use->volume);
		set_text(w, json, "target", use->target);
		set_true(w, json, "read_only", use->read_only);
		set_true(w, json, "nocopy", use->nocopy);
		append(w, array, json);
	}
	return array;
}

static json_t *files_json(struct writer *w, const struct plan_service *service)
{
	json_t *array = json_array();

	for (size_t i = 0; i < service->file_count; i++) {
		const struct plan_file *file = &service->files[i];
		json_t *json = json_object();

		set_text(w, json, "path", file->path);
		set_mode(w, json, file->mode);
		set_number(w, json, "uid", file->uid);
		set_number(w, json, "gid", file->gid);
		set_content(w, json, file->content, file->size);
		append(w, array, json);
	}
	return array;
}

static void set_list(struct writer *w, json_t *object, const char *key, json_t *array)
{
	if (array && !json_array_size(array))
		json_decref(array);
	else
		set(w, object, key, array);
}

static json_t *service_json(struct writer *w, const struct plan_service *service)
{
	json_t *json = json_object();

	set_text(w, json, "name", service->name);
	set_text(w, json, "image", service->image);
	set_text(w, json, "pull_policy", service->build ? NULL : service->pull_policy);
	set_text(w, json, "platform", service->platform);
	if (service->build)
		set(w, json, "build", build_json(w, service->build));
	set_text(w, json, "built_by", service->built_by);
	set_text(w, json, "network_mode", service->network_mode);
	set_text(w, json, "network_service", service->network_service);
	set_list(w, json, "networks", networks_json(w, service));
	set_list(w, json, "ports", ports_json(w, service));
	set_list(w, json, "depends_on", dependencies_json(w, service));
	set_list(w, json, "binds", binds_json(w, service));
	set_list(w, json, "volumes", volume_uses_json(w, service));
	set_list(w, json, "files", files_json(w, service));
	set(w, json, "replicas", json_integer(service->replicas));
	set(w, json, "memory", json_integer(service->memory));
	set(w, json, "nano_cpus", json_integer(service->nano_cpus));
	set_true(w, json, "jail", service->jail);
	set_true(w, json, "one_shot", service->one_shot);
	set(w, json, "container", json_deep_copy(service->container));
	return json;
}

static json_t *network_json(struct writer *w, const struct plan_network *network)
{
	json_t *json = json_object();

	set_text(w, json, "name", network->name);
	set_true(w, json, "internal", network->internal);
	set_true(w, json, "egress", network->egress);
	set_number(w, json, "prefix", network->prefix);
	set_number(w, json, "gateway_offset", network->gateway_offset);
	set_json(w, json, "options", network->options);
	return json;
}

static json_t *volume_json(struct writer *w, const struct plan_volume *volume)
{
	json_t *json = json_object();

	set_text(w, json, "name", volume->name);
	set_json(w, json, "driver_opts", volume->driver_opts);
	return json;
}

static json_t *attachment_json(struct writer *w, const struct plan_attachment *attachment)
{
	json_t *json = json_object();

	set_text(w, json, "filename", attachment->filename);
	set_text(w, json, "source", attachment->source);
	set_content(w, json, attachment->content, attachment->size);
	set_text(w, json, "service", attachment->service);
	set_text(w, json, "container_path", attachment->container_path);
	set_text(w, json, "image", attachment->image);
	if (attachment->build)
		set(w, json, "build", build_json(w, attachment->build));
	set_json(w, json, "command", attachment->command);
	return json;
}

static json_t *answer_use_json(struct writer *w, const struct plan_answer_use *use)
{
	json_t *json = json_object();

	set_text(w, json, "question", use->question);
	set_text(w, json, "service", use->service);
	set_text(w, json, "way", use->way);
	set_text(w, json, "where", use->where);
	return json;
}

json_t *plan_json(const struct plan *plan)
{
	struct writer w = { false };
	AUTO(json_t *, json_decrefp) json = json_object();
	json_t *services = json_array(), *networks = json_array(), *volumes = json_array();
	json_t *attachments = json_array(), *answers = json_array();

	for (size_t i = 0; i < plan->service_count; i++)
		append(&w, services, service_json(&w, &plan->services[i]));
	for (size_t i = 0; i < plan->network_count; i++)
		append(&w, networks, network_json(&w, &plan->networks[i]));
	for (size_t i = 0; i < plan->volume_count; i++)
		append(&w, volumes, volume_json(&w, &plan->volumes[i]));
	for (size_t i = 0; i < plan->attachment_count; i++)
		append(&w, attachments, attachment_json(&w, &plan->attachments[i]));
	for (size_t i = 0; i < plan->answer_use_count; i++)
		append(&w, answers, answer_use_json(&w, &plan->answer_uses[i]));
	set_text(&w, json, "challenge_id", plan->challenge_id);
	set_text(&w, json, "project", plan->project);
	set(&w, json, "health_deadline_ms", json_integer(plan->health_deadline_ms));
	set_true(&w, json, "capture", plan->capture == CAPTURE_ALL);
	if (plan->capture == CAPTURE_HEADERS)
		set_text(&w, json, "capture", CAPTURE_HEADERS_WORD);
	set_true(&w, json, "record_http", plan->record_http);
	set_true(&w, json, "vpn", plan->vpn);
	set(&w, json, "services", services);
	set(&w, json, "networks", networks);
	set_list(&w, json, "volumes", volumes);
	set_list(&w, json, "attachments", attachments);
	set_list(&w, json, "answers", answers);
	return w.failed ? NULL : TAKE(json);
}
