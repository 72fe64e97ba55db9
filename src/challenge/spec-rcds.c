/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rCDS, the deployer of rCTF: flag, provide, containers, expose. Many events' own formats are like
 * it in having one `flag:`.
 */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/folder.h"
#include "challenge/kubernetes.h"
#include "challenge/tree.h"

#include <string.h>

enum { MAX_FLAG = 4096 };

bool spec_is_rcds(const struct yaml_node *root)
{
	/* ctfcli has `flags`; what stands beside them are keys of some plugin. */
	return !yaml_get(root, "flags") &&
	       (yaml_get(root, "flag") || yaml_get(root, "containers") || yaml_get(root, "expose"));
}

/* --- flag and files ----------------------------------------------------------------------- */

void spec_add_flag_file(struct spec *spec, const struct yaml_node *at, const char *file)
{
	const char *path = path_join(spec->arena, spec->dir, file);
	struct err e = ERR_INIT;
	const char *text;
	size_t len;

	if (!path)
		return;
	if (!path_is_below(path, spec->challenge->dir)) {
		spec_fault(spec, at, "flag", "'%s' is outside the folder", file);
		return;
	}
	if (folder_kind(spec->challenge->dir, path) == PATH_ABSENT) {
		spec_fault(spec, at, "flag", "the file '%s' does not exist", file);
		return;
	}
	if (folder_read(spec->arena, spec->challenge->dir, path, MAX_FLAG, &text, &len, &e) < 0) {
		spec_fault(spec, at, "flag", "%s", e.msg);
		return;
	}
	spec_add_flag(spec, at, arena_strndup(spec->arena, text, strcspn(text, "\r\n")), false);
}

static void read_flag(struct spec *spec, const struct yaml_node *value)
{
	const char *file = yaml_text(yaml_get(value, "file"));
	const char *pattern = yaml_text(yaml_get(value, "regex"));
	const char *text;

	if (value->kind == YAML_LIST) {
		for (size_t i = 0; i < value->count; i++)
			read_flag(spec, value->items[i]);
	} else if (file) {
		spec_add_flag_file(spec, value, file);
	} else if (pattern) {
		spec_add_flag_pattern(spec, value, pattern, false);
	} else if (value->kind == YAML_MAP) {
		spec_fault(spec, value, "flag", "must be a string, {file: ...} or {regex: ...}");
	} else {
		text = spec_text(spec, value, "flag");
		if (text)
			spec_add_flag(spec, value, text, false);
	}
}

static void read_provided(struct spec *spec, const struct yaml_node *item)
{
	const char *file = yaml_text(yaml_get(item, "file"));
	const char *as = yaml_text(yaml_get(item, "as"));
	size_t before = spec->challenge->attachment_count;
	const char *path;

	if (item->kind == YAML_MAP && !file) {
		spec_warn(spec, item, "provide",
			  "is not offered: only files are, not what is made "
			  "of several");
		return;
	}
	path = file ? file : spec_text(spec, item, "provide");
	if (!path)
		return;
	spec_add_file(spec, item, path);
	if (as && *as && !strchr(as, '/') && spec->challenge->attachment_count == before + 1)
		spec->challenge->attachments[before].filename = as;
}

void spec_read_provide(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST)
		read_provided(spec, value);
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		read_provided(spec, value->items[i]);
}

/* --- containers --------------------------------------------------------------------------- */

static void set_build(struct spec *spec, struct yaml_node *service, const struct yaml_node *value)
{
	static const char *const kept[] = { "context", "dockerfile", "args" };
	struct yaml_node *build;

	if (value->kind != YAML_MAP) {
		tree_set(spec->arena, service, "build", tree_clone(spec->arena, value));
		return;
	}
	build = tree_new(spec->arena, YAML_MAP, value);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		tree_set(spec->arena, build, kept[i], yaml_get(value, kept[i]));
	tree_set(spec->arena, service, "build", build);
}

static void read_container(struct spec *spec, const char *name, const struct yaml_node *value);

