/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bare folder's questions: the flags that its compose file speaks of. One that it refers to as a
 * variable is each instance's own, unless .env has it; one that it spells out is what it is.
 */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/err.h"
#include "challenge/folder.h"
#include "challenge/variables.h"

#include <ctype.h>
#include <string.h>

enum { MAX_ENV = 1 << 20, MAX_QUESTIONS = 16 };

struct finder {
	struct spec *spec;
	struct variables env;
};

/*
 * FLAG, FLAG2, FLAG_2, ADMIN_FLAG; not FLAG_PATH. Upper case, because a question's id names its
 * variable that way.
 */
static bool is_flag_name(const char *name)
{
	static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t len = strlen(name);

	if (strspn(name, upper) != len)
		return false;
	if (len > 5 && strcmp(name + len - 5, "_FLAG") == 0)
		return true;
	if (strncmp(name, "FLAG", 4) != 0)
		return false;
	name += 4 + (name[4] == '_' && name[5]);
	return name[strspn(name, "0123456789")] == '\0';
}

static char *lower(struct arena *arena, const char *name)
{
	char *id = arena_strdup(arena, name);

	for (char *c = id; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return id;
}

static void add_question(struct finder *in, const char *name, const char *fixed)
{
	const struct challenge *c = in->spec->challenge;
	const char *id = lower(in->spec->arena, name);
	struct question *q;

	for (size_t i = 0; id && i < c->question_count; i++)
		if (strcmp(c->questions[i].id, id) == 0)
			return;
	q = id && c->question_count < MAX_QUESTIONS ? spec_add_question(in->spec, id) : NULL;
	if (!q)
		return;
	q->kind = fixed ? ANSWER_STATIC : ANSWER_GENERATED;
	q->answer = fixed ? fixed : "flag{...}";
}

static void add_variable(struct finder *in, const char *name)
{
	if (is_flag_name(name))
		add_question(in, name, variables_get(&in->env, name));
}

static void find_in_text(struct finder *in, const char *text)
{
	while ((text = strchr(text, '$'))) {
		size_t len = 0;
		char *name;

		text++;
		if (*text == '$') {
			text++;
			continue;
		}
		text += *text == '{';
		while (isalnum((unsigned char)text[len]) || text[len] == '_')
			len++;
		name = arena_strndup(in->spec->arena, text, len);
		if (name && *name)
			add_variable(in, name);
	}
}

static void find_anywhere(struct finder *in, const struct yaml_node *node)
{
	if (yaml_text(node))
		find_in_text(in, node->text);
	for (size_t i = 0; i < node->count; i++)
		find_anywhere(in, node->kind == YAML_MAP ? node->entries[i].value : node->items[i]);
}

/* Names that are passed on as they are, and FLAG=what it is. */
static void find_in_pairs(struct finder *in, const struct yaml_node *pairs)
{
	for (size_t i = 0; pairs && i < pairs->count; i++) {
		bool is_map = pairs->kind == YAML_MAP;
		const struct yaml_node *item = is_map ? pairs->entries[i].value : pairs->items[i];
		const char *text =
			yaml_is_scalar(item) ? yaml_scalar_text(in->spec->arena, item) : NULL;
		const char *equals = text && !is_map ? strchr(text, '=') : NULL;

		if (!text)
			continue;
		if (is_map ? item->kind == YAML_NULL : !equals)
			add_variable(in, is_map ? pairs->entries[i].key : text);
		else if (is_map && strcmp(pairs->entries[i].key, "FLAG") == 0 && !strchr(text, '$'))
			add_question(in, "FLAG", text);
		else if (equals && equals - text == 4 && strncmp(text, "FLAG", 4) == 0 &&
			 !strchr(text, '$'))
			add_question(in, "FLAG", equals + 1);
	}
}

static void read_env(struct finder *in, const char *dir)
{
	const char *path = path_join(in->spec->arena, dir, ".env"), *text;
	struct env_fault fault;
	struct err e = ERR_INIT;
	size_t len;

	/* Planning tells what is wrong with it. */
	if (path && folder_read(in->spec->arena, in->spec->challenge->dir, path, MAX_ENV, &text,
				&len, &e) == 0)
		env_parse(text, false, NULL, &in->env, &fault, &e);
}

void spec_read_bare(struct spec *spec, const struct yaml_node *model, const char *dir)
{
	struct finder in = { .spec = spec, .env.arena = spec->arena };
	const struct yaml_node *services = yaml_get(model, "services");

	read_env(&in, dir);
	find_anywhere(&in, model);
	for (size_t i = 0; services && services->kind == YAML_MAP && i < services->count; i++) {
		const struct yaml_node *service = services->entries[i].value;

		find_in_pairs(&in, yaml_get(service, "environment"));
		find_in_pairs(&in, yaml_get(yaml_get(service, "build"), "args"));
	}
}
