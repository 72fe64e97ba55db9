/* SPDX-License-Identifier: Apache-2.0 */
#include "node/instance.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "challenge/challenge.h"
#include "challenge/plan.h"
#include "challenge/problem.h"
#include "node/attachment.h"
#include "node/catalogue.h"
#include "node/compose.h"
#include "node/evidence.h"
#include "node/image.h"
#include "node/metrics.h"
#include "node/node.h"
#include "node/pressure.h"
#include "node/resource.h"
#include "node/roster.h"
#include "node/sidecar.h"
#include "node/store.h"
#include "node/timeline.h"
#include "node/timing.h"
#include "node/vpn.h"
#include "wire/instance.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

char *instance_dir(const struct node *node, const char *instance_id)
{
	return strf("%s/instances/%s", node->state_dir, instance_id);
}

/* The body that two requests are compared by, and that a resumed start needs. */
static char *spec_text(const struct instance_spec *spec)
{
	AUTO(json_t *, json_decrefp) json = fields_encode(instance_spec_fields, spec);

	/* Left out, null and {} say the same. */
	if (json && !json_is_object(json_object_get(json, "answers")))
		json_object_set_new(json, "answers", json_object());
	return json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
}

/* How far a start has come, and when it should be done by what earlier ones took. */
static int tell_progress(const struct instance *inst, struct ctfy_instance *row, struct err *e)
{
	struct node *node = inst->node;
	size_t position = gate_position(&node->starts, inst);
	int64_t p50, p95;

	row->phase = strdup(inst->phase);
	row->queue_position = (int64_t)position;
	if (timings_percentile(node->timings, inst->challenge_id, 50, &p50) &&
	    timings_percentile(node->timings, inst->challenge_id, 95, &p95)) {
		int64_t rounds =
			(int64_t)((position + node->starts.width - 1) / node->starts.width);

		row->eta_ms = (rounds + 1) * p50;
		row->eta_p95_ms = (rounds + 1) * p95;
	}
	return row->phase ? 0 : err_memory(e);
}

static int row_of_locked(const struct instance *inst, struct ctfy_instance *ret_row, struct err *e)
{
	AUTO(json_t *, json_decrefp) json =
		json_make("{s:s,s:s,s:s,s:s?,s:O*}", "instance_id", inst->id, "challenge_id",
			  inst->challenge_id, "status", instance_status_words[inst->status],
			  "detail", inst->failure.code != ERR_NONE ? inst->failure.msg : NULL,
			  "endpoints", inst->endpoints);
	int r;

	if (!json)
		return err_memory(e);
	r = fields_decode(instance_fields, json, ret_row, NULL, e);
	ret_row->started_at = inst->started_at;
	ret_row->expires_at = inst->expires_at;
	if (r == 0 && inst->status == STARTING)
		r = tell_progress(inst, ret_row, e);
	return r;
}

static int row_of(struct instance *inst, struct ctfy_instance *ret_row, struct err *e)
{
	int r;

	pthread_mutex_lock(&inst->lock);
	r = row_of_locked(inst, ret_row, e);
	pthread_mutex_unlock(&inst->lock);
	return r;
}

static int row_of_stored(const struct instance_row *stored, struct ctfy_instance *ret_row,
			 struct err *e)
{
	AUTO(json_t *, json_decrefp) endpoints =
		json_loads(stored->endpoints ? stored->endpoints : "[]", 0, NULL);
	AUTO(json_t *, json_decrefp) json =
		json_make("{s:s,s:s,s:s,s:s?,s:O*}", "instance_id", stored->instance_id,
			  "challenge_id", stored->challenge_id, "status", stored->status, "detail",
			  stored->detail, "endpoints", endpoints);
	int r;

	if (!json)
		return err_memory(e);
	r = fields_decode(instance_fields, json, ret_row, NULL, e);
	ret_row->started_at = stored->started_at;
	ret_row->expires_at = stored->expires_at;
	return r;
}

int instance_row(struct node *node, const char *instance_id, struct ctfy_instance *ret_row,
		 struct err *e)
{
	AUTO(struct instance *, instance_unrefp) inst = roster_find(node->roster, instance_id);
	struct instance_row stored = { 0 };
	int r;

	if (inst)
		return row_of(inst, ret_row, e);
	r = store_get_instance(node->db, instance_id, &stored, e);
	if (r < 0)
		return r;
	r = row_of_stored(&stored, ret_row, e);
	instance_row_done(&stored);
	return r;
}

