/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/meter.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/metric.h"
#include "base/own.h"
#include "base/steady-clock.h"
#include "platform/archive.h"
#include "platform/door.h"
#include "platform/events.h"
#include "platform/instance.h"
#include "platform/node.h"
#include "platform/rows.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { CLASSES = 5 }; /* 1xx to 5xx */

struct route_meter {
	const struct http_route *route;
	atomic_uint_least64_t answers[CLASSES];
	struct histogram time;
};

struct meter {
	atomic_uint_least64_t events[METER_EVENTS];
	struct histogram starts;
	size_t route_count;
	struct route_meter routes[]; /* in the order of their addresses */
};

static const char *const event_words[METER_EVENTS] = {
	[METER_STARTED] = "started",   [METER_FAILED] = "failed", [METER_MOVED] = "moved",
	[METER_REPLACED] = "replaced", [METER_ENDED] = "ended",
};

static size_t count_routes(const struct http_route *const *tables)
{
	size_t count = 0;

	for (; *tables; tables++)
		for (const struct http_route *route = *tables; route->method; route++)
			count++;
	return count;
}

static int by_route(const void *a, const void *b)
{
	const struct route_meter *left = a, *right = b;

	return (left->route > right->route) - (left->route < right->route);
}

int meter_new(const struct http_route *const *tables, struct meter **ret_meter, struct err *e)
{
	size_t count = count_routes(tables);
	struct meter *meter = calloc(1, sizeof(*meter) + count * sizeof(meter->routes[0]));

	if (!meter)
		return err_memory(e);
	for (; *tables; tables++)
		for (const struct http_route *route = *tables; route->method; route++)
			meter->routes[meter->route_count++].route = route;
	qsort(meter->routes, meter->route_count, sizeof(meter->routes[0]), by_route);
	*ret_meter = meter;
	return 0;
}

void meter_free(struct meter *meter)
{
	free(meter);
}

void meter_request(struct meter *meter, const struct http_route *route, int status, int64_t us)
{
	const struct route_meter wanted = { .route = route };
	struct route_meter *found = bsearch(&wanted, meter->routes, meter->route_count,
					    sizeof(meter->routes[0]), by_route);

	if (!found || status < 100 || status > 599)
		return;
	atomic_fetch_add(&found->answers[status / 100 - 1], 1);
	histogram_observe(&found->time, us);
}

void meter_count(struct meter *meter, enum meter_event event)
{
	if (meter)
		atomic_fetch_add(&meter->events[event], 1);
}

void meter_start(struct meter *meter, int64_t ms)
{
	meter_count(meter, METER_STARTED);
	if (meter)
		histogram_observe(&meter->starts, 1000 * ms);
}

/* Printing */

static void put_route(struct buf *labels, const struct http_route *route)
{
	buf_clear(labels);
	metric_label(labels, "method", route->method);
	metric_label(labels, "route", route->path);
}

static void print_requests(const struct meter *meter, struct buf *text)
{
	AUTO(struct buf, buf_done) labels = BUF_INIT;

	metric_head(text, "ctfy_requests_total", "counter", "Answers, by route and class.");
	for (size_t i = 0; i < meter->route_count; i++)
		for (size_t class = 0; class < CLASSES; class ++) {
			const struct route_meter *route = &meter->routes[i];
			uint64_t count = atomic_load(&route->answers[class]);
			char word[] = { (char)('1' + class), 'x', 'x', '\0' };

			if (count == 0)
				continue;
			put_route(&labels, route->route);
			metric_label(&labels, "status", word);
			metric_row(text, "ctfy_requests_total", labels.data, (int64_t)count);
		}
	metric_head(text, "ctfy_request_seconds", "histogram", "Time to answer, by route.");
	for (size_t i = 0; i < meter->route_count; i++) {
		const struct route_meter *route = &meter->routes[i];
		bool called = false;

		for (size_t class = 0; class < CLASSES; class ++)
			called |= atomic_load(&route->answers[class]) > 0;
		if (!called)
			continue;
		put_route(&labels, route->route);
		metric_histogram(text, "ctfy_request_seconds", labels.data, &route->time);
	}
}

static void print_events(const struct meter *meter, struct buf *text)
{
	char labels[64];

	metric_head(text, "ctfy_instances_total", "counter",
		    "What became of starts and instances.");
	for (size_t i = 0; i < METER_EVENTS; i++) {
		snprintf(labels, sizeof(labels), "event=\"%s\"", event_words[i]);
		metric_row(text, "ctfy_instances_total", labels,
			   (int64_t)atomic_load(&meter->events[i]));
	}
	metric_head(text, "ctfy_start_seconds", "histogram", "From the order to the instance.");
	metric_histogram(text, "ctfy_start_seconds", "", &meter->starts);
}

