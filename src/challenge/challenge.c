/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/challenge.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/own.h"
#include "challenge/compose.h"
#include "challenge/dialect.h"
#include "challenge/dockerfile.h"
#include "challenge/folder.h"
#include "challenge/problem.h"
#include "challenge/spec.h"
#include "challenge/tree.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_DOCKERFILE = 1 << 20 };

struct loader {
	struct arena *arena;
	struct challenge *challenge;
	struct problems *problems;
	struct spec spec;
	struct err *e;
};

static const char *last_part(const char *dir)
{
	const char *slash = strrchr(dir, '/');

	return slash ? slash + 1 : dir;
}

/* What a folder without spec is called: where that would say nothing, with its parent's name. */
static const char *bare_name(const char *dir)
{
	static const char *const common[] = { "src",       "build",  "dist",      "deploy",
					      "chal",      "docker", "files",     "service",
					      "server",    "app",    "challenge", "container",
					      "deployment" };
	const char *name = last_part(dir);

	for (size_t i = 0; i < ARRAY_SIZE(common); i++) {
		if (strcmp(common[i], name) != 0)
			continue;
		if (name > dir)
			name--;
		while (name > dir && name[-1] != '/')
			name--;
		break;
	}
	return name;
}

/* A folder's name as an id: what an id can't hold becomes "-". */
static const char *id_from(struct arena *arena, const char *name)
{
	char *id = arena_strdup(arena, name);
	size_t len = 0;

	for (const char *c = name; id && *c && len < ID_SIZE - 1; c++) {
		if (isalnum((unsigned char)*c) || (len && strchr("_.-", *c)))
			id[len++] = *c;
		else if (len && id[len - 1] != '-')
			id[len++] = '-';
	}
	while (id && len && id[len - 1] == '-')
		len--;
	if (id)
		id[len] = '\0';
	return id && *id ? id : "challenge";
}

static int read_spec(struct loader *in, const struct dialect *dialect, const char *path,
		     const struct yaml_node *root)
{
	struct challenge *c = in->challenge;

	c->id = id_from(in->arena, last_part(c->dir));
	c->dialect = dialect->name;
	c->spec_file = path;
	in->spec.root = root;
	dialect->read(&in->spec);
	return 0;
}

/* kCTF's resource may stand before others of the cluster's; a spec of any other kind is alone. */
static int check_alone(struct loader *in, const char *path, const struct dialect *dialect,
		       unsigned second)
{
	const char *name = path_relative(path, in->challenge->dir);
	bool is_kctf = strcmp(dialect->name, "kctf") == 0;

	if (!second)
		return 0;
	problem_add(in->problems, is_kctf ? PROBLEM_WARNING : PROBLEM_ERROR, name, second, 1, NULL,
		    is_kctf ? "has no effect from here on: only the first document is read"
			    : "a second document");
	return is_kctf ? 0 : err_set(in->e, ERR_INVALID, "%s:%u: a second document", name, second);
}

/* Of a file whose name is that of other things too, what can't be read is none of ours: no root. */
static int parse_spec(struct loader *in, const struct dialect *dialect, const char *path,
		      struct yaml_node **ret_root, unsigned *ret_second)
{
	AUTO(struct problems, problems_done) others = PROBLEMS_INIT;
	const char *dir = in->challenge->dir;
	int r = compose_parse_first(in->arena, dir, path, dir, ret_root, ret_second,
				    dialect->common_name ? &others : in->problems, in->e);

	if (r == 0 || !dialect->common_name || r == -ERR_MEMORY)
		return r;
	*ret_root = NULL;
	*in->e = (struct err)ERR_INIT;
	return 0;
}

/* Found: 1; no spec: 0. A spec file that can't be read is an error whatever dialect it may be. */
static int find_spec(struct loader *in)
{
	const char *last_path = NULL;
	struct yaml_node *root = NULL;
	unsigned second = 0;

	for (size_t i = 0; i < dialect_count; i++) {
		for (const char *const *name = dialects[i].files; *name; name++) {
			const char *path = path_join(in->arena, in->challenge->dir, *name);
			enum path_kind kind =
				path ? folder_kind(in->challenge->dir, path) : PATH_ABSENT;
			int r;

			if (kind == PATH_ABSENT || kind == PATH_DIR)
				continue;
			if (!last_path || strcmp(last_path, path) != 0) {
				second = 0;
				r = parse_spec(in, &dialects[i], path, &root, &second);
				if (r < 0)
					return r;
			}
			last_path = path;
			if (!root || !dialects[i].recognise(root))
				continue;
			r = check_alone(in, path, &dialects[i], second);
			if (r == 0)
				r = read_spec(in, &dialects[i], path, root);
			return r < 0 ? r : 1;
		}
	}
	return 0;
}

