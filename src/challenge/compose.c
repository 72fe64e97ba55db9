/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/compose.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/folder.h"
#include "challenge/interpolate.h"
#include "challenge/merge.h"
#include "challenge/planner.h"
#include "challenge/tree.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum {
	MAX_DEPTH = 32,      /* files within files, services that extend services */
	MAX_FILES = 200,     /* drawn in by one file */
	MAX_MODEL = 20000,   /* nodes */
	MAX_VALUE = 1 << 20, /* bytes */
};

/* A node's way from the root, kept on the stack: the key that a problem names. */
struct place {
	const struct place *up;
	const char *key; /* NULL: an item of a list */
	size_t index;
};

struct resolver {
	struct planner *p;
	const struct variables *variables;
	unsigned depth;
	unsigned *files;     /* read so far */
	const char *service; /* whose `extends` is followed */
};

static const char *const file_names[] = { "compose.yaml", "compose.yml", "docker-compose.yml",
					  "docker-compose.yaml" };

const char *const service_dirs[] = { "src",        "chal",    "challenge", "deploy",
				     "deployment", "service", "server",    "docker",
				     "build",      "app",     "source",    "env" };
const size_t service_dir_count = ARRAY_SIZE(service_dirs);

static void put_place(struct buf *b, const struct place *at)
{
	if (!at)
		return;
	put_place(b, at->up);
	if (!at->key)
		buf_printf(b, "[%zu]", at->index);
	else
		buf_printf(b, "%s%s", b->len ? "." : "", at->key);
}

__attribute__((format(printf, 5, 6))) static void tell(const struct resolver *in,
						       enum problem_kind kind,
						       const struct yaml_node *node,
						       const struct place *at, const char *fmt, ...)
{
	struct buf key = BUF_INIT, message = BUF_INIT;
	va_list ap;

	put_place(&key, at);
	va_start(ap, fmt);
	buf_vprintf(&message, fmt, ap);
	va_end(ap);
	problem_at(in->p->problems, kind, node, key.len ? key.data : NULL, "%s", message.data);
	buf_done(&key);
	buf_done(&message);
}

/* --- files --------------------------------------------------------------------------------- */

static bool is_there(const char *folder, const char *path)
{
	return folder_kind(folder_guard(folder, path), path) != PATH_ABSENT;
}

const char *compose_find(struct arena *arena, const char *folder, const char *dir)
{
	for (size_t i = 0; i < ARRAY_SIZE(file_names); i++) {
		const char *path = path_join(arena, dir, file_names[i]);

		if (path && is_there(folder, path))
			return path;
	}
	return NULL;
}

bool compose_is_in(const char *dir)
{
	for (size_t i = 0; i < ARRAY_SIZE(file_names); i++)
		if (dir_has_file(dir, file_names[i]))
			return true;
	return false;
}

int compose_parse_first(struct arena *arena, const char *folder, const char *path, const char *dir,
			struct yaml_node **ret_root, unsigned *ret_second,
			struct problems *problems, struct err *e)
{
	const char *name = path_relative(path, folder);
	struct yaml_file *file = arena_alloc(arena, sizeof(*file));
	struct yaml_fault fault = { 0 };
	const char *text;
	size_t len;
	int r;

	if (!file)
		return err_memory(e);
	file->path = arena_strdup(arena, name);
	file->dir = arena_strdup(arena, dir);
	r = folder_read(arena, folder_guard(folder, path), path, YAML_MAX_FILE, &text, &len, e);
	if (r < 0) {
		problem_add(problems, PROBLEM_ERROR, name, 0, 0, NULL, "%s", e->msg);
		return r;
	}
	r = yaml_parse_first(arena, file, text, len, ret_root, ret_second, &fault, e);
	if (r < 0)
		problem_add(problems, PROBLEM_ERROR, name, fault.line, fault.column, NULL, "%s",
			    fault.line ? fault.reason : e->msg);
	return r;
}

