/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/node.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "http/call.h"
#include "platform/pacer.h"
#include "platform/rows.h"
#include "platform/schema.h"
#include "platform/stock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum {
	HEARTBEAT_UNWELL_MS = 1000, /* at most, to the next heartbeat of a node that isn't well */
	BEGIN_WITHIN_MS = 500,      /* all of them, when the platform begins */
};

/* Every so many heartbeats a node is asked for its stock, too: from the second on. */
enum { STOCK_EVERY = 6, STOCK_TIMEOUT_S = 10 };

/* What the last heartbeats said. */
struct report {
	enum node_state state;
	unsigned misses;
	int64_t seen_at;
	int64_t running, capacity;
	struct supply memory, nano_cpus; /* without `need`: that is the challenge's */
	char *status, *version, *engine, *warning;
	char *detail; /* why it isn't healthy; NULL when it is */
	struct stock stock;
};

struct node {
	struct node *next; /* in its nodes' list */
	struct nodes *nodes;
	char *id, *name, *url;
	struct ctfy_node_client *client;
	struct http_client *wire;
	atomic_int holders;

	struct pace heartbeat;
	unsigned beats; /* that were answered well */

	pthread_mutex_t lock; /* of what follows */
	bool ending;
	bool drained;
	struct report report;
};

struct nodes {
	struct nodes_options options;
	struct pacer *heartbeats;
	pthread_mutex_t lock; /* of the list */
	struct node *first;
	bool beating;
};

static const char *const state_words[] = { "joining", "healthy", "degraded", "lost" };

const char *nodes_state_word(enum node_state state)
{
	return state_words[state];
}

enum node_state nodes_next_state(enum node_state state, bool answered, bool well, unsigned *misses)
{
	if (!answered) {
		(*misses)++;
		if (*misses >= NODE_MISSES_LOST)
			return NODE_LOST;
		return state == NODE_HEALTHY ? NODE_DEGRADED : state;
	}
	*misses = 0;
	return state == NODE_LOST || !well ? NODE_DEGRADED : NODE_HEALTHY;
}

static void report_done(struct report *report)
{
	free(report->status);
	free(report->version);
	free(report->engine);
	free(report->warning);
	free(report->detail);
	stock_done(&report->stock);
}

void node_drop(struct node *node)
{
	if (!node || atomic_fetch_sub(&node->holders, 1) > 1)
		return;
	ctfy_node_client_free(node->client);
	http_client_free(node->wire);
	report_done(&node->report);
	pthread_mutex_destroy(&node->lock);
	free(node->id);
	free(node->name);
	free(node->url);
	free(node);
}

static struct node *hold(struct node *node)
{
	atomic_fetch_add(&node->holders, 1);
	return node;
}

/* Both ways to call it. */
static int connect_node(struct node *node, const char *token, struct err *e)
{
	const char *ca_file = node->nodes->options.ca_file;
	const struct ctfy_node_options options = { .ca_file = ca_file };
	const struct http_client_options wire = {
		.base_url = node->url, .role = "node", .bearer = token, .ca_file = ca_file
	};
	struct ctfy_error error = CTFY_ERROR_INIT;

	if (ctfy_node_client_new(node->url, token, &options, &node->client, &error) < 0) {
		err_set(e, ERR_VALIDATION, "node '%s': %s", node->name, error.detail);
		ctfy_error_done(&error);
		return -(int)ERR_VALIDATION;
	}
	return http_client_new(&wire, &node->wire, e);
}

static int make_node(struct nodes *nodes, const char *id, const char *name, const char *url,
		     const char *token, struct node **ret_node, struct err *e)
{
	AUTO(struct node *, node_dropp) node = calloc(1, sizeof(*node));
	int r;

	if (!node)
		return err_memory(e);
	pthread_mutex_init(&node->lock, NULL);
	node->holders = 1;
	node->nodes = nodes;
	node->id = strdup(id);
	node->name = strdup(name);
	node->url = strdup(url);
	if (!node->id || !node->name || !node->url)
		return err_memory(e);
	r = connect_node(node, token, e);
	if (r < 0)
		return r;
	*ret_node = TAKE(node);
	return 0;
}

