#include "challenge/planner.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/answers.h"
#include "challenge/folder.h"

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

bool planner_permits_path(struct planner *p, const char *path, const struct yaml_node *node,
			  const char *key, const char *what)
{
	const char *folder = p->challenge->dir;
	bool below = path_is_below(path, folder);
	const char *opt_in;

	if (below && path_stays_below(path, folder))
		return true;
	opt_in = arena_printf(p->arena, "host-path:%s", path);
	return opt_in &&
	       planner_permits(p, opt_in, node, key,
			       below ? "%s '%s' is a symlink out of the challenge's folder"
				     : "%s '%s' is outside the challenge's folder",
			       what, path_relative(path, folder));
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

json_t *planner_text(struct planner *p, const char *text)
{
	json_t *json = text ? json_string(text) : NULL;
	char *ascii;

	if (json || !text)
		return json;
	ascii = arena_strdup(p->arena, text);
	for (char *c = ascii; c && *c; c++)
		*c = (char)((unsigned char)*c > 0x7f ? '?' : *c);
	return ascii ? json_string(ascii) : NULL;
}