int compose_parse(struct arena *arena, const char *folder, const char *path, const char *dir,
		  struct yaml_node **ret_root, struct problems *problems, struct err *e)
{
	return compose_parse_first(arena, folder, path, dir, ret_root, NULL, problems, e);
}

/* Compose takes an override by any of its names beside a file by any of its names. */
static const char *find_override_in(struct arena *arena, const char *folder, const char *path)
{
	static const char *const names[] = { "../compose.override.yml", "../compose.override.yaml",
					     "../docker-compose.override.yml",
					     "../docker-compose.override.yaml" };
	const char *slash = strrchr(path, '/');
	bool is_usual = false;

	for (size_t i = 0; slash && i < ARRAY_SIZE(file_names); i++)
		is_usual = is_usual || strcmp(slash + 1, file_names[i]) == 0;
	for (size_t i = 0; is_usual && i < ARRAY_SIZE(names); i++) {
		const char *override = path_join(arena, path, names[i]);

		if (override && is_there(folder, override))
			return override;
	}
	return NULL;
}

/* "dir/docker-compose.override.yml" beside "dir/docker-compose.yml", where there is one. */
static const char *find_override(struct arena *arena, const char *folder, const char *path)
{
	const char *dot = strrchr(path, '.');

	for (int i = 0; dot && i < 2; i++) {
		const char *override = arena_printf(arena, "%.*s.override.%s", (int)(dot - path),
						    path, i ? "yaml" : "yml");

		if (override && is_there(folder, override))
			return override;
	}
	return find_override_in(arena, folder, path);
}

static const char *parent_dir(struct arena *arena, const char *path)
{
	return path_join(arena, path, "..");
}

int compose_load(struct arena *arena, const char *folder, const char *path,
		 struct compose_file **ret_compose, struct problems *problems, struct err *e)
{
	struct compose_file *compose = arena_alloc(arena, sizeof(*compose));
	const char *override = find_override(arena, folder, path);
	int r;

	if (!compose)
		return err_memory(e);
	if (!path_is_below(path, folder)) {
		problem_add(problems, PROBLEM_ERROR, NULL, 0, 0, "compose",
			    "'%s' is outside the challenge's folder", path);
		return err_set(e, ERR_INVALID, "compose: '%s' is outside the challenge's folder",
			       path);
	}
	compose->folder = folder;
	compose->dir = parent_dir(arena, path);
	if (!compose->dir)
		return err_memory(e);
	r = compose_parse(arena, folder, path, compose->dir, &compose->root, problems, e);
	if (r == 0 && override)
		r = compose_parse(arena, folder, override, compose->dir, &compose->override,
				  problems, e);
	if (r == 0)
		*ret_compose = compose;
	return r;
}

/* Beside a file that host-path has permitted there may be one that it has not. */
static bool permits_env(struct planner *p, const char *path)
{
	const char *opt_in;

	if (path_is_below(path, p->challenge->dir))
		return true;
	opt_in = arena_printf(p->arena, "host-path:%s", path);
	if (opt_in && policy_allows(p->policy, p->challenge->id, opt_in))
		return true;
	problem_add(p->problems, PROBLEM_WARNING, path, 0, 0, NULL,
		    "is not read: it is outside the challenge's folder (opt-in: host-path:%s)",
		    path);
	return false;
}

void compose_read_env(struct planner *p, const char *dir, struct variables *variables)
{
	const char *path = path_join(p->arena, dir, ".env");
	const char *folder = p->challenge->dir, *name, *text;
	enum path_kind kind;
	struct variables read = { .arena = p->arena };
	struct env_fault fault = { 0 };
	struct err e = ERR_INIT;
	size_t len;
	int r;

	kind = path ? planner_kind(p, path) : PATH_ABSENT;
	if (kind == PATH_ABSENT || kind == PATH_DIR || !permits_env(p, path))
		return;
	name = path_relative(path, folder);
	r = planner_read(p, path, YAML_MAX_FILE, &text, &len, &e);
	if (r == 0)
		r = env_parse(text, false, variables, &read, &fault, &e);
	if (r < 0)
		problem_add(p->problems, PROBLEM_ERROR, name, fault.line, fault.line ? 1 : 0, NULL,
			    "%s", e.msg);
	variables_add_all(variables, &read);
}

