/* SPDX-License-Identifier: Apache-2.0 */
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

static bool is_left(const struct supply *supply, int64_t promised)
{
	return supply->most == 0 || promised + supply->need <= supply->most;
}

static bool has_room(const struct node_load *node)
{
	return node->running < node->capacity && is_left(&node->memory, node->memory.promised) &&
	       is_left(&node->nano_cpus, node->nano_cpus.promised);
}

static bool is_large_enough(const struct node_load *node)
{
	return node->capacity > 0 && is_left(&node->memory, 0) && is_left(&node->nano_cpus, 0);
}

static bool may_take(const struct node_load *node)
{
	return node->healthy && !node->drained;
}

static bool may_come_to_take(const struct node_load *node)
{
	return (node->joining && !node->drained) || (may_take(node) && is_large_enough(node));
}

static double share_of(int64_t promised, int64_t most)
{
	return most > 0 ? (double)promised / (double)most : 0;
}

/* Of what it has least left of. */
static double share(const struct node_load *node)
{
	const double shares[] = {
		share_of(node->running, node->capacity),
		share_of(node->memory.promised, node->memory.most),
		share_of(node->nano_cpus.promised, node->nano_cpus.most),
	};
	double largest = 0;

	for (size_t i = 0; i < sizeof(shares) / sizeof(shares[0]); i++)
		if (shares[i] > largest)
			largest = shares[i];
	return largest;
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

/* What nodes are like that take new instances. */
struct summary {
	size_t open, large_enough;
	int64_t running, capacity;
	struct supply memory, nano_cpus; /* need: the largest; most: the largest limit */
	bool drained;
};

static void add_supply(struct supply *sum, const struct supply *supply)
{
	if (supply->need > sum->need)
		sum->need = supply->need;
	if (supply->most > sum->most)
		sum->most = supply->most;
}

static struct summary summarize(const struct node_load *nodes, size_t count)
{
	struct summary sum = { .open = 0 };

	for (size_t i = 0; i < count; i++) {
		sum.drained |= nodes[i].drained;
		if (!may_take(&nodes[i]))
			continue;
		sum.open++;
		sum.large_enough += is_large_enough(&nodes[i]);
		sum.running += nodes[i].running;
		sum.capacity += nodes[i].capacity;
		add_supply(&sum.memory, &nodes[i].memory);
		add_supply(&sum.nano_cpus, &nodes[i].nano_cpus);
	}
	return sum;
}

static int explain(const struct node_load *nodes, size_t count, struct err *e)
{
	struct summary sum = summarize(nodes, count);
	enum { MIB = 1 << 20 };

	if (count == 0)
		return err_set(e, ERR_UNAVAILABLE, "no node is registered yet");
	if (sum.open == 0)
		return err_set(e, ERR_UNAVAILABLE, "none of %zu nodes is healthy%s", count,
			       sum.drained ? " and takes new instances" : "");
	if (sum.large_enough == 0)
		return err_set(e, ERR_UNAVAILABLE,
			       "no node is large enough: it takes %lld MiB of memory and %.1f "
			       "processors, and the most that a node promises are %lld and %.1f",
			       (long long)(sum.memory.need / MIB), (double)sum.nano_cpus.need / 1e9,
			       (long long)(sum.memory.most / MIB),
			       (double)sum.nano_cpus.most / 1e9);
	if (sum.running < sum.capacity)
		return err_set(e, ERR_UNAVAILABLE,
			       "no room: no node has %lld MiB of memory and %.1f processors left "
			       "(%lld/%lld instances are running)",
			       (long long)(sum.memory.need / MIB), (double)sum.nano_cpus.need / 1e9,
			       (long long)sum.running, (long long)sum.capacity);
	return err_set(e, ERR_UNAVAILABLE, "no room: %lld/%lld instances are running",
		       (long long)sum.running, (long long)sum.capacity);
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
		if (may_come_to_take(&nodes[i]))
			return true;
	return false;
}