/* Heartbeats */

static const char *or_none(const char *text)
{
	return text ? text : "";
}

static void take_report(struct report *report, struct ctfy_node_health *health, int64_t now)
{
	bool well = health->status && strcmp(health->status, "ok") == 0;

	report->state = nodes_next_state(report->state, true, well, &report->misses);
	report->seen_at = now;
	report->running = health->running;
	report->capacity = health->capacity;
	report->memory = (struct supply){ health->memory_promised, health->memory, 0 };
	report->nano_cpus = (struct supply){ health->nano_cpus_promised, health->nano_cpus, 0 };
	free(report->status);
	free(report->version);
	free(report->engine);
	free(report->warning);
	free(report->detail);
	report->warning = TAKE(health->warning);
	report->status = TAKE(health->status);
	report->version = TAKE(health->version);
	report->engine = TAKE(health->engine);
	report->detail = well ? NULL : strdup(or_none(report->status));
}

static void take_miss(struct report *report, struct ctfy_error *error)
{
	report->state = nodes_next_state(report->state, false, false, &report->misses);
	free(report->detail);
	report->detail = TAKE(error->detail);
}

static void log_change(const struct node *node, enum node_state before, const struct report *now)
{
	if (before == now->state)
		return;
	if (now->state == NODE_HEALTHY)
		log_info("node '%s' is healthy: %s, %lld/%lld instances", node->name,
			 or_none(now->engine), (long long)now->running, (long long)now->capacity);
	else
		log_warn("node '%s' is %s: %s", node->name, state_words[now->state],
			 or_none(now->detail));
}

static enum node_state beat(struct node *node)
{
	const struct nodes_options *options = &node->nodes->options;
	struct ctfy_call call = { .timeout = (double)options->heartbeat_timeout_ms / 1000 };
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_node_health health;
	enum node_state before, state;
	int r;

	r = ctfy_node_health(node->client, &health, &call, &error);
	pthread_mutex_lock(&node->lock);
	before = node->report.state;
	if (r == 0)
		take_report(&node->report, &health, clock_now_ms(options->clock));
	else
		take_miss(&node->report, &error);
	state = node->report.state;
	log_change(node, before, &node->report);
	pthread_mutex_unlock(&node->lock);
	ctfy_node_health_done(&health);
	ctfy_error_done(&error);
	return state;
}

/* Without memory for it, what the node said before goes on being believed. */
static void take_stock(struct node *node, const struct ctfy_image_rows *builds,
		       const struct ctfy_image_rows *pulls)
{
	struct stock stock;

	if (!stock_read(builds, pulls, &stock))
		return;
	pthread_mutex_lock(&node->lock);
	stock_done(&node->report.stock);
	node->report.stock = stock;
	pthread_mutex_unlock(&node->lock);
}

/*
 * Placement prefers whoever is warm, and passes over whoever has too little left. It goes by less
 * where a node doesn't say: that one refuses for itself.
 */
static void ask_for_stock(struct node *node)
{
	const struct ctfy_call call = { .timeout = STOCK_TIMEOUT_S };
	struct ctfy_image_rows builds, pulls = { .rows = NULL };

	if (ctfy_node_get_build_state(node->client, &builds, &call, NULL) == 0 &&
	    ctfy_node_get_pull_state(node->client, &pulls, &call, NULL) == 0)
		take_stock(node, &builds, &pulls);
	ctfy_image_rows_done(&builds);
	ctfy_image_rows_done(&pulls);
}