/* --- variables ----------------------------------------------------------------------------- */

struct unset_cookie {
	const struct resolver *in;
	const struct yaml_node *node;
	const struct place *at;
};

static void tell_unset(void *cookie, const char *name)
{
	const struct unset_cookie *c = cookie;

	tell(c->in, PROBLEM_WARNING, c->node, c->at,
	     "the variable '%s' is not set and becomes empty", name);
}

static struct yaml_node *expand_string(const struct resolver *in, struct yaml_node *node,
				       const struct place *at)
{
	struct buf text = BUF_LIMITED(MAX_VALUE);
	struct unset_cookie cookie = { in, node, at };
	struct yaml_node *copy = node;
	struct err e = ERR_INIT;

	if (!node->text || !strchr(node->text, '$'))
		return node;
	if (interpolate(node->text, in->variables, &text, tell_unset, &cookie, &e) < 0) {
		tell(in, PROBLEM_ERROR, node, at, "%s", e.msg);
	} else {
		copy = tree_clone(in->p->arena, node);
		if (copy)
			copy->text = arena_strdup(in->p->arena, text.data);
	}
	buf_done(&text);
	return copy;
}

static struct yaml_node *expand_tree(const struct resolver *in, struct yaml_node *node,
				     const struct place *up)
{
	struct yaml_node *copy = NULL;

	if (node->kind == YAML_STRING)
		return expand_string(in, node, up);
	for (size_t i = 0; i < node->count; i++) {
		bool is_map = node->kind == YAML_MAP;
		struct place at = { up, is_map ? node->entries[i].key : NULL, i };
		struct yaml_node *old = is_map ? node->entries[i].value : node->items[i];
		struct yaml_node *new = expand_tree(in, old, &at);

		if (!new)
			return NULL;
		if (new == old)
			continue;
		if (!copy && !(copy = tree_clone(in->p->arena, node)))
			return NULL;
		if (is_map)
			copy->entries[i].value = new;
		else
			copy->items[i] = new;
	}
	return copy ? copy : node;
}

static bool is_small(const struct resolver *in, const struct yaml_node *root)
{
	if (root->weight > MAX_MODEL)
		problem_at(in->p->problems, PROBLEM_ERROR, root, NULL,
			   "the file has more than %d nodes", MAX_MODEL);
	return root->weight <= MAX_MODEL;
}

/* --- extends ------------------------------------------------------------------------------- */

static struct yaml_node *extended(struct resolver *in, const struct yaml_node *services,
				  const char *name, const struct yaml_node *from);

static const char *extends_key(const struct resolver *in)
{
	const char *key = arena_printf(in->p->arena, "services.%s.extends", in->service);

	return key ? key : "extends";
}

static struct yaml_node *read_drawn_in(struct resolver *in, const char *path, const char *dir,
				       const struct yaml_node *from, const char *key)
{
	struct planner *p = in->p;
	struct yaml_node *root = NULL;
	struct err e = ERR_INIT;

	path = planner_path(p, path, from, key, "the file");
	if (!path)
		return NULL;
	if (planner_kind(p, path) == PATH_ABSENT) {
		problem_at(p->problems, PROBLEM_ERROR, from, key, "the file '%s' does not exist",
			   path_relative(path, p->challenge->dir));
		return NULL;
	}
	if (++*in->files > MAX_FILES) {
		if (*in->files == MAX_FILES + 1)
			problem_at(p->problems, PROBLEM_ERROR, from, key,
				   "more than %d files are drawn in: one includes itself",
				   MAX_FILES);
		return NULL;
	}
	if (compose_parse(p->arena, p->challenge->dir, path, dir, &root, p->problems, &e) < 0)
		return NULL;
	return is_small(in, root) ? expand_tree(in, root, NULL) : NULL;
}