int instance_services(struct node *node, const char *instance_id, json_t **ret_services,
		      struct err *e)
{
	AUTO(struct instance *, instance_unrefp) inst = roster_find(node->roster, instance_id);
	struct instance_row stored = { 0 };
	int r;

	if (inst) {
		pthread_mutex_lock(&inst->lock);
		*ret_services = inst->services ? json_incref(inst->services) : json_object();
		pthread_mutex_unlock(&inst->lock);
		return 0;
	}
	r = store_get_instance(node->db, instance_id, &stored, e);
	instance_row_done(&stored);
	if (r == 0)
		*ret_services = json_object();
	return r;
}

/* Waits until nobody works on the instance, and makes the caller the one who does. Locks it. */
static void lock_idle(struct instance *inst)
{
	pthread_mutex_lock(&inst->lock);
	while (inst->busy)
		pthread_cond_wait(&inst->changed, &inst->lock);
}

static void set_idle(struct instance *inst, enum instance_status status)
{
	pthread_mutex_lock(&inst->lock);
	inst->status = status;
	inst->busy = false;
	pthread_cond_broadcast(&inst->changed);
	pthread_mutex_unlock(&inst->lock);
}

/* What the store says of an instance that is stopping: how it will end, and why. */
static const char *ending_detail(const struct instance *inst)
{
	if (inst->end == FAILED)
		return inst->failure.msg;
	return inst->end == EXPIRED ? instance_status_words[EXPIRED] : NULL;
}

/*
 * Takes an instance down whose status is STOPPING and which the caller has made busy. The last of
 * it to go is its row's activity; what can't be removed keeps its addresses and is retried.
 */
static int take_down(struct node *node, struct instance *inst, struct err *e)
{
	AUTO(char *, freep) dir = instance_dir(node, inst->id);
	const char *detail = inst->end == FAILED ? inst->failure.msg : NULL;
	int64_t began = clock_monotonic_us();
	struct err lost = ERR_INIT;
	int r;

	if (evidence_close(node, inst->id, &lost) < 0)
		log_warn("evidence of instance '%s': %s", inst->id, lost.msg);
	r = dir ? compose_down(node, inst->id, resources_kinds(&inst->resources), e)
		: err_memory(e);
	if (r == 0)
		r = tree_remove(dir, e);
	if (r == 0)
		r = resources_clean(node, &inst->resources, e);
	if (r == 0)
		r = store_set_ended(node->db, inst->id, instance_status_words[inst->end], detail,
				    clock_now_ms(node->clock), e);
	if (r < 0) {
		log_warn("instance '%s': %s; will be retried", inst->id, e->msg);
		if (inst->retry_pause == 0)
			atomic_fetch_add(&node->quarantined, 1);
		pthread_mutex_lock(&inst->lock);
		if (inst->end != FAILED)
			inst->failure = *e;
		inst->retry_pause = inst->retry_pause ? inst->retry_pause * 2 : 1000;
		if (inst->retry_pause > 60000)
			inst->retry_pause = 60000;
		inst->retry_at = clock_now_ms(node->clock) + inst->retry_pause;
		pthread_mutex_unlock(&inst->lock);
		set_idle(inst, STOPPING);
		return r;
	}
	if (inst->retry_pause > 0)
		atomic_fetch_sub(&node->quarantined, 1);
	resources_release(node, &inst->resources); /* the row names them no more */
	metrics_stop(node->metrics, clock_monotonic_us() - began);
	metrics_outcome(node->metrics, instance_status_words[inst->end]);
	timeline_add(node, inst->id, instance_status_words[inst->end], NULL, "%s",
		     detail ? detail : "");
	roster_leave(inst);
	set_idle(inst, inst->end);
	log_info("instance '%s' %s", inst->id, instance_status_words[inst->end]);
	return 0;
}

static int plan_instance(struct node *node, const struct instance *inst,
			 const struct challenge *challenge, struct plan **ret_plan, struct err *e)
{
	AUTO(json_t *, json_decrefp) spec = json_loads(inst->spec, 0, NULL);
	AUTO(json_t *, json_decrefp) none = json_object();
	const json_t *answers = json_object_get(spec, "answers");
	struct problems problems = PROBLEMS_INIT;
	struct plan_facts facts = {
		.instance_id = inst->id,
		.public_host = node->options->public_host,
		.answers = json_is_object(answers) ? answers : none,
	};
	int r;

	if (!challenge_has_instance(challenge))
		return err_set(e, ERR_INVALID, "challenge '%s' has nothing to run", challenge->id);
	pthread_rwlock_rdlock(&node->config);
	r = plan_make(challenge, node->policy, &facts, ret_plan, &problems, e);
	pthread_rwlock_unlock(&node->config);
	problems_done(&problems);
	return r;
}

