/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/instance.h"

#include "base/err.h"
#include "base/json.h"
#include "base/own.h"

/* clang-format off */
#define SPEC(kind, member, flags) FIELD(struct instance_spec, kind, member, flags)
const struct field instance_spec_fields[] = {
	SPEC(STRING, challenge_id, FIELD_REQUIRED),
	SPEC(STRING, instance_id, FIELD_REQUIRED),
	FIELD_RANGE(struct instance_spec, ttl, FIELD_REQUIRED, 1, INSTANCE_TTL_MAX),
	SPEC(OBJECT, answers, 0),
	SPEC(STRING, proxy_output_dir, 0),
	FIELDS_END,
};

const struct field instance_ttl_fields[] = {
	FIELD_RANGE(struct instance_ttl, ttl, FIELD_REQUIRED, 1, INSTANCE_TTL_MAX),
	FIELDS_END,
};

#define ENDPOINT(kind, member, flags) FIELD(struct ctfy_endpoint, kind, member, flags)
const struct field endpoint_fields[] = {
	ENDPOINT(STRING, service, FIELD_REQUIRED),
	ENDPOINT(INT, container_port, 0),
	ENDPOINT(STRING, protocol, 0),
	ENDPOINT(STRING, host, FIELD_REQUIRED),
	ENDPOINT(INT, port, FIELD_REQUIRED),
	ENDPOINT(STRING, url, 0),
	FIELDS_END,
};

#define SERVICE(kind, member, flags) FIELD(struct ctfy_service, kind, member, flags)
const struct field service_fields[] = {
	SERVICE(STRING, service, FIELD_REQUIRED),
	SERVICE(STRING, state, 0),
	SERVICE(STRING, health, 0),
	SERVICE(INT, exit_code, 0),
	SERVICE(BOOL, oom_killed, 0),
	SERVICE(STRING, detail, FIELD_OPTIONAL),
	FIELDS_END,
};

#define INSTANCE(kind, member, flags) FIELD(struct ctfy_instance, kind, member, flags)
const struct field instance_fields[] = {
	INSTANCE(STRING, instance_id, FIELD_REQUIRED),
	INSTANCE(STRING, challenge_id, 0),
	INSTANCE(STRING, status, 0),
	INSTANCE(STRING, detail, 0),
	FIELD_LIST_OF(struct ctfy_instance, endpoints, endpoint_count, struct ctfy_endpoint,
		      endpoint_fields, 0),
	FIELD_LIST_OF(struct ctfy_instance, services, service_count, struct ctfy_service,
		      service_fields, 0),
	INSTANCE(TIME, started_at, 0),
	INSTANCE(TIME, expires_at, 0),
	INSTANCE(STRING, phase, FIELD_OPTIONAL),
	INSTANCE(INT, queue_position, FIELD_OPTIONAL),
	INSTANCE(INT, eta_ms, FIELD_OPTIONAL),
	INSTANCE(INT, eta_p95_ms, FIELD_OPTIONAL),
	FIELDS_END,
};

const struct field health_fields[] = {
	FIELD(struct ctfy_health, BOOL, is_healthy, FIELD_REQUIRED),
	FIELD_LIST_OF(struct ctfy_health, services, service_count, struct ctfy_service,
		      service_fields, 0),
	FIELDS_END,
};

#define CONTAINER(kind, member, flags) FIELD(struct ctfy_container, kind, member, flags)
const struct field container_fields[] = {
	CONTAINER(STRING, container_id, FIELD_REQUIRED),
	CONTAINER(STRING, name, 0),
	CONTAINER(STRING, service, 0),
	CONTAINER(STRING, role, 0),
	CONTAINER(STRING, image, 0),
	CONTAINER(STRING, state, 0),
	CONTAINER(STRING, health, 0),
	CONTAINER(TIME, created_at, 0),
	FIELDS_END,
};

#define ATTACHMENT(kind, member, flags) FIELD(struct ctfy_attachment, kind, member, flags)
const struct field attachment_fields[] = {
	ATTACHMENT(STRING, filename, FIELD_REQUIRED),
	ATTACHMENT(INT, size, 0),
	ATTACHMENT(STRING, content_type, 0),
	ATTACHMENT(STRING, sha256, 0),
	FIELDS_END,
};

const struct field attachments_fields[] = {
	FIELD_LIST_OF(struct ctfy_attachments, attachments, attachment_count,
		      struct ctfy_attachment, attachment_fields, FIELD_REQUIRED),
	FIELDS_END,
};

#define RUNTIME(kind, member, flags) FIELD(struct agent_runtime, kind, member, flags)
const struct field agent_runtime_fields[] = {
	RUNTIME(STRING, provider, FIELD_REQUIRED),
	RUNTIME(STRING, proxy_url, 0),
	RUNTIME(STRING, ca_pem, 0),
	RUNTIME(OBJECT, env, 0),
	FIELD_LIST_OF(struct agent_runtime, endpoints, endpoint_count, struct ctfy_endpoint,
		      endpoint_fields, 0),
	RUNTIME(JSON, docker, FIELD_OPTIONAL),
	FIELDS_END,
};

static const struct field event_fields[] = {
	FIELD(struct ctfy_event, TIME, at, FIELD_REQUIRED),
	FIELD(struct ctfy_event, STRING, event, FIELD_REQUIRED),
	FIELD(struct ctfy_event, STRING, service, 0),
	FIELD(struct ctfy_event, STRING, detail, 0),
	FIELDS_END,
};

const struct field timeline_fields[] = {
	FIELD_LIST_OF(struct ctfy_timeline, events, event_count, struct ctfy_event, event_fields,
		      FIELD_REQUIRED),
	FIELDS_END,
};

/* The array stands in an object while a table reads or makes it. */
static const struct field containers_fields[] = {
	FIELD_LIST_OF(struct ctfy_containers, rows, row_count, struct ctfy_container,
		      container_fields, FIELD_REQUIRED),
	FIELDS_END,
};
/* clang-format on */

json_t *containers_encode(const struct ctfy_containers *containers)
{
	AUTO(json_t *, json_decrefp) object = fields_encode(containers_fields, containers);

	return json_incref(json_object_get(object, "rows"));
}

int containers_decode(json_t *array, struct ctfy_containers *ret_containers, struct err *e)
{
	AUTO(json_t *, json_decrefp) object = json_make("{s:O}", "rows", array);

	if (!object)
		return err_memory(e);
	return fields_decode(containers_fields, object, ret_containers, NULL, e);
}

void containers_done(struct ctfy_containers *containers)
{
	fields_done(containers_fields, containers);
}
