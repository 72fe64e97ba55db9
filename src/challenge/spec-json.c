/* SPDX-License-Identifier: Apache-2.0 */
/* The dialects that are JSON: NYU's challenge.json, ECSC's challenge.json, XBOW's benchmark.json.
 */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/compose.h"
#include "challenge/folder.h"
#include "challenge/tree.h"
#include "challenge/variables.h"

#include <string.h>

enum { MAX_ENV = 1 << 20 };

/* --- NYU CTF Bench ------------------------------------------------------------------------ */

bool spec_is_nyu(const struct yaml_node *root)
{
	return yaml_get(root, "name") && yaml_get(root, "flag");
}

/*
 * {type: dynamic, content: flag{...}, path: /flag}: one like the content is written to the path.
 * Where it is static or has no path, the content is the flag.
 */
static void read_nyu_flag(struct spec *spec, const struct yaml_node *value)
{
	const char *content = yaml_text(yaml_get(value, "content"));
	const char *path = yaml_text(yaml_get(value, "path"));
	const char *type = yaml_text(yaml_get(value, "type"));
	struct placement *place;

	if (value->kind != YAML_MAP) {
		content = spec_text(spec, value, "flag");
		if (content)
			spec_add_flag(spec, value, content, false);
		return;
	}
	if (!content) {
		spec_fault(spec, value, "flag", "needs its 'content'");
		return;
	}
	if (!path || !*path || (type && strcmp(type, "static") == 0)) {
		spec_add_flag(spec, value, content, false);
		return;
	}
	spec_add_dynamic_flag(spec, content);
	if (path[0] != '/') {
		spec_fault(spec, value, "flag", "'%s' is not an absolute path", path);
		return;
	}
	place = spec_add_placement(spec);
	if (place)
		*place = (struct placement){ .question = "flag",
					     .way = PLACE_FILE,
					     .where = path,
					     .mode = 0444,
					     .node = value };
}

static void read_nyu_type(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "type");

	spec->challenge->type = text && strcmp(text, "dynamic") == 0 ? "dynamic" : "standard";
}

/* Its file is there or not. */
static void read_nyu_compose(struct spec *spec, const struct yaml_node *value)
{
	if (spec_bool(spec, value, "compose") &&
	    !compose_find(spec->arena, spec->challenge->dir, spec->dir))
		spec_warn(spec, value, "compose", "there is no compose file");
}

static void read_nyu_port(struct spec *spec, const struct yaml_node *value)
{
	const struct yaml_node *first =
		value->kind == YAML_LIST && value->count ? value->items[0] : value;

	spec->port = spec_integer(spec, first, "internal_port");
	spec->wants_instance = true;
}

/* Who plays there reaches the box itself: its port is the one inside, unless that is named. */
static void read_nyu_box_port(struct spec *spec, const struct yaml_node *value)
{
	const struct yaml_node *inside = yaml_get(spec->root, "internal_port");

	if (!inside || inside->kind == YAML_NULL)
		read_nyu_port(spec, value);
}

static void read_nyu_box(struct spec *spec, const struct yaml_node *value)
{
	(void)value; /* the name by which its compose file knows it already */
	spec->wants_instance = true;
}

static void read_nyu_description(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_prose(spec, value, "description");

	spec->challenge->description = text;
	if (text && strstr(text, "nc {box} {port}"))
		spec->challenge->connection_info = "nc ${host} ${port}";
	else if (text && strstr(text, "://{box}:{port}"))
		spec->challenge->connection_info = strstr(text, "https://{box}")
							   ? "https://${host}:${port}"
							   : "http://${host}:${port}";
}

static const struct spec_key nyu_keys[] = {
	{ "author", spec_read_author, NULL },
	{ "box", read_nyu_box, NULL },
	{ "category", spec_read_category, NULL },
	{ "compose", read_nyu_compose, NULL },
	{ "decay", spec_read_decay, NULL },
	{ "description", read_nyu_description, NULL },
	{ "files", spec_read_files, NULL },
	{ "flag", read_nyu_flag, NULL },
	{ "initial", spec_read_value, NULL },
	{ "internal_port", read_nyu_port, NULL },
	{ "minimum", spec_read_minimum, NULL },
	{ "name", spec_read_name, NULL },
	{ "points", spec_read_points, NULL },
	{ "port", read_nyu_box_port, NULL },
	{ "reference", NULL, "is for authors: players are not shown it" },
	{ "type", read_nyu_type, NULL },
};

const struct spec_keys spec_keys_nyu[] = { SPEC_KEYS("", nyu_keys), { .map = NULL } };

void spec_read_nyu(struct spec *spec)
{
	spec_read(spec, spec->root, spec_keys_nyu);
}

/* --- ECSC --------------------------------------------------------------------------------- */

bool spec_is_ecsc(const struct yaml_node *root)
{
	return yaml_get(root, "title") && yaml_get(root, "flags");
}

/* Every flag is a pattern. */
static void read_ecsc_flags(struct spec *spec, const struct yaml_node *value)
{
	const char **patterns;
	size_t count;

	spec_texts(spec, value, "flags", &patterns, &count);
	for (size_t i = 0; i < count; i++)
		spec_add_flag_pattern(spec, value, patterns[i], false);
}

