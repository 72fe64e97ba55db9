/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/own.h"
#include "platform/scheduler.h"

#include "check.h"

#include <string.h>

/* Where an instance goes: a row of a table for each case. */

enum { NODES_MAX = 4, MIB = 1 << 20 };

/* clang-format off */
#define NODE(id_, running_, capacity_) \
	.id = (id_), .healthy = true, .running = (running_), .capacity = (capacity_)
#define MEMORY(promised_, most_, need_) \
	.memory = { (promised_) * (int64_t)MIB, (most_) * (int64_t)MIB, (need_) * (int64_t)MIB }
/* In tenths of a processor. */
#define CPUS(promised_, most_, need_) \
	.nano_cpus = { (promised_) * 100000000LL, (most_) * 100000000LL, (need_) * 100000000LL }

static const struct placement {
	const char *what;
	struct node_load nodes[NODES_MAX];
	const char *avoid;  /* a node that refused it already */
	const char *picked; /* NULL: none is, because of: */
	const char *why;
	bool may_wait;      /* of those where none is picked */
} placements[] = {
	{ "the smallest share in use",
	  { { NODE("a", 5, 10) }, { NODE("b", 8, 20) }, { NODE("c", 3, 6) } }, .picked = "b" },
	{ "of equal shares the larger node",
	  { { NODE("a", 0, 10) }, { NODE("b", 0, 20) } }, .picked = "b" },
	{ "of equal nodes the first by id",
	  { { NODE("b", 1, 10) }, { NODE("a", 1, 10) } }, .picked = "a" },
	{ "images that are there outweigh room",
	  { { NODE("cold", 0, 10) }, { NODE("warm", 8, 10), .warm = true },
	    { NODE("warmer", 7, 10), .warm = true }, { NODE("full", 9, 9), .warm = true } },
	  .picked = "warmer" },
	{ "memory that is scarcer than places makes a node loaded",
	  { { NODE("places", 1, 10), MEMORY(900, 1000, 50) },
	    { NODE("memory", 5, 10), MEMORY(100, 1000, 50) } },
	  .picked = "memory" },
	{ "processors that are scarcer than places make a node loaded",
	  { { NODE("places", 1, 10), CPUS(35, 40, 5) }, { NODE("cpus", 5, 10), CPUS(5, 40, 5) } },
	  .picked = "cpus" },
	{ "what has no limit makes no load",
	  { { NODE("a", 2, 10), MEMORY(64000, 0, 512) }, { NODE("b", 3, 10), MEMORY(0, 0, 512) } },
	  .picked = "a" },
	{ "too little memory left is no room, warm or not",
	  { { NODE("warm", 0, 10), .warm = true, MEMORY(600, 1000, 512) },
	    { NODE("cold", 9, 10), MEMORY(0, 1000, 512) } },
	  .picked = "cold" },
	{ "too few processors left are no room",
	  { { NODE("a", 0, 10), CPUS(35, 40, 10) }, { NODE("b", 9, 10), CPUS(30, 40, 10) } },
	  .picked = "b" },
	{ "exactly enough is enough",
	  { { NODE("a", 9, 10), MEMORY(488, 1000, 512), CPUS(30, 40, 10) } }, .picked = "a" },
	{ "what it takes there is each node's own matter",
	  { { NODE("large", 0, 10), MEMORY(500, 1000, 600) },
	    { NODE("small", 5, 10), MEMORY(500, 1000, 400) } },
	  .picked = "small" },
	{ "a node that says nothing of sizes is judged by its places",
	  { { NODE("silent", 9, 10) }, { NODE("full", 0, 10), MEMORY(900, 1000, 512) } },
	  .picked = "silent" },
	{ "neither unwell, nor full, nor refused, nor drained",
	  { { .id = "unwell", .capacity = 10 }, { NODE("drained", 0, 10), .drained = true },
	    { NODE("refused", 0, 10) }, { NODE("left", 9, 10) } },
	  .avoid = "refused", .picked = "left" },

	{ "there is no node", { { .id = NULL } }, .why = "no node is registered yet" },
	{ "no node is well", { { .id = "a", .capacity = 10 } }, .why = "none of 1 nodes is healthy" },
	{ "the one that there is was not heard of yet", { { .id = "a", .joining = true } },
	  .why = "none of 1 nodes is healthy", .may_wait = true },
	{ "nor will it take anything", { { .id = "a", .joining = true, .drained = true } },
	  .why = "none of 1 nodes is healthy" },
	{ "one is too small, of the other nothing is known",
	  { { NODE("small", 0, 10), MEMORY(0, 1024, 2048) }, { .id = "b", .joining = true } },
	  .why = "no node is large enough", .may_wait = true },
	{ "the only one is drained", { { NODE("a", 0, 10), .drained = true } },
	  .why = "none of 1 nodes is healthy and takes new instances" },
	{ "all places are taken", { { NODE("a", 10, 10) }, { NODE("b", 3, 3) } },
	  .why = "no room: 13/13 instances are running", .may_wait = true },
	{ "there are places, but no memory",
	  { { NODE("a", 1, 10), MEMORY(800, 1024, 512), CPUS(0, 0, 10) } },
	  .why = "no room: no node has 512 MiB of memory and 1.0 processors left "
		 "(1/10 instances are running)",
	  .may_wait = true },
	{ "it never fits",
	  { { NODE("a", 0, 10), MEMORY(0, 1024, 2048), CPUS(0, 40, 10) },
	    { NODE("b", 0, 10), MEMORY(0, 512, 2048), CPUS(0, 40, 10) } },
	  .why = "no node is large enough: it takes 2048 MiB of memory and 1.0 processors, "
		 "and the most that a node promises are 1024 and 4.0" },
	{ "it would fit one that is full, if not the other",
	  { { NODE("small", 0, 10), MEMORY(0, 1024, 2048) },
	    { NODE("large", 4, 4), MEMORY(0, 8192, 2048) } },
	  .why = "no room", .may_wait = true },
	{ "a node without places is never room", { { NODE("a", 0, 0) } },
	  .why = "no node is large enough" },
};
/* clang-format on */

