/* ctfcli's challenge.yml; ctfy's own keys may stand among its. */
#include "challenge/spec.h"

#include "base/own.h"
#include "challenge/folder.h"
#include "challenge/tree.h"

#include <string.h>

static void read_attribution(struct spec *spec, const struct yaml_node *value)
{
	if (!spec->challenge->author)
		spec->challenge->author = spec_text(spec, value, "attribution");
}

static void read_initial(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->value = spec_integer(spec, value, "initial");
}

static void read_function(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "function");

	if (text && (strcmp(text, "linear") == 0 || strcmp(text, "logarithmic") == 0))
		spec->challenge->decay_function = text;
	else if (text)
		spec_warn(spec, value, "function", "'%s' is neither linear nor logarithmic", text);
}

/* Plugins have types of their own: how such a challenge scores shows in its other keys. */
static void read_type(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "type");

	if (text && (strcmp(text, "standard") == 0 || strcmp(text, "dynamic") == 0))
		spec->challenge->type = text;
}

static void read_extra(struct spec *spec, const struct yaml_node *value)
{
	static const struct spec_key keys[] = { { "initial", read_initial },
						{ "minimum", spec_read_minimum },
						{ "decay", spec_read_decay },
						{ "function", read_function } };

	for (size_t i = 0; value->kind == YAML_MAP && i < ARRAY_SIZE(keys); i++) {
		const struct yaml_node *node = yaml_get(value, keys[i].name);

		if (node && node->kind != YAML_NULL)
			keys[i].read(spec, node);
	}
}

static void read_requirements(struct spec *spec, const struct yaml_node *value)
{
	const struct yaml_node *list =
		value->kind == YAML_MAP ? yaml_get(value, "prerequisites") : value;

	if (list && list->kind != YAML_NULL)
		spec_texts(spec, list, "requirements", &spec->challenge->requires_,
			   &spec->challenge->require_count);
}

static void read_state(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "state");

	spec->challenge->hidden = text && strcmp(text, "hidden") == 0;
}

static void read_attempts(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->attempts = spec_integer(spec, value, "attempts");
}

static void read_connection_info(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->connection_info = spec_text(spec, value, "connection_info");
	spec->wants_instance = spec->wants_instance || spec->challenge->connection_info;
}

/* A directory to build, or the name of an image; what else there is, is for other deployers. */
static void read_image(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "image"), *path;

	if (!text || !*text || strcmp(text, "__compose__") == 0)
		return;
	spec->wants_instance = true;
	path = path_join(spec->arena, spec->dir, text);
	if (text[0] == '.' || text[0] == '/' || (path && path_is_dir(path)))
		spec->build = text;
	else if (strncmp(text, "registry://", 11) == 0)
		spec->image = tree_string(spec->arena, text + 11, value);
	else
		spec->image = value;
}

/* Not ctfcli's, but that of several plugins that run containers. */
static void read_port(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_INT)
		return;
	spec->port = value->integer;
	spec->wants_instance = true;
}

static void read_protocol(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "protocol");

	spec->wants_instance = true;
	if (text)
		spec->challenge->protocol = text;
}

static const struct spec_key keys[] = {
	{ "attachments", spec_read_attachments },
	{ "attempts", read_attempts },
	{ "attribution", read_attribution },
	{ "author", spec_read_author },
	{ "capture", spec_read_capture },
	{ "category", spec_read_category },
	{ "compose", spec_read_compose },
	{ "connection_info", read_connection_info },
	{ "decay", spec_read_decay },
	{ "description", spec_read_description },
	{ "egress", spec_read_egress },
	{ "endpoints", spec_read_endpoints },
	{ "extra", read_extra },
	{ "files", spec_read_files },
	{ "flags", spec_read_flags },
	{ "health_deadline", spec_read_health_deadline },
	{ "healthcheck", NULL },
	{ "hints", spec_read_hints },
	{ "host", NULL },
	{ "id", spec_read_id },
	{ "image", read_image },
	{ "initial", read_initial },
	{ "logic", NULL },
	{ "max_instances", spec_read_max_instances },
	{ "minimum", spec_read_minimum },
	{ "module", NULL },
	{ "name", spec_read_name },
	{ "next", NULL },
	{ "port", read_port },
	{ "protocol", read_protocol },
	{ "questions", spec_read_questions },
	{ "record_http", spec_read_record_http },
	{ "requirements", read_requirements },
	{ "scheduled_at", NULL },
	{ "solution", NULL },
	{ "solve", NULL },
	{ "state", read_state },
	{ "tags", spec_read_tags },
	{ "templates", spec_read_templates },
	{ "topics", NULL },
	{ "ttl", spec_read_ttl },
	{ "type", read_type },
	{ "value", spec_read_value },
	{ "version", NULL },
	{ "vpn", spec_read_vpn },
};

bool spec_is_ctfcli(const struct yaml_node *root)
{
	return root->kind == YAML_MAP;
}

void spec_read_ctfcli(struct spec *spec)
{
	struct challenge *c = spec->challenge;

	spec_read(spec, spec->root, keys, ARRAY_SIZE(keys));
	if (!c->type)
		c->type = c->minimum && c->decay ? "dynamic" : "standard";
	if (!c->question_count)
		spec_warn(spec, spec->root, "flags", "there is nothing to answer");
}
