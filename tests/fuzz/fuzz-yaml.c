/* SPDX-License-Identifier: Apache-2.0 */
/* YAML to a tree, and every scalar of it to text. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "base/yaml.h"

#include <assert.h>

static void visit(struct arena *arena, const struct yaml_node *node)
{
	assert(node->line > 0 && node->column > 0);
	assert((yaml_scalar_text(arena, node) != NULL) == yaml_is_scalar(node));
	for (size_t i = 0; node->kind == YAML_LIST && i < node->count; i++)
		visit(arena, node->items[i]);
	for (size_t i = 0; node->kind == YAML_MAP && i < node->count; i++) {
		/* The first of a name is the one that is found, so there is no other. */
		assert(yaml_get(node, node->entries[i].key) == node->entries[i].value);
		visit(arena, node->entries[i].value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct yaml_file file = { .path = "fuzz.yml", .dir = "." };
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct yaml_fault fault = { 0 };
	struct yaml_node *root;
	struct err e = ERR_INIT;
	const char *text = arena_strndup(arena, (const char *)data, size);

	if (yaml_parse(arena, &file, text, size, &root, &fault, &e) == 0)
		visit(arena, root);
	else
		assert(e.code == ERR_INVALID && fault.line > 0 && *fault.reason);
	return 0;
}