static int print_live(struct platform *platform, struct buf *text, struct err *e)
{
	static const char *const states[] = { "starting", "running", "stopping" };
	int64_t count = 0, lag = 0;
	char labels[64];
	int r = 0;

	metric_head(text, "ctfy_instances", "gauge", "Instances that have not ended, by state.");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(states); i++) {
		r = rows_count(platform->db,
			       "SELECT COUNT(*) FROM instance WHERE live = 1 AND status = ?",
			       DB_ARGS(db_text(states[i])), &count, e);
		snprintf(labels, sizeof(labels), "state=\"%s\"", states[i]);
		metric_row(text, "ctfy_instances", labels, r == 0 ? count : 0);
	}
	if (r == 0)
		r = archives_lag(platform->archives, &lag, e);
	if (r < 0)
		return r;
	r = instances_waiting(platform->db, &count, e);
	if (r < 0)
		return r;
	metric_head(text, "ctfy_clock_jump_seconds", "gauge",
		    "How far the machine's clock has jumped ahead, or back.");
	metric_row(text, "ctfy_clock_jump_seconds", "", steady_clock_jump(platform->steady) / 1000);
	metric_head(text, "ctfy_queue", "gauge", "Instances that wait for a node with room.");
	metric_row(text, "ctfy_queue", "", count);
	metric_head(text, "ctfy_archives_owed", "gauge", "Archives that nodes still owe.");
	metric_row(text, "ctfy_archives_owed", "", lag);
	metric_head(text, "ctfy_listeners", "gauge", "Who listens to /events.");
	metric_row(text, "ctfy_listeners", "", events_listeners(platform->events));
	metric_head(text, "ctfy_waiters", "gauge", "Requests that wait for an instance.");
	metric_row(text, "ctfy_waiters", "", atomic_load(&platform->waiters));
	return 0;
}

static void print_refusals(const struct platform *platform, struct buf *text)
{
	struct http_refusals refusals = { .bodies = 0 };

	if (platform->server)
		http_server_refusals(platform->server, &refusals);
	metric_head(text, "ctfy_refused_total", "counter",
		    "What clients were refused for want of room, by what there was none for.");
	metric_row(text, "ctfy_refused_total", "of=\"connections\"", (int64_t)refusals.connections);
	metric_row(text, "ctfy_refused_total", "of=\"bodies\"", (int64_t)refusals.bodies);
	metric_row(text, "ctfy_refused_total", "of=\"answers\"", (int64_t)refusals.answers);
	metric_row(text, "ctfy_refused_total", "of=\"streams\"", (int64_t)refusals.streams);
	metric_row(text, "ctfy_refused_total", "of=\"writers\"", (int64_t)refusals.writers);
}

static int print_unsent(struct platform *platform, struct buf *text, struct err *e)
{
	int64_t count, since;
	int r = archives_unsent(platform->archives, &count, &since, e);

	if (r < 0)
		return r;
	metric_head(text, "ctfy_archives_unsent", "gauge",
		    "Archives that wait on our disk for their storage.");
	metric_row(text, "ctfy_archives_unsent", "", count);
	metric_head(text, "ctfy_archive_lag_seconds", "gauge",
		    "How long the oldest of them waits.");
	metric_row(text, "ctfy_archive_lag_seconds", "",
		   since ? (door_now(platform) - since) / 1000 : 0);
	return 0;
}

static void print_node_states(struct nodes *nodes, struct buf *text)
{
	int64_t counts[NODE_STATES];
	char labels[64];

	nodes_count(nodes, counts);
	metric_head(text, "ctfy_nodes", "gauge", "Nodes, by how they are.");
	for (int i = 0; i < NODE_STATES; i++) {
		snprintf(labels, sizeof(labels), "state=\"%s\"",
			 nodes_state_word((enum node_state)i));
		metric_row(text, "ctfy_nodes", labels, counts[i]);
	}
}

static void print_drained(const struct node_load *loads, size_t count, struct buf *text)
{
	int64_t drained = 0;

	for (size_t i = 0; i < count; i++)
		drained += loads[i].drained;
	metric_head(text, "ctfy_nodes_drained", "gauge", "Nodes that get no new instances.");
	metric_row(text, "ctfy_nodes_drained", "", drained);
}

static int print_nodes(struct platform *platform, struct buf *text, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(struct buf, buf_done) labels = BUF_INIT;
	struct node_load *loads;
	size_t count;
	int r;

	if (!arena)
		return err_memory(e);
	r = nodes_loads(platform->nodes, arena, NULL, &loads, &count, e);
	if (r < 0)
		return r;
	print_node_states(platform->nodes, text);
	print_drained(loads, count, text);
	for (int pass = 0; pass < 2; pass++) {
		const char *name = pass == 0 ? "ctfy_node_running" : "ctfy_node_capacity";

		metric_head(text, name, "gauge",
			    pass == 0 ? "Instances on a node, as it said last."
				      : "Most instances of a node.");
		for (size_t i = 0; i < count; i++) {
			buf_clear(&labels);
			metric_label(&labels, "node_id", loads[i].id);
			metric_row(text, name, labels.data,
				   pass == 0 ? loads[i].running : loads[i].capacity);
		}
	}
	return 0;
}

int meter_print(struct platform *platform, struct buf *text, struct err *e)
{
	int r = print_live(platform, text, e);

	if (r == 0)
		r = print_unsent(platform, text, e);
	if (r == 0)
		r = print_nodes(platform, text, e);
	if (r < 0)
		return r;
	print_refusals(platform, text);
	print_events(platform->meter, text);
	print_requests(platform->meter, text);
	return buf_check(text, e);
}