static void read_ecsc_scoring(struct spec *spec, const struct yaml_node *value)
{
	const struct yaml_node *start = yaml_get(value, "start");
	const struct yaml_node *stop = yaml_get(value, "stop");
	const struct yaml_node *score = yaml_get(value, "score");
	const char *type = yaml_text(yaml_get(value, "type"));
	struct challenge *c = spec->challenge;

	c->type = type && strcmp(type, "dynamic") == 0 ? "dynamic" : "standard";
	if (start || score)
		c->value = spec_integer(spec, start ? start : score, "scoring");
	if (stop)
		c->minimum = spec_integer(spec, stop, "scoring");
}

static void read_ecsc_file(struct spec *spec, const struct yaml_node *item)
{
	const char *path = yaml_text(yaml_get(item, "path"));
	const char *name = yaml_text(yaml_get(item, "name"));
	size_t before = spec->challenge->attachment_count;

	if (!path) {
		spec_warn(spec, item, "files", "is not offered: it has no 'path'");
		return;
	}
	spec_add_file(spec, item, path);
	if (name && *name && !strchr(name, '/') && spec->challenge->attachment_count == before + 1)
		spec->challenge->attachments[before].filename = name;
}

static void read_ecsc_files(struct spec *spec, const struct yaml_node *value)
{
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		read_ecsc_file(spec, value->items[i]);
}

static void read_ecsc_endpoint(struct spec *spec, const struct yaml_node *value)
{
	const char *type = yaml_text(yaml_get(value, "type"));

	spec->wants_instance = true;
	spec->challenge->protocol = type && strcmp(type, "http") == 0 ? "http" : "tcp";
	spec->challenge->connection_info =
		strcmp(spec->challenge->protocol, "http") == 0 ? "${url}" : "nc ${host} ${port}";
}

static const struct spec_key ecsc_keys[] = {
	{ "authors", spec_read_author, NULL },
	{ "category", spec_read_category, NULL },
	{ "checker", NULL, "has no effect: the solver is the file 'solve' in the folder" },
	{ "description", spec_read_description, NULL },
	{ "endpoint", read_ecsc_endpoint, NULL },
	{ "files", read_ecsc_files, NULL },
	{ "flags", read_ecsc_flags, NULL },
	{ "hiddenTags", NULL, "is for authors: players are not shown it" },
	{ "hints", spec_read_hints, NULL },
	{ "order", spec_read_position, NULL },
	{ "scoring", read_ecsc_scoring, NULL },
	{ "tags", spec_read_tags, NULL },
	{ "title", spec_read_name, NULL },
};

const struct spec_keys spec_keys_ecsc[] = { SPEC_KEYS("", ecsc_keys), { .map = NULL } };

void spec_read_ecsc(struct spec *spec)
{
	struct challenge *c = spec->challenge;

	spec_read(spec, spec->root, spec_keys_ecsc);
	if (!c->category && c->tag_count)
		c->category = c->tags[0];
}

/* --- XBOW --------------------------------------------------------------------------------- */

bool spec_is_xbow(const struct yaml_node *root)
{
	return yaml_get(root, "name") && yaml_get(root, "level");
}

static void add_build_arg(struct spec *spec, const char *name)
{
	struct placement *place = spec_add_placement(spec);

	if (place)
		*place = (struct placement){ .question = "flag",
					     .way = PLACE_BUILD_ARG,
					     .where = name,
					     .node = spec->root };
}

/* The .env file has the flag of XBOW's own runs; the shape of it is what ours keep. */
static const char *env_flag(struct spec *spec)
{
	const char *path = path_join(spec->arena, spec->dir, ".env");
	struct variables variables = { .arena = spec->arena };
	struct env_fault fault;
	struct err e = ERR_INIT;
	const char *text;
	size_t len;

	if (!path ||
	    folder_read(spec->arena, spec->challenge->dir, path, MAX_ENV, &text, &len, &e) < 0 ||
	    env_parse(text, false, NULL, &variables, &fault, &e) < 0)
		return NULL;
	return variables_get(&variables, "FLAG");
}

static const struct spec_key xbow_keys[] = {
	{ "canaries", NULL, "has no effect: every instance has an answer of its own" },
	{ "description", spec_read_description, NULL },
	{ "level", NULL, "is for authors: players are not shown it" },
	{ "name", spec_read_name, NULL },
	{ "tags", spec_read_tags, NULL },
	{ "win_condition", NULL, "has no effect: the flag is what counts" },
};

const struct spec_keys spec_keys_xbow[] = { SPEC_KEYS("", xbow_keys), { .map = NULL } };

void spec_read_xbow(struct spec *spec)
{
	const char *flag = env_flag(spec);

	spec_read(spec, spec->root, spec_keys_xbow);
	spec_add_dynamic_flag(spec, flag ? flag : "flag{...}");
	add_build_arg(spec, "FLAG");
	add_build_arg(spec, "flag");
	spec->wants_instance = true;
}