static size_t count_nodes(const struct placement *placement)
{
	size_t count = 0;

	while (count < NODES_MAX && placement->nodes[count].id)
		count++;
	return count;
}

static void try_placement(const struct placement *p)
{
	const struct scheduler_want want = { &p->avoid, p->avoid ? 1 : 0 };
	const struct node_load *picked = NULL;
	size_t count = count_nodes(p);
	struct err e = ERR_INIT;
	int r = scheduler_pick(p->nodes, count, &want, &picked, &e);

	if (p->picked && (r < 0 || strcmp(picked->id, p->picked) != 0))
		fail_msg("%s: '%s', not '%s'", p->what, r < 0 ? e.msg : picked->id, p->picked);
	if (p->picked)
		return;
	if (r != -ERR_UNAVAILABLE || strncmp(e.msg, p->why, strlen(p->why)) != 0)
		fail_msg("%s: '%s', not '%s'", p->what, r < 0 ? e.msg : picked->id, p->why);
	if (scheduler_may_wait(p->nodes, count) != p->may_wait)
		fail_msg("%s: it may%s wait", p->what, p->may_wait ? " not" : "");
}

TEST(an_instance_goes_where_the_table_says)
{
	for (size_t i = 0; i < ARRAY_SIZE(placements); i++)
		try_placement(&placements[i]);
}

TEST(the_order_in_which_nodes_are_known_decides_nothing)
{
	for (size_t i = 0; i < ARRAY_SIZE(placements); i++) {
		struct placement turned = placements[i];
		size_t count = count_nodes(&turned);

		for (size_t j = 0; j < count; j++)
			turned.nodes[j] = placements[i].nodes[count - 1 - j];
		try_placement(&turned);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_instance_goes_where_the_table_says),
		T(the_order_in_which_nodes_are_known_decides_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
