/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named volumes.
 */
#ifndef ENGINE_VOLUME_H
#define ENGINE_VOLUME_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct err;

/* driver_opts and labels are {name: value} or NULL. A volume of that name is taken as it is. */
int engine_volume_create(struct engine *engine, const char *name, const json_t *driver_opts,
			 const json_t *labels, struct err *e);

/* Fails with NOT_FOUND or CONFLICT (a container uses it). */
int engine_volume_remove(struct engine *engine, const char *name, struct err *e);

/* A row of the list. Strings and JSON are borrowed from the list. */
struct engine_volume {
	const char *name;
	const char *mountpoint; /* on the engine's host */
	const json_t *labels;
	int64_t created_ms;
};

struct engine_volume_list {
	struct engine_volume *items;
	size_t count;
	json_t *json; /* what the items borrow from */
};

/* As engine_container_list(). */
int engine_volume_list(struct engine *engine, const char *const *labels,
		       struct engine_volume_list *ret_list, struct err *e);
void engine_volume_list_done(struct engine_volume_list *list);

#endif