/* What the engine says of our start is a failure of the engine, whatever its status there. */
static int engine_failure(int r, struct err *e)
{
	if (r < 0 && e->code != ERR_ABORTED && e->code != ERR_UNAVAILABLE &&
	    e->code != ERR_MEMORY && e->code != ERR_INVALID && e->code != ERR_POLICY &&
	    e->code != ERR_STORE && e->code != ERR_INTERNAL) {
		e->code = ERR_ENGINE;
		return -(int)ERR_ENGINE;
	}
	return r;
}

static int record_running(struct node *node, struct instance *inst, const struct compose *compose,
			  struct err *e)
{
	json_t *endpoints = compose_endpoints(compose);
	json_t *services = compose_services(compose->plan);
	AUTO(char *, freep) endpoints_text = endpoints ? json_dumps(endpoints, JSON_COMPACT) : NULL;
	AUTO(char *, freep) services_text = services ? json_dumps(services, JSON_COMPACT) : NULL;
	int64_t now = clock_now_ms(node->clock);
	int r;

	pthread_mutex_lock(&inst->lock);
	json_decref(inst->endpoints);
	json_decref(inst->services);
	inst->endpoints = endpoints;
	inst->services = services;
	/* The time to live is the player's: what a build or a queue took does not count. */
	if (!inst->extended)
		inst->expires_at += now - inst->started_at;
	inst->started_at = now;
	r = endpoints_text && services_text
		    ? store_set_running(node->db, inst->id, endpoints_text, services_text, now,
					inst->expires_at, e)
		    : err_memory(e);
	pthread_mutex_unlock(&inst->lock);
	return r;
}

static int record_resources(struct node *node, struct instance *inst, struct err *e)
{
	AUTO(char *, freep) text = resources_text(&inst->resources);

	return text ? store_set_resources(node->db, inst->id, text, e) : err_memory(e);
}

static int reserve(struct node *node, struct instance *inst, const struct plan *plan, struct err *e)
{
	int r;

	r = pressure_check(node, e);
	if (r == 0)
		r = resources_take(node, plan, &inst->resources, e);
	return r < 0 ? r : record_resources(node, inst, e);
}

static void set_phase(struct instance *inst, const char *phase)
{
	pthread_mutex_lock(&inst->lock);
	inst->phase = phase;
	pthread_mutex_unlock(&inst->lock);
}

/* Its turn has come: from here on the engine works. */
static int start_planned(struct node *node, struct instance *inst, const struct plan *plan,
			 struct err *e)
{
	AUTO(char *, freep) dir = instance_dir(node, inst->id);
	struct compose compose = {
		.node = node,
		.instance_id = inst->id,
		.plan = plan,
		.resources = &inst->resources,
		.expires_at = inst->expires_at,
		.dir = dir,
		.cancelled = &inst->cancelled,
	};
	int r;

	set_phase(inst, "containers");
	r = dir ? dir_make(dir, 0700, e) : err_memory(e);
	if (r == 0)
		r = reserve(node, inst, plan, e);
	if (r == 0)
		r = compose_up(&compose, e);
	if (r == 0)
		r = record_resources(node, inst, e); /* a subnet may have been exchanged */
	if (r == 0)
		r = attachments_make(&compose, e);
	if (r == 0)
		r = record_running(node, inst, &compose, e);
	return r;
}

static int start_in_turn(struct node *node, struct instance *inst, const struct plan *plan,
			 struct err *e)
{
	int64_t queued = clock_monotonic_us(), began;
	int r;

	set_phase(inst, "queued");
	if (!gate_enter(&node->starts, inst, &inst->cancelled))
		return err_set(e, ERR_ABORTED, "the start was called off");
	began = clock_monotonic_us();
	metrics_start_phase(node->metrics, PHASE_QUEUE, began - queued);
	r = start_planned(node, inst, plan, e);
	gate_leave(&node->starts);
	if (r == 0) {
		int64_t took = clock_monotonic_us() - began;

		metrics_start_phase(node->metrics, PHASE_CONTAINERS, took);
		timings_add(node->timings, inst->challenge_id, took / 1000);
	}
	return r;
}

