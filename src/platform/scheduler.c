#include "platform/scheduler.h"

#include "base/err.h"

#include <string.h>

static bool is_avoided(const struct scheduler_want *want, const char *id)
{
	for (size_t i = 0; i < want->avoid_count; i++)
		if (strcmp(want->avoid[i], id) == 0)
			return true;
	return false;
}

static bool may_take(const struct node_load *node)
{
	return node->healthy && !node->drained;
}

static bool has_room(const struct node_load *node)
{
	return node->running < node->capacity;
}

static double share(const struct node_load *node)
{
	return (double)node->running / (double)node->capacity;
}

static bool is_better(const struct node_load *a, const struct node_load *b)
{
	double left = share(a), right = share(b);

	if (a->warm != b->warm)
		return a->warm;
	if (left < right || left > right)
		return left < right;
	if (a->capacity - a->running != b->capacity - b->running)
		return a->capacity - a->running > b->capacity - b->running;
	return strcmp(a->id, b->id) < 0;
}

static int explain(const struct node_load *nodes, size_t count, struct err *e)
{
	int64_t running = 0, capacity = 0;
	size_t healthy = 0;
	bool drained = false;

	for (size_t i = 0; i < count; i++) {
		drained |= nodes[i].drained;
		if (!may_take(&nodes[i]))
			continue;
		healthy++;
		running += nodes[i].running;
		capacity += nodes[i].capacity;
	}
	if (count == 0)
		return err_set(e, ERR_UNAVAILABLE, "no node is registered yet");
	if (healthy == 0)
		return err_set(e, ERR_UNAVAILABLE, "none of %zu nodes is healthy%s", count,
			       drained ? " and takes new instances" : "");
	return err_set(e, ERR_UNAVAILABLE, "no room: %lld/%lld instances are running",
		       (long long)running, (long long)capacity);
}

int scheduler_pick(const struct node_load *nodes, size_t count, const struct scheduler_want *want,
		   const struct node_load **ret_node, struct err *e)
{
	const struct node_load *best = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct node_load *node = &nodes[i];

		if (!may_take(node) || !has_room(node) || is_avoided(want, node->id))
			continue;
		if (!best || is_better(node, best))
			best = node;
	}
	if (!best)
		return explain(nodes, count, e);
	*ret_node = best;
	return 0;
}

bool scheduler_may_wait(const struct node_load *nodes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (may_take(&nodes[i]))
			return true;
	return false;
}
