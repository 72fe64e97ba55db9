/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `ctfy challenge lint` says of this node's challenges, under its policy: of the folders as
 * they are now, whatever the last scan has seen.
 */
#ifndef NODE_LINT_H
#define NODE_LINT_H

#include <ctfy/types.h>
#include <jansson.h>

struct err;
struct node;

/* lint_result_json() of one, its files named from challenges_dir. Fails with NOT_FOUND. */
int node_lint(struct node *node, const char *challenge_id, json_t **ret_json, struct err *e);

/* {challenges: [...], totals} of every folder, in the order of their paths. */
int node_lint_all(struct node *node, json_t **ret_json, struct err *e);

/* Adds challenges that load, but of which no instance would start, with the first reason. */
int node_lint_unstartable(struct node *node, struct ctfy_rescan *rescan, struct err *e);

#endif
