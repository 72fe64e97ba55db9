/* SPDX-License-Identifier: Apache-2.0 */
#include "node/recover.h"

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "engine/container.h"
#include "node/compose.h"
#include "node/instance.h"
#include "node/node.h"
#include "node/pool.h"
#include "node/roster.h"
#include "node/store.h"

#include <string.h>

/* Takes up one row of the store; the roster has it then. */
static int recover_row(void *cookie, struct instance_row *row, struct err *e)
{
	struct node *node = cookie;
	AUTO(struct instance *, instance_unrefp) existing = NULL;
	struct instance *inst = instance_new(node, row->instance_id, row->challenge_id, row->spec);
	int r;

	if (!inst)
		return err_memory(e);
	inst->started_at = row->started_at;
	inst->expires_at = row->expires_at;
	inst->endpoints = row->endpoints ? json_loads(row->endpoints, 0, NULL) : NULL;
	inst->services = row->services ? json_loads(row->services, 0, NULL) : NULL;
	r = resources_claim(node, row->resources, &inst->resources, e);
	if (r == 0)
		r = roster_enter(node->roster, inst, SIZE_MAX, &existing, e);
	if (r < 0) {
		instance_unref(inst);
		instance_unref(inst);
		return r;
	}
	if (strcmp(row->status, instance_status_words[RUNNING]) == 0) {
		inst->status = RUNNING;
	} else if (strcmp(row->status, instance_status_words[STARTING]) == 0 && row->acknowledged) {
		inst->status = STARTING;
	} else if (strcmp(row->status, instance_status_words[STARTING]) == 0) {
		inst->status = STOPPING;
		inst->end = FAILED;
		err_set(&inst->failure, ERR_ENGINE, "interrupted: the node was restarted");
	} else {
		inst->status = STOPPING;
		inst->end = !row->detail                                               ? STOPPED
			    : strcmp(row->detail, instance_status_words[EXPIRED]) == 0 ? EXPIRED
										       : FAILED;
		if (inst->end == FAILED)
			err_set(&inst->failure, ERR_ENGINE, "%s", row->detail);
	}
	instance_unref(inst);
	return 0;
}

static void lose(struct node *node, struct instance *inst)
{
	struct err e = ERR_INIT;

	inst->status = STOPPING;
	inst->end = FAILED;
	err_set(&inst->failure, ERR_ENGINE, "its containers were gone when the node came back");
	log_warn("instance '%s': %s", inst->id, inst->failure.msg);
	if (store_set_status(node->db, inst->id, instance_status_words[STOPPING], inst->failure.msg,
			     &e) < 0)
		log_error("instance '%s': %s", inst->id, e.msg);
}

static bool has_container(const struct engine_container_list *list, const char *instance_id)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *owner =
			json_string_value(json_object_get(list->items[i].labels, LABEL_INSTANCE));

		if (owner && strcmp(owner, instance_id) == 0)
			return true;
	}
	return false;
}

int recover_instances(struct node *node, struct err *e)
{
	struct engine_container_list list = { 0 };
	struct label_filter filter;
	struct roll roll = { 0 };
	int r;

	label_filter(node, NULL, &filter);
	r = store_each_active(node->db, recover_row, node, e);
	if (r == 0)
		r = engine_container_list(node->engine, filter.labels, &list, e);
	if (r == 0)
		r = pool_recover(node->pool, e); /* before any job gives a network back */
	if (r == 0)
		r = roster_roll(node->roster, &roll, e);
	for (size_t i = 0; r == 0 && i < roll.count; i++) {
		struct instance *inst = roll.instances[i];

		if (inst->status == RUNNING && !has_container(&list, inst->id))
			lose(node, inst);
		if (inst->status == STOPPING)
			continue; /* the keeper's to take down */
		inst->busy = inst->resumed = inst->status == STARTING;
		r = instance_begin(node, inst, inst->resumed ? INSTANCE_START : INSTANCE_REVIVE, e);
		if (r == 0)
			roll.instances[i] = NULL; /* the job's now */
	}
	if (r == 0 && roll.count > 0)
		log_info("took up %zu instances of an earlier life", roll.count);
	roll_done(&roll);
	engine_container_list_done(&list);
	return r;
}
