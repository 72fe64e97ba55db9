/* SPDX-License-Identifier: Apache-2.0 */
#include "node/node-http.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/steady-clock.h"
#include "node/instance.h"
#include "node/metrics.h"
#include "node/node.h"
#include "node/roster.h"
#include "wire/node.h"

int node_authorize(void *ctx, struct http_req *req, const struct http_route *route, struct err *e)
{
	struct node *node = ctx;
	const char *token = http_bearer(req);
	bool ours;

	(void)route;
	if (!token)
		return err_set(e, ERR_UNAUTHORIZED, "this call needs Authorization: Bearer TOKEN");
	pthread_rwlock_rdlock(&node->config);
	ours = secret_equal(token, node->token);
	pthread_rwlock_unlock(&node->config);
	if (!ours)
		return err_set(e, ERR_UNAUTHORIZED, "the bearer token is not this node's");
	return 0;
}

static int serve_node_health(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct node *node = ctx;
	bool lost = atomic_load(&node->engine_lost);
	char words[STEADY_CLOCK_WORDS];
	struct ctfy_node_health health = {
		.status = lost ? (char[]){ "the engine does not answer" } : (char[]){ "ok" },
		.running = (int64_t)roster_count(node->roster),
		.capacity = node->options->capacity,
		.version = (char[]){ CTFY_VERSION },
		.engine = lost ? NULL : node->engine_name,
		.quarantined = atomic_load(&node->quarantined),
		.memory = node->options->memory,
		.nano_cpus = node->options->cpus * 1000000000,
	};

	(void)req;
	(void)e;
	health.warning = *steady_clock_words(node->steady, words) ? words : NULL;
	promises_read(&node->promises, &health.memory_promised, &health.nano_cpus_promised);
	return http_send(res, 200, node_health_fields, &health);
}

static int serve_stop_all(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct ctfy_stopped stopped = { 0 };
	int r;

	(void)req;
	r = instance_stop_all(ctx, &stopped, e);
	if (r == 0)
		r = http_send(res, 200, stopped_fields, &stopped);
	fields_done(stopped_fields, &stopped);
	return r;
}

static int serve_metrics(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct buf text = BUF_INIT;
	int r;

	(void)req;
	metrics_print(ctx, &text);
	r = buf_check(&text, e);
	if (r == 0)
		r = http_send_bytes(res, 200, "text/plain; version=0.0.4; charset=utf-8", text.data,
				    text.len);
	buf_done(&text);
	return r;
}

const struct http_route node_routes[] = {
	{ .method = "GET",
	  .path = "/api/v1/health",
	  .serve = serve_node_health,
	  .flags = HTTP_QUICK },
	{ .method = "GET", .path = "/metrics", .serve = serve_metrics },
	{ .method = "POST", .path = "/api/v1/admin/stop-all", .serve = serve_stop_all },
	{ .method = NULL },
};
