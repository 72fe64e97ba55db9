/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One compose tree laid over another, by the rules of Compose: maps merge, lists join, what is
 * written as a list of NAME=value merges by name, commands replace, mounts replace by their target.
 */
#ifndef CHALLENGE_MERGE_H
#define CHALLENGE_MERGE_H

struct arena;
struct yaml_node;

/* Whole files. */
struct yaml_node *merge_models(struct arena *arena, const struct yaml_node *base,
			       const struct yaml_node *over);

/* One service's keys. */
struct yaml_node *merge_services(struct arena *arena, const struct yaml_node *base,
				 const struct yaml_node *over);

/* A map of what is written as one, as a list of "NAME=value" or "NAME", or not at all. */
struct yaml_node *merge_as_map(struct arena *arena, const struct yaml_node *node,
			       const char *separators);

#endif
