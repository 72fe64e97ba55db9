/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/volume.h"

#include "base/arena.h"
#include "base/json.h"
#include "challenge/folder.h"
#include "challenge/merge.h"
#include "challenge/mount-options.h"
#include "challenge/problem.h"
#include "challenge/safe-text.h"
#include "challenge/service.h"

#include <string.h>

static const char *section_key(struct planner *p, const char *section, const char *name)
{
	const char *key = arena_printf(p->arena, "%s.%s", section, name);

	return key ? key : section;
}

static bool is_planned(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->volume_count; i++)
		if (strcmp(plan->volumes[i].name, name) == 0)
			return true;
	return false;
}

static bool volume_fault(struct planner *p, const struct yaml_entry *entry, const char *name,
			 const char *why)
{
	const char *key = arena_printf(p->arena, "volumes.%s.driver_opts.%s", name, entry->key);

	problem_add(p->problems, PROBLEM_ERROR, entry->value->file->path, entry->line,
		    entry->column, key ? key : "volumes", "%s", why);
	return false;
}

static bool check_option(struct planner *p, const struct yaml_entry *entry, const char *name,
			 const char **ret_options)
{
	const char *text = yaml_scalar_text(p->arena, entry->value), *bad = NULL, *why;

	if (strcmp(entry->key, "device") == 0 && text)
		return true; /* of a tmpfs it is a word and no more: ours is written */
	if (strcmp(entry->key, "type") == 0 && text && strcmp(text, "tmpfs") == 0)
		return true;
	if (strcmp(entry->key, "o") == 0 && text &&
	    tmpfs_options(p->arena, text, ret_options, &bad))
		return true;
	why = bad ? arena_printf(p->arena, "'%s' is not an option of a volume in memory", bad)
		  : "is refused: a volume is the instance's own, and its options make it a tmpfs "
		    "or nothing; a path is mounted as './path:/path'";
	return volume_fault(p, entry, name, why ? why : "is refused");
}

/* What the engine is told is written here: of an author's options none is handed on. */
static bool read_options(struct planner *p, const char *name, const struct yaml_node *options,
			 json_t **ret_json)
{
	const char *type = yaml_string(yaml_get(options, "type")), *memory = "";
	bool fine = true;

	*ret_json = NULL;
	if (!options || options->kind != YAML_MAP || !options->count)
		return true;
	for (size_t i = 0; i < options->count; i++)
		fine = check_option(p, &options->entries[i], name, &memory) && fine;
	if (fine && !type)
		fine = volume_fault(p, &options->entries[0], name, "has no effect without a type");
	if (!fine)
		return false;
	*ret_json = json_object();
	planner_set(p, *ret_json, "type", json_text("tmpfs"));
	planner_set(p, *ret_json, "device", json_text("tmpfs"));
	if (*memory)
		planner_set(p, *ret_json, "o", json_text(memory));
	return true;
}

static void warn_of(struct planner *p, const struct yaml_node *node, const char *name,
		    const char *member, const char *why)
{
	const struct yaml_node *value = yaml_get(node, member);

	if (value)
		problem_at(p->problems, PROBLEM_WARNING, value, section_key(p, "volumes", name),
			   "'%s' %s", member, why);
}

/* False: told. */
static bool read_driver(struct planner *p, const char *name, const struct yaml_node *node,
			json_t **ret_options)
{
	const char *driver = yaml_string(yaml_get(node, "driver"));

	*ret_options = NULL;
	warn_of(p, node, name, "labels", "has no effect here");
	if (!driver || !*driver || strcmp(driver, "local") == 0)
		return read_options(p, name, yaml_get(node, "driver_opts"), ret_options);
	problem_at(p->problems, PROBLEM_WARNING, yaml_get(node, "driver"),
		   section_key(p, "volumes", name),
		   "a local volume is used instead of the driver '%s'", driver);
	warn_of(p, node, name, "driver_opts", "are left out: they are for the driver");
	return true;
}

static void add_volume(struct planner *p, const char *name, json_t *options)
{
	struct plan *plan = p->plan;
	struct plan_volume *rows = arena_array(p->arena, plan->volume_count + 1, sizeof(*rows));

	if (!rows) {
		json_decref(options);
		return;
	}
	if (plan->volume_count)
		memcpy(rows, plan->volumes, plan->volume_count * sizeof(*rows));
	plan->volumes = rows;
	rows[plan->volume_count++] = (struct plan_volume){ .name = name, .driver_opts = options };
}

bool volume_use(struct service *s, const char *name, const struct yaml_node *at)
{
	static const char *const known[] = { "driver", "driver_opts", "external",
					     "labels", "name",        NULL };
	const struct yaml_node *node = yaml_get(yaml_get(s->p->model, "volumes"), name);
	json_t *options;

	if (is_planned(s->p->plan, name))
		return true;
	if (!node) {
		service_fault(s, at, "the volume '%s' is not defined under 'volumes:'", name);
		return false;
	}
	planner_check_keys(s->p, node, section_key(s->p, "volumes", name), known);
	if (!text_is_name(name)) {
		service_fault(s, at, "'%s' can't be the name of a volume", name);
		return false;
	}
	if (!read_driver(s->p, name, node, &options))
		return false;
	add_volume(s->p, name, options);
	return true;
}

struct stored stored_find(struct service *s, const char *section, const char *name,
			  const struct yaml_node *at)
{
	const struct yaml_node *node = yaml_get(yaml_get(s->p->model, section), name);
	const char *file = yaml_string(yaml_get(node, "file"));
	const char *variable = yaml_string(yaml_get(node, "environment"));
	static const char *const known[] = { "file", "content", "environment",     "external",
					     "name", "labels",  "template_driver", NULL };
	struct stored found = { .text = yaml_string(yaml_get(node, "content")) };

	planner_check_keys(s->p, node, section_key(s->p, section, name), known);
	if (!node) {
		service_fault(s, at, "'%s' is not defined under '%s:'", name, section);
		return found;
	}
	if (variable) {
		found.text = variables_get(&s->p->variables, variable);
		if (!found.text)
			service_fault(s, node, "the variable '%s' is not set", variable);
	} else if (file) {
		found.path = path_join(s->p->arena, node->file->dir, file);
		if (found.path && path_is_below(found.path, s->p->challenge->dir) &&
		    planner_kind(s->p, found.path) == PATH_ABSENT) {
			planner_absent(s->p, node, service_key_path(s),
				       "the file '%s' does not exist", file);
			found.path = NULL;
		}
	} else if (!found.text) {
		service_fault(s, node, "'%s' needs a file, content or environment", name);
	}
	return found;
}
