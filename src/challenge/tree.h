/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making YAML trees of others: trees are shared by threads, so a change is always a copy.
 *
 * Functions return NULL when memory ends, which the arena remembers.
 */
#ifndef CHALLENGE_TREE_H
#define CHALLENGE_TREE_H

#include "base/yaml.h"

struct arena;

/* A node of a kind at another's place, which may be NULL. */
struct yaml_node *tree_new(struct arena *arena, enum yaml_kind kind, const struct yaml_node *place);
struct yaml_node *tree_string(struct arena *arena, const char *text, const struct yaml_node *place);

/* Only on nodes fresh from tree_new() or tree_clone(). */
void tree_append(struct arena *arena, struct yaml_node *list, struct yaml_node *item);
void tree_set(struct arena *arena, struct yaml_node *map, const char *key, struct yaml_node *value);
void tree_unset(struct yaml_node *map, const char *key);

/* A shallow copy with its own entries or items: the children are shared. */
struct yaml_node *tree_clone(struct arena *arena, const struct yaml_node *node);

/* A copy that shares nothing but the file: it outlives the arena of the original. */
struct yaml_node *tree_deep_clone(struct arena *arena, const struct yaml_node *node);

bool tree_equal(const struct yaml_node *a, const struct yaml_node *b);

#endif
