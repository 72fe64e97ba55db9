/* SPDX-License-Identifier: Apache-2.0 */
/* environment, env_file and labels. */
#include "challenge/service.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "challenge/folder.h"
#include "challenge/tree.h"
#include "challenge/unit.h"

#include <string.h>

static void add_variable(struct service *s, const struct yaml_node *at, const char *name,
			 const char *text)
{
	if (!*name || strpbrk(name, "="))
		service_fault(s, at, "'%s' is not the name of a variable", name);
	else /* a name alone passes on what the instance knows under it */
		variables_set(&s->environment, name,
			      text ? text : variables_get(&s->p->variables, name));
}

void service_environment(struct service *s, const struct yaml_node *value)
{
	service_each_pair(s, value, "=", add_variable);
}

static void read_env_file(struct service *s, const struct yaml_node *at, const char *file,
			  bool required, bool raw)
{
	struct arena *arena = s->p->arena;
	const char *path = planner_path(s->p, path_join(arena, at->file->dir, file), at,
					service_key_path(s), "the file");
	struct variables outer = { .arena = arena };
	struct env_fault fault = { 0 };
	struct err e = ERR_INIT;
	const char *text;
	size_t len;
	int r;

	if (!path)
		return;
	if (planner_kind(s->p, path) == PATH_ABSENT) {
		if (required)
			planner_absent(s->p, at, service_key_path(s),
				       "the file '%s' does not exist", file);
		return;
	}
	variables_add_all(&outer, &s->p->variables);
	r = planner_read(s->p, path, YAML_MAX_FILE, &text, &len, &e);
	if (r == 0)
		r = env_parse(text, raw, &outer, &s->env_files, &fault, &e);
	if (r < 0)
		problem_add(s->p->problems, PROBLEM_ERROR,
			    path_relative(path, s->p->challenge->dir), fault.line,
			    fault.line ? 1 : 0, service_key_path(s), "%s", e.msg);
}

static void add_env_file(struct service *s, const struct yaml_node *item)
{
	const struct yaml_node *path = item->kind == YAML_MAP ? yaml_get(item, "path") : item;
	const struct yaml_node *required = yaml_get(item, "required");
	const char *format = yaml_string(yaml_get(item, "format"));
	const char *file = yaml_string(path);
	static const char *const known[] = { "path", "required", "format", NULL };
	bool must_exist = true;

	service_check_keys(s, item, known);
	if (!file || !*file) {
		service_fault(s, item, "must name a file");
		return;
	}
	if (required)
		service_bool(s, required, &must_exist);
	read_env_file(s, item, file, must_exist, format && strcmp(format, "raw") == 0);
}

void service_env_file(struct service *s, const struct yaml_node *value)
{
	if (value->kind == YAML_NULL)
		return;
	if (value->kind != YAML_LIST) {
		add_env_file(s, value);
		return;
	}
	for (size_t i = 0; i < value->count; i++)
		add_env_file(s, value->items[i]);
}

static bool ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), want = strlen(end);

	return len >= want && strcmp(text + len - want, end) == 0;
}

/* The port that a label tells Traefik or Caddy to lead players to; 0: none. */
static int64_t led_port(const char *name, const char *text)
{
	const char *upstreams = text ? strstr(text, "upstreams ") : NULL;
	char digits[6] = "";
	int64_t port = 0;

	if (text && strncmp(name, "traefik.", 8) == 0 &&
	    ends_with(name, ".loadbalancer.server.port"))
		return unit_integer(text, 1, 65535, &port) ? port : 0;
	if (!upstreams || strncmp(name, "caddy", 5) != 0 || !ends_with(name, "reverse_proxy"))
		return 0;
	upstreams += strlen("upstreams ");
	upstreams += strspn(upstreams, " ");
	strncpy(digits, upstreams,
		strspn(upstreams, "0123456789") < 6 ? strspn(upstreams, "0123456789") : 0);
	return unit_integer(digits, 1, 65535, &port) ? port : 0;
}

static void add_label(struct service *s, const struct yaml_node *at, const char *name,
		      const char *text)
{
	int64_t port = led_port(name, text);
	struct plan_port *row;

	if (port) {
		row = service_add_port(s, (uint16_t)port, "tcp", true);
		if (row && !strstr(name, ".tcp."))
			row->app_protocol = "http";
		service_warn(s, at, "port %d is published, to which '%s' leads", (int)port, name);
	}
	if (planner_keeps_label(s->p, name))
		service_set_text(s, json_object_get(s->container, "Labels"), name,
				 text ? text : "");
	else
		service_warn(s, at, "the label '%s' is not kept%s", name,
			     planner_owns_label(name) ? ": the node's own have such names"
						      : " (opt-in: labels)");
}

void service_labels(struct service *s, const struct yaml_node *value)
{
	service_each_pair(s, value, "=", add_label);
}

void service_finish_environment(struct service *s)
{
	json_t *env = json_object_get(s->container, "Env");

	variables_add_all(&s->environment, &s->env_files);
	for (size_t i = 0; i < s->environment.count; i++) {
		const struct variable *row = &s->environment.rows[i];
		const char *text =
			row->value ? arena_printf(s->p->arena, "%s=%s", row->name, row->value)
				   : row->name;

		if (text)
			planner_append(s->p, env, json_text(text));
	}
}
