/* SPDX-License-Identifier: Apache-2.0 */
#include "storm-fleet.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "http/call.h"
#include "http/serve.h"
#include "wire/instance.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

enum {
	BUCKETS = 16384,
	ID_SIZE = 64,
	/* A platform's ids; a copy on another node has "-1" behind it. */
	INSTANCE_ID_LENGTH = 20,
	WORKERS = 4096, /* a start holds one until it is over */
	HANG_MS = 60 * 1000,
};

enum phase { STARTING, RUNNING, GONE };

/* One instance on one node. */
struct copy {
	struct copy *next;
	char id[ID_SIZE];
	char answer[FLEET_ANSWER_SIZE];
	unsigned node;
	enum phase phase;
	int64_t ready_at;
};

struct beats {
	atomic_int_fast64_t last_at, gap_ms;
};

struct fleet {
	struct fleet_options options;
	struct http_server *server;
	pthread_mutex_t lock; /* of the copies */
	struct copy *buckets[BUCKETS];
	size_t doubles;
	atomic_uint *running; /* by node */
	struct beats *beats;
	atomic_uint_fast64_t beat_count;
	atomic_bool watching;
	atomic_bool ending;
};

/* All copies of an instance are in one bucket. */
static struct copy **bucket_of(struct fleet *fleet, const char *id)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < INSTANCE_ID_LENGTH && id[i]; i++)
		hash = (hash ^ (unsigned char)id[i]) * 16777619u;
	return &fleet->buckets[hash % BUCKETS];
}

static bool is_same_instance(const char *a, const char *b)
{
	return strncmp(a, b, INSTANCE_ID_LENGTH) == 0;
}

static struct copy *find_copy(struct fleet *fleet, unsigned node, const char *id)
{
	for (struct copy *copy = *bucket_of(fleet, id); copy; copy = copy->next)
		if (copy->node == node && strcmp(copy->id, id) == 0)
			return copy;
	return NULL;
}

static bool lives(const struct copy *copy)
{
	return copy->phase != GONE;
}

static void count_doubles(struct fleet *fleet, const char *id)
{
	for (struct copy *copy = *bucket_of(fleet, id); copy; copy = copy->next)
		fleet->doubles += lives(copy) && is_same_instance(copy->id, id);
}

static int node_of(struct fleet *fleet, const struct http_req *req, unsigned *ret_node,
		   struct err *e)
{
	const char *name = http_param(req, "node");
	char *end;
	unsigned long number = strtoul(name + 1, &end, 10);

	if (*name != 'n' || *end || number >= fleet->options.nodes)
		return err_set(e, ERR_NOT_FOUND, "no node '%s'", name);
	*ret_node = (unsigned)number;
	return 0;
}

static bool hangs(const struct fleet *fleet, unsigned node)
{
	return node >= fleet->options.nodes - fleet->options.hanging;
}

static void sleep_ms(int64_t ms)
{
	const struct timespec pause = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	if (ms > 0)
		nanosleep(&pause, NULL);
}

/* Heartbeats */

static void note_beat(struct fleet *fleet, unsigned node)
{
	struct beats *beats = &fleet->beats[node];
	int64_t now = clock_monotonic_ms();
	int64_t gap = now - atomic_exchange(&beats->last_at, now);

	if (!atomic_load(&fleet->watching))
		return;
	atomic_fetch_add(&fleet->beat_count, 1);
	if (gap > atomic_load(&beats->gap_ms))
		atomic_store(&beats->gap_ms, gap);
}

static int serve_health(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct fleet *fleet = ctx;
	unsigned node;
	int r = node_of(fleet, req, &node, e);

	if (r < 0)
		return r;
	note_beat(fleet, node);
	return http_send_json(res, 200,
			      json_pack("{s:s, s:I, s:I, s:s, s:s}", "status", "ok", "running",
					(json_int_t)atomic_load(&fleet->running[node]), "capacity",
					(json_int_t)fleet->options.capacity, "version", "0",
					"engine", "scripted"));
}

/* A node that hangs is asked on a path of its own, where a worker thread waits. */
static int serve_hanging(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct fleet *fleet = ctx;

	(void)req;
	(void)e;
	for (int64_t until = clock_monotonic_ms() + HANG_MS;
	     clock_monotonic_ms() < until && !atomic_load(&fleet->ending);)
		sleep_ms(100);
	return http_send_nothing(res, 204);
}

static int serve_images(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)req;
	(void)e;
	return http_send_json(res, 200, json_pack("{s:[]}", "rows"));
}

/* Instances */

