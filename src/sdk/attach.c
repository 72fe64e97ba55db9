/* SPDX-License-Identifier: Apache-2.0 */
/* What an instance is entered by: its containers, an agent's runtime, a VPN, its files. */
#include "base/err.h"
#include "base/json.h"
#include "sdk/client.h"
#include "sdk/stream.h"
#include "wire/instance.h"

#include <string.h>

int ctfy_node_list_containers(struct ctfy_node_client *client, const char *instance_id,
			      struct ctfy_containers *ret_containers, const struct ctfy_call *call,
			      struct ctfy_error *error)
{
	struct request request = { .method = "GET",
				   .path = { "/instances/", instance_id, "/containers" } };
	AUTO(struct answer, answer_done) answer = { 0 };
	struct err e = ERR_INIT;
	int r;

	*ret_containers = (struct ctfy_containers){ 0 };
	r = sdk_ask_json(client, &request, call, &answer, error);
	if (r < 0)
		return r;
	if (containers_decode(answer.json, ret_containers, &e) == 0)
		return 0;
	containers_done(ret_containers);
	return sdk_fail_protocol(error, answer.status, &e);
}

void ctfy_containers_done(struct ctfy_containers *containers)
{
	containers_done(containers);
}

static void runtime_done(struct agent_runtime *runtime)
{
	fields_done(agent_runtime_fields, runtime);
}

static int take_env(json_t *env, struct ctfy_agent_runtime *runtime, struct err *e)
{
	const char *name;
	json_t *value;

	runtime->env = calloc(json_object_size(env) + 1, sizeof(*runtime->env));
	if (!runtime->env)
		return err_memory(e);
	json_object_foreach (env, name, value) {
		struct ctfy_variable *variable = &runtime->env[runtime->env_count++];

		variable->name = strdup(name);
		variable->value = strdup(json_string_value(value));
		if (!variable->name || !variable->value)
			return err_memory(e);
	}
	return 0;
}

/* The wire's struct keeps what is JSON as jansson has it; ours must not know of jansson. */
static int take_runtime(struct agent_runtime *wire, struct ctfy_agent_runtime *ret_runtime,
			struct err *e)
{
	if (wire->docker) {
		ret_runtime->docker = json_dumps(wire->docker, JSON_COMPACT | JSON_ENCODE_ANY);
		if (!ret_runtime->docker)
			return err_memory(e);
	}
	ret_runtime->provider = TAKE(wire->provider);
	ret_runtime->proxy_url = TAKE(wire->proxy_url);
	ret_runtime->ca_pem = TAKE(wire->ca_pem);
	ret_runtime->endpoints = TAKE(wire->endpoints);
	ret_runtime->endpoint_count = wire->endpoint_count;
	wire->endpoint_count = 0;
	return take_env(wire->env, ret_runtime, e);
}

int ctfy_node_get_agent_runtime(struct ctfy_node_client *client, const char *instance_id,
				struct ctfy_agent_runtime *ret_runtime,
				const struct ctfy_call *call, struct ctfy_error *error)
{
	struct request request = { .method = "GET",
				   .path = { "/instances/", instance_id, "/agent-runtime" } };
	AUTO(struct agent_runtime, runtime_done) wire = { 0 };
	struct err e = ERR_INIT;
	int r;

	*ret_runtime = (struct ctfy_agent_runtime){ 0 };
	r = sdk_ask_fields(client, &request, call, agent_runtime_fields, &wire, error);
	if (r < 0)
		return r;
	if (take_runtime(&wire, ret_runtime, &e) == 0)
		return 0;
	ctfy_agent_runtime_done(ret_runtime);
	return sdk_fail(error, &e);
}

void ctfy_agent_runtime_done(struct ctfy_agent_runtime *runtime)
{
	for (size_t i = 0; i < runtime->env_count; i++) {
		free(runtime->env[i].name);
		free(runtime->env[i].value);
	}
	for (size_t i = 0; i < runtime->endpoint_count; i++)
		fields_done(endpoint_fields, &runtime->endpoints[i]);
	free(runtime->provider);
	free(runtime->proxy_url);
	free(runtime->ca_pem);
	free(runtime->env);
	free(runtime->endpoints);
	free(runtime->docker);
	*runtime = (struct ctfy_agent_runtime){ 0 };
}