/* The service that `extends` names, with what it extends itself. */
static struct yaml_node *extends_base(struct resolver *in, const struct yaml_node *services,
				      const struct yaml_node *extends)
{
	const char *file = yaml_string(yaml_get(extends, "file"));
	const char *name = yaml_string(extends);
	static const char *const known[] = { "file", "service", NULL };
	struct yaml_node *root;
	const char *path;

	planner_check_keys(in->p, extends, extends_key(in), known);
	if (!name)
		name = yaml_string(yaml_get(extends, "service"));
	if (!name) {
		problem_at(in->p->problems, PROBLEM_ERROR, extends, extends_key(in),
			   "must name a service");
		return NULL;
	}
	if (!file)
		return extended(in, services, name, extends);
	path = path_join(in->p->arena, extends->file->dir, file);
	root = read_drawn_in(in, path, path ? parent_dir(in->p->arena, path) : NULL, extends,
			     extends_key(in));
	return root ? extended(in, yaml_get(root, "services"), name, extends) : NULL;
}

static struct yaml_node *extend(struct resolver *in, const struct yaml_node *services,
				struct yaml_node *service)
{
	const struct yaml_node *extends = yaml_get(service, "extends");
	struct yaml_node *base, *merged;

	if (!extends)
		return service;
	if (++in->depth > MAX_DEPTH) {
		problem_at(in->p->problems, PROBLEM_ERROR, extends, extends_key(in),
			   "the service extends itself");
		in->depth--;
		return NULL;
	}
	base = extends_base(in, services, extends);
	in->depth--;
	merged = base ? merge_services(in->p->arena, base, service) : NULL;
	if (merged)
		tree_unset(merged, "extends");
	return merged;
}

static struct yaml_node *extended(struct resolver *in, const struct yaml_node *services,
				  const char *name, const struct yaml_node *from)
{
	struct yaml_node *service = yaml_get(services, name);

	if (!service) {
		problem_at(in->p->problems, PROBLEM_ERROR, from, extends_key(in),
			   "there is no service '%s' to extend", name);
		return NULL;
	}
	return extend(in, services, service);
}

static struct yaml_node *extend_all(struct resolver *in, struct yaml_node *root)
{
	const struct yaml_node *services = yaml_get(root, "services");
	struct yaml_node *result, *all;

	if (!services || services->kind != YAML_MAP)
		return root;
	result = tree_clone(in->p->arena, root);
	all = tree_clone(in->p->arena, services);
	for (size_t i = 0; all && i < all->count; i++) {
		struct yaml_node *service;

		in->service = all->entries[i].key;
		service = extend(in, services, all->entries[i].value);
		if (!service) /* told already: what is left of it would only mislead */
			return NULL;
		all->entries[i].value = service;
	}
	tree_set(in->p->arena, result, "services", all);
	return result;
}

/* --- include ------------------------------------------------------------------------------- */

static struct yaml_node *resolve_root(struct resolver *in, struct yaml_node *root);

struct inclusion {
	const struct yaml_node *node;
	struct yaml_node *paths; /* a list of strings */
	const char *dir;
	struct variables variables;
};

static struct yaml_node *as_list(struct arena *arena, struct yaml_node *node)
{
	struct yaml_node *list;

	if (!node || node->kind == YAML_LIST)
		return node;
	list = tree_new(arena, YAML_LIST, node);
	tree_append(arena, list, node);
	return list;
}

static void read_include_env(struct resolver *in, const struct yaml_node *env_file,
			     struct inclusion *inc)
{
	struct planner *p = in->p;