/* What looks like a spec, and is none that is read, is told: its author thinks otherwise. */
static void tell_unread(struct loader *in)
{
	static const char *const names[] = { "challenge.yml",  "challenge.yaml", "challenge.json",
					     "challenge.toml", "problem.md",     "problem.json",
					     "kona.yaml",      "kona.yml",       "chal.toml",
					     "info.toml",      "benchmark.json", "task.yml",
					     "task.json",      "info.yaml",      "info.yml" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *path = path_join(in->arena, in->challenge->dir, names[i]);

		if (path && folder_kind(in->challenge->dir, path) == PATH_FILE)
			problem_add(in->problems, PROBLEM_WARNING, names[i], 0, 0, NULL,
				    "is not read: it is a spec of no format that is known here; "
				    "write a challenge.yml beside it");
	}
}

static const char *find_compose(struct loader *in)
{
	const char *dir = in->challenge->dir;
	const char *path = compose_find(in->arena, dir, dir);

	if (in->spec.compose)
		return path_join(in->arena, dir, in->spec.compose);
	for (size_t i = 0; !path && i < service_dir_count; i++) {
		const char *below = path_join(in->arena, dir, service_dirs[i]);

		path = below ? compose_find(in->arena, dir, below) : NULL;
	}
	return path;
}

static bool has_dockerfile(struct loader *in, const char *dir)
{
	const char *path = dir ? path_join(in->arena, dir, "Dockerfile") : NULL;
	enum path_kind kind = path ? folder_kind(in->challenge->dir, path) : PATH_ABSENT;

	return kind == PATH_FILE || kind == PATH_OTHER; /* reading the latter tells why not */
}

/* One beside a spec that speaks of nothing to run may just as well make the handout. */
static const char *find_dockerfile_dir(struct loader *in)
{
	const char *dir = in->challenge->dir;

	if (in->spec.build) {
		dir = path_join(in->arena, dir, in->spec.build);
		return dir && folder_kind(in->challenge->dir, dir) == PATH_FILE
			       ? path_join(in->arena, dir, "..")
			       : dir;
	}
	if (in->challenge->spec_file && !in->spec.wants_instance)
		return NULL;
	if (has_dockerfile(in, dir))
		return dir;
	for (size_t i = 0; i < service_dir_count; i++) {
		const char *below = path_join(in->arena, dir, service_dirs[i]);

		if (has_dockerfile(in, below))
			return below;
	}
	return NULL;
}

/* A node that stands for a file of the folder as a whole. */
static struct yaml_node *file_node(struct loader *in, const char *path)
{
	struct yaml_file *file = arena_alloc(in->arena, sizeof(*file));
	struct yaml_node *node = tree_new(in->arena, YAML_MAP, NULL);

	if (!file || !node)
		return NULL;
	file->path = path_relative(path, in->challenge->dir);
	file->dir = in->challenge->dir;
	node->file = file;
	return node;
}

/* What the spec says of the one service that isn't a compose file's. */
static void limit_service(struct loader *in, struct yaml_node *service)
{
	const struct yaml_node *memory = yaml_get(in->spec.container, "memoryLimit");
	const struct yaml_node *cpus = yaml_get(in->spec.container, "cpuCount");
	const char *text;

	if (memory && memory->kind == YAML_INT) { /* in MiB */
		text = arena_printf(in->arena, "%lldm", (long long)memory->integer);
		tree_set(in->arena, service, "mem_limit",
			 text ? tree_string(in->arena, text, memory) : NULL);
	}
	if (cpus && cpus->kind == YAML_INT) { /* in tenths */
		text = arena_printf(in->arena, "%.1f", (double)cpus->integer / 10);
		tree_set(in->arena, service, "cpus",
			 text ? tree_string(in->arena, text, cpus) : NULL);
	}
}

