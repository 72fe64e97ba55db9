/* SPDX-License-Identifier: Apache-2.0 */
/* Keys that mean the same in most dialects. */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/id.h"
#include "base/own.h"
#include "challenge/unit.h"

#include <string.h>

void spec_read_name(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->name = spec_text(spec, value, "name");
}

void spec_read_author(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->author = spec_prose(spec, value, "author");
}

void spec_read_category(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->category = spec_prose(spec, value, "category");
}

void spec_read_description(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->description = spec_prose(spec, value, "description");
}

void spec_read_id(struct spec *spec, const struct yaml_node *value)
{
	const char *id = spec_text(spec, value, "id");

	if (id && id_valid(id))
		spec->challenge->id = id;
	else if (id)
		spec_warn(spec, value, "id",
			  "'%s' can't be an id: the folder's name is used instead", id);
}

/* {initial, minimum, decay} or {min, max} of those whose value falls with each solve. */
static void read_falling_value(struct spec *spec, const struct yaml_node *value, const char *key)
{
	static const char *const known[] = { "initial",      "max",     "maximum",
					     "initialValue", "minimum", "min",
					     "minimumValue", "decay",   NULL };
	struct challenge *c = spec->challenge;

	spec_check_keys(spec, value, key, known);
	for (size_t i = 0; i < value->count; i++) {
		const struct yaml_entry *entry = &value->entries[i];

		if (entry->value->kind == YAML_NULL)
			continue;
		if (strcmp(entry->key, "decay") == 0)
			c->decay = spec_integer(spec, entry->value, key);
		else if (strncmp(entry->key, "min", 3) == 0)
			c->minimum = spec_integer(spec, entry->value, key);
		else if (strncmp(entry->key, "max", 3) == 0 ||
			 strncmp(entry->key, "initial", 7) == 0)
			c->value = spec_integer(spec, entry->value, key);
	}
	c->type = "dynamic";
}

void spec_read_value_of(struct spec *spec, const struct yaml_node *value, const char *key)
{
	const char *text = yaml_text(value);

	if (value->kind == YAML_MAP)
		read_falling_value(spec, value, key);
	else if (text && (strcmp(text, "dynamic") == 0 || strcmp(text, "static") == 0))
		spec->challenge->type = *text == 'd' ? "dynamic" : "standard";
	else if (value->kind == YAML_LIST)
		spec_fault(spec, value, key,
			   "must be a whole number, {min: ..., max: ...} or 'dynamic', not a list");
	else
		spec->challenge->value = spec_integer(spec, value, key);
}

void spec_read_value(struct spec *spec, const struct yaml_node *value)
{
	spec_read_value_of(spec, value, "value");
}

void spec_read_points(struct spec *spec, const struct yaml_node *value)
{
	spec_read_value_of(spec, value, "points");
}

void spec_read_minimum(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->minimum = spec_integer(spec, value, "minimum");
}

void spec_read_decay(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->decay = spec_integer(spec, value, "decay");
}

static void read_flag(struct spec *spec, const struct yaml_node *item)
{
	const struct yaml_node *content = yaml_get(item, "content");
	const struct yaml_node *data = yaml_get(item, "data");
	const char *type = yaml_text(yaml_get(item, "type"));
	const char *flavour = yaml_text(data);
	bool any_case = flavour && strcmp(flavour, "case_insensitive") == 0;
	static const char *const known[] = { "type", "content", "flag", "data", "id", NULL };
	const char *text;

	spec_check_keys(spec, item, "flags", known);
	if (item->kind == YAML_MAP && !content)
		content = yaml_get(item, "flag");
	if (item->kind == YAML_MAP && !content) {
		spec_fault(spec, item, "flags", "a flag needs its 'content'");
		return;
	}
	text = spec_text(spec, content ? content : item, "flags");
	if (text && type && strcmp(type, "regex") == 0)
		spec_add_flag_pattern(spec, item, text, any_case);
	else if (text)
		spec_add_flag(spec, item, text, any_case);
}

void spec_read_flags(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST)
		read_flag(spec, value);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		if (value->items[i]->kind != YAML_NULL)
			read_flag(spec, value->items[i]);
}

