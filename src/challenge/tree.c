/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/tree.h"

#include "base/arena.h"

#include <string.h>

struct yaml_node *tree_new(struct arena *arena, enum yaml_kind kind, const struct yaml_node *place)
{
	struct yaml_node *node = arena_alloc(arena, sizeof(*node));

	if (!node)
		return NULL;
	node->kind = kind;
	if (place) {
		node->file = place->file;
		node->line = place->line;
		node->column = place->column;
	}
	return node;
}

struct yaml_node *tree_string(struct arena *arena, const char *text, const struct yaml_node *place)
{
	struct yaml_node *node = tree_new(arena, YAML_STRING, place);

	if (node)
		node->text = arena_strdup(arena, text);
	return node && node->text ? node : NULL;
}

void tree_append(struct arena *arena, struct yaml_node *list, struct yaml_node *item)
{
	if (!list || !item)
		return;
	if (list->count == list->capacity) {
		size_t capacity = list->count ? 2 * list->count : 4;
		struct yaml_node **items = arena_array(arena, capacity, sizeof(struct yaml_node *));

		if (!items)
			return;
		if (list->count)
			memcpy(items, list->items, list->count * sizeof(struct yaml_node *));
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = item;
}

static struct yaml_entry *entry_new(struct arena *arena, struct yaml_node *map)
{
	if (map->count == map->capacity) {
		size_t capacity = map->count ? 2 * map->count : 4;
		struct yaml_entry *entries = arena_array(arena, capacity, sizeof(*entries));

		if (!entries)
			return NULL;
		if (map->count)
			memcpy(entries, map->entries, map->count * sizeof(*entries));
		map->entries = entries;
		map->capacity = capacity;
	}
	return &map->entries[map->count++];
}

void tree_set(struct arena *arena, struct yaml_node *map, const char *key, struct yaml_node *value)
{
	struct yaml_entry *entry;

	if (!map || !value)
		return;
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->entries[i].key, key) == 0) {
			map->entries[i].value = value;
			return;
		}
	}
	key = arena_strdup(arena, key);
	entry = key ? entry_new(arena, map) : NULL;
	if (entry)
		*entry = (struct yaml_entry){ key, value->line, value->column, value };
}

void tree_unset(struct yaml_node *map, const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->entries[i].key, key) != 0)
			map->entries[kept++] = map->entries[i];
	map->count = kept;
}

struct yaml_node *tree_clone(struct arena *arena, const struct yaml_node *node)
{
	struct yaml_node *copy = arena_alloc(arena, sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = *node;
	copy->capacity = node->count;
	if (node->kind == YAML_LIST && node->count) {
		copy->items = arena_array(arena, node->count, sizeof(struct yaml_node *));
		if (!copy->items)
			return NULL;
		memcpy(copy->items, node->items, node->count * sizeof(struct yaml_node *));
	} else if (node->kind == YAML_MAP && node->count) {
		copy->entries = arena_array(arena, node->count, sizeof(*copy->entries));
		if (!copy->entries)
			return NULL;
		memcpy(copy->entries, node->entries, node->count * sizeof(*copy->entries));
	}
	return copy;
}

struct yaml_node *tree_deep_clone(struct arena *arena, const struct yaml_node *node)
{
	struct yaml_node *copy = tree_clone(arena, node);

	if (!copy)
		return NULL;
	copy->text = arena_strdup(arena, node->text);
	copy->tag = arena_strdup(arena, node->tag);
	for (size_t i = 0; node->kind == YAML_LIST && i < node->count; i++) {
		copy->items[i] = tree_deep_clone(arena, node->items[i]);
		if (!copy->items[i])
			return NULL;
	}
	for (size_t i = 0; node->kind == YAML_MAP && i < node->count; i++) {
		copy->entries[i].key = arena_strdup(arena, node->entries[i].key);
		copy->entries[i].value = tree_deep_clone(arena, node->entries[i].value);
		if (!copy->entries[i].key || !copy->entries[i].value)
			return NULL;
	}
	return copy;
}

bool tree_equal(const struct yaml_node *a, const struct yaml_node *b)
{
	if (a == b)
		return true;
	if (a->kind != b->kind || a->count != b->count)
		return false;
	if (yaml_is_scalar(a))
		return strcmp(a->text ? a->text : "", b->text ? b->text : "") == 0;
	for (size_t i = 0; i < a->count; i++) {
		const struct yaml_node *x =
			a->kind == YAML_LIST ? a->items[i] : a->entries[i].value;
		const struct yaml_node *y =
			a->kind == YAML_LIST ? b->items[i] : yaml_get(b, a->entries[i].key);

		if (!y || !tree_equal(x, y))
			return false;
	}
	return true;
}
