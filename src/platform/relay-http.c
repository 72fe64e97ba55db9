/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/relay.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "http/call.h"
#include "http/websocket.h"
#include "platform/audit.h"
#include "platform/door.h"
#include "platform/instance.h"
#include "platform/node.h"
#include "platform/plain.h"
#include "wire/instance.h"

#include <string.h>

/*
 * What the node of an instance has to tell of it: to organisers of any instance, to a player what
 * is theirs.
 */

enum {
	ASK_TIMEOUT_S = 30,
	IDLE_TIMEOUT_MS = 60 * 1000,
	AGENT_IDLE_MS = 15 * 60 * 1000, /* its image may have to be pulled first */
};

static const struct ctfy_call ask_call = { .timeout = ASK_TIMEOUT_S };

/* An instance and who has it. */
struct subject {
	struct instance instance;
	struct node *node;
};

static void subject_done(struct subject *subject)
{
	instances_row_done(&subject->instance);
	node_drop(subject->node);
}

static int find_node(struct platform *platform, struct subject *subject, struct err *e)
{
	if (instances_is_queued(&subject->instance))
		return err_set(e, ERR_CONFLICT, "this instance waits for a node that has room");
	subject->node = nodes_take(platform->nodes, subject->instance.node_id);
	return subject->node ? 0 : err_set(e, ERR_NODE, "the node of this instance is gone");
}

/* Any instance, of the path's {instance}. */
static int find_any(struct platform *platform, struct http_req *req, struct subject *subject,
		    struct err *e)
{
	int r = instances_find(platform->db, http_arena(req), http_param(req, "instance"),
			       &subject->instance, e);

	return r < 0 ? r : find_node(platform, subject, e);
}

/* The asker's running instance, of the path's {id}. */
static int find_own(struct platform *platform, struct http_req *req, struct entry *entry,
		    struct subject *subject, struct err *e)
{
	int r;

	r = door_enter_playing(platform, req, entry, e);
	if (r == 0)
		r = instances_of_team(platform->db, http_arena(req), entry->team.id,
				      entry->challenge->id, &subject->instance, e);
	if (r == 0 && !instances_is(&subject->instance, "running"))
		r = err_set(e, ERR_CONFLICT, "your instance of '%s' is %s", entry->challenge->id,
			    subject->instance.status);
	return r < 0 ? r : find_node(platform, subject, e);
}

/* Small answers */

static int serve_containers(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_containers containers;
	int r;

	r = find_any(ctx, req, &subject, e);
	if (r < 0)
		return r;
	if (ctfy_node_list_containers(nodes_client(subject.node), subject.instance.copy_id,
				      &containers, &ask_call, &error) < 0)
		r = nodes_failed(subject.node, &error, e);
	else
		r = http_send_json(res, 200,
				   json_make("{s:o}", "containers",
					     containers_encode(&containers)));
	ctfy_containers_done(&containers);
	return r;
}

static int serve_agent_runtime(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	AUTO(char *, freep) json = NULL;
	const struct ctfy_call call = { .timeout = ASK_TIMEOUT_S, .ret_json = &json };
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_agent_runtime runtime;
	int r;

	r = find_any(ctx, req, &subject, e);
	if (r < 0)
		return r;
	if (ctfy_node_get_agent_runtime(nodes_client(subject.node), subject.instance.copy_id,
					&runtime, &call, &error) < 0)
		r = nodes_failed(subject.node, &error, e);
	else
		r = http_send_bytes(res, 200, "application/json", json, strlen(json));
	ctfy_agent_runtime_done(&runtime);
	return r;
}

/* A node's 404 is told as it is; whatever else keeps it from giving the file is 502. */
static int send_openvpn_config(struct http_res *res, const struct subject *subject, struct err *e)
{
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_bytes config;
	char filename[80];
	int r;

	if (ctfy_node_get_openvpn_config(nodes_client(subject->node), subject->instance.copy_id,
					 &config, &ask_call, &error) < 0) {
		r = plain_failure(subject->node, &error, e);
		if (r != -ERR_NOT_FOUND)
			e->code = ERR_NODE;
		r = -(int)e->code;
	} else {
		snprintf(filename, sizeof(filename), "%s.ovpn", subject->instance.challenge_id);
		relay_name(res, filename);
		r = http_send_bytes(res, 200, "application/x-openvpn-profile", config.data,
				    config.size);
	}
	ctfy_bytes_done(&config);
	return r;
}

static int serve_own_openvpn_config(void *ctx, struct http_req *req, struct http_res *res,
				    struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	AUTO(struct entry, door_leave) entry = ENTRY_INIT;
	int r = find_own(ctx, req, &entry, &subject, e);

	return r < 0 ? r : send_openvpn_config(res, &subject, e);
}

