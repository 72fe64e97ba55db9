/* SPDX-License-Identifier: Apache-2.0 */
/* build: where an image comes from, and what goes into it. */
#include "challenge/service.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/context.h"
#include "challenge/dockerfile.h"
#include "challenge/folder.h"
#include "challenge/safe-text.h"

#include <ctype.h>
#include <string.h>

static bool is_remote(const char *context)
{
	return strstr(context, "://") || strncmp(context, "git@", 4) == 0 ||
	       strncmp(context, "github.com/", 11) == 0;
}

static bool set_context(struct service *s, const struct yaml_node *at, const char *context)
{
	const char *path;

	if (is_remote(context)) {
		service_fault(s, at,
			      "'%s': builds from elsewhere are not supported: put the "
			      "sources in the challenge's folder",
			      context);
		return false;
	}
	path = planner_path(s->p, path_join(s->p->arena, at->file->dir, context), at,
			    service_key_path(s), "the context");
	if (!path)
		return false;
	if (planner_kind(s->p, path) != PATH_DIR) {
		planner_absent(s->p, at, service_key_path(s), "the context '%s' is not a directory",
			       context);
		return false;
	}
	s->plan->build->context = path;
	return true;
}

/* A name below the context stays relative; one outside of it becomes absolute. */
static bool set_dockerfile(struct service *s, const struct yaml_node *at, const char *name)
{
	struct plan_build *build = s->plan->build;
	const char *path = planner_path(s->p, path_join(s->p->arena, build->context, name), at,
					service_key_path(s), "the Dockerfile");
	enum path_kind kind;

	if (!path)
		return false;
	kind = planner_kind(s->p, path);
	if (kind == PATH_ABSENT || kind == PATH_DIR) {
		planner_absent(s->p, at, service_key_path(s),
			       "the Dockerfile '%s' does not exist in '%s'", name,
			       path_relative(build->context, s->p->challenge->dir));
		return false;
	}
	build->dockerfile = path_relative(path, build->context);
	return true;
}

/* As the docker client does, "dockerfile" will do where there is no "Dockerfile". */
static const char *default_dockerfile(struct service *s)
{
	const char *context = s->plan->build->context;
	const char *upper = path_join(s->p->arena, context, "Dockerfile");
	const char *lower = path_join(s->p->arena, context, "dockerfile");

	return upper && lower && planner_kind(s->p, upper) == PATH_ABSENT &&
			       planner_kind(s->p, lower) != PATH_ABSENT
		       ? "dockerfile"
		       : "Dockerfile";
}

static void add_arg(struct service *s, const struct yaml_node *at, const char *name,
		    const char *text)
{
	if (!text)
		text = variables_get(&s->p->variables, name);
	if (strncmp(name, "BUILDKIT_", 9) == 0) /* a frontend of its own, and other switches */
		service_warn(s, at, "'%s' is not passed on: it is the builder's own", name);
	else if (!text_is_of(name, TEXT_LETTERS TEXT_DIGITS "_.-"))
		service_fault(s, at, "'%s' is not the name of an argument", name);
	else if (text)
		service_set_text(s, s->plan->build->args, name, text);
}

static void add_label(struct service *s, const struct yaml_node *at, const char *name,
		      const char *text)
{
	if (!planner_keeps_label(s->p, name)) {
		service_warn(s, at, "the label '%s' is not kept%s", name,
			     planner_owns_label(name) ? ": the node's own have such names"
						      : " (opt-in: labels)");
		return;
	}
	if (!s->plan->build->labels)
		s->plan->build->labels = json_object();
	service_set_text(s, s->plan->build->labels, name, text ? text : "");
}

static void add_extra_host(struct service *s, const struct yaml_node *at, const char *name,
			   const char *text)
{
	const char *line;

	if (!service_checks_host(s, at, name, text))
		return;
	line = arena_printf(s->p->arena, "%s:%s", name, text);
	if (!s->plan->build->extra_hosts)
		s->plan->build->extra_hosts = json_array();
	if (line)
		planner_append(s->p, s->plan->build->extra_hosts, json_text(line));
}

static void set_network(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (!text || !*text || strcmp(text, "default") == 0)
		return;
	if (strcmp(text, "none") == 0)
		s->plan->build->network = "none";
	else if (strcmp(text, "host") != 0)
		service_warn(s, value, "the build uses the default network, not '%s'", text);
	else if (service_permits(s, "build-host-network", value,
				 "the build would reach whatever the host does"))
		s->plan->build->network = "host";
}

static void set_platforms(struct service *s, const struct yaml_node *value)
{
	const char *first =
		value->kind == YAML_LIST && value->count ? yaml_string(value->items[0]) : NULL;

	if (!first)
		service_fault(s, value, "must be a list of platforms");
	else if (service_checks_platform(s, value, first))
		s->plan->build->platform = first;
}