	if (!env_file) {
		compose_read_env(p, inc->dir, &inc->variables);
		return;
	}
	for (size_t i = 0; i < env_file->count; i++) {
		const char *file = yaml_string(env_file->items[i]);
		const char *path = file ? path_join(p->arena, inc->node->file->dir, file) : NULL;
		struct env_fault fault = { 0 };
		struct err e = ERR_INIT;
		const char *text;
		size_t len;

		path = planner_path(p, path, env_file, "include.env_file", "the file");
		if (!path)
			continue;
		if (planner_read(p, path, YAML_MAX_FILE, &text, &len, &e) < 0 ||
		    env_parse(text, false, &inc->variables, &inc->variables, &fault, &e) < 0)
			problem_at(p->problems, PROBLEM_ERROR, env_file, "include.env_file", "%s",
				   e.msg);
	}
}

static bool read_inclusion(struct resolver *in, struct yaml_node *node, struct inclusion *inc)
{
	struct arena *arena = in->p->arena;
	struct yaml_node *path = node->kind == YAML_MAP ? yaml_get(node, "path") : node;
	const char *dir = yaml_string(yaml_get(node, "project_directory"));
	static const char *const known[] = { "path", "project_directory", "env_file", NULL };
	const char *first;

	planner_check_keys(in->p, node, "include", known);
	*inc = (struct inclusion){ .node = node, .variables.arena = arena };
	inc->paths = as_list(arena, path);
	if (!inc->paths || !inc->paths->count || !yaml_string(inc->paths->items[0])) {
		problem_at(in->p->problems, PROBLEM_ERROR, node, "include", "must name a file");
		return false;
	}
	first = path_join(arena, node->file->dir, inc->paths->items[0]->text);
	inc->dir = dir     ? path_join(arena, node->file->dir, dir)
		   : first ? parent_dir(arena, first)
			   : NULL;
	if (dir && inc->dir)
		inc->dir = planner_path(in->p, inc->dir, node, "include.project_directory",
					"the directory");
	if (!inc->dir)
		return false;
	variables_add_all(&inc->variables, in->variables);
	read_include_env(in, as_list(arena, yaml_get(node, "env_file")), inc);
	return true;
}

static struct yaml_node *resolve_inclusion(struct resolver *in, struct inclusion *inc)
{
	struct resolver inner = { in->p, &inc->variables, in->depth + 1, in->files, NULL };
	struct arena *arena = in->p->arena;
	struct yaml_node *merged = NULL;

	for (size_t i = 0; i < inc->paths->count; i++) {
		const char *name = yaml_string(inc->paths->items[i]);
		const char *path = name ? path_join(arena, inc->node->file->dir, name) : NULL;
		struct yaml_node *root =
			path ? read_drawn_in(&inner, path, inc->dir, inc->node, "include") : NULL;

		root = root ? resolve_root(&inner, root) : NULL;
		if (!root)
			return NULL;
		merged = merged ? merge_models(arena, merged, root) : root;
	}
	return merged;
}

/* What an included file defines must not be defined otherwise by the file that includes it. */
static void import_section(struct resolver *in, struct yaml_node *root,
			   const struct yaml_node *included, const char *section)
{
	const struct yaml_node *from = yaml_get(included, section);
	const struct yaml_node *own = yaml_get(root, section);
	struct yaml_node *all;

	if (!from || from->kind != YAML_MAP)
		return;
	all = own ? tree_clone(in->p->arena, own) : tree_new(in->p->arena, YAML_MAP, from);
	for (size_t i = 0; i < from->count; i++) {
		const struct yaml_entry *entry = &from->entries[i];
		const struct yaml_node *old = yaml_get(own, entry->key);

		if (old && !tree_equal(old, entry->value))
			problem_at(in->p->problems, PROBLEM_ERROR, old, section,
				   "'%s' is defined otherwise in the included '%s'", entry->key,
				   from->file->path);
		else
			tree_set(in->p->arena, all, entry->key, entry->value);
	}
	tree_set(in->p->arena, root, section, all);
}

