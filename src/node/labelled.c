/* SPDX-License-Identifier: Apache-2.0 */
#include "node/labelled.h"

#include "base/err.h"
#include "base/own.h"
#include "engine/container.h"
#include "engine/image.h"
#include "engine/network.h"
#include "engine/volume.h"
#include "node/evict.h"
#include "node/sidecar.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

typedef int list_objects(struct engine *engine, const char *const *labels, json_t *found,
			 struct err *e);
typedef int remove_object(struct engine *engine, const char *name, struct err *e);

static int found_one(json_t *found, const char *name, const json_t *labels, struct err *e)
{
	json_t *copy = labels ? json_deep_copy(labels) : json_null();

	return json_object_set_new(found, name, copy) < 0 ? err_memory(e) : 0;
}

/* The engine room's other lists differ in their types alone. */
#define LIST_OBJECTS(kind, name_member)                                                            \
	static int list_##kind##s(struct engine *engine, const char *const *labels, json_t *found, \
				  struct err *e)                                                   \
	{                                                                                          \
		struct engine_##kind##_list list = { 0 };                                          \
		int r = engine_##kind##_list(engine, labels, &list, e);                            \
                                                                                                   \
		for (size_t i = 0; r == 0 && i < list.count; i++)                                  \
			r = found_one(found, list.items[i].name_member, list.items[i].labels, e);  \
		engine_##kind##_list_done(&list);                                                  \
		return r;                                                                          \
	}

/* What records comes last, so that nothing goes on unrecorded. */
static int list_containers(struct engine *engine, const char *const *labels, json_t *found,
			   struct err *e)
{
	struct engine_container_list list = { 0 };
	int r = engine_container_list(engine, labels, &list, e);

	for (int sidecars = 0; sidecars <= 1; sidecars++)
		for (size_t i = 0; r == 0 && i < list.count; i++)
			if (sidecar_is(list.items[i].labels) == (bool)sidecars)
				r = found_one(found, list.items[i].id, list.items[i].labels, e);
	engine_container_list_done(&list);
	return r;
}

LIST_OBJECTS(network, id)
LIST_OBJECTS(volume, name)
LIST_OBJECTS(image, id)

static int kill_and_remove(struct engine *engine, const char *container, struct err *e)
{
	return engine_container_remove(engine, container, true, e);
}

static int empty_and_remove(struct engine *engine, const char *network, struct err *e)
{
	int r = engine_network_remove(engine, network, e);

	if (r != -ERR_CONFLICT)
		return r;
	r = network_evict(engine, network, e);
	return r < 0 ? r : engine_network_remove(engine, network, e);
}

static int remove_image(struct engine *engine, const char *image, struct err *e)
{
	return engine_image_remove(engine, image, true, e);
}

/* In the order in which they can go: a network or volume is held by its containers. */
static const struct kind {
	list_objects *list;
	remove_object *remove;
} kinds[LABELLED_KINDS] = {
	[LABELLED_CONTAINER] = { list_containers, kill_and_remove },
	[LABELLED_NETWORK] = { list_networks, empty_and_remove },
	[LABELLED_VOLUME] = { list_volumes, engine_volume_remove },
	[LABELLED_IMAGE] = { list_images, remove_image },
};

int labelled_list(struct engine *engine, enum labelled_kind kind, const char *const *labels,
		  json_t **ret_found, struct err *e)
{
	AUTO(json_t *, json_decrefp) found = json_object();
	int r = found ? kinds[kind].list(engine, labels, found, e) : err_memory(e);

	if (r == 0)
		*ret_found = TAKE(found);
	return r;
}

static int remove_one(struct engine *engine, enum labelled_kind kind, const char *name,
		      struct err *e)
{
	int r = kinds[kind].remove(engine, name, e);

	/* Gone already is as good; what is in use or being removed shows in the next round. */
	return r == -ERR_NOT_FOUND || r == -ERR_CONFLICT ? 0 : r;
}

/*
 * One after another: in Docker 20.10 two containers that leave one network at the same moment can
 * lock the engine up for ever (libnetwork takes the controller's and the network's lock in either
 * order). One that can't be removed keeps no other from it.
 */
static int remove_kind(struct engine *engine, enum labelled_kind kind, const char *const *labels,
		       size_t *seen, struct err *e)
{
	AUTO(json_t *, json_decrefp) found = NULL;
	const char *name;
	json_t *unused;
	int r = labelled_list(engine, kind, labels, &found, e), failed = 0;

	json_object_foreach (found, name, unused) {
		r = remove_one(engine, kind, name, e);
		if (r < 0)
			failed = r;
		++*seen;
	}
	return failed < 0 ? failed : r;
}

static void sleep_ms(int64_t ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* A list that is empty is the proof that all is gone, not merely asked to go. */
static int clear_kind(struct engine *engine, enum labelled_kind kind, const char *const *labels,
		      const char *what, struct err *e)
{
	enum { ROUNDS = 8 };
	struct err why = ERR_INIT;
	int64_t pause_ms = 25;
	int r = 0;

	for (int round = 0; round < ROUNDS; round++) {
		size_t seen = 0;

		r = remove_kind(engine, kind, labels, &seen, &why);
		if (r == 0 && seen == 0)
			return 0;
		if (r < 0 || round > 0) {
			sleep_ms(pause_ms);
			pause_ms *= 2;
		}
	}
	if (r == 0)
		return err_set(e, ERR_ENGINE, "take down '%s': something of it stays", what);
	return err_set(e, why.code, "take down '%s': %s", what, why.msg);
}

int labelled_remove(struct engine *engine, unsigned kinds_wanted, const char *const *labels,
		    const char *what, struct err *e)
{
	int r = 0;

	for (int kind = 0; r == 0 && kind < LABELLED_KINDS; kind++)
		if (kinds_wanted & 1U << kind)
			r = clear_kind(engine, kind, labels, what, e);
	return r;
}
