/* SPDX-License-Identifier: Apache-2.0 */
#include "node/roster.h"

#include "base/own.h"
#include "node/early-check.h"
#include "node/node.h"

#include <search.h>
#include <string.h>

const char *const instance_status_words[] = {
	[STARTING] = "starting", [RUNNING] = "running", [STOPPING] = "stopping",
	[STOPPED] = "stopped",   [EXPIRED] = "expired", [FAILED] = "failed",
};

struct roster {
	pthread_mutex_t lock; /* of the tree and of uses */
	void *tree;           /* of instances, by id: their first member */
	atomic_size_t count;
};

_Static_assert(offsetof(struct instance, id) == 0, "an instance compares as its id");

int roster_new(struct roster **ret_roster, struct err *e)
{
	struct roster *roster = calloc(1, sizeof(*roster));

	if (!roster)
		return err_memory(e);
	pthread_mutex_init(&roster->lock, NULL);
	*ret_roster = roster;
	return 0;
}

static void instance_free(void *item)
{
	struct instance *inst = item;

	pthread_cond_destroy(&inst->changed);
	pthread_mutex_destroy(&inst->lock);
	resources_done(&inst->resources);
	json_decref(inst->endpoints);
	json_decref(inst->services);
	early_checks_free(inst->checks);
	free(inst->challenge_id);
	free(inst->spec);
	free(inst);
}

void roster_free(struct roster *roster)
{
	if (!roster)
		return;
	tdestroy(roster->tree, instance_free);
	pthread_mutex_destroy(&roster->lock);
	free(roster);
}

size_t roster_count(const struct roster *roster)
{
	return atomic_load(&roster->count);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct instance *find_locked(struct roster *roster, const char *id)
{
	void *found = tfind(id, &roster->tree, by_id);

	return found ? *(struct instance **)found : NULL;
}

struct instance *roster_find(struct roster *roster, const char *id)
{
	struct instance *inst;

	pthread_mutex_lock(&roster->lock);
	inst = find_locked(roster, id);
	if (inst)
		inst->uses++;
	pthread_mutex_unlock(&roster->lock);
	return inst;
}

void instance_unref(struct instance *inst)
{
	struct roster *roster;
	bool last;

	if (!inst)
		return;
	roster = inst->roster;
	pthread_mutex_lock(&roster->lock);
	last = --inst->uses == 0;
	pthread_mutex_unlock(&roster->lock);
	if (last)
		instance_free(inst);
}

void roster_leave(struct instance *inst)
{
	struct roster *roster = inst->roster;

	pthread_mutex_lock(&roster->lock);
	tdelete(inst->id, &roster->tree, by_id);
	atomic_fetch_sub(&roster->count, 1);
	pthread_mutex_unlock(&roster->lock);
	instance_unref(inst);
}

struct instance *instance_new(struct node *node, const char *id, const char *challenge_id,
			      const char *spec)
{
	struct instance *inst = calloc(1, sizeof(*inst));

	if (!inst)
		return NULL;
	strncpy(inst->id, id, sizeof(inst->id) - 1);
	inst->node = node;
	inst->roster = node->roster;
	inst->phase = "planning";
	inst->uses = 2;
	inst->end = STOPPED;
	pthread_mutex_init(&inst->lock, NULL);
	pthread_cond_init(&inst->changed, NULL);
	inst->challenge_id = strdup(challenge_id);
	inst->spec = strdup(spec);
	if (!inst->challenge_id || !inst->spec) {
		instance_free(inst);
		return NULL;
	}
	return inst;
}

int roster_enter(struct roster *roster, struct instance *inst, size_t capacity,
		 struct instance **ret_existing, struct err *e)
{
	size_t count;
	int r = 0;

	pthread_mutex_lock(&roster->lock);
	count = atomic_load(&roster->count);
	*ret_existing = find_locked(roster, inst->id);
	if (*ret_existing)
		(*ret_existing)->uses++;
	else if (count >= capacity)
		r = err_set(e, ERR_UNAVAILABLE, "the node is full: %zu/%zu instances", count,
			    capacity);
	else if (!tsearch(inst, &roster->tree, by_id))
		r = err_memory(e);
	else
		atomic_fetch_add(&roster->count, 1);
	pthread_mutex_unlock(&roster->lock);
	return r;
}

static void add_to_roll(const void *item, VISIT visit, void *cookie)
{
	struct roll *roll = cookie;
	struct instance *inst = *(struct instance *const *)item;

	if (visit != postorder && visit != leaf)
		return;
	inst->uses++;
	roll->instances[roll->count++] = inst;
}

int roster_roll(struct roster *roster, struct roll *ret_roll, struct err *e)
{
	struct roll roll = { 0 };

	pthread_mutex_lock(&roster->lock);
	roll.instances = calloc(atomic_load(&roster->count) + 1, sizeof(*roll.instances));
	if (roll.instances)
		twalk_r(roster->tree, add_to_roll, &roll);
	pthread_mutex_unlock(&roster->lock);
	if (!roll.instances)
		return err_memory(e);
	*ret_roll = roll;
	return 0;
}

void roll_done(struct roll *roll)
{
	for (size_t i = 0; i < roll->count; i++)
		instance_unref(roll->instances[i]);
	free(roll->instances);
	*roll = (struct roll){ 0 };
}
