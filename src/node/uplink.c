/* SPDX-License-Identifier: Apache-2.0 */
#include "node/uplink.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "engine/container.h"
#include "http/call.h"
#include "http/serve.h"
#include "node/compose.h"
#include "node/containment.h"
#include "node/image.h"
#include "node/node.h"
#include "node/own-image.h"
#include "node/sidecar.h"
#include "node/timeline.h"

#include <string.h>
#include <unistd.h>

enum {
	MEMORY = 32 << 20,
	PIDS = 64,
	WORKERS = 4,
	BODY_MAX = 64 << 10,
	ASK_TIMEOUT_MS = 60 * 1000,
	RETRY_S = 1,
};

struct uplink {
	struct node *node;
	char *instance_id;
	char *run_id;
	char *url;
	char token[SECRET_TOKEN_SIZE];
	char *socket;
	struct http_client *platform;
	struct http_server *server;
	char *container;
};

/* --- requests ----------------------------------------------------------------------------- */

static int authorize(void *ctx, struct http_req *req, const struct http_route *route, struct err *e)
{
	const struct uplink *uplink = ctx;
	const char *token = http_bearer(req);

	(void)route;
	if (!token || !secret_equal(token, uplink->token))
		return err_set(e, ERR_UNAUTHORIZED, "this is not the token of the agent's run");
	return 0;
}

/* As the platform says it, whatever it says. */
static int send_reply(struct http_res *res, const struct http_reply *reply)
{
	char type[128];

	if (reply->status == 429 || reply->status == 503)
		http_set_retry_after(res, RETRY_S);
	if (!http_reply_header(reply, "Content-Type", type, sizeof(type)))
		strcpy(type, "application/octet-stream");
	return http_send_bytes(res, reply->status, type, reply->body.data, reply->body.len);
}

static int serve_by_platform(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct uplink *uplink = ctx;
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	struct http_call call = { .method = http_method(req),
				  .path = http_path(req),
				  .content_type = http_header(req, "Content-Type"),
				  .timeout_ms = ASK_TIMEOUT_MS };
	int r;

	if (strcmp(call.method, "POST") == 0)
		call.body = http_body(req, &call.body_len);
	r = http_call(uplink->platform, &call, &reply, e);
	timeline_add(uplink->node, uplink->instance_id, "agent-asked", "ctfy-agent",
		     "run %s: %s %s: %d", uplink->run_id, call.method, call.path, reply.status);
	if (r < 0)
		return err_set(e, ERR_NODE, "the platform can't be reached from the node");
	return send_reply(res, &reply);
}

/* What docs/platform-api.md has as "agent". */
static const struct http_route routes[] = {
	{ "GET", "/api/v1/me", serve_by_platform, 0, 0 },
	{ "GET", "/api/v1/challenges/{id}", serve_by_platform, 0, 0 },
	{ "GET", "/api/v1/challenges/{id}/attachments", serve_by_platform, 0, 0 },
	{ "GET", "/api/v1/challenges/{id}/attachments/{name}", serve_by_platform, 0, 0 },
	{ "GET", "/api/v1/challenges/{id}/instance", serve_by_platform, 0, 0 },
	{ "POST", "/api/v1/challenges/{id}/submissions", serve_by_platform, 0, 0 },
	{ NULL },
};

static const struct http_route *const tables[] = { routes, NULL };

/* --- their sockets ------------------------------------------------------------------------ */

static char *sockets_path(const struct node *node)
{
	return strf("%s/uplinks", node->state_dir);
}

int uplinks_sweep(const struct node *node, struct err *e)
{
	AUTO(char *, freep) path = sockets_path(node);

	return path ? tree_remove(path, e) : err_memory(e);
}

static int place_socket(struct uplink *uplink, struct err *e)
{
	AUTO(char *, freep) path = sockets_path(uplink->node);
	int r = path ? dir_make(path, 0700, e) : err_memory(e);

	if (r < 0)
		return r;
	uplink->socket = strf("%s/%s", path, uplink->run_id);
	return uplink->socket ? 0 : err_memory(e);
}

