/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/competition.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/option.h"
#include "base/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INSTANCE_TTL_DEFAULT = 3600 }; /* seconds */

/* What a player may grow has an end, also where nobody thought of it. */
enum { MAX_INSTANCES_DEFAULT = 10 };
static const struct rate answer_rate_default = { .burst = 30, .period_ms = 2000 };

/* A key of a map: where its value goes, and what it has to be. */
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

/* One of a few words. */
static int read_word(struct arena *arena, const struct yaml_node *node, void *member,
		     const char *const *words, struct err *e)
{
	char all[128] = "";
	size_t len = 0;
	int r = read_text(arena, node, member, e);

	for (size_t i = 0; r == 0 && words[i]; i++) {
		if (strcmp(*(char **)member, words[i]) == 0)
			return 0;
		len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? ", " : "",
					words[i]);
	}
	return r < 0 ? r : fault(e, node, "one of %s is expected, not '%s'", all, *(char **)member);
}

static int read_registration(struct arena *arena, const struct yaml_node *node, void *member,
			     struct err *e)
{
	static const char *const words[] = { "open", "invite", "list", "closed", NULL };

	return read_word(arena, node, member, words, e);
}

static int read_scoreboard(struct arena *arena, const struct yaml_node *node, void *member,
			   struct err *e)
{
	static const char *const words[] = { "public", "players", "organisers", NULL };

	return read_word(arena, node, member, words, e);
}

static int read_function(struct arena *arena, const struct yaml_node *node, void *member,
			 struct err *e)
{
	static const char *const words[] = { "static", "linear", "logarithmic", NULL };

	return read_word(arena, node, member, words, e);
}

static int read_bool(struct arena *arena, const struct yaml_node *node, void *member, struct err *e)
{
	(void)arena;
	if (node->kind != YAML_BOOL)
		return fault(e, node, "true or false is expected");
	*(bool *)member = node->boolean;
	return 0;
}

/* A count that may be left out: 0 is not the same as none. */
static int read_own_count(struct arena *arena, const struct yaml_node *node, void *member,
			  struct err *e)
{
	int64_t *count = arena_alloc(arena, sizeof(*count));

	if (!count)
		return err_memory(e);
	*(int64_t **)member = count;
	return read_count(arena, node, count, e);
}

/* "10/1m": so many at once, and as many in each such time; 0: no limit. */
static int read_rate(struct arena *arena, const struct yaml_node *node, void *member, struct err *e)
{
	const char *text = yaml_is_scalar(node) ? yaml_scalar_text(arena, node) : NULL;
	struct rate *rate = member;
	char *slash = NULL;
	int64_t ms = 0;
	long count = text ? strtol(text, &slash, 10) : 0;

	if (node->kind == YAML_INT && node->integer == 0) {
		*rate = (struct rate){ .burst = 0 };
		return 0;
	}
	if (count < 1 || *slash != '/' || !option_duration(slash + 1, &ms) || ms < count)
		return fault(e, node, "a rate like 10/1m is expected");
	*rate = (struct rate){ .burst = count, .period_ms = ms / count };
	return 0;
}

/* Points, or "5%" of the challenge's value. */
static int read_first_blood(struct arena *arena, const struct yaml_node *node, void *member,
			    struct err *e)
{
	struct competition *c = member;
	const char *text = yaml_is_scalar(node) ? yaml_scalar_text(arena, node) : NULL;
	char *end = NULL;
	long number = text ? strtol(text, &end, 10) : -1;

	if (number < 0 || end == text || (*end && strcmp(end, "%") != 0))
		return fault(e, node, "points, or a percentage like 5%%, are expected");
	if (*end)
		c->first_blood_percent = number;
	else
		c->first_blood = number;
	return 0;
}

static int read_entries(struct arena *arena, const struct yaml_node *map, const struct key *keys,
			const char *what, void *object, struct err *e);

/* What each item of a list is: a text, or a map of keys of which the first is that text. */
struct item_kind {
	const char *what;
	const struct key *keys;
	size_t size;
};

static int read_item(struct arena *arena, const struct yaml_node *node,
		     const struct item_kind *kind, void *item, struct err *e)
{
	if (node->kind != YAML_MAP)
		return kind->keys[0].read(arena, node, item, e);
	return read_entries(arena, node, kind->keys, kind->what, item, e);
}

/* No two of which have the same first key. */
static int read_items(struct arena *arena, const struct yaml_node *node,
		      const struct item_kind *kind, void *ret_items, size_t *ret_count,
		      struct err *e)
{
	char *items;

