/* SPDX-License-Identifier: Apache-2.0 */
#include "node/metrics.h"

#include "base/buf.h"
#include "base/own.h"
#include "base/steady-clock.h"
#include "node/firewall.h"
#include "node/node.h"
#include "node/pool.h"
#include "node/port.h"
#include "node/roster.h"
#include "node/subnet.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

enum { CALLS_MAX = 64 };

/* A call of the Engine API, named by literals. */
struct engine_call {
	const char *method, *call;
	struct histogram time;
	atomic_uint_least64_t failures;
};

struct metrics {
	struct histogram phases[PHASES];
	struct histogram stops;
	atomic_uint_least64_t outcomes[4];
	pthread_mutex_t lock; /* of the calls being entered; their numbers need none */
	struct engine_call calls[CALLS_MAX];
	atomic_size_t call_count;
};

static const char *const phase_words[PHASES] = {
	[PHASE_IMAGES] = "images",
	[PHASE_QUEUE] = "queue",
	[PHASE_CONTAINERS] = "containers",
	[PHASE_TOTAL] = "total",
};

static const char *const outcome_words[] = { "running", "failed", "stopped", "expired" };

int metrics_new(struct metrics **ret_metrics, struct err *e)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return err_memory(e);
	pthread_mutex_init(&metrics->lock, NULL);
	*ret_metrics = metrics;
	return 0;
}

void metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return;
	pthread_mutex_destroy(&metrics->lock);
	free(metrics);
}

void metrics_start_phase(struct metrics *metrics, enum start_phase phase, int64_t us)
{
	histogram_observe(&metrics->phases[phase], us);
}

void metrics_stop(struct metrics *metrics, int64_t us)
{
	histogram_observe(&metrics->stops, us);
}

void metrics_outcome(struct metrics *metrics, const char *outcome)
{
	for (size_t i = 0; i < ARRAY_SIZE(outcome_words); i++)
		if (strcmp(outcome_words[i], outcome) == 0)
			atomic_fetch_add(&metrics->outcomes[i], 1);
}

static struct engine_call *find_call(struct metrics *metrics, const char *method, const char *call)
{
	size_t count = atomic_load(&metrics->call_count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(metrics->calls[i].call, call) == 0 &&
		    strcmp(metrics->calls[i].method, method) == 0)
			return &metrics->calls[i];
	return NULL;
}

static struct engine_call *enter_call(struct metrics *metrics, const char *method, const char *call)
{
	struct engine_call *entry;
	size_t count;

	pthread_mutex_lock(&metrics->lock);
	entry = find_call(metrics, method, call);
	count = atomic_load(&metrics->call_count);
	if (!entry && count < CALLS_MAX) {
		entry = &metrics->calls[count];
		entry->method = method;
		entry->call = call;
		atomic_store(&metrics->call_count, count + 1);
	}
	pthread_mutex_unlock(&metrics->lock);
	return entry;
}

void metrics_engine_call(void *cookie, const char *method, const char *call, int64_t us,
			 enum err_code outcome)
{
	struct metrics *metrics = cookie;
	struct engine_call *entry = find_call(metrics, method, call);

	if (!entry)
		entry = enter_call(metrics, method, call);
	if (!entry)
		return;
	histogram_observe(&entry->time, us);
	/* A 404 is an answer, as when an image is looked for. */
	if (outcome != ERR_NONE && outcome != ERR_NOT_FOUND)
		atomic_fetch_add(&entry->failures, 1);
}

static void print_calls(const struct metrics *metrics, struct buf *text)
{
	size_t count = atomic_load(&metrics->call_count);
	struct buf labels = BUF_INIT;

	for (int pass = 0; pass < 2; pass++) {
		if (pass == 0)
			metric_head(text, "ctfy_engine_call_seconds", "histogram",
				    "Time of calls to the Docker engine.");
		else
			metric_head(text, "ctfy_engine_call_failures_total", "counter",
				    "Calls that the engine refused or did not answer.");
		for (size_t i = 0; i < count; i++) {
			const struct engine_call *call = &metrics->calls[i];

			buf_clear(&labels);
			metric_label(&labels, "method", call->method);
			metric_label(&labels, "call", call->call);
			if (pass == 0)
				metric_histogram(text, "ctfy_engine_call_seconds", labels.data,
						 &call->time);
			else
				metric_row(text, "ctfy_engine_call_failures_total", labels.data,
					   (int64_t)atomic_load(&call->failures));
		}
	}
	buf_done(&labels);
}

