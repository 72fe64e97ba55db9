#include "platform/competition.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/option.h"
#include "base/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { INSTANCE_TTL_DEFAULT = 3600 }; /* seconds */

/* A key of the file: where its value goes, and what it has to be. */
struct key {
	const char *name;
	int (*read)(struct arena *arena, const struct yaml_node *node, void *member, struct err *e);
	size_t offset;
};

__attribute__((format(printf, 3, 4))) static int fault(struct err *e, const struct yaml_node *node,
						       const char *fmt, ...)
{
	char reason[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	return err_set(e, ERR_VALIDATION, "%s:%u:%u: %s", node->file->path, node->line,
		       node->column, reason);
}

static int read_text(struct arena *arena, const struct yaml_node *node, void *member, struct err *e)
{
	const char *text = yaml_is_scalar(node) ? yaml_scalar_text(arena, node) : NULL;

	if (!text)
		return fault(e, node, "a text is expected, not %s", yaml_kind_name(node->kind));
	*(char **)member = arena_strdup(arena, text);
	return *(char **)member ? 0 : err_memory(e);
}

static int read_id(struct arena *arena, const struct yaml_node *node, void *member, struct err *e)
{
	int r = read_text(arena, node, member, e);

	if (r == 0 && !id_valid(*(char **)member))
		return fault(e, node, "'%s' is no id: letters, digits, '_', '.', '-', at most 63",
			     *(char **)member);
	return r;
}

static int read_time(struct arena *arena, const struct yaml_node *node, void *member, struct err *e)
{
	const char *text = yaml_is_scalar(node) ? yaml_scalar_text(arena, node) : NULL;

	if (!text || !clock_parse(text, member))
		return fault(e, node, "a time like 2026-11-23T09:00:00Z is expected");
	return 0;
}

static int read_count(struct arena *arena, const struct yaml_node *node, void *member,
		      struct err *e)
{
	(void)arena;
	if (node->kind != YAML_INT || node->integer < 0)
		return fault(e, node, "a whole number from 0 on is expected");
	*(int64_t *)member = node->integer;
	return 0;
}

static int read_seconds(struct arena *arena, const struct yaml_node *node, void *member,
			struct err *e)
{
	const char *text = yaml_is_scalar(node) ? yaml_scalar_text(arena, node) : NULL;
	int64_t ms;

	if (!text || !option_duration(text, &ms) || ms < 1000)
		return fault(e, node, "a duration like 45m, 2h or 1d is expected");
	*(int64_t *)member = ms / 1000;
	return 0;
}

static int read_registration(struct arena *arena, const struct yaml_node *node, void *member,
			     struct err *e)
{
	int r = read_text(arena, node, member, e);

	if (r == 0 && strcmp(*(char **)member, "open") != 0 &&
	    strcmp(*(char **)member, "closed") != 0)
		return fault(e, node, "registration is open or closed, not '%s'", *(char **)member);
	return r;
}

static int read_challenges(struct arena *arena, const struct yaml_node *node, void *member,
			   struct err *e)
{
	struct competition *c = member;
	const char *text = yaml_string(node);
	int r = 0;

	c->every_challenge = text && strcmp(text, "all") == 0;
	if (c->every_challenge)
		return 0;
	if (node->kind != YAML_LIST)
		return fault(e, node, "'all' or a list of challenge ids is expected");
	c->challenges = arena_array(arena, node->count + 1, sizeof(char *));
	if (!c->challenges)
		return err_memory(e);
	for (size_t i = 0; r == 0 && i < node->count; i++) {
		r = read_id(arena, node->items[i], &c->challenges[i], e);
		for (size_t j = 0; r == 0 && j < i; j++)
			if (strcmp(c->challenges[i], c->challenges[j]) == 0)
				r = fault(e, node->items[i], "'%s' is listed twice",
					  c->challenges[i]);
	}
	c->challenge_count = node->count;
	return r;
}

static const struct key keys[] = {
	{ "id", read_id, offsetof(struct competition, id) },
	{ "name", read_text, offsetof(struct competition, name) },
	{ "description", read_text, offsetof(struct competition, description) },
	{ "start", read_time, offsetof(struct competition, starts_at) },
	{ "end", read_time, offsetof(struct competition, ends_at) },
	{ "freeze", read_time, offsetof(struct competition, freeze_at) },
	{ "registration", read_registration, offsetof(struct competition, registration) },
	{ "team_size", read_count, offsetof(struct competition, team_size) },
	{ "instance_ttl", read_seconds, offsetof(struct competition, instance_ttl) },
	{ "max_instances", read_count, offsetof(struct competition, max_instances) },
	{ "challenges", read_challenges, 0 },
	{ NULL, NULL, 0 },
};

static int read_entry(struct arena *arena, const struct yaml_node *map,
		      const struct yaml_entry *entry, struct competition *c, struct err *e)
{
	for (const struct key *key = keys; key->name; key++)
		if (strcmp(key->name, entry->key) == 0)
			return key->read(arena, entry->value, (char *)c + key->offset, e);
	return err_set(e, ERR_VALIDATION, "%s:%u:%u: there is no key '%s' in a competition",
		       map->file->path, entry->line, entry->column, entry->key);
}

static int check(const struct yaml_node *root, const struct competition *c, struct err *e)
{
	if (!c->id)
		return fault(e, root, "a competition needs an 'id'");
	if (c->ends_at && c->ends_at <= c->starts_at)
		return fault(e, root, "'end' is not after 'start'");
	if (c->freeze_at && c->freeze_at < c->starts_at)
		return fault(e, root, "'freeze' is before 'start'");
	if (c->freeze_at && c->ends_at && c->freeze_at > c->ends_at)
		return fault(e, root, "'freeze' is after 'end'");
	return 0;
}

int competition_parse(struct arena *arena, const char *path, const char *text, size_t len,
		      struct competition *ret_competition, struct err *e)
{
	struct competition c = { .instance_ttl = INSTANCE_TTL_DEFAULT, .every_challenge = true };
	struct yaml_file *file = arena_alloc(arena, sizeof(*file));
	struct yaml_node *root;
	int r;

	if (!file)
		return err_memory(e);
	*file = (struct yaml_file){ .path = path, .dir = "." };
	r = yaml_parse(arena, file, text, len, &root, NULL, e);
	if (r < 0)
		return r;
	if (root->kind != YAML_MAP)
		return fault(e, root, "a competition is a map of keys");
	for (size_t i = 0; i < root->count; i++) {
		r = read_entry(arena, root, &root->entries[i], &c, e);
		if (r < 0)
			return r;
	}
	r = check(root, &c, e);
	if (r < 0)
		return r;
	if (!c.name)
		c.name = c.id;
	if (!c.description)
		c.description = arena_strdup(arena, "");
	if (!c.registration)
		c.registration = arena_strdup(arena, "open");
	if (arena_failed(arena))
		return err_memory(e);
	*ret_competition = c;
	return 0;
}
