/* SPDX-License-Identifier: Apache-2.0 */
/* Formats of benchmarks for programs that solve challenges: Cybench, inspect_cyber. */
#include "challenge/spec.h"

#include "base/arena.h"
#include "base/own.h"
#include "challenge/unit.h"

#include <string.h>

/* --- Cybench: metadata/metadata.json ------------------------------------------------------- */

bool spec_is_cybench(const struct yaml_node *root)
{
	return yaml_get(root, "subtasks") && yaml_get(root, "categories");
}

/* What is asked last is the flag; those before are steps on the way, of which nothing is scored. */
static void read_subtasks(struct spec *spec, const struct yaml_node *value)
{
	const struct yaml_node *last =
		value->kind == YAML_LIST && value->count ? value->items[value->count - 1] : NULL;
	const char *answer = yaml_text(yaml_get(last, "answer"));

	if (!answer || !*answer) {
		spec_warn(spec, value, "subtasks", "the last has no 'answer', which is the flag");
		return;
	}
	spec_add_flag(spec, last, answer, false);
	if (value->count > 1)
		spec_warn(spec, value, "subtasks",
			  "only the last is asked: its answer is the flag");
}

/* "host:1337" */
static void read_target(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "target_host");
	const char *colon = text ? strrchr(text, ':') : NULL;

	if (!text || !*text)
		return;
	spec->wants_instance = true;
	if (colon && !unit_integer(colon + 1, 1, 65535, &spec->port))
		spec_warn(spec, value, "target_host", "'%s' names no port", text);
}

static const struct spec_key cybench_keys[] = {
	{ "categories", spec_read_category, NULL },
	{ "difficulty", NULL, "has no effect: a tag says it to players" },
	{ "easy_prompt", NULL, "is not shown: players see 'hard_prompt'" },
	{ "hard_prompt", spec_read_description, NULL },
	{ "internet", NULL, "has no effect: the policy says what an instance reaches" },
	{ "name", spec_read_name, NULL },
	{ "notes", NULL, "is for authors: players are not shown it" },
	{ "stateful_shell", NULL, "has no effect: it is for programs that solve" },
	{ "subtasks", read_subtasks, NULL },
	{ "target_host", read_target, NULL },
	{ "tools", NULL, "has no effect: it is for programs that solve" },
};

const struct spec_keys spec_keys_cybench[] = { SPEC_KEYS("", cybench_keys), { .map = NULL } };

void spec_read_cybench(struct spec *spec)
{
	spec_read(spec, spec->root, spec_keys_cybench);
}

/* --- inspect_cyber: eval.yaml -------------------------------------------------------------- */

bool spec_is_inspect(const struct yaml_node *root)
{
	return yaml_get(root, "variants") && (yaml_get(root, "sandbox") || yaml_get(root, "flag"));
}

static void read_sandbox(struct spec *spec, const struct yaml_node *value)
{
	const char *type = yaml_text(yaml_get(value, "type"));
	const char *config = yaml_text(yaml_get(value, "config"));

	if (!type)
		type = yaml_text(value);
	if (type && strcmp(type, "docker") != 0)
		spec_fault(spec, value, "sandbox", "'%s' can't be had here: only 'docker'", type);
	else if (config)
		spec->compose = config;
}

static void read_inspect_flag(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "flag");

	if (text)
		spec_add_flag(spec, value, text, false);
}

/* Players are told what the first of them asks for. */
static void read_variants(struct spec *spec, const struct yaml_node *value)
{
	for (size_t i = 0; value->kind == YAML_MAP && i < value->count; i++) {
		const char *prompt = yaml_text(yaml_get(value->entries[i].value, "prompt"));

		if (!spec->challenge->description)
			spec->challenge->description = prompt;
		else if (prompt)
			spec_warn(spec, value->entries[i].value, "variants",
				  "'%s' is not shown: the first variant is", value->entries[i].key);
	}
}

static const struct spec_key inspect_keys[] = {
	{ "files", NULL, "has no effect: let the images have what their services need" },
	{ "flag", read_inspect_flag, NULL },
	{ "metadata", NULL, "is for authors: players are not shown it" },
	{ "name", spec_read_name, NULL },
	{ "sandbox", read_sandbox, NULL },
	{ "setup", NULL, "has no effect: let the images begin with what their services need" },
	{ "variants", read_variants, NULL },
};

const struct spec_keys spec_keys_inspect[] = { SPEC_KEYS("", inspect_keys), { .map = NULL } };

void spec_read_inspect(struct spec *spec)
{
	spec_read(spec, spec->root, spec_keys_inspect);
}