static void publish(struct loader *in, struct yaml_node *service, int64_t port,
		    const char *protocol, const struct yaml_node *place)
{
	struct yaml_node *ports = yaml_get(service, "ports");
	const char *text = arena_printf(in->arena, "%d/%s", (int)port, protocol);

	if (!ports) {
		ports = tree_new(in->arena, YAML_LIST, place);
		tree_set(in->arena, service, "ports", ports);
	}
	tree_append(in->arena, ports, text ? tree_string(in->arena, text, place) : NULL);
}

/* A service of a Dockerfile alone: the ports it exposes are what players get. */
static int run_dockerfile(struct loader *in, const char *dir)
{
	const char *path = path_join(in->arena, dir, "Dockerfile");
	struct yaml_node *place = path ? file_node(in, path) : NULL;
	struct yaml_node *service;
	struct dockerfile file;
	const char *text;
	size_t len;
	int r;

	if (!place)
		return err_memory(in->e);
	r = folder_read(in->arena, in->challenge->dir, path, MAX_DOCKERFILE, &text, &len, in->e);
	if (r < 0) {
		problem_at(in->problems, PROBLEM_ERROR, place, NULL, "%s", in->e->msg);
		return r;
	}
	if (!dockerfile_read(in->arena, text, &file))
		return err_memory(in->e);
	in->challenge->dockerfile = path;
	service = spec_service(&in->spec, "challenge", place);
	tree_set(in->arena, service, "build",
		 tree_string(in->arena, path_relative(dir, in->challenge->dir), place));
	limit_service(in, service);
	if (in->spec.port > 0 && in->spec.port < 65536)
		publish(in, service, in->spec.port, "tcp", place);
	for (size_t i = 0; !in->spec.port && i < file.port_count; i++)
		publish(in, service, file.ports[i].port, file.ports[i].protocol, place);
	if (!in->spec.port && !file.port_count && file.base && dockerfile_port_of_image(file.base))
		publish(in, service, dockerfile_port_of_image(file.base), "tcp", place);
	if (!yaml_get(service, "ports") && !in->challenge->endpoint_count)
		problem_at(in->problems, PROBLEM_WARNING, place, NULL,
			   "exposes no port: players can't reach it unless it has a line 'EXPOSE', "
			   "or challenge.yml 'endpoints:'; what '%s' exposes is not known here",
			   file.base ? file.base : "its base");
	return 0;
}

static void run_image(struct loader *in)
{
	const struct yaml_node *image = in->spec.image;
	struct yaml_node *service = spec_service(&in->spec, "challenge", image);

	tree_set(in->arena, service, "image", tree_clone(in->arena, image));
	limit_service(in, service);
	if (in->spec.port > 0 && in->spec.port < 65536)
		publish(in, service, in->spec.port, "tcp", image);
}

/* What the spec has to run, as if it stood in a compose file. */
static int use_services(struct loader *in)
{
	struct challenge *c = in->challenge;
	struct yaml_node *root = in->spec.model ? tree_clone(in->arena, in->spec.model)
						: tree_new(in->arena, YAML_MAP, in->spec.services);

	c->compose = arena_alloc(in->arena, sizeof(*c->compose));
	if (!c->compose || !root)
		return err_memory(in->e);
	if (!in->spec.model)
		tree_set(in->arena, root, "services", in->spec.services);
	*c->compose = (struct compose_file){ .folder = c->dir, .dir = c->dir, .root = root };
	return 0;
}

/* What is to run: what the spec says, a compose file, a Dockerfile, an image, or nothing. */
static int find_services(struct loader *in)
{
	struct challenge *c = in->challenge;
	const char *dockerfile_dir;
	int r = 0;

	if (!c->compose_file && !in->spec.services && !in->spec.model)
		c->compose_file = find_compose(in);
	if (c->compose_file)
		return compose_load(in->arena, c->dir, c->compose_file, &c->compose, in->problems,
				    in->e);
	if (in->spec.services || in->spec.model)
		return use_services(in);
	dockerfile_dir = find_dockerfile_dir(in);
	if (dockerfile_dir)
		r = run_dockerfile(in, dockerfile_dir);
	else if (in->spec.image)
		run_image(in);
	return r == 0 && in->spec.services ? use_services(in) : r;
}

