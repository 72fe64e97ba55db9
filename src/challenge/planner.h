/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the making of one plan shares among its steps.
 */
#ifndef CHALLENGE_PLANNER_H
#define CHALLENGE_PLANNER_H

#include "base/yaml.h"
#include "challenge/challenge.h"
#include "challenge/folder.h"
#include "challenge/plan.h"
#include "challenge/policy.h"
#include "challenge/problem.h"
#include "challenge/template.h"
#include "challenge/variables.h"

struct planner {
	struct arena *arena; /* the plan's */
	struct plan *plan;
	const struct challenge *challenge;
	const struct policy *policy;
	const struct plan_facts *facts;
	struct limits limits;
	struct variables variables;
	struct problems *problems;
	const struct yaml_node *model;
	bool egress;    /* asked for and permitted */
	unsigned slots; /* handed out in the instance's directory */
	bool out_of_memory;
};

/* Whether the policy grants the opt-in; where it doesn't, a problem with the reason is added. */
__attribute__((format(printf, 5, 6))) bool planner_permits(struct planner *p, const char *opt_in,
							   const struct yaml_node *node,
							   const char *key, const char *reason,
							   ...);

/*
 * The path by which what an author names may be opened, with folder_guard(): in the folder it is
 * the path itself; where a link leads out of it, what the link leads to, which host-path has to
 * permit as it has to for any other path of the host. NULL: told.
 */
const char *planner_path(struct planner *p, const char *path, const struct yaml_node *node,
			 const char *key, const char *what);

/* What lies behind such a path, and its text: see folder.h. */
enum path_kind planner_kind(const struct planner *p, const char *path);
int planner_read(struct planner *p, const char *path, size_t max, const char **ret_text,
		 size_t *ret_len, struct err *e);

/*
 * Labels are the node's way to find what is its own, and other programs that watch an engine (a
 * proxy, a scheduler) act on theirs: an author's are kept by opt-in, and never where they are ours.
 */
bool planner_keeps_label(const struct planner *p, const char *name);
bool planner_owns_label(const char *name);

/* Tells of each key of a map that isn't among those known, a list that ends with NULL. */
void planner_check_keys(struct planner *p, const struct yaml_node *map, const char *key,
			const char *const *known);

/* A file that should be there isn't: an error, but in an extract only a warning. */
__attribute__((format(printf, 4, 5))) void planner_absent(struct planner *p,
							  const struct yaml_node *node,
							  const char *key, const char *fmt, ...);

/* A template with the instance's answers and facts, in the plan's arena. */
int planner_render(struct planner *p, const char *text, size_t len, const void **ret_content,
		   size_t *ret_size, struct err *e);

/* The answer to a question of that id, or the fact of that name; NULL: neither. */
const char *planner_look_up(struct planner *p, const char *name);

/* Whether the text stands in any string or key of a JSON value. False for a NULL text. */
bool planner_mentions(const json_t *value, const char *text);

/* object[key] = value, which is taken; a failure is remembered. */
void planner_set(struct planner *p, json_t *object, const char *key, json_t *value);
void planner_append(struct planner *p, json_t *array, json_t *value);

#endif