/* What an earlier life of the id, or of the node, left of it goes first. */
static int start_clean(struct node *node, struct instance *inst, struct err *e)
{
	AUTO(char *, freep) dir = instance_dir(node, inst->id);
	int r;

	r = dir ? tree_remove(dir, e) : err_memory(e);
	if (r < 0 || !inst->resumed)
		return r;
	r = compose_down(node, inst->id, resources_kinds(&inst->resources), e);
	if (r == 0)
		r = resources_clean(node, &inst->resources, e);
	if (r == 0)
		r = store_set_resources(node->db, inst->id, NULL, e);
	if (r == 0)
		resources_release(node, &inst->resources);
	return r;
}

static int start_now(struct node *node, struct instance *inst, struct err *e)
{
	AUTO(struct challenge_ref *, challenge_unrefp) challenge = NULL;
	AUTO(struct plan *, plan_freep) plan = NULL;
	int64_t began = clock_monotonic_us();
	int r;

	r = start_clean(node, inst, e);
	if (r == 0)
		r = catalogue_get(node->catalogue, inst->challenge_id, &challenge, e);
	if (r == 0)
		r = plan_instance(node, inst, challenge_of(challenge), &plan, e);
	if (r == 0)
		r = vpn_plan(plan, e);
	if (r < 0)
		return r;
	/* Images are made before the turn: a long build must not hold up those who have theirs. */
	set_phase(inst, "images");
	r = images_ensure(node, inst->id, plan, &inst->cancelled, e);
	if (r == 0)
		r = sidecar_images(node, inst->id, plan, &inst->cancelled, e);
	metrics_start_phase(node->metrics, PHASE_IMAGES, clock_monotonic_us() - began);
	if (r == 0)
		r = start_in_turn(node, inst, plan, e);
	if (r == 0) {
		metrics_start_phase(node->metrics, PHASE_TOTAL, clock_monotonic_us() - began);
		metrics_outcome(node->metrics, instance_status_words[RUNNING]);
		timeline_add(node, inst->id, "running", NULL, "after %lld ms",
			     (long long)(clock_monotonic_us() - began) / 1000);
		log_info("instance '%s' of '%s' runs after %lld ms", inst->id, inst->challenge_id,
			 (long long)(clock_monotonic_us() - began) / 1000);
	}
	return engine_failure(r, e);
}

/*
 * The whole of a start, of an instance that is STARTING and busy. A failure is followed by a
 * teardown before it is told.
 */
static int run_start(struct node *node, struct instance *inst, struct err *e)
{
	struct err cleanup = ERR_INIT;
	bool called_off;
	int r;

	r = start_now(node, inst, e);
	if (r == 0 && !atomic_load(&inst->cancelled)) {
		set_idle(inst, RUNNING);
		return 0;
	}
	if (r == 0)
		err_set(e, ERR_ABORTED, "the start was called off");
	pthread_mutex_lock(&inst->lock);
	if (inst->excess.code != ERR_NONE)
		*e = inst->excess;
	pthread_mutex_unlock(&inst->lock);
	called_off = e->code == ERR_ABORTED;
	if (called_off && atomic_load(&inst->cancelled)) /* whatever it was at just then */
		err_set(e, ERR_CONFLICT, "instance '%s' was stopped while it was starting",
			inst->id);
	else if (called_off)
		e->code = ERR_CONFLICT;
	else
		log_warn("instance '%s' of '%s' did not start: %s", inst->id, inst->challenge_id,
			 e->msg);

	pthread_mutex_lock(&inst->lock);
	inst->status = STOPPING;
	inst->end = called_off ? STOPPED : FAILED;
	inst->failure = *e;
	pthread_cond_broadcast(&inst->changed);
	pthread_mutex_unlock(&inst->lock);
	if (store_set_status(node->db, inst->id, instance_status_words[STOPPING],
			     ending_detail(inst), &cleanup) < 0)
		log_error("instance '%s': %s", inst->id, cleanup.msg);
	take_down(node, inst, &cleanup);
	return -(int)e->code;
}

bool instance_is_due(const struct instance *inst, int64_t now)
{
	return (inst->status == RUNNING && inst->expires_at <= now) ||
	       (inst->status == STOPPING && inst->retry_at <= now);
}

