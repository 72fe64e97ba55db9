/* SPDX-License-Identifier: Apache-2.0 */
#include "node/late-container.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "engine/container.h"
#include "node/compose.h"
#include "node/node.h"
#include "node/roster.h"

#include <string.h>
#include <time.h>

enum {
	PATIENCE_MS = 10 * 1000, /* for a create that the engine is still at */
	PAUSE_MS = 100,
};

static const char *label(const json_t *labels, const char *name)
{
	const char *value = json_string_value(json_object_get(labels, name));

	return value ? value : "";
}

/* Whether the name is free now, or soon. */
static bool makes_way(struct engine *engine, const char *name, const json_t *labels)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	struct engine_container_state state;
	const json_t *theirs;
	int r = engine_container_inspect(engine, name, &inspected, NULL);

	if (r < 0)
		return r ==
		       -ERR_NOT_FOUND; /* the engine is making it, or has removed it just now */
	theirs = json_object_get(json_object_get(inspected, "Config"), "Labels");
	engine_container_state(inspected, &state);
	if (strcmp(state.status, "created") != 0 || !*label(labels, LABEL_INSTANCE) ||
	    strcmp(label(theirs, LABEL_NODE), label(labels, LABEL_NODE)) != 0 ||
	    strcmp(label(theirs, LABEL_INSTANCE), label(labels, LABEL_INSTANCE)) != 0)
		return false;
	r = engine_container_remove(engine, name, true, NULL);
	return r == 0 || r == -ERR_NOT_FOUND || r == -ERR_CONFLICT;
}

int late_container_create(struct node *node, const char *name, const json_t *body, char **ret_id,
			  struct err *e)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	int64_t deadline = clock_monotonic_ms() + PATIENCE_MS;
	int r;

	while ((r = engine_container_create(node->engine, name, body, ret_id, e)) ==
		       -ERR_CONFLICT &&
	       clock_monotonic_ms() < deadline &&
	       makes_way(node->engine, name, json_object_get(body, "Labels")))
		nanosleep(&pause, NULL);
	return r;
}

static bool runs(struct node *node, const char *instance_id)
{
	AUTO(struct instance *, instance_unrefp) inst = roster_find(node->roster, instance_id);
	bool running = false;

	if (inst) {
		pthread_mutex_lock(&inst->lock);
		running = inst->status == RUNNING && !inst->busy;
		pthread_mutex_unlock(&inst->lock);
	}
	return running;
}

bool late_container_is_old(json_t *seen, const char *id, int64_t now_ms)
{
	const json_t *since = json_object_get(seen, id);

	if (!since) /* without memory for it, it is looked at anew the next time */
		json_object_set_new(seen, id, json_integer(now_ms));
	return since && now_ms - json_integer_value(since) >= LATE_CONTAINER_AGE_MS;
}

static bool is_late(struct node *node, const struct engine_container *container)
{
	return strcmp(container->state, "created") == 0 &&
	       runs(node, label(container->labels, LABEL_INSTANCE));
}

static int remove_late(struct node *node, const struct engine_container *container, struct err *e)
{
	int r;

	log_warn("instance '%s': removing container '%s', which was never started",
		 label(container->labels, LABEL_INSTANCE), container->name);
	r = engine_container_remove(node->engine, container->id, true, e);
	return r == -ERR_NOT_FOUND || r == -ERR_CONFLICT ? 0 : r;
}

/* What is not there any more is not to be remembered. */
static void forget_others(json_t *seen, const json_t *found)
{
	const char *id;
	json_t *unused;
	void *next;

	json_object_foreach_safe(seen, next, id, unused) if (!json_object_get(found, id))
		json_object_del(seen, id);
}

int late_containers_remove(struct node *node, json_t *seen, struct err *e)
{
	AUTO(json_t *, json_decrefp) found = json_object();
	struct engine_container_list list = { 0 };
	struct label_filter filter;
	int r;

	if (!found)
		return err_memory(e);
	label_filter(node, NULL, &filter);
	r = engine_container_list(node->engine, filter.labels, &list, e);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		const struct engine_container *container = &list.items[i];

		if (!is_late(node, container))
			continue;
		json_object_set_new(found, container->id, json_true());
		if (late_container_is_old(seen, container->id, clock_monotonic_ms()))
			r = remove_late(node, container, e);
	}
	if (r == 0)
		forget_others(seen, found);
	engine_container_list_done(&list);
	return r;
}
