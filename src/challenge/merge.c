/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/merge.h"

#include "base/arena.h"
#include "base/own.h"
#include "challenge/tree.h"

#include <string.h>

typedef struct yaml_node *merge_fn(struct arena *arena, const struct yaml_node *base,
				   const struct yaml_node *over);

static struct yaml_node *merge_any(struct arena *arena, const struct yaml_node *base,
				   const struct yaml_node *over);

struct yaml_node *merge_as_map(struct arena *arena, const struct yaml_node *node,
			       const char *separators)
{
	struct yaml_node *map;

	if (node->kind == YAML_MAP)
		return tree_clone(arena, node);
	map = tree_new(arena, YAML_MAP, node);
	for (size_t i = 0; node->kind == YAML_LIST && i < node->count; i++) {
		const struct yaml_node *item = node->items[i];
		const char *text = yaml_scalar_text(arena, item);
		size_t len = text ? strcspn(text, separators) : 0;
		char *name = text ? arena_strndup(arena, text, len) : NULL;

		if (!name)
			continue;
		tree_set(arena, map, name,
			 text[len] ? tree_string(arena, text + len + 1, item)
				   : tree_new(arena, YAML_NULL, item));
	}
	return map;
}

static struct yaml_node *merge_maps(struct arena *arena, const struct yaml_node *base,
				    const struct yaml_node *over)
{
	struct yaml_node *merged = tree_clone(arena, base);

	for (size_t i = 0; merged && i < over->count; i++) {
		const struct yaml_entry *entry = &over->entries[i];
		const struct yaml_node *old = yaml_get(merged, entry->key);

		if (entry->value->tag && strcmp(entry->value->tag, "!reset") == 0)
			tree_unset(merged, entry->key);
		else
			tree_set(arena, merged, entry->key,
				 old ? merge_any(arena, old, entry->value) : entry->value);
	}
	return merged;
}

static struct yaml_node *merge_lists(struct arena *arena, const struct yaml_node *base,
				     const struct yaml_node *over)
{
	struct yaml_node *merged = tree_clone(arena, base);

	for (size_t i = 0; i < over->count; i++) {
		bool there = false;

		for (size_t j = 0; merged && j < base->count && !there; j++)
			there = tree_equal(base->items[j], over->items[i]);
		if (!there)
			tree_append(arena, merged, over->items[i]);
	}
	return merged;
}

static struct yaml_node *replace(struct arena *arena, const struct yaml_node *base,
				 const struct yaml_node *over)
{
	(void)base;
	return tree_clone(arena, over);
}

static bool is_override(const struct yaml_node *node)
{
	return node->tag && strcmp(node->tag, "!override") == 0;
}

static struct yaml_node *merge_any(struct arena *arena, const struct yaml_node *base,
				   const struct yaml_node *over)
{
	if (!is_override(over) && base->kind == YAML_MAP && over->kind == YAML_MAP)
		return merge_maps(arena, base, over);
	if (!is_override(over) && base->kind == YAML_LIST && over->kind == YAML_LIST)
		return merge_lists(arena, base, over);
	if (over->kind == YAML_NULL && !over->tag)
		return tree_clone(arena, base);
	return replace(arena, base, over);
}

static struct yaml_node *merge_assignments(struct arena *arena, const struct yaml_node *base,
					   const struct yaml_node *over)
{
	const struct yaml_node *a = merge_as_map(arena, base, "=");
	const struct yaml_node *b = merge_as_map(arena, over, "=");
	struct yaml_node *merged = a ? tree_clone(arena, a) : NULL;

	/* A name without a value is a value here: merge_maps() would keep the old one. */
	for (size_t i = 0; b && i < b->count; i++)
		tree_set(arena, merged, b->entries[i].key, b->entries[i].value);
	return merged;
}

static struct yaml_node *merge_names(struct arena *arena, const struct yaml_node *base,
				     const struct yaml_node *over)
{
	const struct yaml_node *a = merge_as_map(arena, base, "");
	const struct yaml_node *b = merge_as_map(arena, over, "");

	return a && b ? merge_maps(arena, a, b) : NULL;
}

static struct yaml_node *merge_scalars_into_list(struct arena *arena, const struct yaml_node *base,
						 const struct yaml_node *over)
{
	struct yaml_node *a = tree_new(arena, YAML_LIST, base);
	struct yaml_node *b = tree_new(arena, YAML_LIST, over);

	if (yaml_is_scalar(base))
		tree_append(arena, a, tree_clone(arena, base));
	if (yaml_is_scalar(over))
		tree_append(arena, b, tree_clone(arena, over));
	if (!a || !b)
		return NULL;
	return merge_lists(arena, a->count ? a : base, b->count ? b : over);
}

/* Where a mount ends: the part that makes two mounts one. "" where it can't be told. */
static const char *mount_target(struct arena *arena, const struct yaml_node *mount)
{
	const struct yaml_node *target = yaml_get(mount, "target");
	const char *text = yaml_string(mount), *colon;

	if (target)
		return yaml_string(target) ? target->text : "";
	if (!text)
		return "";
	colon = strchr(text, ':');
	if (!colon)
		return text;
	return arena_strndup(arena, colon + 1, strcspn(colon + 1, ":"));
}

