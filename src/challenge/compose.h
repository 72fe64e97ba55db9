/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A compose file and what it draws in: one tree per instance.
 *
 * compose_load() parses the file and its override once. compose_resolve() then makes an instance's
 * model of them: variables replaced, `include` and `extends` followed, everything merged. The files
 * these name are read then.
 */
#ifndef CHALLENGE_COMPOSE_H
#define CHALLENGE_COMPOSE_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;
struct planner;
struct problems;
struct variables;
struct yaml_node;

struct compose_file {
	const char *folder; /* absolute: the challenge's, which files may not leave */
	const char *dir;    /* absolute: what the file's own paths are relative to */
	struct yaml_node *root;
	struct yaml_node *override; /* compose.override.yml and the like; NULL: none */
};

/*
 * Parses the compose file at an absolute path, which must be the folder's. In the arena. Fails with
 * NOT_FOUND or INVALID, having told problems.
 */
int compose_load(struct arena *arena, const char *folder, const char *path,
		 struct compose_file **ret_compose, struct problems *problems, struct err *e);

/* The compose file of a directory of the folder, by Compose's own order of names. NULL: none. */
const char *compose_find(struct arena *arena, const char *folder, const char *dir);

bool compose_is_in(const char *dir);

/* Directories of a challenge's folder in which organisers keep what is to be run. */
extern const char *const service_dirs[];
extern const size_t service_dir_count;

/* Parses any YAML or JSON file the same way; folder_guard()'s word on it is the caller's. */
int compose_parse(struct arena *arena, const char *folder, const char *path, const char *dir,
		  struct yaml_node **ret_root, struct problems *problems, struct err *e);

/* The first of its documents, and the line where a second begins: see yaml_parse_first(). */
int compose_parse_first(struct arena *arena, const char *folder, const char *path, const char *dir,
			struct yaml_node **ret_root, unsigned *ret_second,
			struct problems *problems, struct err *e);

/*
 * The instance's model: a map of services, networks, volumes, configs, secrets and name. What is
 * wrong goes to the planner's problems. NULL where there is nothing to go on with.
 */
struct yaml_node *compose_resolve(struct planner *p);

/* Adds what the .env file in dir defines, where there is one. */
void compose_read_env(struct planner *p, const char *dir, struct variables *variables);

#endif
