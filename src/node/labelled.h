/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whatever the engine has that carries certain labels: found, and removed.
 *
 * All that a node makes is labelled, so this works without the node and its state, too.
 */
#ifndef NODE_LABELLED_H
#define NODE_LABELLED_H

#include <jansson.h>

struct engine;
struct err;

enum labelled_kind {
	LABELLED_CONTAINER,
	LABELLED_NETWORK,
	LABELLED_VOLUME,
	LABELLED_IMAGE, /* made for one instance; a challenge's images are labelled with neither */
	LABELLED_KINDS,
};

/* A set of kinds: bits 1 << kind. */
enum { LABELLED_ALL = (1 << LABELLED_KINDS) - 1 };

/*
 * {name or id: its labels} of one kind: a new object. labels is as engine_container_list() takes
 * it: "key" or "key=value", NULL at the end; all must match.
 */
int labelled_list(struct engine *engine, enum labelled_kind kind, const char *const *labels,
		  json_t **ret_found, struct err *e);

/*
 * Removes all of these kinds that carries the labels, and sees that it is gone: containers are
 * killed, networks emptied. what names it in a failure, which has the engine's words when something
 * stays.
 */
int labelled_remove(struct engine *engine, unsigned kinds_wanted, const char *const *labels,
		    const char *what, struct err *e);

#endif
