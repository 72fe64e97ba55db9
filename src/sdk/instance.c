/* SPDX-License-Identifier: Apache-2.0 */
/* One instance: its start, its end, and how it fares. */
#include "wire/instance.h"

#include "base/err.h"
#include "base/json.h"
#include "base/utf8.h"
#include "sdk/client.h"

#include <string.h>

static bool is_text(const char *s)
{
	return s && utf8_is_valid(s, strlen(s));
}

/* An answer that were sent as something else would never be given. NULL: one is none. */
static json_t *encode_answers(const struct ctfy_answer *answers, size_t count)
{
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++) {
		const struct ctfy_answer *answer = &answers[i];

		if (!is_text(answer->question_id) || !is_text(answer->answer) ||
		    json_object_set_new(object, answer->question_id, json_text(answer->answer)) <
			    0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

static int encode_start(const struct ctfy_start *start, json_t **ret_body, struct ctfy_error *error)
{
	AUTO(json_t *, json_decrefp)
	answers = encode_answers(start->answers, start->answer_count);
	struct instance_spec spec = { start->challenge_id, start->instance_id, start->ttl, answers,
				      start->proxy_output_dir };

	if (!sdk_is_name(start->challenge_id) || !sdk_is_name(start->instance_id))
		return sdk_refuse_argument(error, "an instance needs a challenge_id and an "
						  "instance_id");
	if (!start->proxy_output_dir || is_text(start->proxy_output_dir))
		*ret_body = answers ? fields_encode(instance_spec_fields, &spec) : NULL;
	if (!*ret_body)
		return sdk_refuse_argument(error,
					   "instance '%s': an answer or a name is missing, "
					   "or not UTF-8",
					   start->instance_id);
	return 0;
}

int ctfy_node_start_instance(struct ctfy_node_client *client, const struct ctfy_start *start,
			     struct ctfy_instance *ret_instance, const struct ctfy_call *call,
			     struct ctfy_error *error)
{
	AUTO(json_t *, json_decrefp) body = NULL;
	struct request request = { .method = "POST",
				   .path = { "/instances" },
				   .respond_async = start->respond_async };
	int r;

	*ret_instance = (struct ctfy_instance){ 0 };
	r = encode_start(start, &body, error);
	if (r < 0)
		return r;
	request.body = body;
	return sdk_ask_fields(client, &request, call, instance_fields, ret_instance, error);
}

int ctfy_node_set_ttl(struct ctfy_node_client *client, const char *instance_id, int64_t ttl,
		      struct ctfy_instance *ret_instance, const struct ctfy_call *call,
		      struct ctfy_error *error)
{
	struct instance_ttl wanted = { ttl };
	AUTO(json_t *, json_decrefp) body = fields_encode(instance_ttl_fields, &wanted);
	struct request request = { .method = "PATCH",
				   .path = { "/instances/", instance_id },
				   .body = body };

	*ret_instance = (struct ctfy_instance){ 0 };
	if (!body)
		return sdk_fail_memory(error);
	return sdk_ask_fields(client, &request, call, instance_fields, ret_instance, error);
}

int ctfy_node_get_status(struct ctfy_node_client *client, const char *instance_id,
			 struct ctfy_instance *ret_instance, const struct ctfy_call *call,
			 struct ctfy_error *error)
{
	struct request request = { .method = "GET",
				   .path = { "/instances/", instance_id, "/status" } };

	*ret_instance = (struct ctfy_instance){ 0 };
	return sdk_ask_fields(client, &request, call, instance_fields, ret_instance, error);
}

void ctfy_instance_done(struct ctfy_instance *instance)
{
	fields_done(instance_fields, instance);
}

int ctfy_node_stop_instance(struct ctfy_node_client *client, const char *instance_id,
			    const struct ctfy_call *call, struct ctfy_error *error)
{
	struct request request = { .method = "DELETE", .path = { "/instances/", instance_id } };

	return sdk_tell(client, &request, call, error);
}

int ctfy_node_check_health(struct ctfy_node_client *client, const char *instance_id,
			   bool *ret_is_healthy, struct ctfy_health *ret_health,
			   const struct ctfy_call *call, struct ctfy_error *error)
{
	struct request request = { .method = "GET",
				   .path = { "/instances/", instance_id, "/health" } };
	struct ctfy_health health = { 0 };
	int r;

	if (ret_health)
		*ret_health = health;
	r = sdk_ask_fields(client, &request, call, health_fields, &health, error);
	if (r < 0)
		return r;
	*ret_is_healthy = health.is_healthy;
	if (ret_health)
		*ret_health = health;
	else
		ctfy_health_done(&health);
	return 0;
}

void ctfy_health_done(struct ctfy_health *health)
{
	fields_done(health_fields, health);
}