static json_t *row_of(const struct copy *copy, const char *challenge, int64_t ttl)
{
	char began[CLOCK_TEXT_SIZE], ends[CLOCK_TEXT_SIZE];
	int64_t now = clock_now_ms(&clock_real);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:i, s:s, s:s, s:i, s:n}], s:[]}",
			 "instance_id", copy->id, "challenge_id", challenge, "status",
			 copy->phase == RUNNING ? "running" : "starting", "started_at",
			 clock_format(now, began), "expires_at",
			 clock_format(now + 1000 * ttl, ends), "endpoints", "service", "web",
			 "container_port", 80, "protocol", "tcp", "host", "127.0.0.1", "port", 9,
			 "url", "services");
}

static void keep_answer(struct copy *copy, const json_t *answers)
{
	const char *question, *text = "";
	json_t *answer;

	json_object_foreach ((json_t *)(uintptr_t)answers, question, answer)
		text = json_string_value(answer);
	snprintf(copy->answer, sizeof(copy->answer), "%s", text);
}

/* The lock is held. */
static struct copy *take_on(struct fleet *fleet, unsigned node, const struct instance_spec *spec)
{
	int64_t half = fleet->options.start_ms / 2;
	struct copy *copy = calloc(1, sizeof(*copy));
	struct copy **at = bucket_of(fleet, spec->instance_id);

	if (!copy)
		return NULL;
	count_doubles(fleet, spec->instance_id);
	snprintf(copy->id, sizeof(copy->id), "%s", spec->instance_id);
	keep_answer(copy, spec->answers);
	copy->node = node;
	copy->ready_at = clock_monotonic_ms() + half +
			 (int64_t)randombytes_uniform((uint32_t)(2 * half) + 1);
	copy->next = *at;
	*at = copy;
	atomic_fetch_add(&fleet->running[node], 1);
	return copy;
}

/* Whoever doesn't want to be told at once is told when it runs. The lock is held, but for the wait.
 */
static void wait_until_ready(struct fleet *fleet, struct copy *copy)
{
	int64_t wait = copy->ready_at - clock_monotonic_ms();

	pthread_mutex_unlock(&fleet->lock);
	sleep_ms(wait);
	pthread_mutex_lock(&fleet->lock);
	if (copy->phase == STARTING)
		copy->phase = RUNNING;
}

static int start(struct fleet *fleet, unsigned node, const struct instance_spec *spec, bool waits,
		 struct http_res *res, struct err *e)
{
	struct copy *copy;
	bool known;
	json_t *row;
	int r = 0;

	pthread_mutex_lock(&fleet->lock);
	copy = find_copy(fleet, node, spec->instance_id);
	known = copy != NULL;
	if (!copy)
		copy = take_on(fleet, node, spec);
	if (copy && waits)
		wait_until_ready(fleet, copy);
	if (!copy)
		r = err_memory(e);
	else if (!lives(copy))
		r = err_set(e, ERR_CONFLICT, "'%s' was stopped", copy->id);
	row = r == 0 ? row_of(copy, spec->challenge_id, spec->ttl) : NULL;
	pthread_mutex_unlock(&fleet->lock);
	return r < 0 ? r : http_send_json(res, !waits ? 202 : known ? 200 : 201, row);
}

static int serve_start(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct instance_spec spec = { .instance_id = NULL };
	unsigned node;
	int r;

	r = http_read(req, instance_spec_fields, &spec, e);
	if (r == 0)
		r = node_of(ctx, req, &node, e);
	if (r == 0)
		r = start(ctx, node, &spec, !http_header(req, "Prefer"), res, e);
	fields_done(instance_spec_fields, &spec);
	return r;
}

static int serve_stop(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const char *id = http_param(req, "id");
	struct fleet *fleet = ctx;
	struct copy *copy;
	unsigned node;
	int r = node_of(fleet, req, &node, e);

	if (r < 0)
		return r;
	pthread_mutex_lock(&fleet->lock);
	copy = find_copy(fleet, node, id);
	if (copy && lives(copy)) {
		copy->phase = GONE;
		atomic_fetch_sub(&fleet->running[node], 1);
	}
	pthread_mutex_unlock(&fleet->lock);
	return copy ? http_send_nothing(res, 204)
		    : err_set(e, ERR_NOT_FOUND, "no instance '%s' was ever here", id);
}

static int serve_logs(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)req;
	(void)e;
	return http_send_json(res, 200, json_pack("{s:s}", "logs", "web: listening on port 80\n"));
}

#define NODE "/{node}/api/v1"

static const struct http_route routes[] = {
	{ "GET", NODE "/health", serve_health, HTTP_QUICK, 0 },
	{ "GET", "/hanging/{node}/api/v1/health", serve_hanging, 0, 0 },
	{ "GET", NODE "/admin/challenges/build-state", serve_images, HTTP_QUICK, 0 },
	{ "GET", NODE "/admin/challenges/pull-state", serve_images, HTTP_QUICK, 0 },
	{ "POST", NODE "/instances", serve_start, 0, 0 },
	{ "DELETE", NODE "/instances/{id}", serve_stop, HTTP_QUICK, 0 },
	{ "GET", NODE "/instances/{id}/container-logs", serve_logs, HTTP_QUICK, 0 },
	{ .method = NULL },
};