/* A path, or a map of one in one of the ways that people have of their own. */
static void read_file(struct spec *spec, const struct yaml_node *item)
{
	static const char *const names[] = { "path", "file", "source", "src" };
	static const char *const known[] = { "path", "file", "source", "src", "name", NULL };
	const char *path = yaml_text(item), *name = yaml_text(yaml_get(item, "name"));
	size_t before = spec->challenge->attachment_count;

	spec_check_keys(spec, item, "files", known);
	for (size_t i = 0; i < ARRAY_SIZE(names) && !path; i++)
		path = yaml_text(yaml_get(item, names[i]));
	if (!path)
		spec_warn(spec, item, "files", "is not offered: it names no file");
	else if (*path)
		spec_add_file(spec, item, path);
	if (name && *name && !strchr(name, '/') && spec->challenge->attachment_count == before + 1)
		spec->challenge->attachments[before].filename = name;
}

void spec_read_files(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST)
		read_file(spec, value);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		read_file(spec, value->items[i]);
}

static void read_hint(struct spec *spec, const struct yaml_node *item)
{
	const struct yaml_node *content = yaml_get(item, "content");
	const struct yaml_node *cost = yaml_get(item, "cost");
	static const char *const known[] = { "content", "cost", "title", "requirements", NULL };
	const char *text;
	struct hint *hint;

	spec_check_keys(spec, item, "hints", known);
	text = spec_prose(spec, content ? content : item, "hints");
	hint = text ? spec_add_hint(spec) : NULL;
	if (hint)
		*hint = (struct hint){
			.title = yaml_text(yaml_get(item, "title")),
			.text = text,
			.cost = cost ? spec_integer(spec, cost, "hints") : 0,
		};
}

/* By its title, or by its number in the list, from 1. */
static bool find_hint(const struct challenge *c, const struct yaml_node *name, size_t *ret_hint)
{
	const char *text = yaml_text(name);
	int64_t number;

	for (size_t i = 0; text && i < c->hint_count; i++) {
		*ret_hint = i;
		if (c->hints[i].title && strcmp(c->hints[i].title, text) == 0)
			return true;
	}
	if (!text || !unit_integer(text, 1, (int64_t)c->hint_count, &number))
		return false;
	*ret_hint = (size_t)number - 1;
	return true;
}

static void read_hint_requirements(struct spec *spec, const struct yaml_node *item, size_t own)
{
	const struct yaml_node *list = yaml_get(item, "requirements");
	struct hint *hint = &spec->challenge->hints[own];
	size_t *rows;

	if (list && list->kind == YAML_MAP)
		list = yaml_get(list, "prerequisites");
	if (!list || list->kind == YAML_NULL)
		return;
	rows = arena_array(spec->arena, list->kind == YAML_LIST ? list->count : 1, sizeof(*rows));
	for (size_t i = 0; rows && i < (list->kind == YAML_LIST ? list->count : 1); i++) {
		const struct yaml_node *name = list->kind == YAML_LIST ? list->items[i] : list;

		if (find_hint(spec->challenge, name, &rows[hint->require_count]) &&
		    rows[hint->require_count] < own)
			hint->require_count++;
		else
			spec_fault(spec, name, "hints",
				   "a hint requires hints before it, by their number (the first is "
				   "1) or title");
	}
	hint->requires_ = rows;
}

void spec_read_hints(struct spec *spec, const struct yaml_node *value)
{
	size_t count = value->kind == YAML_LIST ? value->count : 1;

	for (size_t i = 0; i < count; i++) {
		const struct yaml_node *item = value->kind == YAML_LIST ? value->items[i] : value;
		size_t before = spec->challenge->hint_count;

		if (item->kind == YAML_NULL)
			continue;
		read_hint(spec, item);
		if (spec->challenge->hint_count > before)
			read_hint_requirements(spec, item, before);
	}
}

void spec_read_position(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "position");

	if (text && !unit_integer(text, INT32_MIN, INT32_MAX, &spec->challenge->position))
		spec_fault(spec, value, "position", "'%s' is not a whole number", text);
}

void spec_read_tags(struct spec *spec, const struct yaml_node *value)
{
	struct challenge *c = spec->challenge;
	bool is_list = value->kind == YAML_LIST;
	size_t count = is_list ? value->count : 1;

	c->tags = arena_array(spec->arena, count, sizeof(const char *));
	c->tag_count = 0;
	for (size_t i = 0; c->tags && i < count; i++) {
		const char *tag = spec_prose(spec, is_list ? value->items[i] : value, "tags");

		if (tag)
			c->tags[c->tag_count++] = tag;
	}
}
