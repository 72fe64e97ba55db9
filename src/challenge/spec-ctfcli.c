/* SPDX-License-Identifier: Apache-2.0 */
/* ctfcli's challenge.yml; ctfy's own keys may stand among its. */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/clock.h"
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
	static const struct spec_key keys[] = { { "initial", read_initial, NULL },
						{ "minimum", spec_read_minimum, NULL },
						{ "decay", spec_read_decay, NULL },
						{ "function", read_function, NULL } };

	for (size_t i = 0; value->kind == YAML_MAP && i < ARRAY_SIZE(keys); i++) {
		const struct yaml_node *node = yaml_get(value, keys[i].name);

		if (node && node->kind != YAML_NULL)
			keys[i].read(spec, node);
	}
}

static void read_requirements(struct spec *spec, const struct yaml_node *value)
{
	static const char *const known[] = { "prerequisites", "anonymize", NULL };
	const struct yaml_node *list =
		value->kind == YAML_MAP ? yaml_get(value, "prerequisites") : value;
	const struct yaml_node *anonymous = yaml_get(value, "anonymize");

	spec_check_keys(spec, value, "requirements", known);
	if (anonymous && anonymous->kind != YAML_NULL)
		spec->challenge->anonymous = spec_bool(spec, anonymous, "requirements");

	if (list && list->kind != YAML_NULL)
		spec_texts(spec, list, "requirements", &spec->challenge->requires_,
			   &spec->challenge->require_count);
}

/* CTFd's: any flag solves it, all of them are wanted, or each member of a team has to hand one in.
 */
static void read_logic(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "logic");

	spec->every_flag = text && strcmp(text, "all") == 0;
	if (text && !spec->every_flag && strcmp(text, "any") != 0)
		spec_fault(spec, value, "logic",
			   "'%s' can't be had here: 'any' flag solves the challenge, or 'all' of "
			   "them do",
			   text);
}

static void read_scheduled_at(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "scheduled_at");

	if (text && !clock_parse(text, &spec->challenge->opens_at))
		spec_fault(spec, value, "scheduled_at",
			   "'%s' is no instant: write it like 2026-11-28T20:00:00Z", text);
}

/* Of the format: there has been one. */
static void read_version(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "version");

	if (text && strcmp(text, "0.1") != 0)
		spec_warn(spec, value, "version", "'%s' is read as 0.1", text);
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
	if (text[0] == '.' || text[0] == '/' ||
	    (path && folder_kind(spec->challenge->dir, path) == PATH_DIR))
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
	{ "attachments", spec_read_attachments, NULL },
	{ "attempts", read_attempts, NULL },
	{ "attribution", read_attribution, NULL },
	{ "author", spec_read_author, NULL },
	{ "capture", spec_read_capture, NULL },
	{ "category", spec_read_category, NULL },
	{ "compose", spec_read_compose, NULL },
	{ "connection_info", read_connection_info, NULL },
	{ "decay", spec_read_decay, NULL },
	{ "description", spec_read_description, NULL },
	{ "egress", spec_read_egress, NULL },
	{ "endpoints", spec_read_endpoints, NULL },
	{ "extra", read_extra, NULL },
	{ "files", spec_read_files, NULL },
	{ "flags", spec_read_flags, NULL },
	{ "health_deadline", spec_read_health_deadline, NULL },
	{ "healthcheck", NULL,
	  "has no effect: services are checked by the compose file's healthchecks, challenges by "
	  "their solver" },
	{ "hints", spec_read_hints, NULL },
	{ "host", NULL, "has no effect: every instance has an address of its own" },
	{ "id", spec_read_id, NULL },
	{ "image", read_image, NULL },
	{ "initial", read_initial, NULL },
	{ "logic", read_logic, NULL },
	{ "max_instances", spec_read_max_instances, NULL },
	{ "minimum", spec_read_minimum, NULL },
	{ "module", NULL, "has no effect: there are no modules here" },
	{ "name", spec_read_name, NULL },
	{ "next", NULL, "has no effect: players choose what to open next" },
	{ "port", read_port, NULL },
	{ "position", spec_read_position, NULL },
	{ "protocol", read_protocol, NULL },
	{ "questions", spec_read_questions, NULL },
	{ "record_http", spec_read_record_http, NULL },
	{ "requirements", read_requirements, NULL },
	{ "scheduled_at", read_scheduled_at, NULL },
	{ "solution", NULL, "is for authors: players are not shown it" },
	{ "solve", NULL, "has no effect: the solver is the file 'solve' in the folder" },
	{ "state", read_state, NULL },
	{ "tags", spec_read_tags, NULL },
	{ "templates", spec_read_templates, NULL },
	{ "topics", NULL, "is for authors: players are not shown it" },
	{ "ttl", spec_read_ttl, NULL },
	{ "type", read_type, NULL },
	{ "value", spec_read_value, NULL },
	{ "version", read_version, NULL },
	{ "vpn", spec_read_vpn, NULL },
};

const struct spec_keys spec_keys_ctfcli[] = { SPEC_KEYS("", keys), { .map = NULL } };

/* Each flag is a question of its own, with its share of the value. */
static void ask_for_every_flag(struct spec *spec)
{
	const struct question flags = spec->challenge->question_count
					      ? spec->challenge->questions[0]
					      : (struct question){ .id = "" };

	if (strcmp(flags.id, "flag") != 0 || flags.also_count == 0)
		return;
	spec->challenge->questions[0].id = "flag-1";
	spec->challenge->questions[0].also_count = 0;
	for (size_t i = 0; i < flags.also_count; i++) {
		const struct accepted *flag = &flags.also[i];
		struct question *q =
			spec_add_question(spec, arena_printf(spec->arena, "flag-%zu", i + 2));

		if (!q)
			return;
		q->kind = flag->is_pattern ? ANSWER_REGEX : ANSWER_STATIC;
		q->answer = flag->text;
		q->case_insensitive = flag->case_insensitive;
	}
	spec_warn(spec, yaml_get(spec->root, "logic"), "logic",
		  "each flag is a question of its own here, with its share of the value");
}

bool spec_is_ctfcli(const struct yaml_node *root)
{
	static const char *const own[] = { "name",           "flags",       "questions",
					   "category",       "value",       "type",
					   "compose",        "description", "endpoints",
					   "connection_info" };

	if (yaml_get(root, "apiVersion"))
		return false; /* another system's resource */
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (yaml_get(root, own[i]))
			return true;
	return root->kind == YAML_MAP && root->count == 0;
}

void spec_read_ctfcli(struct spec *spec)
{
	struct challenge *c = spec->challenge;

	spec_read(spec, spec->root, spec_keys_ctfcli);
	if (spec->every_flag)
		ask_for_every_flag(spec);
	if (!c->type)
		c->type = c->minimum && c->decay ? "dynamic" : "standard";
}