	if (node->kind != YAML_LIST)
		return fault(e, node, "a list is expected, not %s", yaml_kind_name(node->kind));
	items = arena_array(arena, node->count + 1, kind->size);
	if (!items)
		return err_memory(e);
	for (size_t i = 0; i < node->count; i++) {
		char **name = (char **)(void *)(items + i * kind->size);
		int r = read_item(arena, node->items[i], kind, name, e);

		if (r < 0)
			return r;
		if (!*name)
			return fault(e, node->items[i], "%s needs '%s'", kind->what,
				     kind->keys[0].name);
		for (size_t j = 0; j < i; j++)
			if (strcmp(*name, *(char **)(void *)(items + j * kind->size)) == 0)
				return fault(e, node->items[i], "'%s' is listed twice", *name);
	}
	memcpy(ret_items, &items, sizeof(items));
	*ret_count = node->count;
	return 0;
}

static const struct key id_keys[] = { { "id", read_id, 0 }, { NULL, NULL, 0 } };

static int read_requires(struct arena *arena, const struct yaml_node *node, void *member,
			 struct err *e)
{
	static const struct item_kind kind = { "a challenge", id_keys, sizeof(char *) };
	struct competition_challenge *c = member;

	return read_items(arena, node, &kind, &c->requires_, &c->require_count, e);
}

static const struct key challenge_keys[] = {
	{ "id", read_id, offsetof(struct competition_challenge, id) },
	{ "opens", read_time, offsetof(struct competition_challenge, opens_at) },
	{ "closes", read_time, offsetof(struct competition_challenge, closes_at) },
	{ "requires", read_requires, 0 },
	{ "value", read_own_count, offsetof(struct competition_challenge, value) },
	{ "minimum", read_own_count, offsetof(struct competition_challenge, minimum) },
	{ "decay", read_own_count, offsetof(struct competition_challenge, decay) },
	{ "function", read_function, offsetof(struct competition_challenge, function) },
	{ "attempts", read_own_count, offsetof(struct competition_challenge, attempts) },
	{ "max_instances", read_own_count, offsetof(struct competition_challenge, max_instances) },
	{ NULL, NULL, 0 },
};

static int read_challenges(struct arena *arena, const struct yaml_node *node, void *member,
			   struct err *e)
{
	static const struct item_kind kind = { "a challenge", challenge_keys,
					       sizeof(struct competition_challenge) };
	struct competition *c = member;
	const char *text = yaml_string(node);

	c->every_challenge = text && strcmp(text, "all") == 0;
	if (c->every_challenge)
		return 0;
	if (node->kind != YAML_LIST)
		return fault(e, node, "'all' or a list of challenge ids is expected");
	return read_items(arena, node, &kind, &c->challenges, &c->challenge_count, e);
}

static const struct key division_keys[] = {
	{ "id", read_id, offsetof(struct competition_division, id) },
	{ "name", read_text, offsetof(struct competition_division, name) },
	{ NULL, NULL, 0 },
};

static int read_divisions(struct arena *arena, const struct yaml_node *node, void *member,
			  struct err *e)
{
	static const struct item_kind kind = { "a division", division_keys,
					       sizeof(struct competition_division) };
	struct competition *c = member;
	int r = read_items(arena, node, &kind, &c->divisions, &c->division_count, e);

	for (size_t i = 0; r == 0 && i < c->division_count; i++)
		if (!c->divisions[i].name)
			c->divisions[i].name = c->divisions[i].id;
	return r;
}

static const struct key entrant_keys[] = {
	{ "name", read_text, offsetof(struct competition_entrant, name) },
	{ "division", read_id, offsetof(struct competition_entrant, division) },
	{ "code", read_text, offsetof(struct competition_entrant, code) },
	{ NULL, NULL, 0 },
};

static int read_teams(struct arena *arena, const struct yaml_node *node, void *member,
		      struct err *e)
{
	static const struct item_kind kind = { "a team", entrant_keys,
					       sizeof(struct competition_entrant) };
	struct competition *c = member;

	return read_items(arena, node, &kind, &c->entrants, &c->entrant_count, e);
}