static void set_pull(struct service *s, const struct yaml_node *value)
{
	service_bool(s, value, &s->plan->build->pull);
}

static void set_shm_size(struct service *s, const struct yaml_node *value)
{
	int64_t bytes, most = s->p->limits.memory_max;

	if (!service_bytes(s, value, &bytes))
		return;
	if (bytes > most &&
	    !service_permits(s, "memory", value, "more than the node's %lld MiB of memory",
			     (long long)(most >> 20)))
		return;
	s->plan->build->shm_size = bytes;
}

static void set_target(struct service *s, const struct yaml_node *value)
{
	const char *text = service_text(s, value);

	if (text && *text && !text_is_name(text))
		service_fault(s, value, "'%s' is not the name of a stage", text);
	else
		s->plan->build->target = text;
}

static void set_args(struct service *s, const struct yaml_node *value)
{
	service_each_pair(s, value, "=", add_arg);
}

static void set_labels(struct service *s, const struct yaml_node *value)
{
	service_each_pair(s, value, "=", add_label);
}

static void set_extra_hosts(struct service *s, const struct yaml_node *value)
{
	service_each_pair(s, value, "=:", add_extra_host);
}

static void refuse_rights(struct service *s, const struct yaml_node *value)
{
	if (service_permits(s, "build-privileged", value,
			    "the build would hold rights over the host"))
		service_warn(s, value, "has no effect: the engine's builder has no such rights");
}

static void refuse_secrets(struct service *s, const struct yaml_node *value)
{
	service_fault(s, value, "secrets and SSH agents of a build are not supported");
}

static void refuse_contexts(struct service *s, const struct yaml_node *value)
{
	service_fault(s, value, "additional contexts are not supported: put the files in one");
}

static void ignore(struct service *s, const struct yaml_node *value)
{
	service_warn(s, value, "has no effect on a build here");
}

static const struct {
	const char *key;
	service_key_fn *set;
} keys[] = {
	{ "additional_contexts", refuse_contexts },
	{ "args", set_args },
	{ "cache_from", ignore },
	{ "cache_to", ignore },
	{ "entitlements", refuse_rights },
	{ "extra_hosts", set_extra_hosts },
	{ "isolation", ignore },
	{ "labels", set_labels },
	{ "network", set_network },
	{ "no_cache", ignore },
	{ "no_cache_filter", ignore },
	{ "platforms", set_platforms },
	{ "privileged", refuse_rights },
	{ "provenance", ignore },
	{ "pull", set_pull },
	{ "sbom", ignore },
	{ "secrets", refuse_secrets },
	{ "shm_size", set_shm_size },
	{ "ssh", refuse_secrets },
	{ "tags", ignore },
	{ "target", set_target },
	{ "ulimits", ignore },
};

static void set_key(struct service *s, const struct yaml_entry *entry)
{
	static const char *const places[] = { "context", "dockerfile", "dockerfile_inline" };
	const char *key = s->key;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		if (strcmp(places[i], entry->key) == 0)
			return;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].key, entry->key) != 0)
			continue;
		s->key = arena_printf(s->p->arena, "build.%s", entry->key);
		if (entry->value->kind != YAML_NULL)
			keys[i].set(s, entry->value);
		s->key = key;
		return;
	}
	service_unknown(s, entry);
}

static bool set_place(struct service *s, const struct yaml_node *value)
{
	const struct yaml_node *context =
		value->kind == YAML_MAP ? yaml_get(value, "context") : value;
	const struct yaml_node *dockerfile = yaml_get(value, "dockerfile");
	const struct yaml_node *text = yaml_get(value, "dockerfile_inline");
	const char *path = context ? service_text(s, context) : ".";
	const char *name = dockerfile ? service_text(s, dockerfile) : NULL;

	if (!path || !set_context(s, context ? context : value, *path ? path : "."))
		return false;
	if (text && dockerfile) {
		service_fault(s, value, "has both dockerfile and dockerfile_inline");
		return false;
	}
	if (text) {
		s->plan->build->dockerfile_inline = service_text(s, text);
		return s->plan->build->dockerfile_inline;
	}
	return set_dockerfile(s, dockerfile ? dockerfile : value,
			      name && *name ? name : default_dockerfile(s));
}

