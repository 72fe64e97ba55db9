/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/variables.h"

#include "base/arena.h"

#include <string.h>

static struct variable *find(const struct variables *variables, const char *name)
{
	for (size_t i = 0; i < variables->count; i++)
		if (strcmp(variables->rows[i].name, name) == 0)
			return &variables->rows[i];
	return NULL;
}

const char *variables_get(const struct variables *variables, const char *name)
{
	const struct variable *row = find(variables, name);

	return row ? row->value : NULL;
}

static bool grow(struct variables *variables)
{
	size_t capacity = variables->capacity ? 2 * variables->capacity : 16;
	struct variable *rows = arena_array(variables->arena, capacity, sizeof(*rows));

	if (!rows)
		return false;
	if (variables->count)
		memcpy(rows, variables->rows, variables->count * sizeof(*rows));
	variables->rows = rows;
	variables->capacity = capacity;
	return true;
}

static void append(struct variables *variables, const char *name, const char *value)
{
	name = arena_strdup(variables->arena, name);
	value = arena_strdup(variables->arena, value);
	if (name && (variables->count < variables->capacity || grow(variables)))
		variables->rows[variables->count++] = (struct variable){ name, value };
}

void variables_add(struct variables *variables, const char *name, const char *value)
{
	if (!find(variables, name))
		append(variables, name, value);
}

void variables_set(struct variables *variables, const char *name, const char *value)
{
	struct variable *row = find(variables, name);

	if (row)
		row->value = arena_strdup(variables->arena, value);
	else
		append(variables, name, value);
}

void variables_add_all(struct variables *variables, const struct variables *from)
{
	for (size_t i = 0; i < from->count; i++)
		variables_add(variables, from->rows[i].name, from->rows[i].value);
}
