/* SPDX-License-Identifier: Apache-2.0 */
#include "node/instance-http.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "base/own.h"
#include "node/agent-run.h"
#include "node/agent.h"
#include "node/attachment.h"
#include "node/capture.h"
#include "node/evidence.h"
#include "node/instance.h"
#include "node/log-book.h"
#include "node/node.h"
#include "node/observe.h"
#include "node/shell.h"
#include "node/timeline.h"
#include "node/traffic.h"
#include "node/vpn.h"
#include "wire/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The instance a path names. An id that can't be one is 422, never a path. */
static int instance_id(struct http_req *req, const char **ret_id, struct err *e)
{
	*ret_id = http_param(req, "id");
	return id_valid(*ret_id)
		       ? 0
		       : err_set(e, ERR_VALIDATION,
				 "'%s' is not an id: [A-Za-z0-9][A-Za-z0-9_.-]{0,62}", *ret_id);
}

static bool is_below(const char *path, const char *root)
{
	size_t len = strlen(root);

	return strncmp(path, root, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* Absolute, without "." or ".." or empty parts; a '/' may end it. */
static bool is_plain_path(const char *path)
{
	if (*path != '/')
		return false;
	while (path[0] && path[1]) {
		size_t len;

		path++;
		len = strcspn(path, "/");
		if (len == 0 || (len == 1 && path[0] == '.') ||
		    (len == 2 && path[0] == '.' && path[1] == '.'))
			return false;
		path += len;
	}
	return true;
}

/* A link may lead out, or to the root: what exists of the path is looked at where it really is. */
static bool is_really_below(const char *path, const char *root)
{
	AUTO(char *, freep) part = strdup(path);
	AUTO(char *, freep) real = NULL;

	while (part && !(real = realpath(part, NULL)) && errno == ENOENT && strrchr(part, '/'))
		*strrchr(part, '/') = '\0';
	return real && is_below(real, root);
}

/* What decoding can't know of; every fault is told. Members that are absent are told already. */
static int check_spec(struct node *node, struct http_req *req, const struct instance_spec *spec,
		      struct err *e)
{
	static const char pattern[] = "string does not match [A-Za-z0-9][A-Za-z0-9_.-]{0,62}";
	const char *dir = spec->proxy_output_dir;
	int r = 0;

	if (spec->challenge_id && !id_valid(spec->challenge_id))
		r = http_refuse_field(req, "challenge_id", "value_error.str.regex", pattern, e);
	if (spec->instance_id && !id_valid(spec->instance_id))
		r = http_refuse_field(req, "instance_id", "value_error.str.regex", pattern, e);
	if (dir && (!is_plain_path(dir) || !is_really_below(dir, node->evidence_dir)))
		r = http_refuse_field(req, "proxy_output_dir", "value_error",
				      "the path is outside the node's evidence directory", e);
	return r;
}

static bool prefers_async(const struct http_req *req)
{
	const char *prefer = http_header(req, "Prefer");

	return prefer && strcasestr(prefer, "respond-async");
}

/* A row that runs is told with its services; where the engine can't say now, without. */
static int send_row(struct node *node, struct http_res *res, int status,
		    const struct ctfy_instance *row)
{
	struct ctfy_instance full = { 0 };
	bool is_full = strcmp(row->status, "running") == 0 &&
		       instance_status(node, row->instance_id, &full, NULL) == 0;
	int r = http_send(res, status, instance_fields, is_full ? &full : row);

	fields_done(instance_fields, &full);
	return r;
}

static int start(struct node *node, const struct instance_spec *spec, bool async,
		 struct http_res *res, struct err *e)
{
	static const int statuses[] = {
		[INSTANCE_CREATED] = 201,
		[INSTANCE_EXISTING] = 200,
		[INSTANCE_ACCEPTED] = 202,
	};
	struct ctfy_instance row = { 0 };
	int r = instance_start(node, spec, async, &row, e);

	if (r > 0)
		r = send_row(node, res, statuses[r], &row);
	fields_done(instance_fields, &row);
	return r;
}

static int serve_start(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct node *node = ctx;
	struct instance_spec spec = { 0 };
	int r;

	r = http_read(req, instance_spec_fields, &spec, e);
	if ((r == 0 || r == -ERR_VALIDATION) && check_spec(node, req, &spec, e) < 0)
		r = -ERR_VALIDATION;
	if (r == 0)
		r = start(node, &spec, prefers_async(req), res, e);
	fields_done(instance_spec_fields, &spec);
	return r;
}

static int serve_stop(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = instance_stop(ctx, id, e);
	return r < 0 ? r : http_send_nothing(res, 204);
}

static int serve_extend(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct instance_ttl body = { 0 };
	struct ctfy_instance row = { 0 };
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = http_read(req, instance_ttl_fields, &body, e);
	if (r == 0)
		r = instance_extend(ctx, id, body.ttl, &row, e);
	if (r == 0)
		r = send_row(ctx, res, 200, &row);
	fields_done(instance_fields, &row);
	return r;
}

static int serve_status(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct ctfy_instance row = { 0 };
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = instance_status(ctx, id, &row, e);
	if (r == 0)
		r = http_send(res, 200, instance_fields, &row);
	fields_done(instance_fields, &row);
	return r;
}

static int serve_health(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct ctfy_health health = { 0 };
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = instance_health(ctx, id, &health, e);
	if (r == 0)
		r = http_send(res, 200, health_fields, &health);
	fields_done(health_fields, &health);
	return r;
}

static int serve_containers(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct ctfy_containers containers = { 0 };
	json_t *json = NULL;
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = instance_containers(ctx, id, &containers, e);
	if (r == 0)
		json = containers_encode(&containers);
	containers_done(&containers);
	if (r < 0)
		return r;
	return json ? http_send_json(res, 200, json) : err_memory(e);
}

static int serve_timeline(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	json_t *events = NULL;
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = timeline_read(ctx, id, &events, e);
	return r < 0 ? r : http_send_json(res, 200, json_make("{s:o}", "events", events));
}

/* Into a JSON string: what is printed has no controls but tabs and line ends. */
static int send_string_part(void *cookie, const void *bytes, size_t len, struct err *e)
{
	const char *text = bytes, *end = text + len;
	struct buf part = BUF_INIT;
	int r;

	for (; text < end; text++)
		switch (*text) {
		case '"': buf_puts(&part, "\\\""); break;
		case '\\': buf_puts(&part, "\\\\"); break;
		case '\n': buf_puts(&part, "\\n"); break;
		case '\t': buf_puts(&part, "\\t"); break;
		default: buf_putc(&part, *text); break;
		}
	r = buf_check(&part, e);
	if (r == 0)
		r = http_write(cookie, part.data, part.len, e);
	buf_done(&part);
	return r;
}

static int send_logs(struct http_res *res, struct log_book *book, struct err *e)
{
	static const char begin[] = "{\"logs\":\"", end[] = "\"}";
	int r = http_begin(res, 200, "application/json", e);

	if (r == 0)
		r = http_write(res, begin, sizeof(begin) - 1, e);
	if (r == 0)
		r = log_book_print(book, send_string_part, res, e);
	return r < 0 ? r : http_write(res, end, sizeof(end) - 1, e);
}

static int serve_logs(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct log_book *, log_book_freep) book = NULL;
	struct log_book_options options = { .service = http_query(req, "service") };
	const char *id;
	int64_t tail;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = http_query_int(req, "tail", 1, 1000000, 10000, &tail, e);
	if (r < 0)
		return r;
	options.tail = (size_t)tail;
	options.of_each = !http_query(req, "tail");
	r = log_book_open(ctx, id, &options, &book, e);
	return r < 0 ? r : send_logs(res, book, e);
}

static int serve_attachments(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct ctfy_attachments attachments = { 0 };
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = attachments_list(ctx, id, &attachments, e);
	if (r == 0)
		r = http_send(res, 200, attachments_fields, &attachments);
	fields_done(attachments_fields, &attachments);
	return r;
}

static int serve_attachment(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct ctfy_attachment attachment = { 0 };
	const char *id;
	int fd, r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = attachment_open(ctx, id, http_param(req, "filename"), &fd, &attachment, e);
	if (r == 0) {
		r = http_send_file(res, fd, attachment.content_type, attachment.sha256);
	}
	fields_done(attachment_fields, &attachment);
	return r;
}

static int serve_vpn(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct buf config = BUF_LIMITED(VPN_CONFIG_MAX);
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = vpn_config(ctx, id, &config, e);
	if (r == -ERR_UNAVAILABLE)
		http_set_retry_after(res, 1);
	if (r == 0)
		r = http_send_bytes(res, 200, "application/x-openvpn-profile", config.data,
				    config.len);
	buf_done(&config);
	return r;
}

static int send_part(void *cookie, const void *bytes, size_t len, struct err *e)
{
	return http_write(cookie, bytes, len, e);
}

static int serve_capture(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct capture *, capture_closep) capture = NULL;
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = capture_open(ctx, id, &capture, e);
	if (r == 0)
		r = http_begin(res, 200, "application/vnd.tcpdump.pcap", e);
	return r < 0 ? r : capture_read(capture, send_part, res, e);
}