static int serve_openvpn_config(void *ctx, struct http_req *req, struct http_res *res,
				struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	int r = find_any(ctx, req, &subject, e);

	return r < 0 ? r : send_openvpn_config(res, &subject, e);
}

/* Large ones */

static const char *filename(struct http_req *req, const struct subject *subject, const char *suffix)
{
	return arena_printf(http_arena(req), "%s-%s%s", subject->instance.challenge_id,
			    subject->instance.id, suffix);
}

static int serve_logs(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	struct relay relay = {
		.res = res, .type = "text/plain; charset=utf-8", .may_be_empty = true, .e = e
	};
	const struct ctfy_call call = RELAY_CALL;
	struct ctfy_sink sink = relay_sink(&relay);
	struct ctfy_log_query query = { .service = http_query(req, "service") };
	struct ctfy_error error = CTFY_ERROR_INIT;
	int r;

	r = http_query_int(req, "tail", 1, INT32_MAX, 0, &query.tail, e);
	if (r == 0)
		r = find_any(ctx, req, &subject, e);
	if (r < 0)
		return r;
	r = ctfy_node_get_container_logs_to(nodes_client(subject.node), subject.instance.copy_id,
					    &query, &sink, &call, &error);
	return relay_end(&relay, subject.node, r, &error);
}

static int serve_traffic(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	struct relay relay = {
		.res = res, .type = "application/json", .may_be_empty = true, .e = e
	};
	const struct ctfy_call call = RELAY_CALL;
	struct ctfy_sink sink = relay_sink(&relay);
	struct ctfy_traffic_query query = { .since = http_query(req, "since") };
	struct ctfy_error error = CTFY_ERROR_INIT;
	const char *format = http_query(req, "format");
	int r;

	r = http_query_int(req, "limit", 1, INT32_MAX, 0, &query.limit, e);
	query.har = format && strcmp(format, "har") == 0;
	query.mitm = format && strcmp(format, "mitm") == 0;
	if (r == 0 && format && !query.har && !query.mitm)
		r = err_set(e, ERR_INVALID,
			    "the format '%s' is not known: only \"har\" and \"mitm\"", format);
	if (r == 0)
		r = find_any(ctx, req, &subject, e);
	if (r < 0)
		return r;
	if (query.mitm)
		relay.type = "application/octet-stream";
	if (format)
		relay.filename = filename(req, &subject, query.har ? ".har" : ".mitm");
	r = ctfy_node_get_traffic_to(nodes_client(subject.node), subject.instance.copy_id, &query,
				     &sink, &call, &error);
	return relay_end(&relay, subject.node, r, &error);
}

static int serve_pcap(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	struct relay relay = { .res = res, .type = "application/vnd.tcpdump.pcap", .e = e };
	const struct ctfy_call call = RELAY_CALL;
	struct ctfy_sink sink = relay_sink(&relay);
	struct ctfy_error error = CTFY_ERROR_INIT;
	int r = find_any(ctx, req, &subject, e);

	if (r < 0)
		return r;
	relay.filename = filename(req, &subject, ".pcap");
	r = ctfy_node_get_pcap_to(nodes_client(subject.node), subject.instance.copy_id, &sink,
				  &call, &error);
	return relay_end(&relay, subject.node, r, &error);
}

/* What may take any time, as long as it goes on */

static const char *node_path(struct http_req *req, const struct subject *subject, const char *what)
{
	return arena_printf(http_arena(req), "/api/v1/instances/%s/%s", subject->instance.copy_id,
			    what);
}

static int sink_part(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct relay *relay = cookie;
	int r = relay_write(relay, bytes, len);

	/* The relay's words are about our client; the call's own error only ends it. */
	return r < 0 ? err_set(e, ERR_ABORTED, "the client went away") : 0;
}

static int relay_raw(struct http_req *req, const struct subject *subject, const char *what,
		     int64_t idle_timeout_ms, struct relay *relay)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	struct http_call call = { .method = http_method(req),
				  .path = node_path(req, subject, what),
				  .sink = sink_part,
				  .sink_cookie = relay,
				  .idle_timeout_ms = idle_timeout_ms,
				  .max_body = UINT64_MAX };
	struct err failed = ERR_INIT;
	int r;

	if (strcmp(call.method, "POST") == 0)
		call.body = http_body(req, &call.body_len);
	if (!call.path)
		return err_memory(relay->e);
	r = http_call(nodes_wire(subject->node), &call, &reply, &failed);
	if (relay->failure < 0)
		return relay->failure;
	if (r < 0)
		return nodes_unreachable(subject->node, &failed, relay->e);
	if (reply.status >= 300)
		return nodes_refused(&reply, relay->e);
	return relay_write(relay, "", 0);
}

static int serve_evidence(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	struct relay relay = { .res = res, .type = "application/zstd", .e = e };
	int r = find_any(ctx, req, &subject, e);

	if (r < 0)
		return r;
	relay.filename = filename(req, &subject, ".tar.zst");
	return relay_raw(req, &subject, "evidence", IDLE_TIMEOUT_MS, &relay);
}

