/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rCTF's second version: challenge.yaml with flags by providers, scoring and instancerConfig, which
 * has a compose model in it.
 */
#include "challenge/spec.h"

#include "base/clock.h"
#include "base/own.h"

#include <string.h>

bool spec_is_rctf(const struct yaml_node *root)
{
	const struct yaml_node *flags = yaml_get(root, "flags");

	return yaml_get(root, "instancerConfig") ||
	       yaml_get(yaml_get(root, "scoring"), "initialValue") ||
	       (flags && flags->kind == YAML_LIST && flags->count &&
		yaml_get(flags->items[0], "provider"));
}

static void read_flag(struct spec *spec, const struct yaml_node *item)
{
	static const char *const known[] = { "provider", "config", NULL };
	static const char *const settings[] = { "flag", "pattern", "flags", NULL };
	const struct yaml_node *config = yaml_get(item, "config");
	const char *provider = yaml_text(yaml_get(item, "provider"));
	const char *flag = yaml_text(yaml_get(config, "flag"));
	const char *pattern = yaml_text(yaml_get(config, "pattern"));
	const char *flags = yaml_text(yaml_get(config, "flags"));

	spec_check_keys(spec, item, "flags", known);
	if (config)
		spec_check_keys(spec, config, "flags", settings);
	if (provider && strcmp(provider, "flags/static") == 0 && flag)
		spec_add_flag(spec, item, flag, false);
	else if (provider && strcmp(provider, "flags/regex") == 0 && pattern)
		spec_add_flag_pattern(spec, item, pattern, flags && strchr(flags, 'i'));
	else
		spec_fault(spec, item, "flags",
			   "needs the provider 'flags/static' with its 'config: {flag: ...}', or "
			   "'flags/regex' with 'config: {pattern: ...}'");
}

static void read_flags(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST) {
		spec_read_flags(spec, value);
		return;
	}
	for (size_t i = 0; i < value->count; i++) {
		if (value->items[i]->kind == YAML_MAP && yaml_get(value->items[i], "provider"))
			read_flag(spec, value->items[i]);
		else
			spec_fault(spec, value->items[i], "flags",
				   "needs its 'provider' and 'config'");
	}
}

static void read_scoring(struct spec *spec, const struct yaml_node *value)
{
	spec_read_value_of(spec, value, "scoring");
}

static void read_release(struct spec *spec, const struct yaml_node *value)
{
	const char *text = spec_text(spec, value, "releaseTime");

	if (text && !clock_parse(text, &spec->challenge->opens_at))
		spec_fault(spec, value, "releaseTime",
			   "'%s' is no instant: write it like 2026-11-28T20:00:00Z", text);
}

static void read_hidden(struct spec *spec, const struct yaml_node *value)
{
	spec->challenge->hidden = spec_bool(spec, value, "hidden");
}

static void read_sort_weight(struct spec *spec, const struct yaml_node *value)
{
	spec_read_position(spec, value);
	spec->challenge->position = -spec->challenge->position;
}

/* --- instancerConfig ---------------------------------------------------------------------- */

static void read_timeout(struct spec *spec, const struct yaml_node *value)
{
	int64_t ms = spec_integer(spec, value, "instancerConfig.timeoutMilliseconds");

	spec->challenge->ttl = (ms + 999) / 1000;
}

static void read_config(struct spec *spec, const struct yaml_node *value)
{
	const struct yaml_node *services = yaml_get(value, "services");

	if (services && services->kind == YAML_MAP)
		spec->model = value;
	else
		spec_fault(spec, value, "instancerConfig.config",
			   "needs its 'services', as a compose file has them");
}

static void read_exposed(struct spec *spec, const struct yaml_node *item)
{
	static const char *const known[] = { "kind",          "hostPrefix", "containerName",
					     "containerPort", "title",      NULL };
	static const char key[] = "instancerConfig.expose";
	const struct yaml_node *port = yaml_get(item, "containerPort");
	const char *kind = yaml_text(yaml_get(item, "kind"));
	int64_t number = port ? spec_integer(spec, port, key) : 0;
	struct endpoint *row;

	spec_check_keys(spec, item, key, known);
	if (number < 1 || number > 65535) {
		spec_fault(spec, item, key, "needs a 'containerPort' from 1 to 65535");
		return;
	}
	row = spec_add_endpoint(spec);
	if (row)
		*row = (struct endpoint){ .service = yaml_text(yaml_get(item, "containerName")),
					  .port = (uint16_t)number,
					  .protocol = kind && strncmp(kind, "http", 4) == 0 ? "http"
						      : kind && strcmp(kind, "udp") == 0    ? "udp"
											    : "tcp",
					  .node = item };
}

static void read_expose(struct spec *spec, const struct yaml_node *value)
{
	if (value->kind != YAML_LIST)
		spec_fault(spec, value, "instancerConfig.expose", "must be a list, not %s",
			   yaml_kind_name(value->kind));
	for (size_t i = 0; value->kind == YAML_LIST && i < value->count; i++)
		read_exposed(spec, value->items[i]);
}

static void read_instancer(struct spec *spec, const struct yaml_node *value);

static const struct spec_key keys[] = {
	{ "adminBot", NULL, "has no effect: a bot is a service of the challenge here" },
	{ "author", spec_read_author, NULL },
	{ "authors", spec_read_author, NULL },
	{ "category", spec_read_category, NULL },
	{ "description", spec_read_description, NULL },
	{ "files", spec_read_files, NULL },
	{ "flags", read_flags, NULL },
	{ "hidden", read_hidden, NULL },
	{ "id", spec_read_id, NULL },
	{ "instancerConfig", read_instancer, NULL },
	{ "name", spec_read_name, NULL },
	{ "provide", spec_read_provide, NULL },
	{ "releaseTime", read_release, NULL },
	{ "scoring", read_scoring, NULL },
	{ "sortWeight", read_sort_weight, NULL },
	{ "tags", spec_read_tags, NULL },
	{ "tiebreakEligible", NULL, "has no effect: every solve counts where points are equal" },
};

static const struct spec_key instancer_keys[] = {
	{ "challengeIntegrationId", NULL, "has no effect: the challenge's id is its folder's" },
	{ "config", read_config, NULL },
	{ "expose", read_expose, NULL },
	{ "extendable", NULL, "has no effect: the competition says who may extend" },
	{ "timeoutMilliseconds", read_timeout, NULL },
};

const struct spec_keys spec_keys_rctf[] = { SPEC_KEYS("", keys),
					    SPEC_KEYS("instancerConfig", instancer_keys),
					    { .map = NULL } };

static void read_instancer(struct spec *spec, const struct yaml_node *value)
{
	spec_read(spec, value, &spec_keys_rctf[1]);
}

void spec_read_rctf(struct spec *spec)
{
	spec_read(spec, spec->root, spec_keys_rctf);
	spec->challenge->type = "dynamic"; /* rCTF knows no other */
}