/* Makes the instance STOPPING and takes it down, or waits for whoever is at it. */
static int stop(struct node *node, struct instance *inst, enum instance_status end, struct err *e)
{
	bool ran;

	if (end != EXPIRED)
		atomic_store(&inst->cancelled, true);
	lock_idle(inst);
	ran = inst->status == RUNNING;
	if (inst->status > STOPPING ||
	    (end == EXPIRED && !instance_is_due(inst, clock_now_ms(node->clock)))) {
		pthread_mutex_unlock(&inst->lock); /* ended, or extended, by somebody else */
		return 0;
	}
	if (ran) {
		inst->status = STOPPING;
		inst->end = end;
		inst->failure = end == FAILED ? inst->excess : (struct err)ERR_INIT;
	}
	inst->busy = true;
	pthread_mutex_unlock(&inst->lock);
	if (ran)
		timeline_add(node, inst->id, "stopping", NULL, "%s",
			     ending_detail(inst) ? ending_detail(inst) : "");
	/* What runs is taken down even if that can't be written: a row without containers is lost.
	 */
	if (store_set_status(node->db, inst->id, instance_status_words[STOPPING],
			     ending_detail(inst), e) < 0)
		log_error("instance '%s': %s; stopping it all the same", inst->id, e->msg);
	return engine_failure(take_down(node, inst, e), e);
}

/* Starts containers again that ended with the engine or the host, not by themselves. */
static void revive(struct node *node, struct instance *inst)
{
	struct err e = ERR_INIT;

	lock_idle(inst);
	if (inst->status != RUNNING) {
		pthread_mutex_unlock(&inst->lock);
		return;
	}
	inst->busy = true;
	pthread_mutex_unlock(&inst->lock);
	if (compose_revive(node, inst->id, atomic_load(&node->revive_since), &e) < 0)
		log_warn("instance '%s': start it again: %s", inst->id, e.msg);
	set_idle(inst, RUNNING);
}

/* An instance and the use of it that a job has taken over. */
struct job {
	struct node *node;
	struct instance *inst;
	enum instance_job kind;
};

static void run_job(void *cookie)
{
	struct job *job = cookie;
	struct instance *inst = job->inst;
	static const atomic_bool never;
	struct err e = ERR_INIT;

	/* What fails here is logged where it happens, and kept in the row. */
	switch (job->kind) {
	case INSTANCE_START: run_start(job->node, inst, &e); break;
	case INSTANCE_EXPIRE:
	case INSTANCE_FAIL:
		gate_enter(&job->node->stops, inst, &never);
		stop(job->node, inst, job->kind == INSTANCE_FAIL ? FAILED : EXPIRED, &e);
		gate_leave(&job->node->stops);
		pthread_mutex_lock(&inst->lock);
		inst->reaping = false;
		pthread_mutex_unlock(&inst->lock);
		break;
	case INSTANCE_REVIVE: revive(job->node, inst); break;
	}
	instance_unref(inst);
	free(job);
}

int instance_begin(struct node *node, struct instance *inst, enum instance_job kind, struct err *e)
{
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return err_memory(e);
	*job = (struct job){ node, inst, kind };
	r = work_start(node->work, run_job, job, e);
	if (r < 0)
		free(job);
	return r;
}

int instance_fail(struct instance *inst, const struct err *why, struct err *e)
{
	AUTO(struct instance *, instance_unrefp) use = roster_find(inst->node->roster, inst->id);
	bool due;
	int r;

	if (use != inst) /* it has ended */
		return 0;
	pthread_mutex_lock(&inst->lock);
	due = !inst->reaping && (inst->status == STARTING || inst->status == RUNNING);
	if (due) {
		inst->reaping = true;
		inst->excess = *why;
	}
	pthread_mutex_unlock(&inst->lock);
	if (!due)
		return 0;
	log_warn("instance '%s' of '%s' is ended: %s", inst->id, inst->challenge_id, why->msg);
	r = instance_begin(inst->node, inst, INSTANCE_FAIL, e);
	pthread_mutex_lock(&inst->lock);
	if (r < 0)
		inst->reaping = false;
	pthread_mutex_unlock(&inst->lock);
	if (r == 0)
		use = NULL; /* the job's now */
	return r;
}

/* What answer_existing() says of an instance that has ended meanwhile: its id is free again. */
enum { INSTANCE_ENDED = 100 };

/* The same request shares the outcome of the start that it finds, unless it asked not to wait. */
static int share_start(struct instance *inst, bool respond_async, struct ctfy_instance *ret_row,
		       struct err *e)
{
	int r;