static int send_traffic(struct http_req *req, struct http_res *res, const char *id,
			struct traffic *traffic, struct err *e)
{
	const char *format = http_query(req, "format");
	int64_t since = 0, limit = 0;
	bool is_mitm;
	int r;

	r = http_query_int(req, "since", 0, INT64_MAX, 0, &since, e);
	if (r == 0)
		r = http_query_int(req, "limit", 1, 1000000, 1000000, &limit, e);
	if (r == 0 && format && strcmp(format, "har") != 0 && strcmp(format, "mitm") != 0)
		r = err_set(e, ERR_VALIDATION,
			    "the format '%s' is not known: only \"har\" and \"mitm\"", format);
	if (r == 0)
		r = traffic_seek(traffic, since, e);
	is_mitm = format && strcmp(format, "mitm") == 0;
	if (r == 0)
		r = http_begin(res, 200, is_mitm ? "application/octet-stream" : "application/json",
			       e);
	if (r < 0)
		return r;
	if (is_mitm)
		return traffic_mitm(traffic, send_part, res, e);
	return format ? traffic_har(traffic, send_part, res, e)
		      : traffic_page(traffic, id, (size_t)limit, send_part, res, e);
}

static int serve_traffic(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct traffic *, traffic_closep) traffic = NULL;
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = traffic_open(ctx, id, &traffic, e);
	return r < 0 ? r : send_traffic(req, res, id, traffic, e);
}

