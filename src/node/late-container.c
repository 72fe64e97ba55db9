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
	/* Far longer than any of ours is between its create and its start. */
	AGE_MS = 10 * 60 * 1000,
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

int late_containers_remove(struct node *node, struct err *e)
{
	int64_t before = clock_now_ms(node->clock) - AGE_MS;
	struct engine_container_list list = { 0 };
	struct label_filter filter;
	int r;

	label_filter(node, NULL, &filter);
	r = engine_container_list(node->engine, filter.labels, &list, e);
	for (size_t i = 0; r == 0 && i < list.count; i++) {
		const struct engine_container *container = &list.items[i];
		const char *instance_id = label(container->labels, LABEL_INSTANCE);

		if (strcmp(container->state, "created") != 0 || container->created_ms > before ||
		    !runs(node, instance_id))
			continue;
		log_warn("instance '%s': removing container '%s', which was never started",
			 instance_id, container->name);
		r = engine_container_remove(node->engine, container->id, true, e);
		if (r == -ERR_NOT_FOUND || r == -ERR_CONFLICT)
			r = 0;
	}
	engine_container_list_done(&list);
	return r;
}
