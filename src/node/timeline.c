/* SPDX-License-Identifier: Apache-2.0 */
#include "node/timeline.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "db/db.h"
#include "engine/event.h"
#include "node/compose.h"
#include "node/instance.h"
#include "node/node.h"
#include "wire/instance.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int insert(struct node *node, const char *instance_id, int64_t at, const char *event,
		  const char *service, const char *detail, struct err *e)
{
	return db_run(node->db,
		      "INSERT INTO event (instance_id, at, event, service, detail)"
		      " VALUES (?, ?, ?, ?, ?)",
		      DB_ARGS(db_text(instance_id), db_int(at), db_text(event), db_text(service),
			      db_text(detail)),
		      e);
}

void timeline_add(struct node *node, const char *instance_id, const char *event,
		  const char *service, const char *fmt, ...)
{
	struct buf detail = BUF_INIT;
	struct err e = ERR_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&detail, fmt, ap);
	va_end(ap);
	if (insert(node, instance_id, clock_now_ms(node->clock), event, service,
		   detail.len ? detail.data : NULL, &e) < 0)
		log_error("timeline of '%s': %s", instance_id, e.msg);
	buf_done(&detail);
}

static json_t *event_json(const struct db_rows *rows)
{
	char at[CLOCK_TEXT_SIZE];

	return json_make("{s:s,s:s,s:s?,s:s?}", "at", clock_format(db_get_int(rows, 0), at),
			 "event", db_get_text(rows, 1), "service", db_get_text(rows, 2), "detail",
			 db_get_text(rows, 3));
}

int timeline_read(struct node *node, const char *instance_id, json_t **ret_events, struct err *e)
{
	AUTO(json_t *, json_decrefp) events = json_array();
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	struct ctfy_instance row = { 0 };
	int r;

	r = events ? instance_row(node, instance_id, &row, e) : err_memory(e);
	fields_done(instance_fields, &row);
	if (r == 0)
		r = db_query(node->db,
			     "SELECT at, event, service, detail, id FROM event"
			     " WHERE instance_id = ?1 UNION ALL"
			     " SELECT at, 'dropped', NULL, count || ' times ' || event, 0"
			     " FROM event_dropped WHERE instance_id = ?1 ORDER BY 1, 5",
			     DB_ARGS(db_text(instance_id)), &rows, e);
	if (r < 0)
		return r;
	while ((r = db_next(rows, e)) > 0)
		if (json_array_append_new(events, event_json(rows)) < 0)
			return err_memory(e);
	if (r == 0)
		*ret_events = TAKE(events);
	return r;
}

struct watch {
	struct node *node;
	pthread_t thread;
	atomic_bool stopping;
	int64_t last_ns; /* up to where the engine's events are known */
};

static const char *attribute(const struct engine_event *event, const char *name)
{
	return json_string_value(json_object_get(event->attributes, name));
}

/* What we do ourselves is no news: a teardown's kills would bury what matters. */
static bool is_news(struct node *node, const char *instance_id)
{
	struct ctfy_instance row = { 0 };
	bool news = instance_row(node, instance_id, &row, NULL) == 0 &&
		    (strcmp(row.status, "running") == 0 || strcmp(row.status, "starting") == 0);

	fields_done(instance_fields, &row);
	return news;
}

static void record(struct node *node, const struct engine_event *event)
{
	const char *instance_id = attribute(event, LABEL_INSTANCE);
	const char *service = attribute(event, LABEL_SERVICE);
	const char *exit_code = attribute(event, "exitCode");
	char detail[64] = "";
	struct err e = ERR_INIT;

	if (!instance_id || !is_news(node, instance_id))
		return;
	if (exit_code)
		snprintf(detail, sizeof(detail), "exited with %s", exit_code);
	if (strcmp(event->action, "start") != 0)
		log_info("instance '%s', service '%s': %s %s", instance_id, service ? service : "",
			 event->action, detail);
	if (insert(node, instance_id, event->time_ns / 1000000, event->action, service,
		   *detail ? detail : NULL, &e) < 0)
		log_error("timeline of '%s': %s", instance_id, e.msg);
}

/*
 * A reconnection tells the last millisecond again. An event of long before that is a new one, after
 * the machine's clock was set back.
 */
static bool is_told(const struct watch *watch, const struct engine_event *event)
{
	const int64_t second = 1000000000;

	return event->time_ns <= watch->last_ns && event->time_ns > watch->last_ns - second;
}

/* What is to come is no time to ask from. */
static int64_t since_ms(const struct watch *watch)
{
	int64_t now = clock_now_ms(&clock_real), last = watch->last_ns / 1000000;

	return last < now ? last : now;
}

static int happened(void *cookie, const struct engine_event *event, struct err *e)
{
	struct watch *watch = cookie;

	(void)e;
	if (!is_told(watch, event)) {
		watch->last_ns = event->time_ns;
		record(watch->node, event);
	}
	return 0;
}

static json_t *filters_of(const struct node *node)
{
	return json_make("{s:[s],s:[s,s,s,s],s:[s+]}", "type", "container", "event", "start", "die",
			 "oom", "health_status", "label", LABEL_NODE "=", node->id);
}

/* An engine that comes back before the next ping would not be missed otherwise. */
static void tell_break(struct watch *watch)
{
	if (!atomic_load(&watch->stopping))
		node_miss_engine(watch->node);
}

static void *follow(void *cookie)
{
	struct watch *watch = cookie;
	AUTO(json_t *, json_decrefp) filters = filters_of(watch->node);
	struct timespec pause = { 0, 200 * 1000000L };

	while (filters && !atomic_load(&watch->stopping)) {
		struct engine_event_options options = {
			.filters = filters,
			.since_ms = since_ms(watch),
			.cancelled = &watch->stopping,
		};

		/* A lost engine is the keeper's to tell of; what happened meanwhile comes later. */
		engine_events(watch->node->engine, &options, happened, watch, NULL);
		tell_break(watch);
		nanosleep(&pause, NULL);
	}
	return NULL;
}

int watch_start(struct node *node, struct watch **ret_watch, struct err *e)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return err_memory(e);
	watch->node = node;
	watch->last_ns = clock_now_ms(&clock_real) * 1000000;
	if (pthread_create(&watch->thread, NULL, follow, watch) != 0) {
		free(watch);
		return err_set(e, ERR_INTERNAL, "start the watch's thread");
	}
	*ret_watch = watch;
	return 0;
}

void watch_stop(struct watch *watch)
{
	if (!watch)
		return;
	atomic_store(&watch->stopping, true);
	pthread_join(watch->thread, NULL);
	free(watch);
}