	pthread_mutex_lock(&inst->lock);
	while (inst->busy && !respond_async)
		pthread_cond_wait(&inst->changed, &inst->lock);
	if (inst->status == STARTING || inst->status == RUNNING) {
		r = row_of_locked(inst, ret_row, e);
		if (r == 0 && respond_async) /* this caller, too, was told that the start goes on */
			r = store_set_acknowledged(inst->node->db, inst->id, e);
		r = r < 0 ? r : INSTANCE_EXISTING;
	} else if (inst->failure.code != ERR_NONE) {
		*e = inst->failure;
		r = -(int)e->code;
	} else {
		r = INSTANCE_ENDED; /* it was stopped while we waited */
	}
	pthread_mutex_unlock(&inst->lock);
	return r;
}

/* Somebody has the id. One that is on its way out is helped out first. */
static int answer_existing(struct node *node, struct instance *inst, const char *spec,
			   bool respond_async, struct ctfy_instance *ret_row, struct err *e)
{
	enum instance_status status;
	int r;

	pthread_mutex_lock(&inst->lock);
	status = inst->status;
	pthread_mutex_unlock(&inst->lock);
	if (status == STARTING || status == RUNNING) {
		if (strcmp(inst->spec, spec) == 0)
			return share_start(inst, respond_async, ret_row, e);
		return err_set(e, ERR_CONFLICT,
			       "instance '%s' exists already, started with another body", inst->id);
	}
	r = stop(node, inst, STOPPED, e);
	return r < 0 ? r : INSTANCE_ENDED;
}

static int store_new(struct node *node, const struct instance *inst, bool acknowledged,
		     struct err *e)
{
	struct instance_row row = {
		.instance_id = (char *)(uintptr_t)inst->id,
		.challenge_id = inst->challenge_id,
		.status = (char *)(uintptr_t)instance_status_words[STARTING],
		.spec = inst->spec,
		.acknowledged = acknowledged,
		.started_at = inst->started_at,
		.expires_at = inst->expires_at,
	};

	return store_put_instance(node->db, &row, e);
}

/* An instance that never got as far as the engine leaves no trace. */
static void forget(struct instance *inst, const struct err *why)
{
	pthread_mutex_lock(&inst->lock);
	inst->failure = *why;
	pthread_mutex_unlock(&inst->lock);
	roster_leave(inst);
	set_idle(inst, FAILED);
}

/* 0: the id is this instance's now; else the answer that another one's presence gives. */
static int enter(struct node *node, struct instance *inst, const char *spec, bool respond_async,
		 struct ctfy_instance *ret_row, struct err *e)
{
	int r;

	do {
		AUTO(struct instance *, instance_unrefp) existing = NULL;

		r = roster_enter(node->roster, inst, (size_t)node->options->capacity, &existing, e);
		if (existing)
			r = answer_existing(node, existing, spec, respond_async, ret_row, e);
	} while (r == INSTANCE_ENDED);
	return r;
}

int instance_start(struct node *node, const struct instance_spec *spec, bool respond_async,
		   struct ctfy_instance *ret_row, struct err *e)
{
	AUTO(struct instance *, instance_unrefp) inst = NULL;
	AUTO(struct instance *, instance_unrefp) existing = NULL;
	AUTO(struct challenge_ref *, challenge_unrefp) challenge = NULL;
	AUTO(char *, freep) text = spec_text(spec);
	int r;

	if (!text)
		return err_memory(e);
	existing = roster_find(node->roster, spec->instance_id);
	r = existing ? answer_existing(node, existing, text, respond_async, ret_row, e)
		     : INSTANCE_ENDED;
	if (r != INSTANCE_ENDED)
		return r;
	r = catalogue_get(node->catalogue, spec->challenge_id, &challenge, e);
	if (r < 0)
		return r;
	inst = instance_new(node, spec->instance_id, spec->challenge_id, text);
	if (!inst)
		return err_memory(e);
	inst->busy = true;
	inst->started_at = clock_now_ms(node->clock);
	inst->expires_at = inst->started_at + spec->ttl * 1000;
	r = enter(node, inst, text, respond_async, ret_row, e);
	if (r != 0) {
		instance_unref(inst); /* the use that the roster did not take */
		return r;
	}