static int serve_timeline(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	struct relay relay = { .res = res, .type = "application/json", .e = e };
	int r = find_any(ctx, req, &subject, e);

	return r < 0 ? r : relay_raw(req, &subject, "timeline", IDLE_TIMEOUT_MS, &relay);
}

static int serve_agent_run(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	struct relay relay = { .res = res, .type = "application/x-ndjson", .e = e };
	int r = find_any(ctx, req, &subject, e);

	return r < 0 ? r : relay_raw(req, &subject, "agent-runs", AGENT_IDLE_MS, &relay);
}

/* The shell */

static const char *shell_note(struct http_req *req, const struct subject *subject)
{
	return arena_printf(http_arena(req), "into '%s' of '%s' of team '%s'",
			    http_param(req, "container"), subject->instance.challenge_id,
			    subject->instance.team);
}

static int record_shell(struct platform *platform, struct http_req *req,
			const struct subject *subject, const char *note, char **ret_id,
			struct err *e)
{
	const struct audit_entry entry = {
		.user_id = door_principal(req)->user_id,
		.action = "shell",
		.object = subject->instance.id,
		.note = note,
		.peer = http_peer(req),
		.request_id = http_req_id(req),
	};

	return audit_record(platform->db, http_arena(req), door_now(platform), &entry, ret_id, e);
}

static char *shell_path(struct http_req *req, const struct subject *subject, struct err *e)
{
	AUTO(struct buf, buf_done) path = BUF_INIT;
	int64_t columns, rows;

	if (http_query_int(req, "cols", 1, 1000, 80, &columns, e) < 0 ||
	    http_query_int(req, "rows", 1, 1000, 24, &rows, e) < 0)
		return NULL;
	buf_printf(&path, "/api/v1/instances/%s/containers/", subject->instance.copy_id);
	http_escape(&path, http_param(req, "container"));
	buf_printf(&path, "/shell?cols=%lld&rows=%lld", (long long)columns, (long long)rows);
	if (buf_check(&path, e) < 0)
		return NULL;
	return arena_strdup(http_arena(req), path.data);
}

static int relay_shell(struct http_req *req, struct http_res *res, const struct subject *subject,
		       struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	const char *path = shell_path(req, subject, e);
	struct err failed = ERR_INIT;
	int r;

	if (!path)
		return e->code ? -(int)e->code : err_memory(e);
	r = websocket_relay(req, res, nodes_wire(subject->node), path, &reply, &failed);
	if (r == -ERR_PROTOCOL)
		return nodes_refused(&reply, e);
	if (r == -ERR_INVALID || r == -ERR_ABORTED)
		return err_set(e, failed.code, "%s", failed.msg);
	return r < 0 ? nodes_unreachable(subject->node, &failed, e) : 0;
}

/* It is written down before it is opened: there is no shell that nobody knows of. */
static int serve_shell(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct subject, subject_done) subject = { .node = NULL };
	struct platform *platform = ctx;
	struct err lost = ERR_INIT;
	const char *note;
	char *record;
	int r;

	r = find_any(platform, req, &subject, e);
	if (r < 0)
		return r;
	note = shell_note(req, &subject);
	r = record_shell(platform, req, &subject, note, &record, e);
	if (r < 0)
		return r;
	r = relay_shell(req, res, &subject, e);
	if (audit_finish(platform->db, record, r < 0 ? err_status(e->code) : 101, note, &lost) < 0)
		log_error("the end of a shell was not written down: %s", lost.msg);
	return r;
}

#define ANY "/api/v1/admin/instances/{instance}/"

const struct http_route platform_relay_routes[] = {
	{ "GET", "/api/v1/challenges/{id}/openvpn-config", serve_own_openvpn_config, 0,
	  ACCESS_USER },
	{ "GET", ANY "containers", serve_containers, 0, ACCESS_ORGANISER },
	{ "GET", ANY "container-logs", serve_logs, 0, ACCESS_ORGANISER },
	{ "GET", ANY "traffic", serve_traffic, 0, ACCESS_ORGANISER },
	{ "GET", ANY "pcap", serve_pcap, 0, ACCESS_ORGANISER },
	{ "GET", ANY "evidence", serve_evidence, 0, ACCESS_ORGANISER },
	{ "GET", ANY "timeline", serve_timeline, 0, ACCESS_ORGANISER },
	{ "GET", ANY "agent-runtime", serve_agent_runtime, 0, ACCESS_ORGANISER },
	{ "POST", ANY "agent-runs", serve_agent_run, 0, ACCESS_ORGANISER },
	{ "GET", ANY "openvpn-config", serve_openvpn_config, 0, ACCESS_ORGANISER },
	{ "GET", ANY "containers/{container}/shell", serve_shell, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
