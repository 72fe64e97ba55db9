#include "challenge/volume.h"

#include "base/arena.h"
#include "challenge/folder.h"
#include "challenge/merge.h"
#include "challenge/problem.h"
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

/* Memory is the instance's own; any other option of the local driver reaches out of it. */
static bool is_tmpfs(const struct yaml_node *options)
{
	const char *type = yaml_string(yaml_get(options, "type"));

	return type && strcmp(type, "tmpfs") == 0;
}

static json_t *driver_options(struct planner *p, const struct yaml_node *options)
{
	json_t *json = json_object();

	for (size_t i = 0; i < options->count; i++) {
		const char *text = yaml_scalar_text(p->arena, options->entries[i].value);

		if (text)
			planner_set(p, json, options->entries[i].key, planner_text(p, text));
	}
	return json;
}

static bool permits_driver(struct planner *p, const char *name, const struct yaml_node *node)
{
	const char *driver = yaml_string(yaml_get(node, "driver"));
	const struct yaml_node *options = yaml_get(node, "driver_opts");
	const char *key = section_key(p, "volumes", name);

	if (yaml_get(node, "labels"))
		problem_at(p->problems, PROBLEM_WARNING, yaml_get(node, "labels"), key,
			   "'labels' has no effect here");
	if (driver && *driver && strcmp(driver, "local") != 0) {
		problem_at(p->problems, PROBLEM_WARNING, yaml_get(node, "driver"), key,
			   "a local volume is used instead of the driver '%s'", driver);
		return true;
	}
	if (options && options->kind == YAML_MAP && options->count && !is_tmpfs(options))
		return planner_permits(p, "volume-driver", options, key,
				       "its options may mount what is not the instance's");
	return true;
}

static void add_volume(struct planner *p, const char *name, const struct yaml_node *node)
{
	const struct yaml_node *options = yaml_get(node, "driver_opts");
	struct plan *plan = p->plan;
	struct plan_volume *rows = arena_array(p->arena, plan->volume_count + 1, sizeof(*rows));

	if (!rows)
		return;
	if (plan->volume_count)
		memcpy(rows, plan->volumes, plan->volume_count * sizeof(*rows));
	plan->volumes = rows;
	rows[plan->volume_count++] = (struct plan_volume){
		.name = name,
		.driver_opts = options && options->kind == YAML_MAP && options->count
				       ? driver_options(p, options)
				       : NULL,
	};
}

bool volume_use(struct service *s, const char *name, const struct yaml_node *at)
{
	static const char *const known[] = { "driver", "driver_opts", "external",
					     "labels", "name",        NULL };
	const struct yaml_node *node = yaml_get(yaml_get(s->p->model, "volumes"), name);

	if (is_planned(s->p->plan, name))
		return true;
	if (!node) {
		service_fault(s, at, "the volume '%s' is not defined under 'volumes:'", name);
		return false;
	}
	planner_check_keys(s->p, node, section_key(s->p, "volumes", name), known);
	if (!permits_driver(s->p, name, node))
		return false;
	add_volume(s->p, name, node);
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
		if (found.path && !path_exists(found.path)) {
			planner_absent(s->p, node, service_key_path(s),
				       "the file '%s' does not exist", file);
			found.path = NULL;
		}
	} else if (!found.text) {
		service_fault(s, node, "'%s' needs a file, content or environment", name);
	}
	return found;
}