	r = store_new(node, inst, respond_async, e);
	if (r == 0)
		timeline_add(node, inst->id, "starting", NULL, "%s", inst->challenge_id);
	if (r == 0 && respond_async) {
		r = row_of(inst, ret_row, e);
		if (r == 0)
			r = instance_begin(node, inst, INSTANCE_START, e);
		if (r == 0) {
			inst = NULL; /* the job's now */
			return INSTANCE_ACCEPTED;
		}
		fields_done(instance_fields, ret_row);
		store_set_ended(node->db, inst->id, instance_status_words[FAILED], e->msg,
				clock_now_ms(node->clock), NULL);
	}
	if (r < 0) {
		forget(inst, e);
		return r;
	}
	r = run_start(node, inst, e);
	if (r == 0)
		r = row_of(inst, ret_row, e);
	return r < 0 ? r : INSTANCE_CREATED;
}

int instance_stop(struct node *node, const char *instance_id, struct err *e)
{
	AUTO(struct instance *, instance_unrefp) inst = roster_find(node->roster, instance_id);
	struct instance_row stored = { 0 };
	int r;

	if (inst)
		return stop(node, inst, STOPPED, e);
	r = store_get_instance(node->db, instance_id, &stored, e);
	instance_row_done(&stored);
	return r;
}

int instance_extend(struct node *node, const char *instance_id, int64_t ttl,
		    struct ctfy_instance *ret_row, struct err *e)
{
	AUTO(struct instance *, instance_unrefp) inst = roster_find(node->roster, instance_id);
	struct instance_row stored = { 0 };
	int64_t expires_at = clock_now_ms(node->clock) + ttl * 1000;
	int r;

	if (!inst) {
		r = store_get_instance(node->db, instance_id, &stored, e);
		if (r == 0)
			r = err_set(e, ERR_CONFLICT, "instance '%s' has ended: it is %s",
				    instance_id, stored.status);
		instance_row_done(&stored);
		return r;
	}
	pthread_mutex_lock(&inst->lock);
	if (inst->status == STARTING || inst->status == RUNNING) {
		r = store_set_expiry(node->db, inst->id, expires_at, e);
		if (r == 0) {
			inst->expires_at = expires_at;
			inst->extended = true;
			r = row_of_locked(inst, ret_row, e);
			timeline_add(node, inst->id, "extended", NULL, "to %lld s", (long long)ttl);
		}
	} else {
		r = err_set(e, ERR_CONFLICT, "instance '%s' is %s", inst->id,
			    instance_status_words[inst->status]);
	}
	pthread_mutex_unlock(&inst->lock);
	return r;
}

struct stop_all {
	struct node *node;
	struct roll roll;
	struct err *errors; /* one per instance; code NONE: stopped */
};

static int stop_one(void *cookie, size_t i, struct err *e)
{
	struct stop_all *all = cookie;

	(void)e; /* every one is tried, and each has its own */
	return stop(all->node, all->roll.instances[i], STOPPED, &all->errors[i]);
}

static int report_stopped(const struct stop_all *all, struct ctfy_stopped *ret, struct err *e)
{
	ret->stopped = calloc(all->roll.count + 1, sizeof(*ret->stopped));
	ret->failed = calloc(all->roll.count + 1, sizeof(*ret->failed));
	if (!ret->stopped || !ret->failed)
		return err_memory(e);
	for (size_t i = 0; i < all->roll.count; i++) {
		char *id = strdup(all->roll.instances[i]->id);

		if (!id)
			return err_memory(e);
		if (all->errors[i].code == ERR_NONE)
			ret->stopped[ret->stopped_count++] = id;
		else
			ret->failed[ret->failed_count++] =
				(struct ctfy_stop_failure){ .instance_id = id,
							    .detail = strdup(all->errors[i].msg) };
	}
	return 0;
}

enum { STOPS_AT_ONCE = 16 };

int instance_stop_all(struct node *node, struct ctfy_stopped *ret_stopped, struct err *e)
{
	struct stop_all all = { .node = node };
	int r;

	r = roster_roll(node->roster, &all.roll, e);
	all.errors = calloc(all.roll.count + 1, sizeof(*all.errors));
	if (r == 0 && !all.errors)
		r = err_memory(e);
	if (r == 0) {
		work_each_always(all.roll.count, STOPS_AT_ONCE, stop_one, &all, NULL);
		r = report_stopped(&all, ret_stopped, e);
	}
	free(all.errors);
	roll_done(&all.roll);
	return r;
}