static struct yaml_node *merge_mounts(struct arena *arena, const struct yaml_node *base,
				      const struct yaml_node *over)
{
	struct yaml_node *merged;

	if (base->kind != YAML_LIST || over->kind != YAML_LIST)
		return merge_any(arena, base, over);
	merged = tree_new(arena, YAML_LIST, base);
	for (size_t i = 0; i < base->count; i++) {
		const char *target = mount_target(arena, base->items[i]);
		bool replaced = false;

		for (size_t j = 0; target && j < over->count && !replaced; j++) {
			const char *other = mount_target(arena, over->items[j]);

			replaced = *target && other && strcmp(other, target) == 0;
		}
		if (!replaced)
			tree_append(arena, merged, base->items[i]);
	}
	for (size_t i = 0; i < over->count; i++)
		tree_append(arena, merged, over->items[i]);
	return merged;
}

static struct yaml_node *merge_healthchecks(struct arena *arena, const struct yaml_node *base,
					    const struct yaml_node *over)
{
	struct yaml_node *merged = merge_any(arena, base, over);
	struct yaml_node *test = yaml_get(over, "test");

	if (merged && merged->kind == YAML_MAP && test)
		tree_set(arena, merged, "test", test);
	return merged;
}

static struct yaml_node *merge_builds(struct arena *arena, const struct yaml_node *base,
				      const struct yaml_node *over)
{
	const struct yaml_node *nodes[2] = { base, over };
	struct yaml_node *maps[2], *merged, *args;

	for (int i = 0; i < 2; i++) {
		maps[i] = tree_clone(arena, nodes[i]);
		if (nodes[i]->kind != YAML_STRING)
			continue;
		maps[i] = tree_new(arena, YAML_MAP, nodes[i]);
		tree_set(arena, maps[i], "context", tree_clone(arena, nodes[i]));
	}
	merged = maps[0] && maps[1] ? merge_any(arena, maps[0], maps[1]) : NULL;
	args = yaml_get(maps[1], "args");
	if (merged && args && yaml_get(maps[0], "args"))
		tree_set(arena, merged, "args",
			 merge_assignments(arena, yaml_get(maps[0], "args"), args));
	return merged;
}

static const struct {
	const char *key;
	merge_fn *merge;
} special_keys[] = {
	{ "annotations", merge_assignments },
	{ "build", merge_builds },
	{ "command", replace },
	{ "depends_on", merge_names },
	{ "dns", merge_scalars_into_list },
	{ "dns_search", merge_scalars_into_list },
	{ "entrypoint", replace },
	{ "env_file", merge_scalars_into_list },
	{ "environment", merge_assignments },
	{ "healthcheck", merge_healthchecks },
	{ "labels", merge_assignments },
	{ "networks", merge_names },
	{ "sysctls", merge_assignments },
	{ "tmpfs", merge_scalars_into_list },
	{ "volumes", merge_mounts },
};

static struct yaml_node *merge_key(struct arena *arena, const char *key,
				   const struct yaml_node *base, const struct yaml_node *over)
{
	for (size_t i = 0; i < ARRAY_SIZE(special_keys) && !is_override(over); i++)
		if (strcmp(special_keys[i].key, key) == 0 && over->kind != YAML_NULL &&
		    base->kind != YAML_NULL)
			return special_keys[i].merge(arena, base, over);
	return merge_any(arena, base, over);
}

static struct yaml_node *
merge_by_key(struct arena *arena, const struct yaml_node *base, const struct yaml_node *over,
	     struct yaml_node *(*merge)(struct arena *, const char *, const struct yaml_node *,
					const struct yaml_node *))
{
	struct yaml_node *merged;

	if (base->kind != YAML_MAP || over->kind != YAML_MAP)
		return merge_any(arena, base, over);
	merged = tree_clone(arena, base);
	for (size_t i = 0; merged && i < over->count; i++) {
		const struct yaml_entry *entry = &over->entries[i];
		const struct yaml_node *old = yaml_get(base, entry->key);

		if (entry->value->tag && strcmp(entry->value->tag, "!reset") == 0)
			tree_unset(merged, entry->key);
		else
			tree_set(arena, merged, entry->key,
				 old ? merge(arena, entry->key, old, entry->value) : entry->value);
	}
	return merged;
}

struct yaml_node *merge_services(struct arena *arena, const struct yaml_node *base,
				 const struct yaml_node *over)
{
	return merge_by_key(arena, base, over, merge_key);
}

static struct yaml_node *merge_named_service(struct arena *arena, const char *name,
					     const struct yaml_node *base,
					     const struct yaml_node *over)
{
	(void)name;
	return merge_services(arena, base, over);
}

static struct yaml_node *merge_top_level(struct arena *arena, const char *key,
					 const struct yaml_node *base, const struct yaml_node *over)
{
	if (strcmp(key, "services") == 0)
		return merge_by_key(arena, base, over, merge_named_service);
	return merge_any(arena, base, over);
}

struct yaml_node *merge_models(struct arena *arena, const struct yaml_node *base,
			       const struct yaml_node *over)
{
	return merge_by_key(arena, base, over, merge_top_level);
}