void service_build(struct service *s, const struct yaml_node *value)
{
	struct plan_build *build;

	if (value->kind == YAML_NULL)
		return;
	if (value->kind == YAML_LIST) {
		service_fault(s, value, "must be a directory or a map, not a list");
		return;
	}
	build = arena_alloc(s->p->arena, sizeof(*build));
	if (!build)
		return;
	build->folder = s->p->plan->folder;
	build->args = json_object();
	s->plan->build = build;
	s->build_node = value;
	s->build_faulty = !set_place(s, value);
	for (size_t i = 0; value->kind == YAML_MAP && i < value->count; i++)
		set_key(s, &value->entries[i]);
}

/* --- what it comes to --------------------------------------------------------------------- */

static const char *dockerfile_text(struct service *s)
{
	const char *text = NULL;
	struct err e = ERR_INIT;

	if (context_dockerfile(s->p->arena, s->plan->build, &text, &e) < 0)
		service_fault(s, s->build_node, "%s", e.msg);
	return text;
}

/* An image's name takes lower case letters, digits and single separators. */
static const char *image_part(struct arena *arena, const char *name)
{
	char *part = arena_strdup(arena, name);
	size_t len = 0;

	for (const char *c = name; part && *c; c++) {
		if (isalnum((unsigned char)*c))
			part[len++] = (char)tolower((unsigned char)*c);
		else if (len && part[len - 1] != '-')
			part[len++] = '-';
	}
	while (part && len && part[len - 1] == '-')
		len--;
	if (part)
		part[len] = '\0';
	return part && *part ? part : "x";
}

/*
 * The tag is the content's: what the author calls the image is shared by no two challenges, and
 * what didn't change is not built again. An instance's own image is never another's, not even where
 * both have the same answers: it goes when its instance does.
 */
static const char *name_image(struct service *s, struct plan_build *build)
{
	char hash[CONTEXT_HASH_SIZE] = "outline";
	struct err e = ERR_INIT;

	if (!s->p->facts->outline && context_hash(build, hash, &e) < 0) {
		service_fault(s, s->build_node, "%s", e.msg);
		return NULL;
	}
	build->content_hash = arena_strdup(s->p->arena, hash);
	return arena_printf(s->p->arena, "ctfy-challenge/%s/%s:%.20s%s%s",
			    image_part(s->p->arena, s->p->challenge->id),
			    image_part(s->p->arena, s->name), hash, build->per_instance ? "-" : "",
			    build->per_instance ? s->p->facts->instance_id : "");
}

bool service_stage(struct service *s, const struct yaml_node *at, const char *stage,
		   struct plan_build **ret_build, const char **ret_image)
{
	struct plan_build *build;

	if (!s->plan->build) {
		service_fault(s, at, "the service '%s' is not built: it has no stages", s->name);
		return false;
	}
	if (!text_is_name(stage)) {
		service_fault(s, at, "'%s' is not the name of a stage", stage);
		return false;
	}
	build = arena_alloc(s->p->arena, sizeof(*build));
	if (!build)
		return false;
	*build = *s->plan->build;
	json_incref(build->args);
	json_incref(build->labels);
	json_incref(build->extra_hosts);
	build->target = arena_strdup(s->p->arena, stage);
	*ret_build = build;
	*ret_image = s->build_faulty ? NULL : name_image(s, build);
	return true;
}

/*
 * The text is searched besides: between two builders' ways to read a Dockerfile (the lines of a
 * heredoc, say) there is room for an instruction that we don't see.
 */
static void check_images(struct service *s, const char *text, const struct dockerfile *file)
{
	const char *name = NULL;
	const char *fault = dockerfile_image_fault(s->p->arena, file, s->plan->build->args, &name);

	if (fault)
		service_fault(s, s->build_node, "the Dockerfile's image '%s' %s", name ? name : "",
			      fault);
	else if (strcasestr(text, "ctfy-challenge/"))
		service_fault(
			s, s->build_node,
			"the Dockerfile names 'ctfy-challenge/...', which is what a node calls "
			"the images that it builds for challenges");
}

void service_finish_build(struct service *s)
{
	struct plan_build *build = s->plan->build;
	struct dockerfile file;
	const char *text;

	if (!build) {
		s->base_image = s->plan->image;
		s->built_for_jail = s->base_image && text_names_jail(s->base_image);
	}
	if (!build || s->build_faulty)
		return;
	s->key = "build";
	if (!build->platform)
		build->platform = s->plan->platform;
	text = dockerfile_text(s);
	s->built_for_jail = text && text_names_jail(text);
	if (text && dockerfile_read(s->p->arena, text, &file)) {
		check_images(s, text, &file);
		build->needs_buildkit = file.needs_buildkit;
		if (!build->target)
			s->base_image = file.base;
		if (!file.base)
			service_warn(s, s->build_node,
				     "the Dockerfile has no FROM: no engine builds it");
		s->plan->image = name_image(s, build);
	}
	s->key = NULL;
}
