/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Top-level volumes, configs and secrets, planned as services come to use them.
 */
#ifndef CHALLENGE_VOLUME_H
#define CHALLENGE_VOLUME_H

#include <stdbool.h>
#include <stddef.h>

struct planner;
struct service;
struct yaml_node;

/* The plan has the volume from now on. False: there is none of that name, or it is refused. */
bool volume_use(struct service *s, const char *name, const struct yaml_node *at);

/* What a config or secret holds: a file of the folder, or text. Both NULL: told at `at`. */
struct stored {
	const char *path; /* absolute */
	const char *text;
};
struct stored stored_find(struct service *s, const char *section, const char *name,
			  const struct yaml_node *at);

#endif
