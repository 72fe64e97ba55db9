/* SPDX-License-Identifier: Apache-2.0 */
#include "node/clean.h"

#include "base/buf.h"
#include "base/claim.h"
#include "base/err.h"
#include "base/option.h"
#include "base/own.h"
#include "engine/engine.h"
#include "node/build-fence.h"
#include "node/compose.h"
#include "node/firewall.h"
#include "node/labelled.h"
#include "node/main.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* clang-format off */
#define CLEAN_OPTIONS(ROW) \
	ROW(engine, STRING, "URL", "unix:///var/run/docker.sock", "Docker Engine API: unix://, tcp:// or https://.") \
	ROW(all, FLAG, NULL, NULL, "Clean up after every node that is not running.") \
	ROW(help, FLAG, NULL, NULL, "Show this help.")

struct clean_options {
	CLEAN_OPTIONS(OPTION_MEMBER)
};

#define ROW(...) OPTION_ROW(struct clean_options, __VA_ARGS__)
static const struct option_row clean_rows[] = { CLEAN_OPTIONS(ROW) { .name = NULL } };
#undef ROW
/* clang-format on */

static const char *const kind_names[LABELLED_KINDS] = { "containers", "networks", "volumes",
							"images" };

static bool is_running(const char *node)
{
	AUTO(char *, freep) name = strf(NODE_CLAIM "%s", node);

	return !name || is_claimed(name);
}

/* {node: {kind: how many}} of all that the engine has of any node. */
static int count_objects(struct engine *engine, json_t *counts, struct err *e)
{
	static const char *const any[] = { LABEL_NODE, NULL };
	int r = 0;

	for (int kind = 0; r == 0 && kind < LABELLED_KINDS; kind++) {
		AUTO(json_t *, json_decrefp) found = NULL;
		const char *object, *node;
		json_t *labels, *row;

		r = labelled_list(engine, kind, any, &found, e);
		json_object_foreach (found, object, labels) {
			node = json_string_value(json_object_get(labels, LABEL_NODE));
			if (!node)
				continue;
			row = json_object_get(counts, node);
			if (!row) {
				row = json_object();
				json_object_set_new(counts, node, row);
			}
			if (json_object_set_new(row, kind_names[kind],
						json_integer(1 + json_integer_value(json_object_get(
									 row, kind_names[kind])))) <
			    0)
				return err_memory(e);
		}
	}
	return r;
}

static void print_counts(json_t *counts)
{
	const char *node;
	json_t *row;

	if (json_object_size(counts) == 0) {
		puts("This engine has nothing of any node.");
		return;
	}
	printf("%-14s", "NODE");
	for (int kind = 0; kind < LABELLED_KINDS; kind++)
		printf("%12s", kind_names[kind]);
	putchar('\n');
	json_object_foreach (counts, node, row) {
		printf("%-14s", node);
		for (int kind = 0; kind < LABELLED_KINDS; kind++)
			printf("%12lld",
			       json_integer_value(json_object_get(row, kind_names[kind])));
		puts(is_running(node) ? "  running" : "");
	}
	puts("\n`ctfy clean NODE...` removes what is left of a node that is not running.");
}

static int clean_up(struct engine *engine, const char *node, struct err *e)
{
	AUTO(char *, freep) label = strf(LABEL_NODE "=%s", node);
	const char *const labels[] = { label, NULL };
	int r;

	if (!label)
		return err_memory(e);
	if (is_running(node))
		return err_set(e, ERR_CONFLICT, "node '%s' is running: end it first", node);
	if (geteuid() == 0)
		build_fence_remove(node);
	r = labelled_remove(engine, LABELLED_ALL, labels, node, e);
	return r == 0 && geteuid() == 0 ? firewall_remove_node(node, e) : r;
}

static int clean_named(struct engine *engine, const char *node, struct err *e)
{
	int r = clean_up(engine, node, e);

	if (r == 0)
		printf("node '%s': all of it is gone\n", node);
	return r;
}

/* The rules stay as long as any node runs or has something here. */
static int remove_firewall(struct engine *engine, struct err *e)
{
	AUTO(json_t *, json_decrefp) counts = json_object();
	int r = counts ? count_objects(engine, counts, e) : err_memory(e);

	if (r < 0 || json_object_size(counts) > 0 || is_claimed(NODE_CLAIM) || geteuid() != 0)
		return r;
	return firewall_remove(e);
}

static int clean_nodes(struct engine *engine, const struct clean_options *options, char **nodes,
		       int count, struct err *e)
{
	AUTO(json_t *, json_decrefp) counts = json_object();
	const char *node;
	json_t *unused;
	int r = counts ? count_objects(engine, counts, e) : err_memory(e);

	if (r == 0 && !options->all && count == 0)
		print_counts(counts);
	for (int i = 0; r == 0 && i < count; i++)
		r = json_object_get(counts, nodes[i])
			    ? clean_named(engine, nodes[i], e)
			    : err_set(e, ERR_NOT_FOUND, "this engine has nothing of a node '%s'",
				      nodes[i]);
	json_object_foreach (counts, node, unused)
		if (r == 0 && options->all && !is_running(node))
			r = clean_named(engine, node, e);
	if (r == 0 && (options->all || count > 0))
		r = remove_firewall(engine, e);
	return r;
}

int node_clean_up(const char *engine_url, const char *node_id, struct err *e)
{
	AUTO(struct engine *, engine_closep) engine = NULL;
	const struct engine_options target = { .url = engine_url };
	int r;

	r = engine_open(&target, &engine, e);
	if (r == 0)
		r = clean_up(engine, node_id, e);
	return r < 0 ? r : remove_firewall(engine, e);
}

int node_clean_main(int argc, char **argv)
{
	AUTO(struct engine *, engine_closep) engine = NULL;
	struct clean_options options;
	struct engine_options target = { 0 };
	struct err e = ERR_INIT;
	int count;

	if (options_parse(clean_rows, &options, argc, argv, &count, &e) < 0) {
		fprintf(stderr, "ctfy clean: %s\n", e.msg);
		return 2;
	}
	if (options.help) {
		puts("Usage: ctfy clean [--all | NODE...]\n\n"
		     "Says what nodes have on this engine; removes all that is left of those "
		     "named,\n"
		     "and the firewall's rules with the last. A node that runs on this machine is "
		     "left alone;\n"
		     "one that runs elsewhere and has its engine here can't be told from a dead "
		     "one.\n");
		options_help(clean_rows, stdout);
		return 0;
	}
	target.url = options.engine;
	if (engine_open(&target, &engine, &e) < 0 ||
	    clean_nodes(engine, &options, argv + 1, count, &e) < 0) {
		fprintf(stderr, "ctfy clean: %s\n", e.msg);
		return 1;
	}
	return 0;
}
