/* SPDX-License-Identifier: Apache-2.0 */
/* What was recorded of an instance: traffic, logs, packets, events, and all of it in one. */
#include "base/err.h"
#include "sdk/client.h"
#include "sdk/stream.h"
#include "wire/instance.h"

static void put_query(struct buf *query, const char *name, const char *value)
{
	buf_printf(query, "%c%s=", query->len ? '&' : '?', name);
	http_escape(query, value);
}

static void put_query_int(struct buf *query, const char *name, int64_t value)
{
	buf_printf(query, "%c%s=%lld", query->len ? '&' : '?', name, (long long)value);
}

static int traffic_request(const char *instance_id, const struct ctfy_traffic_query *wanted,
			   struct buf *query, struct request *ret_request, struct ctfy_error *error)
{
	if (wanted && wanted->since)
		put_query(query, "since", wanted->since);
	if (wanted && wanted->limit)
		put_query_int(query, "limit", wanted->limit);
	if (wanted && (wanted->har || wanted->mitm))
		put_query(query, "format", wanted->har ? "har" : "mitm");
	if (buf_failed(query))
		return sdk_fail_memory(error);
	*ret_request = (struct request){ .method = "GET",
					 .path = { "/instances/", instance_id, "/traffic" },
					 .query = query->data };
	return 0;
}

int ctfy_node_get_traffic(struct ctfy_node_client *client, const char *instance_id,
			  const struct ctfy_traffic_query *query, char **ret_traffic,
			  const struct ctfy_call *call, struct ctfy_error *error)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	AUTO(json_t *, json_decrefp) json = NULL;
	struct request request;
	int r;

	if ((r = traffic_request(instance_id, query, &text, &request, error)) < 0 ||
	    (r = sdk_ask(client, &request, call, &reply, error)) < 0 ||
	    (r = sdk_parse(&reply, &json, error)) < 0)
		return r;
	*ret_traffic = buf_take(&reply.body);
	return 0;
}

static int stream_traffic(struct ctfy_node_client *client, const char *instance_id,
			  const struct ctfy_traffic_query *query, struct target *target,
			  const struct ctfy_call *call, struct ctfy_error *error)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	struct request request;
	int r = traffic_request(instance_id, query, &text, &request, error);

	return r < 0 ? r : sdk_stream(client, &request, target, call, error);
}

int ctfy_node_get_traffic_to(struct ctfy_node_client *client, const char *instance_id,
			     const struct ctfy_traffic_query *query, const struct ctfy_sink *sink,
			     const struct ctfy_call *call, struct ctfy_error *error)
{
	struct target target = { .sink = sink };

	return stream_traffic(client, instance_id, query, &target, call, error);
}

int ctfy_node_get_traffic_to_fd(struct ctfy_node_client *client, const char *instance_id,
				const struct ctfy_traffic_query *query, int fd, uint64_t *ret_size,
				const struct ctfy_call *call, struct ctfy_error *error)
{
	struct target target = { .fd = fd, .ret_size = ret_size };

	return stream_traffic(client, instance_id, query, &target, call, error);
}

static int logs_request(const char *instance_id, const struct ctfy_log_query *wanted,
			struct buf *query, struct request *ret_request, struct ctfy_error *error)
{
	if (wanted && wanted->tail)
		put_query_int(query, "tail", wanted->tail);
	if (wanted && wanted->service)
		put_query(query, "service", wanted->service);
	if (buf_failed(query))
		return sdk_fail_memory(error);
	*ret_request = (struct request){ .method = "GET",
					 .path = { "/instances/", instance_id, "/container-logs" },
					 .query = query->data };
	return 0;
}

/* Not through a table: what containers write may hold a NUL. */
static int logs_of(const json_t *json, struct ctfy_bytes *ret_logs, struct err *e)
{
	const json_t *logs = json_object_get(json, "logs");
	struct buf text = BUF_INIT;

	if (!json_is_object(json))
		return err_set(e, ERR_PROTOCOL, "not an object");
	if (logs && !json_is_string(logs) && !json_is_null(logs))
		return err_set(e, ERR_PROTOCOL, "'logs' is not a string");
	buf_put(&text, json_string_value(logs), json_string_length(logs));
	return sdk_take_bytes(&text, "text/plain; charset=utf-8", ret_logs, e);
}