/* --- its life ----------------------------------------------------------------------------- */

static int listen_for_agent(struct uplink *uplink, struct err *e)
{
	AUTO(char *, freep) address = strf("unix://%s", uplink->socket);
	const struct http_server_options options = { .listen = address,
						     .tables = tables,
						     .ctx = uplink,
						     .authorize = authorize,
						     .listeners = 1,
						     .workers = WORKERS,
						     .max_body = BODY_MAX };

	return address ? http_serve(&options, &uplink->server, e) : err_memory(e);
}

static json_t *container_body(const struct uplink *uplink, const char *network)
{
	json_t *host = sidecar_limits(MEMORY, PIDS);

	json_object_set_new(host, "NetworkMode", json_text(network));
	json_object_set_new(host, "CapAdd", json_make("[s]", "DAC_OVERRIDE"));
	json_object_set_new(host, "Mounts",
			    json_make("[o]", sidecar_mount(uplink->socket, "/uplink.sock")));
	return json_make("{s:s,s:o,s:{s:s,s:s,s:s,s:s}}", "Image", IMAGE_UPLINK, "HostConfig", host,
			 "Labels", LABEL_NODE, uplink->node->id, LABEL_INSTANCE,
			 uplink->instance_id, LABEL_ROLE, "sidecar", LABEL_SERVICE, "ctfy-uplink");
}

static int start_sidecar(struct uplink *uplink, const char *network, struct err *e)
{
	const struct image_job job = { .node = uplink->node,
				       .challenge_id = "agent",
				       .instance_id = uplink->instance_id };
	AUTO(json_t *, json_decrefp) body = container_body(uplink, network);
	const char *name = uplink->url + strlen("http://");
	int r = body ? own_image_ensure(&job, IMAGE_UPLINK, e) : err_memory(e);

	if (r == 0)
		r = container_create(uplink->node,
				     &(struct container_order){
					     .kind = CONTAINER_OURS, .name = name, .body = body },
				     &uplink->container, e);
	return r == 0 ? engine_container_start(uplink->node->engine, uplink->container, e) : r;
}

int uplink_open(struct node *node, const struct uplink_options *options, struct uplink **ret_uplink,
		struct err *e)
{
	AUTO(struct uplink *, uplink_closep) uplink = calloc(1, sizeof(*uplink));
	const struct http_client_options platform = { .base_url = options->platform_url,
						      .role = "platform",
						      .bearer = options->platform_token };
	int r;

	if (!uplink)
		return err_memory(e);
	uplink->node = node;
	uplink->instance_id = strdup(options->instance_id);
	uplink->run_id = strdup(options->run_id);
	uplink->url = strf("http://ctfy-uplink-%s", options->run_id);
	if (!uplink->instance_id || !uplink->run_id || !uplink->url)
		return err_memory(e);
	secret_token(uplink->token);
	r = http_client_new(&platform, &uplink->platform, e);
	if (r == 0)
		r = place_socket(uplink, e);
	if (r == 0)
		r = listen_for_agent(uplink, e);
	if (r == 0)
		r = start_sidecar(uplink, options->network, e);
	if (r < 0)
		return r;
	*ret_uplink = TAKE(uplink);
	return 0;
}

const char *uplink_url(const struct uplink *uplink)
{
	return uplink->url;
}

const char *uplink_token(const struct uplink *uplink)
{
	return uplink->token;
}

void uplink_close(struct uplink *uplink)
{
	struct err why = ERR_INIT;

	if (!uplink)
		return;
	if (uplink->container &&
	    engine_container_remove(uplink->node->engine, uplink->container, true, &why) < 0 &&
	    why.code != ERR_NOT_FOUND)
		log_warn("'%s' of instance '%s' was not removed: %s", uplink->url,
			 uplink->instance_id, why.msg);
	http_server_free(uplink->server);
	http_client_free(uplink->platform);
	if (uplink->socket)
		unlink(uplink->socket);
	free(uplink->container);
	free(uplink->socket);
	free(uplink->url);
	free(uplink->run_id);
	free(uplink->instance_id);
	free(uplink);
}