/* The port that a spec names, of the only service of a compose file that publishes none. */
static void publish_named_port(struct loader *in)
{
	const struct challenge *c = in->challenge;
	const struct yaml_node *services =
		c->compose ? yaml_get(c->compose->root, "services") : NULL;
	struct endpoint *row;

	if (!c->compose_file || in->spec.port < 1 || in->spec.port > 65535 || c->endpoint_count ||
	    !services || services->kind != YAML_MAP || services->count != 1 ||
	    yaml_get(services->entries[0].value, "ports"))
		return;
	row = spec_add_endpoint(&in->spec);
	if (row)
		*row = (struct endpoint){ .service = services->entries[0].key,
					  .port = (uint16_t)in->spec.port,
					  .protocol = "tcp",
					  .node = in->spec.root };
}

/* A compose file and a Dockerfile stand for the challenge where there is no spec. */
static void find_answer(struct loader *in)
{
	struct challenge *c = in->challenge;
	const char *path = c->compose_file ? c->compose_file : c->dockerfile;

	spec_find_flag(&in->spec, in->spec.root ? in->spec.root
				  : path        ? file_node(in, path)
						: NULL);
}

static int load(struct loader *in)
{
	struct challenge *c = in->challenge;
	int r;

	c->id = id_from(in->arena, bare_name(c->dir));
	in->spec = (struct spec){
		.arena = in->arena, .challenge = c, .dir = c->dir, .problems = in->problems
	};
	r = c->compose_file ? 0 : find_spec(in);
	if (r < 0)
		return r;
	if (r == 0 && !c->compose_file)
		tell_unread(in);
	spec_name_attachments(&in->spec);
	r = find_services(in);
	if (r < 0)
		return r;
	publish_named_port(in);
	if (!c->spec_file && c->compose_file)
		spec_read_bare(&in->spec, c->compose->root, c->compose->dir);
	if (!c->spec_file && !c->compose)
		return err_set(in->e, ERR_NOT_FOUND,
			       "'%s' has no spec that is read, no compose file and no Dockerfile",
			       c->dir);
	if (!c->question_count)
		find_answer(in);
	if (!c->dialect)
		c->dialect = c->compose_file ? "compose" : "dockerfile";
	if (!c->name)
		c->name = c->id;
	if (!c->type)
		c->type = "standard";
	if (!c->decay_function)
		c->decay_function = "logarithmic";
	if (arena_failed(in->arena))
		return err_memory(in->e);
	return problems_refusals(in->problems) ? problems_error(in->problems, in->e) : 0;
}

/* A compose file given by itself may use all of the nearest folder above it that has a spec. */
static const char *folder_of(struct loader *in, const char *path)
{
	const char *own = path_join(in->arena, path, ".."), *dir = own;

	for (int level = 0; dir && level < 3; level++) {
		if (dialect_has_spec(dir))
			return dir;
		dir = path_join(in->arena, dir, "..");
	}
	return own;
}

static int locate(struct loader *in, const char *path)
{
	AUTO(char *, freep) real = realpath(path, NULL); /* the operator's, whatever leads there */
	struct challenge *c = in->challenge;
	struct stat st;

	if (!real)
		return err_errno(in->e, ERR_NOT_FOUND, "'%s'", path);
	c->dir = arena_strdup(in->arena, real);
	if (c->dir && stat(c->dir, &st) == 0 && !S_ISDIR(st.st_mode)) {
		c->compose_file = c->dir;
		c->dir = folder_of(in, c->compose_file);
	}
	return c->dir ? 0 : err_memory(in->e);
}

int challenge_load(const char *dir, struct challenge **ret_challenge, struct problems *problems,
		   struct err *e)
{
	AUTO(struct problems, problems_done) found = PROBLEMS_INIT;
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct challenge *c = arena ? arena_alloc(arena, sizeof(*c)) : NULL;
	struct loader in = { .arena = arena, .challenge = c, .problems = &found, .e = e };
	int r;

	if (!c)
		return err_memory(e);
	r = locate(&in, dir);
	if (r == 0)
		r = load(&in);
	if (problems)
		problems_move(problems, &found);
	if (r < 0)
		return r;
	c->arena = TAKE(arena);
	*ret_challenge = c;
	return 0;
}

void challenge_free(struct challenge *challenge)
{
	if (challenge)
		arena_free(challenge->arena);
}