static json_t *agent_json(const struct ctfy_agent *agent)
{
	json_t *command = json_array(), *env = json_object(), *platform = NULL;

	if (agent->platform_url && agent->platform_token)
		platform = json_make("{s:s,s:s}", "url", agent->platform_url, "token",
				     agent->platform_token);
	for (size_t i = 0; i < agent->command_count; i++)
		json_array_append_new(command, json_text(agent->command[i]));
	for (size_t i = 0; i < agent->env_count; i++)
		json_object_set_new(env, agent->env[i].name, json_text(agent->env[i].value));
	return json_make("{s:s?,s:o,s:o,s:o*}", "image", agent->image, "command", command, "env",
			 env, "platform", platform);
}

int ctfy_node_run_agent(struct ctfy_node_client *client, const char *instance_id,
			const struct ctfy_agent *agent, const struct ctfy_sink *sink,
			const struct ctfy_call *call, struct ctfy_error *error)
{
	AUTO(json_t *, json_decrefp) body = agent_json(agent);
	struct request request = { .method = "POST",
				   .path = { "/instances/", instance_id, "/agent-runs" },
				   .body = body };
	struct target target = { .sink = sink };

	return body ? sdk_stream(client, &request, &target, call, error) : sdk_fail_memory(error);
}

int ctfy_node_get_openvpn_config(struct ctfy_node_client *client, const char *instance_id,
				 struct ctfy_bytes *ret_config, const struct ctfy_call *call,
				 struct ctfy_error *error)
{
	struct request request = { .method = "GET",
				   .path = { "/instances/", instance_id, "/openvpn-config" } };

	return sdk_ask_bytes(client, &request, ret_config, call, error);
}

int ctfy_node_list_instance_attachments(struct ctfy_node_client *client, const char *instance_id,
					struct ctfy_attachments *ret_attachments,
					const struct ctfy_call *call, struct ctfy_error *error)
{
	struct request request = { .method = "GET",
				   .path = { "/instances/", instance_id, "/attachments" } };

	*ret_attachments = (struct ctfy_attachments){ 0 };
	return sdk_ask_fields(client, &request, call, attachments_fields, ret_attachments, error);
}

void ctfy_attachments_done(struct ctfy_attachments *attachments)
{
	fields_done(attachments_fields, attachments);
}

static struct request attachment_request(const char *instance_id, const char *filename)
{
	return (struct request){
		.method = "GET", .path = { "/instances/", instance_id, "/attachments/", filename }
	};
}

int ctfy_node_download_instance_attachment(struct ctfy_node_client *client, const char *instance_id,
					   const char *filename, struct ctfy_bytes *ret_attachment,
					   const struct ctfy_call *call, struct ctfy_error *error)
{
	struct request request = attachment_request(instance_id, filename);

	return sdk_ask_bytes(client, &request, ret_attachment, call, error);
}

int ctfy_node_download_instance_attachment_to(struct ctfy_node_client *client,
					      const char *instance_id, const char *filename,
					      const struct ctfy_sink *sink,
					      const struct ctfy_call *call,
					      struct ctfy_error *error)
{
	struct request request = attachment_request(instance_id, filename);
	struct target target = { .sink = sink };

	return sdk_stream(client, &request, &target, call, error);
}

int ctfy_node_download_instance_attachment_to_fd(struct ctfy_node_client *client,
						 const char *instance_id, const char *filename,
						 int fd, uint64_t *ret_size,
						 const struct ctfy_call *call,
						 struct ctfy_error *error)
{
	struct request request = attachment_request(instance_id, filename);
	struct target target = { .fd = fd, .ret_size = ret_size };

	return sdk_stream(client, &request, &target, call, error);
}
