/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/planner.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/answers.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>

bool planner_permits(struct planner *p, const char *opt_in, const struct yaml_node *node,
		     const char *key, const char *reason, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	if (policy_allows(p->policy, p->challenge->id, opt_in))
		return true;
	va_start(ap, reason);
	buf_vprintf(&text, reason, ap);
	va_end(ap);
	problem_policy(p->problems, opt_in, node, key, "%s", text.data);
	buf_done(&text);
	return false;
}

static bool permits_host_path(struct planner *p, const char *path, const struct yaml_node *node,
			      const char *key, const char *what, const char *link)
{
	const char *opt_in = arena_printf(p->arena, "host-path:%s", path);

	if (!opt_in)
		return false;
	return link ? planner_permits(p, opt_in, node, key,
				      "%s '%s' is a symlink out of the challenge's folder", what,
				      link)
		    : planner_permits(p, opt_in, node, key,
				      "%s '%s' is outside the challenge's folder", what, path);
}

/* A link of the folder whose end is absolute, or outside. */
static const char *path_behind(struct planner *p, const char *path, const struct yaml_node *node,
			       const char *key, const char *what)
{
	const char *folder = p->challenge->dir, *real;
	struct err e = ERR_INIT;

	if (folder_resolve(p->arena, "/", path, &real, &e) < 0) {
		problem_at(p->problems, PROBLEM_ERROR, node, key, "%s: %s", what, e.msg);
		return NULL;
	}
	if (path_is_below(real, folder) ||
	    permits_host_path(p, real, node, key, what, path_relative(path, folder)))
		return real;
	return NULL;
}

const char *planner_path(struct planner *p, const char *path, const struct yaml_node *node,
			 const char *key, const char *what)
{
	const char *folder = p->challenge->dir;
	AUTO(int, closep) fd = -1;
	struct err e = ERR_INIT;
	int r;

	if (!path)
		return NULL;
	if (!path_is_below(path, folder))
		return permits_host_path(p, path, node, key, what, NULL) ? path : NULL;
	r = folder_open_path(folder, path, O_PATH, &fd, &e);
	if (r == 0 || r == -ERR_NOT_FOUND)
		return path;
	if (r == -ERR_INVALID)
		return path_behind(p, path, node, key, what);
	problem_at(p->problems, PROBLEM_ERROR, node, key, "%s: %s", what, e.msg);
	return NULL;
}

enum path_kind planner_kind(const struct planner *p, const char *path)
{
	return folder_kind(folder_guard(p->challenge->dir, path), path);
}

int planner_read(struct planner *p, const char *path, size_t max, const char **ret_text,
		 size_t *ret_len, struct err *e)
{
	return folder_read(p->arena, folder_guard(p->challenge->dir, path), path, max, ret_text,
			   ret_len, e);
}

bool planner_owns_label(const char *name)
{
	static const char *const owned[] = { "ctfy.", "com.docker.", "io.docker.", "io.podman.",
					     "org.mobyproject." };

	for (size_t i = 0; i < ARRAY_SIZE(owned); i++)
		if (strncmp(name, owned[i], strlen(owned[i])) == 0)
			return true;
	return false;
}

bool planner_keeps_label(const struct planner *p, const char *name)
{
	return !planner_owns_label(name) && policy_allows(p->policy, p->challenge->id, "labels");
}

void planner_check_keys(struct planner *p, const struct yaml_node *map, const char *key,
			const char *const *known)
{
	for (size_t i = 0; map && map->kind == YAML_MAP && i < map->count; i++) {
		const struct yaml_entry *entry = &map->entries[i];
		size_t j = 0;

		while (known[j] && strcmp(known[j], entry->key) != 0)
			j++;
		if (!known[j] && strncmp(entry->key, "x-", 2) != 0)
			problem_add(p->problems, PROBLEM_ERROR, entry->value->file->path,
				    entry->line, entry->column, key, "unknown key '%s'",
				    entry->key);
	}
}

void planner_absent(struct planner *p, const struct yaml_node *node, const char *key,
		    const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	problem_at(p->problems, p->facts->extract ? PROBLEM_WARNING : PROBLEM_ERROR, node, key,
		   "%s", text.data);
	buf_done(&text);
}

const char *planner_look_up(struct planner *p, const char *name)
{
	const struct {
		const char *name, *value;
	} facts[] = {
		{ "host", p->facts->public_host ? p->facts->public_host : "" },
		{ "instance_id", p->facts->instance_id },
		{ "challenge_id", p->challenge->id },
	};

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		if (strcmp(facts[i].name, name) == 0)
			return facts[i].value;
	return answers_get(p, name);
}

static const char *look_up(void *cookie, const char *name)
{
	return planner_look_up(cookie, name);
}

int planner_render(struct planner *p, const char *text, size_t len, const void **ret_content,
		   size_t *ret_size, struct err *e)
{
	return template_render(p->arena, text, len, look_up, p, ret_content, ret_size, e);
}

bool planner_mentions(const json_t *value, const char *text)
{
	const char *key;
	json_t *child;
	size_t index;

	if (!text || !*text)
		return false;
	if (json_is_string(value))
		return strstr(json_string_value(value), text);
	json_array_foreach ((json_t *)(uintptr_t)value, index, child)
		if (planner_mentions(child, text))
			return true;
	json_object_foreach ((json_t *)(uintptr_t)value, key, child)
		if (strstr(key, text) || planner_mentions(child, text))
			return true;
	return false;
}

void planner_set(struct planner *p, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		p->out_of_memory = true;
}

void planner_append(struct planner *p, json_t *array, json_t *value)
{
	if (json_array_append_new(array, value) < 0)
		p->out_of_memory = true;
}