static int serve_agent_runtime(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct agent_runtime runtime = { 0 };
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = agent_runtime(ctx, id, &runtime, e);
	if (r == -ERR_UNAVAILABLE)
		http_set_retry_after(res, 1);
	if (r == 0)
		r = http_send(res, 200, agent_runtime_fields, &runtime);
	fields_done(agent_runtime_fields, &runtime);
	return r;
}

static int serve_agent_run(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct agent_run *, agent_run_freep) run = NULL;
	struct agent_run_spec spec = { 0 };
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = http_read(req, agent_run_spec_fields, &spec, e);
	if (r == 0)
		r = agent_run_start(ctx, id, &spec, &run, e);
	if (r == 0)
		r = http_begin(res, 200, "application/x-ndjson", e);
	fields_done(agent_run_spec_fields, &spec);
	return r < 0 ? r : agent_run_follow(run, send_part, res, e);
}

static int serve_evidence(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct evidence *, evidence_freep) evidence = NULL;
	const char *id;
	int r;

	r = instance_id(req, &id, e);
	if (r == 0)
		r = evidence_open(ctx, id, &evidence, e);
	if (r == 0)
		r = http_begin(res, 200, "application/zstd", e);
	return r < 0 ? r : evidence_write(evidence, send_part, res, e);
}

static int serve_shell(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct shell_spec spec = { .container = http_param(req, "container_id") };
	int64_t columns, rows;
	int r;

	r = instance_id(req, &spec.instance_id, e);
	if (r == 0)
		r = http_query_int(req, "cols", 1, 1000, 80, &columns, e);
	if (r == 0)
		r = http_query_int(req, "rows", 1, 1000, 24, &rows, e);
	if (r == 0) {
		spec.columns = (unsigned)columns;
		spec.rows = (unsigned)rows;
		r = shell_serve(ctx, &spec, req, res, e);
	}
	return r;
}

const struct http_route instance_routes[] = {
	{ .method = "POST", .path = "/api/v1/instances", .serve = serve_start },
	{ .method = "DELETE", .path = "/api/v1/instances/{id}", .serve = serve_stop },
	{ .method = "PATCH", .path = "/api/v1/instances/{id}", .serve = serve_extend },
	{ .method = "GET", .path = "/api/v1/instances/{id}/status", .serve = serve_status },
	{ .method = "GET", .path = "/api/v1/instances/{id}/health", .serve = serve_health },
	{ .method = "GET", .path = "/api/v1/instances/{id}/timeline", .serve = serve_timeline },
	{ .method = "GET", .path = "/api/v1/instances/{id}/containers", .serve = serve_containers },
	{ .method = "GET", .path = "/api/v1/instances/{id}/container-logs", .serve = serve_logs },
	{ .method = "GET",
	  .path = "/api/v1/instances/{id}/attachments",
	  .serve = serve_attachments },
	{ .method = "GET",
	  .path = "/api/v1/instances/{id}/attachments/{filename}",
	  .serve = serve_attachment },
	{ .method = "GET", .path = "/api/v1/instances/{id}/traffic", .serve = serve_traffic },
	{ .method = "GET", .path = "/api/v1/instances/{id}/evidence", .serve = serve_evidence },
	{ .method = "GET", .path = "/api/v1/instances/{id}/pcap", .serve = serve_capture },
	{ .method = "GET",
	  .path = "/api/v1/instances/{id}/agent-runtime",
	  .serve = serve_agent_runtime },
	{ .method = "POST", .path = "/api/v1/instances/{id}/agent-runs", .serve = serve_agent_run },
	{ .method = "GET", .path = "/api/v1/instances/{id}/openvpn-config", .serve = serve_vpn },
	{ .method = "GET",
	  .path = "/api/v1/instances/{id}/containers/{container_id}/shell",
	  .serve = serve_shell },
	{ .method = NULL },
};