int fleet_new(const struct fleet_options *options, struct fleet **ret_fleet, struct err *e)
{
	static const struct http_route *const tables[] = { routes, NULL };
	struct http_server_options server = { .listen = "127.0.0.1:0",
					      .tables = tables,
					      .workers = WORKERS };
	struct fleet *fleet = calloc(1, sizeof(*fleet));
	int r;

	if (!fleet)
		return err_memory(e);
	fleet->options = *options;
	fleet->running = calloc(options->nodes + 1, sizeof(*fleet->running));
	fleet->beats = calloc(options->nodes + 1, sizeof(*fleet->beats));
	pthread_mutex_init(&fleet->lock, NULL);
	server.ctx = fleet;
	r = fleet->running && fleet->beats ? http_serve(&server, &fleet->server, e) : err_memory(e);
	if (r < 0) {
		fleet_free(fleet);
		return r;
	}
	*ret_fleet = fleet;
	return 0;
}

static void free_copies(struct copy *copy)
{
	while (copy) {
		struct copy *next = copy->next;

		free(copy);
		copy = next;
	}
}

void fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return;
	atomic_store(&fleet->ending, true);
	http_server_free(fleet->server);
	for (size_t i = 0; i < BUCKETS; i++)
		free_copies(fleet->buckets[i]);
	pthread_mutex_destroy(&fleet->lock);
	free(fleet->running);
	free(fleet->beats);
	free(fleet);
}

static int register_node(struct fleet *fleet, struct http_client *platform, const char *join_secret,
			 unsigned node, struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	char body[512];
	const struct http_call call = {
		.method = "POST",
		.path = "/api/v1/nodes/register",
		.body = body,
		.body_len = (size_t)snprintf(body, sizeof(body),
					     "{\"join_secret\":\"%s\",\"name\":\"n%u\","
					     "\"url\":\"http://127.0.0.1:%u%s/n%u\"}",
					     join_secret, node, http_server_port(fleet->server),
					     hangs(fleet, node) ? "/hanging" : "", node),
		.timeout_ms = 60000,
	};
	int r = http_call(platform, &call, &reply, e);

	if (r == 0 && reply.status != 201)
		r = err_set(e, ERR_NODE, "the platform refuses node n%u: %s", node,
			    reply.body.data);
	return r;
}

int fleet_register(struct fleet *fleet, struct http_client *platform, const char *join_secret,
		   struct err *e)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < fleet->options.nodes; i++)
		r = register_node(fleet, platform, join_secret, i, e);
	return r;
}

int fleet_answer(struct fleet *fleet, const char *instance_id, char answer[FLEET_ANSWER_SIZE])
{
	struct copy *copy;

	pthread_mutex_lock(&fleet->lock);
	copy = *bucket_of(fleet, instance_id);
	while (copy && !(copy->phase == RUNNING && is_same_instance(copy->id, instance_id)))
		copy = copy->next;
	if (copy)
		memcpy(answer, copy->answer, FLEET_ANSWER_SIZE);
	pthread_mutex_unlock(&fleet->lock);
	return copy ? 0 : -ERR_NOT_FOUND;
}

void fleet_watch(struct fleet *fleet)
{
	int64_t now = clock_monotonic_ms();

	for (unsigned i = 0; i < fleet->options.nodes; i++)
		atomic_store(&fleet->beats[i].last_at, now);
	atomic_store(&fleet->watching, true);
}

/* Whether another copy of this instance comes later in its bucket. */
static bool is_told_again(const struct copy *copy)
{
	for (const struct copy *other = copy->next; other; other = other->next)
		if (is_same_instance(other->id, copy->id))
			return true;
	return false;
}

void fleet_report(struct fleet *fleet, struct fleet_report *ret_report)
{
	struct fleet_report report = { .doubles = fleet->doubles,
				       .beats = atomic_load(&fleet->beat_count) };

	for (unsigned i = 0; i < fleet->options.nodes - fleet->options.hanging; i++)
		if (atomic_load(&fleet->beats[i].gap_ms) > report.gap_ms)
			report.gap_ms = atomic_load(&fleet->beats[i].gap_ms);
	pthread_mutex_lock(&fleet->lock);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct copy *copy = fleet->buckets[i]; copy; copy = copy->next) {
			report.copies++;
			report.live += lives(copy);
			report.instances += !is_told_again(copy);
		}
	}
	pthread_mutex_unlock(&fleet->lock);
	*ret_report = report;
}