/* One level deeper, the challenge's container stands beside those that watch over it. */
static void read_pod(struct spec *spec, const char *name, const struct yaml_node *value)
{
	for (size_t i = 0; i < value->count; i++) {
		const struct yaml_entry *entry = &value->entries[i];

		if (strcmp(entry->key, "challenge") == 0)
			read_container(spec, name, entry->value);
		else
			spec_warn(spec, entry->value, "containers",
				  "'%s' is not run: only 'challenge' is of these", entry->key);
	}
}

static void read_container(struct spec *spec, const char *name, const struct yaml_node *value)
{
	static const char *const same[] = { "environment", "image" };
	struct yaml_node *service;

	if (value->kind != YAML_MAP) {
		spec_fault(spec, value, "containers", "'%s' must be a map, not %s", name,
			   yaml_kind_name(value->kind));
		return;
	}
	if (yaml_get(value, "challenge") && !yaml_get(value, "build") &&
	    !yaml_get(value, "image")) {
		read_pod(spec, name, value);
		return;
	}
	service = spec_service(spec, name, value);
	for (size_t i = 0; i < value->count; i++) {
		const struct yaml_entry *entry = &value->entries[i];
		bool known = false;

		for (size_t j = 0; j < ARRAY_SIZE(same); j++)
			known = known || strcmp(same[j], entry->key) == 0;
		if (known)
			tree_set(spec->arena, service, entry->key, entry->value);
		else if (strcmp(entry->key, "build") == 0)
			set_build(spec, service, entry->value);
		else if (strcmp(entry->key, "ports") == 0)
			tree_set(spec->arena, service, "expose", entry->value);
		else if (strcmp(entry->key, "resources") == 0)
			kubernetes_resources(spec, service, entry->value);
		else if (strcmp(entry->key, "securityContext") == 0)
			kubernetes_security(spec, service, entry->value);
		else if (strcmp(entry->key, "replicas") == 0)
			spec_warn(spec, entry->value, "containers",
				  "'replicas' has no effect: every team has one of its own");
		else
			spec_warn(spec, entry->value, "containers", "'%s' has no effect here",
				  entry->key);
	}
}

static void read_containers(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_MAP)
		spec_fault(spec, value, "containers", "must be a map, not %s",
			   yaml_kind_name(value->kind));
	for (size_t i = 0; value->kind == YAML_MAP && i < value->count; i++)
		read_container(spec, value->entries[i].key, value->entries[i].value);
}

static void read_exposed(struct spec *spec, const char *service, const struct yaml_node *item)
{
	const struct yaml_node *target = yaml_get(item, "target");
	int64_t port = target ? spec_integer(spec, target, "expose") : 0;
	struct endpoint *row;

	if (port < 1 || port > 65535) {
		spec_fault(spec, item, "expose", "needs a 'target' from 1 to 65535");
		return;
	}
	row = spec_add_endpoint(spec);
	if (row)
		*row = (struct endpoint){ .service = service,
					  .port = (uint16_t)port,
					  .protocol = yaml_get(item, "http")  ? "http"
						      : yaml_get(item, "udp") ? "udp"
									      : "tcp",
					  .node = item };
}

static void read_expose(struct spec *spec, const struct yaml_node *value)
{
	spec->wants_instance = true;
	for (size_t i = 0; value->kind == YAML_MAP && i < value->count; i++) {
		const struct yaml_node *list = value->entries[i].value;

		for (size_t j = 0; list->kind == YAML_LIST && j < list->count; j++)
			read_exposed(spec, value->entries[i].key, list->items[j]);
	}
}

static void read_visible(struct spec *spec, const struct yaml_node *value)
{
	if (!spec_bool(spec, value, "visible"))
		spec->challenge->hidden = true;
}

/* The text without rCDS' tags, whose place connection_info takes; the tag that stands there first.
 */