int ctfy_node_get_container_logs(struct ctfy_node_client *client, const char *instance_id,
				 const struct ctfy_log_query *query, struct ctfy_bytes *ret_logs,
				 const struct ctfy_call *call, struct ctfy_error *error)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	AUTO(struct answer, answer_done) answer = { 0 };
	struct request request;
	struct err e = ERR_INIT;
	int r;

	*ret_logs = (struct ctfy_bytes){ 0 };
	if ((r = logs_request(instance_id, query, &text, &request, error)) < 0 ||
	    (r = sdk_ask_json(client, &request, call, &answer, error)) < 0)
		return r;
	if (logs_of(answer.json, ret_logs, &e) < 0)
		return sdk_fail_protocol(error, answer.status, &e);
	return 0;
}

static int stream_logs(struct ctfy_node_client *client, const char *instance_id,
		       const struct ctfy_log_query *query, struct target *target,
		       const struct ctfy_call *call, struct ctfy_error *error)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	struct request request;
	int r = logs_request(instance_id, query, &text, &request, error);

	return r < 0 ? r : sdk_stream_text(client, &request, "logs", target, call, error);
}

int ctfy_node_get_container_logs_to(struct ctfy_node_client *client, const char *instance_id,
				    const struct ctfy_log_query *query,
				    const struct ctfy_sink *sink, const struct ctfy_call *call,
				    struct ctfy_error *error)
{
	struct target target = { .sink = sink };

	return stream_logs(client, instance_id, query, &target, call, error);
}

int ctfy_node_get_container_logs_to_fd(struct ctfy_node_client *client, const char *instance_id,
				       const struct ctfy_log_query *query, int fd,
				       uint64_t *ret_size, const struct ctfy_call *call,
				       struct ctfy_error *error)
{
	struct target target = { .fd = fd, .ret_size = ret_size };

	return stream_logs(client, instance_id, query, &target, call, error);
}

static struct request pcap_request(const char *instance_id)
{
	return (struct request){ .method = "GET",
				 .path = { "/instances/", instance_id, "/pcap" },
				 .may_be_absent = true };
}

int ctfy_node_get_pcap(struct ctfy_node_client *client, const char *instance_id,
		       struct ctfy_bytes *ret_pcap, const struct ctfy_call *call,
		       struct ctfy_error *error)
{
	struct request request = pcap_request(instance_id);

	return sdk_ask_bytes(client, &request, ret_pcap, call, error);
}

int ctfy_node_get_pcap_to(struct ctfy_node_client *client, const char *instance_id,
			  const struct ctfy_sink *sink, const struct ctfy_call *call,
			  struct ctfy_error *error)
{
	struct request request = pcap_request(instance_id);
	struct target target = { .sink = sink };

	return sdk_stream(client, &request, &target, call, error);
}

int ctfy_node_get_pcap_to_fd(struct ctfy_node_client *client, const char *instance_id, int fd,
			     uint64_t *ret_size, const struct ctfy_call *call,
			     struct ctfy_error *error)
{
	struct request request = pcap_request(instance_id);
	struct target target = { .fd = fd, .ret_size = ret_size };

	return sdk_stream(client, &request, &target, call, error);
}

int ctfy_node_get_timeline(struct ctfy_node_client *client, const char *instance_id,
			   struct ctfy_timeline *ret_timeline, const struct ctfy_call *call,
			   struct ctfy_error *error)
{
	struct request request = { .method = "GET",
				   .path = { "/instances/", instance_id, "/timeline" } };

	*ret_timeline = (struct ctfy_timeline){ 0 };
	return sdk_ask_fields(client, &request, call, timeline_fields, ret_timeline, error);
}

void ctfy_timeline_done(struct ctfy_timeline *timeline)
{
	fields_done(timeline_fields, timeline);
}

static struct request evidence_request(const char *instance_id)
{
	return (struct request){ .method = "GET",
				 .path = { "/instances/", instance_id, "/evidence" } };
}

int ctfy_node_get_evidence_to(struct ctfy_node_client *client, const char *instance_id,
			      const struct ctfy_sink *sink, const struct ctfy_call *call,
			      struct ctfy_error *error)
{
	struct request request = evidence_request(instance_id);
	struct target target = { .sink = sink };

	return sdk_stream(client, &request, &target, call, error);
}

int ctfy_node_get_evidence_to_fd(struct ctfy_node_client *client, const char *instance_id, int fd,
				 uint64_t *ret_size, const struct ctfy_call *call,
				 struct ctfy_error *error)
{
	struct request request = evidence_request(instance_id);
	struct target target = { .fd = fd, .ret_size = ret_size };

	return sdk_stream(client, &request, &target, call, error);
}