static void print_instances(struct node *node, struct buf *text)
{
	int64_t by_status[STOPPING + 1] = { 0 };
	struct roll roll = { 0 };
	char labels[64];

	if (roster_roll(node->roster, &roll, NULL) < 0)
		return;
	for (size_t i = 0; i < roll.count; i++) {
		pthread_mutex_lock(&roll.instances[i]->lock);
		if (roll.instances[i]->status <= STOPPING)
			by_status[roll.instances[i]->status]++;
		pthread_mutex_unlock(&roll.instances[i]->lock);
	}
	roll_done(&roll);
	metric_head(text, "ctfy_instances", "gauge", "Instances that have not ended, by state.");
	for (size_t i = 0; i <= STOPPING; i++) {
		snprintf(labels, sizeof(labels), "state=\"%s\"", instance_status_words[i]);
		metric_row(text, "ctfy_instances", labels, by_status[i]);
	}
}

static void print_gauge(struct buf *text, const char *name, const char *help, int64_t value)
{
	metric_head(text, name, "gauge", help);
	metric_row(text, name, "", value);
}

static void print_starts(const struct metrics *metrics, struct buf *text)
{
	char labels[64];

	metric_head(text, "ctfy_start_seconds", "histogram",
		    "Time of starts that succeeded, by phase.");
	for (size_t i = 0; i < PHASES; i++) {
		snprintf(labels, sizeof(labels), "phase=\"%s\"", phase_words[i]);
		metric_histogram(text, "ctfy_start_seconds", labels, &metrics->phases[i]);
	}
	metric_head(text, "ctfy_stop_seconds", "histogram", "Time of verified teardowns.");
	metric_histogram(text, "ctfy_stop_seconds", "", &metrics->stops);
	metric_head(text, "ctfy_instances_total", "counter", "How starts and instances ended.");
	for (size_t i = 0; i < ARRAY_SIZE(outcome_words); i++) {
		snprintf(labels, sizeof(labels), "outcome=\"%s\"", outcome_words[i]);
		metric_row(text, "ctfy_instances_total", labels,
			   (int64_t)atomic_load(&metrics->outcomes[i]));
	}
}

void metrics_print(struct node *node, struct buf *text)
{
	print_instances(node, text);
	print_gauge(text, "ctfy_capacity", "Most instances at once.", node->options->capacity);
	print_gauge(text, "ctfy_start_queue", "Starts that wait for their turn.",
		    (int64_t)gate_waiting(&node->starts));
	print_gauge(text, "ctfy_subnets_left", "Subnets that no network has.",
		    (int64_t)subnets_left(node->subnets));
	print_gauge(text, "ctfy_ports_left", "Host ports that no instance has.",
		    (int64_t)ports_left(node->ports));
	print_gauge(text, "ctfy_networks_ready", "Networks that wait in the pool.",
		    (int64_t)pool_ready(node->pool));
	print_gauge(text, "ctfy_instances_quarantined",
		    "Instances of which something resists removal.",
		    atomic_load(&node->quarantined));
	print_gauge(text, "ctfy_engine_up", "Whether the engine answered the last ping.",
		    !atomic_load(&node->engine_lost));
	print_gauge(text, "ctfy_clock_jump_seconds",
		    "How far the machine's clock has jumped ahead, or back.",
		    steady_clock_jump(node->steady) / 1000);
	if (node->firewall) {
		metric_head(
			text, "ctfy_firewall_repairs_total", "counter",
			"How often the firewall's rules were changed by others, and set again.");
		metric_row(text, "ctfy_firewall_repairs_total", "",
			   firewall_repairs(node->firewall));
	}
	print_starts(node->metrics, text);
	print_calls(node->metrics, text);
}