static const char *without_tags(struct spec *spec, const char *text, const char **ret_tag)
{
	static const char *const tags[] = { "nc", "link", "url", "host", "port", "hostname" };
	char *out = arena_strdup(spec->arena, text), *to = out;

	*ret_tag = NULL;
	while (out && *text) {
		const char *inner = text + 2 + (text[0] == '{' ? strspn(text + 2, " ") : 0);
		size_t len = 0, i = 0;

		if (strncmp(text, "{{", 2) == 0)
			len = strspn(inner, "abcdefghijklmnopqrstuvwxyz");
		while (len && i < ARRAY_SIZE(tags) &&
		       (strlen(tags[i]) != len || strncmp(tags[i], inner, len) != 0))
			i++;
		if (len && i < ARRAY_SIZE(tags) &&
		    strncmp(inner + len + strspn(inner + len, " "), "}}", 2) == 0) {
			*ret_tag = *ret_tag ? *ret_tag : tags[i];
			text = inner + len + strspn(inner + len, " ") + 2;
		} else {
			*to++ = *text++;
		}
	}
	if (out)
		*to = '\0';
	return out;
}

static void read_description(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_prose(spec, value, "description"), *tag = NULL;

	if (text)
		text = without_tags(spec, text, &tag);
	spec->challenge->description = text;
	if (tag)
		spec->challenge->connection_info =
			strcmp(tag, "link") == 0 || strcmp(tag, "url") == 0
				? "{{url}}"
				: "nc {{host}} {{port}}";
}

/* Of what isn't deployed players see nothing. */
static void read_deployed(struct spec *spec, const struct yaml_node *value)
{
	if (!spec_bool(spec, value, "deployed"))
		spec->challenge->hidden = true;
}

/* The heaviest first. */
static void read_sort_weight(struct spec *spec, const struct yaml_node *value)
{
	spec_read_position(spec, value);
	spec->challenge->position = -spec->challenge->position;
}

static const struct spec_key keys[] = {
	{ "adminbot", NULL, "has no effect: a bot is a service of the challenge here" },
	{ "author", spec_read_author, NULL },
	{ "authors", spec_read_author, NULL },
	{ "category", spec_read_category, NULL },
	{ "containers", read_containers, NULL },
	{ "deploy", read_deployed, NULL },
	{ "deployed", read_deployed, NULL },
	{ "description", read_description, NULL },
	{ "difficulty", NULL, "has no effect: a tag says it to players" },
	{ "expose", read_expose, NULL },
	{ "files", spec_read_files, NULL },
	{ "flag", read_flag, NULL },
	{ "hints", spec_read_hints, NULL },
	{ "id", spec_read_id, NULL },
	{ "name", spec_read_name, NULL },
	{ "points", spec_read_points, NULL },
	{ "provide", spec_read_provide, NULL },
	{ "sortWeight", read_sort_weight, NULL },
	{ "tags", spec_read_tags, NULL },
	{ "tiebreakEligible", NULL, "has no effect: every solve counts where points are equal" },
	{ "title", spec_read_name, NULL },
	{ "value", spec_read_value, NULL },
	{ "visible", read_visible, NULL },
};

const struct spec_keys spec_keys_rcds[] = { SPEC_KEYS("", keys), { .map = NULL } };

/* rCDS itself has no key for a category: challenges lie in folders by it, "web/notes". */
static const char *parent_name(struct spec *spec)
{
	const char *parent = path_join(spec->arena, spec->challenge->dir, "..");
	const char *slash = parent ? strrchr(parent, '/') : NULL;

	return slash && slash[1] ? slash + 1 : NULL;
}

static bool is_rcds_proper(const struct spec *spec)
{
	return yaml_get(spec->root, "containers") || yaml_get(spec->root, "expose") ||
	       yaml_get(spec->root, "provide");
}

void spec_read_rcds(struct spec *spec)
{
	struct challenge *c = spec->challenge;

	spec_read(spec, spec->root, spec_keys_rcds);
	if (!c->category && is_rcds_proper(spec))
		c->category = parent_name(spec);
	if (!c->type)
		c->type = "dynamic"; /* rCTF knows no other */
}