/* Every node has its own place within a time, so that hundreds aren't asked at one moment. */
static int64_t phase(const struct node *node, int64_t ms)
{
	uint32_t hash = 2166136261u;

	for (const char *c = node->id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return hash % ms;
}

static int64_t next_beat_in(const struct node *node, enum node_state state)
{
	int64_t ms = node->nodes->options.heartbeat_ms;

	if (state != NODE_HEALTHY)
		return ms < HEARTBEAT_UNWELL_MS ? ms : HEARTBEAT_UNWELL_MS;
	return node->beats == 1 ? phase(node, ms) : ms;
}

static bool is_ending(struct node *node)
{
	bool ending;

	pthread_mutex_lock(&node->lock);
	ending = node->ending;
	pthread_mutex_unlock(&node->lock);
	return ending;
}

static int64_t serve_heartbeat(struct pace *pace)
{
	struct node *node =
		(struct node *)(void *)((char *)pace - offsetof(struct node, heartbeat));
	const struct nodes_options *options = &node->nodes->options;
	enum node_state state;

	if (is_ending(node)) {
		node_drop(node);
		return PACE_OVER;
	}
	state = beat(node);
	if (options->beaten)
		options->beaten(options->cookie, node->id, state);
	if (state == NODE_HEALTHY && node->beats++ % STOCK_EVERY == 1)
		ask_for_stock(node);
	return next_beat_in(node, state);
}

static int begin_heartbeat(struct node *node, int64_t in_ms, struct err *e)
{
	int r;

	node->heartbeat.round = serve_heartbeat;
	r = pacer_add(node->nodes->heartbeats, &hold(node)->heartbeat, in_ms, e);
	if (r < 0)
		node_drop(node);
	return r;
}

static void end_heartbeat(struct node *node)
{
	pthread_mutex_lock(&node->lock);
	node->ending = true;
	pthread_mutex_unlock(&node->lock);
	pacer_hurry(node->nodes->heartbeats, &node->heartbeat);
}

/* The list */

/* Takes the node with this id out of the list; the caller drops it. */
static struct node *unlink_node(struct nodes *nodes, const char *id)
{
	for (struct node **at = &nodes->first; *at; at = &(*at)->next) {
		struct node *found = *at;

		if (strcmp(found->id, id) != 0)
			continue;
		*at = found->next;
		return found;
	}
	return NULL;
}

/* Puts the node where the one with its id was; takes it. */
static int put_node(struct nodes *nodes, struct node *node, struct err *e)
{
	AUTO(struct node *, node_dropp) before = NULL;
	int r = 0;

	pthread_mutex_lock(&nodes->lock);
	before = unlink_node(nodes, node->id);
	node->next = nodes->first;
	nodes->first = node;
	if (nodes->beating)
		r = begin_heartbeat(node, 0, e);
	pthread_mutex_unlock(&nodes->lock);
	if (before)
		end_heartbeat(before);
	return r;
}

struct stored_node {
	char *id, *name, *url, *token;
	bool drained;
};

#define NODE_SELECT "SELECT id, name, url, token, drained FROM node"

static void read_node(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct stored_node *stored = ret_struct;

	*stored = (struct stored_node){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.name = arena_strdup(arena, db_get_text(rows, 1)),
		.url = arena_strdup(arena, db_get_text(rows, 2)),
		.token = arena_strdup(arena, db_get_secret(rows, 3)),
		.drained = db_get_int(rows, 4) != 0,
	};
}

/* Into the list, in place of the one with its id. */
static int put_stored(struct nodes *nodes, const struct stored_node *stored, struct err *e)
{
	struct node *node = NULL;
	int r = make_node(nodes, stored->id, stored->name, stored->url, stored->token, &node, e);

	if (r < 0)
		return r;
	node->drained = stored->drained;
	return put_node(nodes, node, e);
}

static int load(struct nodes *nodes, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct stored_node *stored;
	size_t count;
	int r;

	if (!arena)
		return err_memory(e);
	r = rows_all(nodes->options.db, arena, NODE_SELECT, NULL, read_node, sizeof(*stored),
		     &stored, &count, e);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = put_stored(nodes, &stored[i], e);
	return r;
}

int nodes_new(const struct nodes_options *options, struct nodes **ret_nodes, struct err *e)
{
	struct nodes *nodes = calloc(1, sizeof(*nodes));
	int r;

	if (!nodes)
		return err_memory(e);
	nodes->options = *options;
	pthread_mutex_init(&nodes->lock, NULL);
	r = pacer_new(&nodes->heartbeats, e);
	if (r == 0)
		r = load(nodes, e);
	if (r < 0) {
		nodes_free(nodes);
		return r;
	}
	*ret_nodes = nodes;
	return 0;
}

int nodes_begin(struct nodes *nodes, struct err *e)
{
	int r = 0;

	pthread_mutex_lock(&nodes->lock);
	nodes->beating = true;
	for (struct node *node = nodes->first; r == 0 && node; node = node->next)
		r = begin_heartbeat(node, phase(node, BEGIN_WITHIN_MS), e);
	pthread_mutex_unlock(&nodes->lock);
	return r;
}

void nodes_end(struct nodes *nodes)
{
	pthread_mutex_lock(&nodes->lock);
	nodes->beating = false;
	for (struct node *node = nodes->first; node; node = node->next)
		end_heartbeat(node);
	pthread_mutex_unlock(&nodes->lock);
	pacer_wait(nodes->heartbeats);
}

void nodes_free(struct nodes *nodes)
{
	if (!nodes)
		return;
	if (nodes->heartbeats)
		nodes_end(nodes);
	pacer_free(nodes->heartbeats);
	while (nodes->first) {
		struct node *node = nodes->first;

		nodes->first = node->next;
		node_drop(node);
	}
	pthread_mutex_destroy(&nodes->lock);
	free(nodes);
}

struct node *nodes_take(struct nodes *nodes, const char *id)
{
	struct node *found = NULL;

	pthread_mutex_lock(&nodes->lock);
	for (struct node *node = nodes->first; node && !found; node = node->next)
		if (strcmp(node->id, id) == 0)
			found = hold(node);
	pthread_mutex_unlock(&nodes->lock);
	return found;
}

static size_t count_nodes(const struct nodes *nodes)
{
	size_t count = 0;

	for (const struct node *node = nodes->first; node; node = node->next)
		count++;
	return count;
}

static int by_name(const void *a, const void *b)
{
	const struct node *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

int nodes_take_all(struct nodes *nodes, struct arena *arena, struct node ***ret_nodes,
		   size_t *ret_count, struct err *e)
{
	struct node **all;
	size_t count = 0;

	pthread_mutex_lock(&nodes->lock);
	all = arena_array(arena, count_nodes(nodes) + 1, sizeof(struct node *));
	for (struct node *node = nodes->first; all && node; node = node->next)
		all[count++] = hold(node);
	pthread_mutex_unlock(&nodes->lock);
	if (!all)
		return err_memory(e);
	qsort(all, count, sizeof(struct node *), by_name);
	*ret_nodes = all;
	*ret_count = count;
	return 0;
}

const char *nodes_id(const struct node *node)
{
	return node->id;
}

const char *nodes_name(const struct node *node)
{
	return node->name;
}

struct ctfy_node_client *nodes_client(const struct node *node)
{
	return node->client;
}

struct http_client *nodes_wire(const struct node *node)
{
	return node->wire;
}

enum node_state nodes_state(struct node *node)
{
	enum node_state state;

	pthread_mutex_lock(&node->lock);
	state = node->report.state;
	pthread_mutex_unlock(&node->lock);
	return state;
}

void nodes_count(struct nodes *nodes, int64_t ret_counts[NODE_STATES])
{
	memset(ret_counts, 0, NODE_STATES * sizeof(*ret_counts));
	pthread_mutex_lock(&nodes->lock);
	for (struct node *node = nodes->first; node; node = node->next)
		ret_counts[nodes_state(node)]++;
	pthread_mutex_unlock(&nodes->lock);
}

int64_t nodes_seen_at(struct node *node)
{
	int64_t seen_at;

	pthread_mutex_lock(&node->lock);
	seen_at = node->report.seen_at;
	pthread_mutex_unlock(&node->lock);
	return seen_at;
}

static json_t *supply_json(const struct supply *supply)
{
	return json_make("{s:I, s:I}", "promised", (json_int_t)supply->promised, "most",
			 (json_int_t)supply->most);
}

json_t *nodes_json(struct node *node)
{
	char seen[CLOCK_TEXT_SIZE];
	const struct report *report = &node->report;
	json_t *json;

	pthread_mutex_lock(&node->lock);
	json = json_make("{s:b, s:s, s:s, s:s, s:s, s:s?, s:I, s:I, s:o, s:o, s:s?, s:s?, s:s?,"
			 "s:s?}",
			 "drained", node->drained, "id", node->id, "name", node->name, "url",
			 node->url, "state", state_words[report->state], "detail", report->detail,
			 "running", (json_int_t)report->running, "capacity",
			 (json_int_t)report->capacity, "memory", supply_json(&report->memory),
			 "nano_cpus", supply_json(&report->nano_cpus), "version", report->version,
			 "engine", report->engine, "seen_at",
			 report->seen_at ? clock_format(report->seen_at, seen) : NULL, "warning",
			 report->warning);
	pthread_mutex_unlock(&node->lock);
	return json;
}

static void read_load(struct node *node, struct arena *arena, const char *challenge_id,
		      struct node_load *load)
{
	const struct report *report = &node->report;
	const struct stock_item *item;

	pthread_mutex_lock(&node->lock);
	load->id = arena_strdup(arena, node->id);
	load->healthy = report->state == NODE_HEALTHY;
	load->joining = report->state == NODE_JOINING;
	load->drained = node->drained;
	load->running = report->running;
	load->capacity = report->capacity;
	load->memory = report->memory;
	load->nano_cpus = report->nano_cpus;
	item = challenge_id ? stock_find(&report->stock, challenge_id) : NULL;
	load->warm = item && item->warm;
	load->memory.need = item ? item->memory : 0;
	load->nano_cpus.need = item ? item->nano_cpus : 0;
	pthread_mutex_unlock(&node->lock);
}

int nodes_loads(struct nodes *nodes, struct arena *arena, const char *challenge_id,
		struct node_load **ret_loads, size_t *ret_count, struct err *e)
{
	struct node_load *loads;
	size_t count = 0;

	pthread_mutex_lock(&nodes->lock);
	loads = arena_array(arena, count_nodes(nodes) + 1, sizeof(*loads));
	for (struct node *node = nodes->first; loads && node; node = node->next)
		read_load(node, arena, challenge_id, &loads[count++]);
	pthread_mutex_unlock(&nodes->lock);
	if (arena_failed(arena))
		return err_memory(e);
	*ret_loads = loads;
	*ret_count = count;
	return 0;
}

/* Registration */

static int store_node(struct nodes *nodes, const char *fresh_id, const char *name, const char *url,
		      const char *token, struct err *e)
{
	int64_t now = clock_now_ms(nodes->options.clock), changed;
	char hash[SECRET_HASH_SIZE];
	int r;

	secret_hash(token, hash);
	r = db_change(nodes->options.db,
		      "UPDATE node SET url = ?, token = ?, token_hash = ?, registered_at = ?"
		      " WHERE name = ?",
		      DB_ARGS(db_text(url), db_secret(token), db_text(hash), db_int(now),
			      db_text(name)),
		      &changed, e);
	if (r < 0 || changed > 0)
		return r;
	return db_run(nodes->options.db,
		      "INSERT INTO node (id, name, url, token, token_hash, created_at,"
		      " registered_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
		      DB_ARGS(db_text(fresh_id), db_text(name), db_text(url), db_secret(token),
			      db_text(hash), db_int(now), db_int(now)),
		      e);
}

static int store_and_find(struct nodes *nodes, struct arena *arena, const char *name,
			  const char *url, const char *token, struct stored_node *ret_stored,
			  struct err *e)
{
	char id[ROW_ID_SIZE];
	int r;

	id_random(id, ROW_ID_SIZE - 1);
	r = db_begin(nodes->options.db, e);
	if (r < 0)
		return r;
	r = store_node(nodes, id, name, url, token, e);
	if (r >= 0)
		r = rows_one(nodes->options.db, arena, NODE_SELECT " WHERE name = ?",
			     DB_ARGS(db_text(name)), read_node, ret_stored, "node", e);
	if (r < 0) {
		db_rollback(nodes->options.db);
		return r;
	}
	return db_commit(nodes->options.db, e);
}

int nodes_put(struct nodes *nodes, struct arena *arena, const char *name, const char *url,
	      const char *token, char **ret_id, struct err *e)
{
	struct stored_node stored;
	struct node *node;
	int r;

	if (!id_valid(name))
		return err_set(e, ERR_VALIDATION, NODE_NAME_WANTED, name);
	/* Made once before it is stored, so that no unusable URL ever is. */
	r = make_node(nodes, "", name, url, token, &node, e);
	if (r < 0)
		return r;
	node_drop(node);
	r = store_and_find(nodes, arena, name, url, token, &stored, e);
	if (r < 0)
		return r;
	r = put_stored(nodes, &stored, e);
	if (r < 0)
		return r;
	log_info("node '%s' registered", name);
	*ret_id = stored.id;
	return 0;
}

static void read_node_id(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(const char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

int nodes_find_name(struct nodes *nodes, struct arena *arena, const char *name, const char **ret_id,
		    struct err *e)
{
	int r = rows_one(nodes->options.db, arena, "SELECT id FROM node WHERE name = ?",
			 DB_ARGS(db_text(name)), read_node_id, ret_id, "node", e);

	if (r != -ERR_NOT_FOUND)
		return r;
	*ret_id = NULL;
	return 0;
}

int nodes_register(struct nodes *nodes, struct arena *arena, const char *name, const char *url,
		   char **ret_id, char token[SECRET_TOKEN_SIZE], struct err *e)
{
	secret_token(token);
	return nodes_put(nodes, arena, name, url, token, ret_id, e);
}

/* Changing */

static int store_token(struct nodes *nodes, struct arena *arena, const char *id, const char *token,
		       struct stored_node *ret_stored, struct err *e)
{
	char hash[SECRET_HASH_SIZE];
	int r;

	secret_hash(token, hash);
	r = db_begin(nodes->options.db, e);
	if (r < 0)
		return r;
	r = db_run(nodes->options.db, "UPDATE node SET token = ?, token_hash = ? WHERE id = ?",
		   DB_ARGS(db_secret(token), db_text(hash), db_text(id)), e);
	if (r >= 0)
		r = rows_one(nodes->options.db, arena, NODE_SELECT " WHERE id = ?",
			     DB_ARGS(db_text(id)), read_node, ret_stored, "node", e);
	if (r < 0) {
		db_rollback(nodes->options.db);
		return r;
	}
	return db_commit(nodes->options.db, e);
}

int nodes_rotate(struct nodes *nodes, struct arena *arena, const char *id,
		 char token[SECRET_TOKEN_SIZE], struct err *e)
{
	struct stored_node stored;
	int r;

	secret_token(token);
	r = store_token(nodes, arena, id, token, &stored, e);
	return r < 0 ? r : put_stored(nodes, &stored, e);
}

int nodes_revoke(struct nodes *nodes, struct arena *arena, const char *id, struct err *e)
{
	char nobodys[SECRET_TOKEN_SIZE];

	return nodes_rotate(nodes, arena, id, nobodys, e);
}

int nodes_drain(struct nodes *nodes, const char *id, bool drained, struct err *e)
{
	AUTO(struct node *, node_dropp) node = nodes_take(nodes, id);
	int r;

	if (!node)
		return err_set(e, ERR_NOT_FOUND, "there is no such node");
	r = db_run(nodes->options.db, "UPDATE node SET drained = ? WHERE id = ?",
		   DB_ARGS(db_int(drained), db_text(id)), e);
	if (r < 0)
		return r;
	pthread_mutex_lock(&node->lock);
	node->drained = drained;
	pthread_mutex_unlock(&node->lock);
	return 0;
}

static int delete_node(struct db *db, const char *id, struct err *e)
{
	int64_t live, changed;
	int r;

	r = rows_count(db, "SELECT COUNT(*) FROM instance WHERE node_id = ? AND live = 1",
		       DB_ARGS(db_text(id)), &live, e);
	if (r == 0 && live > 0)
		return err_set(e, ERR_CONFLICT, "%lld instances are on this node: stop them first",
			       (long long)live);
	if (r == 0)
		r = db_run(db, "DELETE FROM leftover WHERE node_id = ?", DB_ARGS(db_text(id)), e);
	if (r == 0)
		r = db_run(db,
			   "UPDATE archive SET status = 'failed', detail = 'its node was removed'"
			   " WHERE node_id = ? AND status = 'owed'",
			   DB_ARGS(db_text(id)), e);
	if (r == 0)
		r = db_change(db, "DELETE FROM node WHERE id = ?", DB_ARGS(db_text(id)), &changed,
			      e);
	if (r == 0 && changed == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such node");
	return r;
}

int nodes_remove(struct nodes *nodes, const char *id, struct err *e)
{
	AUTO(struct node *, node_dropp) node = NULL;
	int r;

	r = db_begin(nodes->options.db, e);
	if (r < 0)
		return r;
	r = delete_node(nodes->options.db, id, e);
	r = rows_end(nodes->options.db, r, e);
	if (r < 0)
		return r;
	pthread_mutex_lock(&nodes->lock);
	node = unlink_node(nodes, id);
	pthread_mutex_unlock(&nodes->lock);
	if (node)
		end_heartbeat(node);
	return 0;
}

static enum err_code code_of(int status)
{
	return status == 404 ? ERR_NOT_FOUND : status == 503 ? ERR_UNAVAILABLE : ERR_NODE;
}

int nodes_failed(const struct node *node, struct ctfy_error *error, struct err *e)
{
	int r;

	if (error->kind == CTFY_ERROR_NODE) {
		r = err_set(e, code_of(error->status), "%s", or_none(error->detail));
	} else {
		log_warn("node '%s': %s", node->name, or_none(error->detail));
		r = err_set(e, ERR_NODE, "the node of this instance does not answer (%s)",
			    ctfy_error_word(error->kind));
	}
	ctfy_error_done(error);
	return r;
}

int nodes_unreachable(const struct node *node, const struct err *failed, struct err *e)
{
	log_warn("node '%s': %s", node->name, failed->msg);
	return err_set(e, ERR_NODE, "the node of this instance does not answer (%s)",
		       err_word(failed->code));
}

int nodes_refused(const struct http_reply *reply, struct err *e)
{
	AUTO(json_t *, json_decrefp) json = NULL;
	const char *detail = NULL;

	if (json_parse(reply->body.data, reply->body.len, &json, NULL) == 0)
		detail = json_string_value(json_object_get(json, "detail"));
	if (!detail)
		return err_set(e, code_of(reply->status), "the node refused, with status %d",
			       reply->status);
	return err_set(e, reply->status == 409 ? ERR_CONFLICT : code_of(reply->status), "%s",
		       detail);
}