static struct yaml_node *include_all(struct resolver *in, struct yaml_node *root)
{
	static const char *const sections[] = { "services", "networks", "volumes", "configs",
						"secrets" };
	struct yaml_node *include = as_list(in->p->arena, yaml_get(root, "include"));
	struct yaml_node *result;

	if (!include)
		return root;
	result = tree_clone(in->p->arena, root);
	for (size_t i = 0; result && i < include->count; i++) {
		struct inclusion inc;
		struct yaml_node *included;

		if (!read_inclusion(in, include->items[i], &inc))
			return NULL;
		included = resolve_inclusion(in, &inc);
		if (!included)
			return NULL;
		for (size_t j = 0; j < ARRAY_SIZE(sections); j++)
			import_section(in, result, included, sections[j]);
	}
	return result;
}

/* --- a whole model ------------------------------------------------------------------------- */

/* Version 1 of the format has services where others have sections. */
static struct yaml_node *wrap_version_1(struct resolver *in, struct yaml_node *root)
{
	struct yaml_node *wrapped;

	for (size_t i = 0; i < root->count; i++) {
		const struct yaml_node *value = root->entries[i].value;

		if (!yaml_get(value, "image") && !yaml_get(value, "build"))
			return root;
	}
	if (!root->count)
		return root;
	problem_at(in->p->problems, PROBLEM_WARNING, root, NULL,
		   "the services are not under 'services:', as in version 1 of the format");
	wrapped = tree_new(in->p->arena, YAML_MAP, root);
	tree_set(in->p->arena, wrapped, "services", root);
	return wrapped;
}

static bool check_sections(struct resolver *in, const struct yaml_node *root)
{
	static const char *const known[] = { "version", "name",    "services", "networks",
					     "volumes", "configs", "secrets",  "include" };
	bool fine = true;

	for (size_t i = 0; i < root->count; i++) {
		const struct yaml_entry *entry = &root->entries[i];
		bool found = strncmp(entry->key, "x-", 2) == 0;

		for (size_t j = 0; j < ARRAY_SIZE(known) && !found; j++)
			found = strcmp(entry->key, known[j]) == 0;
		if (!found)
			problem_add(in->p->problems, PROBLEM_ERROR, root->file->path, entry->line,
				    entry->column, entry->key, "unknown at the top level");
		fine = fine && found;
	}
	return fine;
}

static struct yaml_node *resolve_root(struct resolver *in, struct yaml_node *root)
{
	if (root->kind != YAML_MAP || !root->count) {
		problem_at(in->p->problems, PROBLEM_ERROR, root, NULL,
			   root->kind == YAML_NULL || !root->count
				   ? "the file is empty"
				   : "the file must be a map of sections");
		return NULL;
	}
	if (!yaml_get(root, "services") && !yaml_get(root, "include") && !yaml_get(root, "version"))
		root = wrap_version_1(in, root);
	if (!root || !check_sections(in, root))
		return NULL;
	root = extend_all(in, root);
	return root ? include_all(in, root) : NULL;
}

/* A plan outlives its challenge: it gets a tree of its own. */
static struct yaml_node *resolve_file(struct resolver *in, const struct yaml_node *root)
{
	struct yaml_node *own = NULL;

	if (is_small(in, root))
		own = tree_deep_clone(in->p->arena, root);
	if (own)
		own = expand_tree(in, own, NULL);
	return own ? resolve_root(in, own) : NULL;
}

struct yaml_node *compose_resolve(struct planner *p)
{
	const struct compose_file *compose = p->challenge->compose;
	unsigned files = 0;
	struct resolver in = { p, &p->variables, 0, &files, NULL };
	struct yaml_node *model = resolve_file(&in, compose->root), *over;

	if (!model || !compose->override)
		return model;
	over = resolve_file(&in, compose->override);
	return over ? merge_models(p->arena, model, over) : NULL;
}
