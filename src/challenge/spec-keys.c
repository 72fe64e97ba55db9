/* Keys that mean the same in most dialects. */
#include "challenge/spec.h"

#include "base/id.h"

#include <string.h>

void spec_read_name(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->name = spec_text(spec, value, "name");
}

void spec_read_author(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->author = value->kind == YAML_LIST && value->count
					  ? spec_text(spec, value->items[0], "author")
					  : spec_text(spec, value, "author");
}

void spec_read_category(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->category = spec_text(spec, value, "category");
}

void spec_read_description(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->description = spec_text(spec, value, "description");
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

void spec_read_value(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->value = spec_integer(spec, value, "value");
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
	const char *type = yaml_string(yaml_get(item, "type"));
	const char *flavour = yaml_string(data);
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
		spec_add_flag_pattern(spec, text, any_case);
	else if (text)
		spec_add_flag(spec, text, any_case);
}

void spec_read_flags(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST)
		read_flag(spec, value);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		if (value->items[i]->kind != YAML_NULL)
			read_flag(spec, value->items[i]);
}

void spec_read_files(struct spec *spec, const struct yaml_node *value)
{
	const char **paths;
	size_t count;

	spec_texts(spec, value, "files", &paths, &count);
	for (size_t i = 0; i < count; i++)
		spec_add_file(spec, value->kind == YAML_LIST ? value->items[i] : value, paths[i]);
}

static void read_hint(struct spec *spec, const struct yaml_node *item)
{
	const struct yaml_node *content = yaml_get(item, "content");
	const struct yaml_node *cost = yaml_get(item, "cost");
	static const char *const known[] = {
		"content", "cost", "title", "id", "requirements", NULL
	};
	const char *text = NULL;

	spec_check_keys(spec, item, "hints", known);
	if (item->kind != YAML_MAP || content)
		text = spec_text(spec, content ? content : item, "hints");
	else
		spec_fault(spec, item, "hints", "a hint needs its 'content'");
	if (text)
		spec_add_hint(spec, text, cost ? spec_integer(spec, cost, "hints") : 0);
}

void spec_read_hints(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST)
		read_hint(spec, value);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		if (value->items[i]->kind != YAML_NULL)
			read_hint(spec, value->items[i]);
}

void spec_read_tags(struct spec *spec, const struct yaml_node *value)
{
	spec_texts(spec, value, "tags", &spec->challenge->tags, &spec->challenge->tag_count);
}
