/* SPDX-License-Identifier: Apache-2.0 */
/* GZCTF's challenges as its command line tool keeps them. */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/own.h"
#include "challenge/tree.h"

#include <string.h>

static bool is_type(const char *type)
{
	static const char *const types[] = { "StaticAttachment", "DynamicAttachment",
					     "StaticContainer", "DynamicContainer" };

	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i], type) == 0)
			return true;
	return false;
}

bool spec_is_gzctf(const struct yaml_node *root)
{
	return yaml_get(yaml_get(root, "container"), "containerImage") ||
	       is_type(yaml_text(yaml_get(root, "type")));
}

/*
 * "flag{hello_[GUID]}" and "flag{[TEAM_HASH]}": what is in brackets differs from team to team. Of
 * several, all from the first to the last does.
 */
static const char *template_from(struct spec *spec, const char *text)
{
	static const char *const marks[] = { "[TEAM_HASH]", "[GUID]", "[UUID]" };
	const char *first = NULL, *end = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		for (const char *at = strstr(text, marks[i]); at; at = strstr(at + 1, marks[i])) {
			if (!first || at < first)
				first = at;
			if (at + strlen(marks[i]) > end)
				end = at + strlen(marks[i]);
		}
	}
	return first ? arena_printf(spec->arena, "%.*s...%s", (int)(first - text), text, end)
		     : text;
}

/* The platform passes a team's flag in this variable, and so do its imitators in FLAG. */
static void pass_flag(struct spec *spec, const struct yaml_node *at)
{
	static const char *const names[] = { "GZCTF_FLAG", "FLAG" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct placement *place = spec_add_placement(spec);

		if (place)
			*place = (struct placement){ .question = "flag",
						     .way = PLACE_ENVIRONMENT,
						     .where = names[i],
						     .node = at };
	}
}

static void read_type(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "type");

	spec->challenge->type = "dynamic"; /* its scores always fall */
	if (text && strstr(text, "Container"))
		spec->wants_instance = true;
}

static void read_container(struct spec *spec, const struct yaml_node *value)
{
	const char *template = yaml_text(yaml_get(value, "flagTemplate"));
	const struct yaml_node *capture = yaml_get(value, "enableTrafficCapture");
	const struct yaml_node *port = yaml_get(value, "containerExposePort");

	spec->wants_instance = true;
	spec->image = yaml_get(value, "containerImage");
	spec->container = value;
	if (!port)
		port = yaml_get(value, "exposePort");
	if (port && port->kind != YAML_NULL)
		spec->port = spec_integer(spec, port, "container");
	if (capture && capture->kind != YAML_NULL)
		spec->challenge->capture =
			spec_bool(spec, capture, "container") ? CAPTURE_ALL : CAPTURE_OFF;
	if (template && *template) {
		spec_add_dynamic_flag(spec, template_from(spec, template));
		pass_flag(spec, value);
	}
}

static void read_visible(struct spec *spec, const struct yaml_node *value)
{
	if (!spec_bool(spec, value, "visible"))
		spec->challenge->hidden = true;
}

static const struct spec_key keys[] = {
	{ "acceptedCount", NULL, "has no effect: it is what another platform counted" },
	{ "author", spec_read_author, NULL },
	{ "category", spec_read_category, NULL },
	{ "container", read_container, NULL },
	{ "description", spec_read_description, NULL },
	{ "flags", spec_read_flags, NULL },
	{ "hints", spec_read_hints, NULL },
	{ "name", spec_read_name, NULL },
	{ "provide", spec_read_provide, NULL },
	{ "scripts", NULL, "has no effect: images are built and instances started without" },
	{ "tag", spec_read_category, NULL },
	{ "tags", spec_read_tags, NULL },
	{ "title", spec_read_name, NULL },
	{ "type", read_type, NULL },
	{ "value", spec_read_value, NULL },
	{ "visible", read_visible, NULL },
};

const struct spec_keys spec_keys_gzctf[] = { SPEC_KEYS("", keys), { .map = NULL } };

void spec_read_gzctf(struct spec *spec)
{
	spec_read(spec, spec->root, spec_keys_gzctf);
}