static const struct key competition_keys[] = {
	{ "id", read_id, offsetof(struct competition, id) },
	{ "name", read_text, offsetof(struct competition, name) },
	{ "description", read_text, offsetof(struct competition, description) },
	{ "start", read_time, offsetof(struct competition, starts_at) },
	{ "end", read_time, offsetof(struct competition, ends_at) },
	{ "freeze", read_time, offsetof(struct competition, freeze_at) },
	{ "registration", read_registration, offsetof(struct competition, registration) },
	{ "invite", read_text, offsetof(struct competition, invite) },
	{ "teams", read_teams, 0 },
	{ "divisions", read_divisions, 0 },
	{ "scoreboard", read_scoreboard, offsetof(struct competition, scoreboard) },
	{ "team_size", read_count, offsetof(struct competition, team_size) },
	{ "instance_ttl", read_seconds, offsetof(struct competition, instance_ttl) },
	{ "max_instances", read_count, offsetof(struct competition, max_instances) },
	{ "max_instances_total", read_count, offsetof(struct competition, max_instances_total) },
	{ "first_blood", read_first_blood, 0 },
	{ "answer_rate", read_rate, offsetof(struct competition, answer_rate) },
	{ "practice", read_bool, offsetof(struct competition, practice) },
	{ "strict_answers", read_bool, offsetof(struct competition, strict_answers) },
	{ "challenges", read_challenges, 0 },
	{ NULL, NULL, 0 },
};

static int read_entry(struct arena *arena, const struct yaml_node *map,
		      const struct yaml_entry *entry, const struct key *keys, const char *what,
		      void *object, struct err *e)
{
	for (const struct key *key = keys; key->name; key++)
		if (strcmp(key->name, entry->key) == 0)
			return key->read(arena, entry->value, (char *)object + key->offset, e);
	return err_set(e, ERR_VALIDATION, "%s:%u:%u: there is no key '%s' in %s", map->file->path,
		       entry->line, entry->column, entry->key, what);
}

static int read_entries(struct arena *arena, const struct yaml_node *map, const struct key *keys,
			const char *what, void *object, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < map->count; i++)
		r = read_entry(arena, map, &map->entries[i], keys, what, object, e);
	return r;
}

static int check_challenge(const struct yaml_node *root, const struct competition *c,
			   const struct competition_challenge *challenge, struct err *e)
{
	if (challenge->closes_at && challenge->closes_at <= challenge->opens_at)
		return fault(e, root, "'%s': 'closes' is not after 'opens'", challenge->id);
	for (size_t i = 0; i < challenge->require_count; i++)
		if (!competition_has(c, challenge->requires_[i]) ||
		    strcmp(challenge->requires_[i], challenge->id) == 0)
			return fault(e, root,
				     "'%s' requires '%s', which is no other of 'challenges'",
				     challenge->id, challenge->requires_[i]);
	return 0;
}

static int check_registration(const struct yaml_node *root, const struct competition *c,
			      struct err *e)
{
	bool by_invite = c->registration && strcmp(c->registration, "invite") == 0;
	bool by_list = c->registration && strcmp(c->registration, "list") == 0;

	if (by_invite != (c->invite != NULL))
		return fault(e, root, "'registration: invite' and 'invite' go together");
	if (by_list != (c->entrant_count > 0))
		return fault(e, root, "'registration: list' and 'teams' go together");
	for (size_t i = 0; i < c->entrant_count; i++)
		if (c->entrants[i].division &&
		    !competition_has_division(c, c->entrants[i].division))
			return fault(e, root, "team '%s': there is no division '%s'",
				     c->entrants[i].name, c->entrants[i].division);
	return 0;
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
	for (size_t i = 0; i < c->challenge_count; i++) {
		int r = check_challenge(root, c, &c->challenges[i], e);

		if (r < 0)
			return r;
	}
	return check_registration(root, c, e);
}

static char *text_or(struct arena *arena, char *text, const char *otherwise)
{
	return text ? text : arena_strdup(arena, otherwise);
}

int competition_parse(struct arena *arena, const char *path, const char *text, size_t len,
		      struct competition *ret_competition, struct err *e)
{
	struct competition c = { .instance_ttl = INSTANCE_TTL_DEFAULT,
				 .max_instances = MAX_INSTANCES_DEFAULT,
				 .answer_rate = answer_rate_default,
				 .every_challenge = true };
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
	r = read_entries(arena, root, competition_keys, "a competition", &c, e);
	if (r == 0)
		r = check(root, &c, e);
	if (r < 0)
		return r;
	c.name = text_or(arena, c.name, c.id);
	c.description = text_or(arena, c.description, "");
	c.registration = text_or(arena, c.registration, "open");
	c.scoreboard = text_or(arena, c.scoreboard, "public");
	c.file = arena_strndup(arena, text, len);
	if (arena_failed(arena))
		return err_memory(e);
	*ret_competition = c;
	return 0;
}
