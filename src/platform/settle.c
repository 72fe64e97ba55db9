/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/settle.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "platform/archive.h"
#include "platform/instance.h"
#include "platform/meter.h"
#include "platform/plain.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum { BUCKETS = 1024, REFUSALS_MAX = 8 };

/* An instance at work, or waiting for it. */
struct item {
	struct item *next;  /* in its bucket */
	struct item *after; /* in its lane's queue */
	char *id;
	struct lane *lane;
	bool again; /* kicked while at work */
	bool done;
	unsigned waiters;
	pthread_cond_t ended;
};

/* One node's instances. Lives as long as the settler. */
struct lane {
	struct lane *next; /* in its bucket */
	struct settler *settler;
	char *node_id;
	struct item *first, **last;
	unsigned threads;
	bool retry; /* something on this node wants another try after its next heartbeat */
	bool sweep; /* it may hold leftovers */
	bool sweeping;
};

struct settler {
	struct settler_options options;
	struct nodes *nodes;
	struct work *work;
	int64_t told_until; /* who came near their end until then was told; its thread's that tells
			     */
	pthread_mutex_t lock; /* of all that follows */
	struct item *items[BUCKETS];
	struct lane *lanes[BUCKETS];
	bool ending;
};

int settler_new(const struct settler_options *options, struct settler **ret_settler, struct err *e)
{
	struct settler *settler = calloc(1, sizeof(*settler));
	int r;

	if (!settler)
		return err_memory(e);
	settler->options = *options;
	r = work_new(&settler->work, e);
	if (r < 0) {
		free(settler);
		return r;
	}
	pthread_mutex_init(&settler->lock, NULL);
	*ret_settler = settler;
	return 0;
}

void settler_use_nodes(struct settler *settler, struct nodes *nodes)
{
	settler->nodes = nodes;
}

static void item_free(struct item *item)
{
	pthread_cond_destroy(&item->ended);
	free(item->id);
	free(item);
}

void settler_end(struct settler *settler)
{
	pthread_mutex_lock(&settler->lock);
	settler->ending = true;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct item *item = settler->items[i]; item; item = item->next)
			pthread_cond_broadcast(&item->ended);
	pthread_mutex_unlock(&settler->lock);
}

static void free_lanes(struct lane *lane)
{
	while (lane) {
		struct lane *next = lane->next;

		free(lane->node_id);
		free(lane);
		lane = next;
	}
}

void settler_free(struct settler *settler)
{
	if (!settler)
		return;
	settler_end(settler);
	work_free(settler->work);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (settler->items[i]) {
			struct item *item = settler->items[i];

			settler->items[i] = item->next;
			item_free(item);
		}
	}
	for (size_t i = 0; i < BUCKETS; i++)
		free_lanes(settler->lanes[i]);
	pthread_mutex_destroy(&settler->lock);
	free(settler);
}

/* Items and lanes: the lock is held, but for the two that want something. */

static size_t bucket_of(const char *id)
{
	uint32_t hash = 2166136261u;

	for (const char *c = id; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return hash % BUCKETS;
}

static struct item **find_item(struct settler *settler, const char *id)
{
	struct item **at = &settler->items[bucket_of(id)];

	while (*at && strcmp((*at)->id, id) != 0)
		at = &(*at)->next;
	return at;
}

/* NULL when out of memory. A new lane doesn't know what an earlier life left: it tries everything.
 */
static struct lane *get_lane(struct settler *settler, const char *node_id)
{
	struct lane **first = &settler->lanes[bucket_of(node_id)];
	struct lane *lane;

	for (lane = *first; lane; lane = lane->next)
		if (strcmp(lane->node_id, node_id) == 0)
			return lane;
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	lane->node_id = strdup(node_id);
	if (!lane->node_id) {
		free(lane);
		return NULL;
	}
	lane->settler = settler;
	lane->last = &lane->first;
	lane->retry = lane->sweep = true;
	lane->next = *first;
	*first = lane;
	return lane;
}

static void enqueue(struct lane *lane, struct item *item)
{
	item->after = NULL;
	*lane->last = item;
	lane->last = &item->after;
}

static struct item *dequeue(struct lane *lane)
{
	struct item *item = lane->first;

	if (!item || lane->settler->ending)
		return NULL;
	lane->first = item->after;
	if (!lane->first)
		lane->last = &lane->first;
	return item;
}

static struct item *new_item(const char *id, struct lane *lane)
{
	struct item *item = calloc(1, sizeof(*item));
	pthread_condattr_t attr;

	if (!item)
		return NULL;
	item->id = strdup(id);
	if (!item->id) {
		free(item);
		return NULL;
	}
	item->lane = lane;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&item->ended, &attr);
	pthread_condattr_destroy(&attr);
	return item;
}

/* The item's work is over: whoever waits for it goes on, the last of them frees it. */
static void finish(struct settler *settler, struct item *item)
{
	struct item **at = find_item(settler, item->id);

	*at = item->next;
	item->done = true;
	pthread_cond_broadcast(&item->ended);
	if (item->waiters == 0)
		item_free(item);
}

static void want_retry(struct settler *settler, const char *node_id)
{
	struct lane *lane;

	pthread_mutex_lock(&settler->lock);
	lane = get_lane(settler, node_id);
	if (lane)
		lane->retry = true;
	pthread_mutex_unlock(&settler->lock);
}

/* After every node's next heartbeat. */
static void want_retry_everywhere(struct settler *settler)
{
	pthread_mutex_lock(&settler->lock);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct lane *lane = settler->lanes[i]; lane; lane = lane->next)
			lane->retry = true;
	pthread_mutex_unlock(&settler->lock);
}

static void want_sweep(struct settler *settler, const char *node_id)
{
	struct lane *lane;

	pthread_mutex_lock(&settler->lock);
	lane = get_lane(settler, node_id);
	if (lane)
		lane->sweep = true;
	pthread_mutex_unlock(&settler->lock);
}

/* One instance, step by step */

enum step {
	STEP_TAKEN,   /* look at the row again */
	STEP_SETTLED, /* nothing to do */
	STEP_QUEUED,  /* no node has room: when one has */
	STEP_WAIT,    /* the node did not answer: after its next heartbeat */
};

struct settling {
	struct settler *settler;
	struct arena *arena;
	struct instance instance;
	struct node *node; /* NULL: there is no such node */
	const char *refusals[REFUSALS_MAX];
	size_t refusal_count;
};

static int64_t now(const struct settler *settler)
{
	return clock_now_ms(settler->options.clock);
}

static struct ctfy_call node_call(const struct settler *settler)
{
	return (struct ctfy_call){ .timeout = (double)settler->options.call_timeout_ms / 1000,
				   .request_id = *log_request() ? log_request() : NULL };
}

static enum step store_failed(const struct settling *s, const struct err *e)
{
	log_error("instance '%s': %s; trying again", s->instance.id, e->msg);
	return STEP_WAIT;
}

static enum step fail_start(struct settling *s, const struct instance_failure *failure)
{
	struct settler *settler = s->settler;
	struct err e = ERR_INIT;
	bool changed;

	if (instances_failed(settler->options.db, &s->instance, failure, now(settler), &changed,
			     &e) < 0)
		return store_failed(s, &e);
	if (!changed)
		return STEP_TAKEN; /* it was stopped meanwhile: that is no failure */
	log_warn("instance '%s' of '%s' failed on node '%s': %s", s->instance.id,
		 s->instance.challenge_id, s->node ? nodes_name(s->node) : s->instance.node_id,
		 failure->cause);
	meter_count(settler->options.meter, METER_FAILED);
	if (failure->leftover)
		want_sweep(settler, s->instance.node_id);
	return STEP_TAKEN;
}

/*
 * It waits its turn: settler_place() gives it a node when one has room, at the earliest after a
 * heartbeat, so that a node which refuses isn't asked again and again.
 */
static enum step requeue(struct settling *s, const struct instance_failure *failure)
{
	struct settler *settler = s->settler;
	struct err e = ERR_INIT;

	if (instances_requeue(settler->options.db, &s->instance, failure->leftover, &e) < 0)
		return store_failed(s, &e);
	if (failure->leftover)
		want_sweep(settler, s->instance.node_id);
	log_info("instance '%s' waits for another node: %s", s->instance.id, failure->cause);
	return STEP_QUEUED;
}

static int move(struct settling *s, const struct instance_failure *failure, bool *ret_may_wait,
		struct err *e)
{
	struct scheduler_want want = { s->refusals, s->refusal_count };
	struct settler *settler = s->settler;
	struct node_load *loads;
	size_t count;
	int r;

	r = nodes_loads(settler->nodes, s->arena, s->instance.challenge_id, &loads, &count, e);
	if (r < 0)
		return r;
	r = instances_move(settler->options.db, s->arena, &s->instance, &want, loads, count,
			   failure->leftover, e);
	*ret_may_wait = r == -ERR_UNAVAILABLE && scheduler_may_wait(loads, count);
	return r;
}

/*
 * Another node takes the start over. Where there is none now, a start that is refused for want of
 * room waits; else the failure stands.
 */
static enum step start_elsewhere(struct settling *s, const struct instance_failure *failure,
				 bool for_room)
{
	struct settler *settler = s->settler;
	bool may_wait = false;
	struct err e = ERR_INIT;
	int r = -1;

	if (s->refusal_count < REFUSALS_MAX) {
		s->refusals[s->refusal_count++] = arena_strdup(s->arena, s->instance.node_id);
		r = move(s, failure, &may_wait, &e);
	}
	if (r < 0)
		return for_room && may_wait ? requeue(s, failure) : fail_start(s, failure);
	if (failure->leftover)
		want_sweep(settler, s->refusals[s->refusal_count - 1]);
	meter_count(settler->options.meter, METER_MOVED);
	log_info("instance '%s' goes to another node: %s", s->instance.id, failure->cause);
	return STEP_TAKEN;
}

static enum step start_ended(struct settling *s, const struct ctfy_instance *told)
{
	struct instance_failure failure = { .detail = plain_start(0), .leftover = true };

	failure.cause = told->detail ? told->detail : "the node says it has ended already";
	return fail_start(s, &failure);
}

static enum step start_answered(struct settling *s, const struct ctfy_instance *told)
{
	const char *status = told->status ? told->status : "";
	struct err e = ERR_INIT;
	bool changed = false;

	if (strcmp(status, "starting") == 0)
		return STEP_WAIT;
	if (strcmp(status, "running") != 0)
		return start_ended(s, told);
	if (instances_now_running(s->settler->options.db, s->instance.id, told, now(s->settler),
				  &changed, &e) < 0)
		return store_failed(s, &e);
	if (changed) {
		meter_start(s->settler->options.meter, now(s->settler) - s->instance.created_at);
		log_info("instance '%s' of '%s' runs on node '%s'", s->instance.id,
			 s->instance.challenge_id, nodes_name(s->node));
	}
	return STEP_TAKEN;
}

/* An engine may fail on one node alone; what fails on two is the challenge's own fault. */
static bool may_suit_another_node(const struct settling *s, int status)
{
	return status == 401 || status == 404 || status == 503 ||
	       (status == 502 && s->refusal_count == 0);
}

/*
 * A refusal leaves nothing, says the contract. But the node may have been asked before, without our
 * hearing the answer: before another is asked, a stop makes sure of it.
 */
static enum step start_refused(struct settling *s, const struct ctfy_error *error)
{
	struct instance_failure failure = { plain_start(error->status), error->detail,
					    error->status >= 500 };

	if (!may_suit_another_node(s, error->status))
		return fail_start(s, &failure);
	failure.leftover = true;
	return start_elsewhere(s, &failure, error->status == 503);
}

static enum step start_failed(struct settling *s, const struct ctfy_error *error)
{
	struct instance_failure failure = { .detail = plain_start(0),
					    .cause = error->detail,
					    .leftover = true };

	switch (error->kind) {
	case CTFY_ERROR_NODE: return start_refused(s, error);
	case CTFY_ERROR_CONNECT:
	case CTFY_ERROR_TIMEOUT:
	case CTFY_ERROR_TRANSPORT:
	case CTFY_ERROR_TLS:
	case CTFY_ERROR_MEMORY:
		log_warn("start of instance '%s' on node '%s': %s; asking again", s->instance.id,
			 nodes_name(s->node), error->detail);
		return STEP_WAIT;
	default: return fail_start(s, &failure);
	}
}

/*
 * Twice: the first time the node only takes the start on, so that it sees it through even when it
 * is killed itself; the second time it answers when the start is over.
 */
static int ask_for_start(struct settling *s, struct ctfy_start *start, struct ctfy_instance *told,
			 struct ctfy_error *error)
{
	struct ctfy_node_client *client = nodes_client(s->node);
	struct ctfy_call call = node_call(s->settler);
	int r;

	start->respond_async = true;
	r = ctfy_node_start_instance(client, start, told, &call, error);
	if (r < 0 || !told->status || strcmp(told->status, "starting") != 0)
		return r;
	ctfy_instance_done(told);
	start->respond_async = false;
	return ctfy_node_start_instance(client, start, told, &call, error);
}

static enum step call_start(struct settling *s)
{
	struct ctfy_error error = CTFY_ERROR_INIT;
	struct ctfy_start start = { .challenge_id = s->instance.challenge_id,
				    .instance_id = s->instance.copy_id,
				    .ttl = s->instance.remaining ? s->instance.remaining
								 : s->instance.ttl };
	struct ctfy_answer *answers;
	struct ctfy_instance told;
	struct err e = ERR_INIT;
	enum step step;

	if (instances_answers(s->settler->options.db, s->arena, s->instance.id, &answers,
			      &start.answer_count, &e) < 0)
		return store_failed(s, &e);
	start.answers = answers;
	if (ask_for_start(s, &start, &told, &error) == 0)
		step = start_answered(s, &told);
	else
		step = start_failed(s, &error);
	ctfy_instance_done(&told);
	ctfy_error_done(&error);
	return step;
}

static bool is_node_gone(const struct settling *s)
{
	return !s->node || nodes_state(s->node) == NODE_LOST;
}

static enum step start(struct settling *s)
{
	const struct instance_failure lost = {
		.detail = "the node that was to run it does not answer",
		.cause = "the node is lost",
		.leftover = s->node != NULL,
	};

	return is_node_gone(s) ? start_elsewhere(s, &lost, true) : call_start(s);
}

static enum step end(struct settling *s)
{
	struct err e = ERR_INIT;

	if (instances_ended(s->settler->options.db, &s->instance, now(s->settler), &e) < 0)
		return store_failed(s, &e);
	meter_count(s->settler->options.meter, METER_ENDED);
	log_info("instance '%s' of '%s' is %s", s->instance.id, s->instance.challenge_id,
		 s->instance.ends_as);
	return STEP_SETTLED;
}

/*
 * Whether nothing keeps it from being destroyed: its archive is there, or its node couldn't give it
 * often enough. Then it goes on being asked for it afterwards: our nodes remember for a week.
 */
static bool is_archived(struct settling *s)
{
	struct archives *archives = s->settler->options.archives;
	struct err e = ERR_INIT;
	int64_t tries;

	if (!archives_want(archives, &s->instance))
		return true;
	if (archives_owe(archives, &s->instance, &e) < 0) {
		log_error("instance '%s': %s; trying again", s->instance.id, e.msg);
		return false;
	}
	if (archives_fetch(archives, s->arena, s->instance.copy_id, s->node, &tries, &e) == 0)
		return true;
	log_warn("archive of instance '%s': %s; trying again", s->instance.id, e.msg);
	if (tries < ARCHIVE_TRIES_BEFORE_STOP)
		return false;
	want_sweep(s->settler, s->instance.node_id);
	return true;
}

/* What a lost node may still have of it is asked for once that is back. */
static void owe_archive(struct settler *settler, const struct instance *instance)
{
	struct err e = ERR_INIT;

	if (archives_want(settler->options.archives, instance) &&
	    archives_owe(settler->options.archives, instance, &e) < 0)
		log_error("archive of instance '%s': %s", instance->id, e.msg);
}

static enum step abandon(struct settling *s)
{
	struct settler *settler = s->settler;
	struct err e = ERR_INIT;

	owe_archive(settler, &s->instance);
	if (instances_abandon(settler->options.db, &s->instance, now(settler), &e) < 0)
		return store_failed(s, &e);
	log_warn("instance '%s' is %s, but its node '%s' is lost: it is told once it is back",
		 s->instance.id, s->instance.ends_as, nodes_name(s->node));
	want_sweep(settler, s->instance.node_id);
	return STEP_SETTLED;
}

/* 0 when the node holds nothing of it, whatever it held before. */
static int call_stop(struct settler *settler, struct node *node, const char *id)
{
	struct ctfy_call call = node_call(settler);
	struct ctfy_error error = CTFY_ERROR_INIT;
	int r = ctfy_node_stop_instance(nodes_client(node), id, &call, &error);

	if (r < 0 && error.kind == CTFY_ERROR_NODE && error.status == 404)
		r = 0;
	if (r < 0)
		log_warn("stop of instance '%s' on node '%s': %s; asking again", id,
			 nodes_name(node), error.detail);
	ctfy_error_done(&error);
	return r;
}

static enum step stop(struct settling *s)
{
	if (!s->node)
		return end(s);
	if (is_node_gone(s))
		return abandon(s);
	if (!is_archived(s))
		return STEP_WAIT;
	return call_stop(s->settler, s->node, s->instance.copy_id) == 0 ? end(s) : STEP_WAIT;
}

static enum step take_step(struct settling *s)
{
	if (instances_is_queued(&s->instance))
		return STEP_SETTLED; /* settler_place() gives it a node when there is room */
	if (instances_is(&s->instance, "starting"))
		return start(s);
	if (instances_is(&s->instance, "stopping"))
		return stop(s);
	return STEP_SETTLED;
}

/* Step by step until the store has nothing more to ask of the node. */
static void settle(struct settler *settler, const char *id, const char *node_id)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct settling s = { .settler = settler, .arena = arena, .instance = { .id = NULL } };
	enum step step = arena ? STEP_TAKEN : STEP_WAIT;
	struct err e = ERR_INIT;

	while (step == STEP_TAKEN) {
		if (instances_find(settler->options.db, arena, id, &s.instance, &e) < 0) {
			log_error("instance '%s': %s", id, e.msg);
			step = STEP_WAIT;
			break;
		}
		node_id = s.instance.node_id;
		s.node = nodes_take(settler->nodes, s.instance.node_id);
		step = take_step(&s);
		node_drop(s.node);
		instances_row_done(&s.instance);
	}
	if (step == STEP_WAIT)
		want_retry(settler, node_id);
	else if (step == STEP_SETTLED)
		settler_place(settler); /* it may have made room */
}

/* A lane's threads */

static void work_lane(void *cookie)
{
	struct lane *lane = cookie;
	struct settler *settler = lane->settler;
	struct item *item;

	pthread_mutex_lock(&settler->lock);
	while ((item = dequeue(lane))) {
		pthread_mutex_unlock(&settler->lock);
		settle(settler, item->id, lane->node_id);
		pthread_mutex_lock(&settler->lock);
		if (item->again) {
			item->again = false;
			enqueue(lane, item);
		} else {
			finish(settler, item);
		}
	}
	lane->threads--;
	pthread_mutex_unlock(&settler->lock);
}

/* The lock is held. What finds no thread waits for the node's next heartbeat. */
static void add_thread(struct lane *lane)
{
	struct err e = ERR_INIT;

	if (lane->settler->ending || lane->threads >= SETTLE_WIDTH || !lane->first)
		return;
	lane->threads++;
	if (work_start(lane->settler->work, work_lane, lane, &e) < 0) {
		lane->threads--;
		lane->retry = true;
		log_error("%s", e.msg);
	}
}

static void kick_locked(struct settler *settler, const char *instance_id, const char *node_id)
{
	struct item **at = find_item(settler, instance_id);
	struct lane *lane;

	if (*at) {
		(*at)->again = true;
		add_thread((*at)->lane);
		return;
	}
	lane = get_lane(settler, node_id);
	*at = lane ? new_item(instance_id, lane) : NULL;
	if (!*at) {
		log_error("instance '%s': out of memory", instance_id);
		return;
	}
	enqueue(lane, *at);
	add_thread(lane);
}

void settler_kick(struct settler *settler, const char *instance_id, const char *node_id)
{
	pthread_mutex_lock(&settler->lock);
	if (!settler->ending)
		kick_locked(settler, instance_id, node_id);
	pthread_mutex_unlock(&settler->lock);
}

/* ret_wait: there is no room for it now, but there may be, and those behind it wait with it. */
static int place_one(struct settler *settler, struct arena *arena, const struct waiting *waiting,
		     bool *ret_wait, struct err *e)
{
	struct node_load *loads;
	bool changed = false;
	char *node_id;
	size_t count;
	int r;

	r = nodes_loads(settler->nodes, arena, waiting->challenge_id, &loads, &count, e);
	if (r < 0)
		return r;
	r = instances_place(settler->options.db, arena, waiting, loads, count, &node_id, &changed,
			    e);
	if (changed)
		settler_kick(settler, waiting->id, node_id);
	*ret_wait = r == -ERR_UNAVAILABLE && scheduler_may_wait(loads, count);
	return r == -ERR_UNAVAILABLE ? 0 : r;
}

static int place_all(struct settler *settler, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct waiting next = WAITING_FIRST;
	bool wait = false;
	int r = arena ? 0 : err_memory(e);

	while (r == 0 && !wait) {
		r = instances_next_waiting(settler->options.db, arena, &next, &next, e);
		if (r == 0)
			r = place_one(settler, arena, &next, &wait, e);
	}
	return r == -ERR_NOT_FOUND ? 0 : r;
}

void settler_place(struct settler *settler)
{
	struct err e = ERR_INIT;
	int64_t waiting;
	int r = instances_waiting(settler->options.db, &waiting, &e);

	if (r == 0 && waiting > 0)
		r = place_all(settler, &e);
	if (r < 0)
		log_error("those who wait: %s; trying again", e.msg);
}

struct cancel {
	struct settler *settler;
	char *copy_id;
	char *node_id;
};

static void cancel_freep(struct cancel **cancel)
{
	if (!*cancel)
		return;
	free((*cancel)->copy_id);
	free((*cancel)->node_id);
	free(*cancel);
}

static void run_cancel(void *cookie)
{
	AUTO(struct cancel *, cancel_freep) cancel = cookie;
	AUTO(struct node *, node_dropp) node = nodes_take(cancel->settler->nodes, cancel->node_id);

	if (node)
		call_stop(cancel->settler, node, cancel->copy_id);
}

void settler_cancel(struct settler *settler, const struct instance *instance)
{
	AUTO(struct cancel *, cancel_freep) cancel = calloc(1, sizeof(*cancel));

	if (cancel) {
		cancel->settler = settler;
		cancel->copy_id = strdup(instance->copy_id);
		cancel->node_id = strdup(instance->node_id);
	}
	/* Without memory or threads the stop just comes after the start. */
	if (cancel && cancel->copy_id && cancel->node_id &&
	    work_start(settler->work, run_cancel, cancel, NULL) == 0)
		cancel = NULL;
	settler_kick(settler, instance->id, instance->node_id);
}

void settler_stop_team(struct settler *settler, const char *team_id)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(struct instances, instances_done) all = { .rows = NULL };
	struct err e = ERR_INIT;

	if (!arena || instances_all_of_team(settler->options.db, arena, team_id, &all, &e) < 0) {
		log_error("instances of team '%s': %s; trying again", team_id,
			  arena ? e.msg : "out of memory");
		want_retry_everywhere(settler);
	}
	for (size_t i = 0; i < all.count; i++) {
		const struct instance *instance = &all.rows[i];

		if (instance->started_at == 0 && *instance->node_id)
			settler_cancel(settler, instance);
		else
			settler_kick(settler, instance->id, instance->node_id);
	}
}

/* After a heartbeat */

static void kick_where_it_is(struct settler *settler, struct arena *arena, const char *id)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	struct err e = ERR_INIT;

	if (instances_find(settler->options.db, arena, id, &instance, &e) < 0)
		log_error("instance '%s': %s", id, e.msg);
	else
		settler_kick(settler, id, instance.node_id);
}

static void retry_all(struct settler *settler, const char *node_id)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct instances unsettled = { .rows = NULL };
	struct err e = ERR_INIT;

	if (!arena ||
	    instances_unsettled(settler->options.db, arena, node_id, &unsettled, &e) < 0) {
		log_error("node '%s': %s; trying again", node_id, arena ? e.msg : "out of memory");
		want_retry(settler, node_id);
	}
	for (size_t i = 0; i < unsettled.count; i++)
		settler_kick(settler, unsettled.rows[i].id, node_id);
	instances_done(&unsettled);
}

/* When the node was last heard of, at the earliest with the instance's start. */
static int64_t last_heard(const struct settler *settler, struct node *node,
			  const struct instance *instance)
{
	int64_t seen_at = nodes_seen_at(node) ? nodes_seen_at(node) : now(settler);

	return seen_at > instance->started_at ? seen_at : instance->started_at;
}

/*
 * What its team has left of it counts from when the node was last heard of. Where no other node has
 * room it stays as it is: this one may come back with it.
 */
static void replace_one(struct settler *settler, struct arena *arena, struct node *node,
			const struct instance *instance)
{
	int64_t heard_at = last_heard(settler, node, instance);
	int64_t remaining = (instance->expires_at - heard_at + 999) / 1000;
	struct node_load *loads;
	struct err e = ERR_INIT;
	bool changed = false;
	size_t count;
	int r;

	owe_archive(settler, instance);
	r = nodes_loads(settler->nodes, arena, instance->challenge_id, &loads, &count, &e);
	if (r == 0)
		r = instances_replace(settler->options.db, arena, instance,
				      remaining > 0 ? remaining : 1, loads, count, &changed, &e);
	if (r < 0 && r != -ERR_UNAVAILABLE)
		log_error("instance '%s': %s; trying again", instance->id, e.msg);
	if (r < 0 || !changed)
		return;
	log_warn("instance '%s' of '%s' goes to another node: '%s' is lost", instance->id,
		 instance->challenge_id, nodes_name(node));
	meter_count(settler->options.meter, METER_REPLACED);
	want_sweep(settler, instance->node_id);
	if (settler->options.replaced)
		settler->options.replaced(settler->options.cookie, instance);
	kick_where_it_is(settler, arena, instance->id);
}

static void replace_all(struct settler *settler, const char *node_id)
{
	AUTO(struct node *, node_dropp) node = nodes_take(settler->nodes, node_id);
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(struct instances, instances_done) running = { .rows = NULL };
	struct err e = ERR_INIT;

	if (!node || !arena)
		return;
	if (instances_running_on(settler->options.db, arena, node_id, &running, &e) < 0)
		log_error("node '%s': %s", nodes_name(node), e.msg);
	for (size_t i = 0; i < running.count; i++)
		replace_one(settler, arena, node, &running.rows[i]);
}

/* What it owes of copies that have left it. Returns whether there is no more of it. */
static bool fetch_archives(struct settler *settler, const char *node_id)
{
	AUTO(struct node *, node_dropp) node = nodes_take(settler->nodes, node_id);
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct err e = ERR_INIT;
	bool clear = true;
	char **copies;
	size_t count;
	int64_t tries;

	if (!node || !arena)
		return !node;
	if (archives_owed_by(settler->options.archives, arena, node_id, &copies, &count, &e) < 0) {
		log_error("node '%s': %s", nodes_name(node), e.msg);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (archives_fetch(settler->options.archives, arena, copies[i], node, &tries, &e) ==
		    0)
			continue;
		log_warn("archive of '%s': %s; %s", copies[i], e.msg,
			 tries < ARCHIVE_TRIES_MAX ? "trying again" : "it is given up");
		clear = false;
	}
	return clear;
}

/* Stops what the node still holds though it isn't meant to. Returns whether all of it is gone. */
static bool stop_leftovers(struct settler *settler, const char *node_id)
{
	AUTO(struct node *, node_dropp) node = nodes_take(settler->nodes, node_id);
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct err e = ERR_INIT;
	bool clear = true;
	size_t count;
	char **ids;

	if (!node || !arena)
		return !node;
	if (leftovers_on(settler->options.db, arena, node_id, &ids, &count, &e) < 0) {
		log_error("node '%s': %s", nodes_name(node), e.msg);
		return false;
	}
	for (size_t i = 0; i < count && clear; i++)
		clear = call_stop(settler, node, ids[i]) == 0 &&
			leftover_forget(settler->options.db, node_id, ids[i], &e) == 0;
	return clear;
}

static void sweep(void *cookie)
{
	struct lane *lane = cookie;
	struct settler *settler = lane->settler;
	bool fetched = fetch_archives(settler, lane->node_id);
	bool clear = stop_leftovers(settler, lane->node_id) && fetched;

	pthread_mutex_lock(&settler->lock);
	lane->sweeping = false;
	if (!clear)
		lane->sweep = true;
	pthread_mutex_unlock(&settler->lock);
}

static void begin_sweep(struct lane *lane)
{
	lane->sweep = false;
	lane->sweeping = true;
	if (work_start(lane->settler->work, sweep, lane, NULL) < 0) {
		lane->sweep = true;
		lane->sweeping = false;
	}
}

/* A node that was lost and is back may be anything: what left it meanwhile is stopped at once. */
static bool is_there(enum node_state state)
{
	return state == NODE_HEALTHY || state == NODE_DEGRADED;
}

/* The lock is held. */
static bool take_retry(struct lane *lane)
{
	bool retry = lane && lane->retry;

	if (lane)
		lane->retry = false;
	return retry;
}

/* What is to stop before it was given a node is seen to with any node's heartbeat. */
void settler_node_beaten(void *cookie, const char *node_id, enum node_state state)
{
	struct settler *settler = cookie;
	bool retry = false, retry_nowhere;
	struct lane *lane;

	if (state == NODE_JOINING)
		return;
	pthread_mutex_lock(&settler->lock);
	lane = settler->ending ? NULL : get_lane(settler, node_id);
	if (lane) {
		retry = take_retry(lane);
		add_thread(lane);
		if (is_there(state) && lane->sweep && !lane->sweeping)
			begin_sweep(lane);
	}
	retry_nowhere = lane && take_retry(get_lane(settler, ""));
	pthread_mutex_unlock(&settler->lock);
	if (retry_nowhere)
		retry_all(settler, "");
	if (retry)
		retry_all(settler, node_id);
	if (lane && state == NODE_HEALTHY)
		settler_place(settler);
	if (lane && state == NODE_LOST)
		replace_all(settler, node_id);
}

int settler_warn(struct settler *settler, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct instances near = { .rows = NULL };
	int64_t until = now(settler);
	int r = 0;

	if (!arena)
		return err_memory(e);
	if (settler->told_until)
		r = instances_nearing_end(settler->options.db, arena, settler->told_until, until,
					  &near, e);
	for (size_t i = 0; r == 0 && i < near.count; i++)
		settler->options.nearing_end(settler->options.cookie, &near.rows[i]);
	if (r == 0)
		settler->told_until = until;
	instances_done(&near);
	return r;
}

int settler_expire(struct settler *settler, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct instances overdue = { .rows = NULL };
	int r;

	if (!arena)
		return err_memory(e);
	r = instances_overdue(settler->options.db, arena, now(settler), &overdue, e);
	for (size_t i = 0; r == 0 && i < overdue.count; i++) {
		r = instances_begin_stop(settler->options.db, overdue.rows[i].id, "expired", NULL,
					 NULL, e);
		if (r == 0)
			settler_kick(settler, overdue.rows[i].id, overdue.rows[i].node_id);
	}
	instances_done(&overdue);
	return r;
}

void settler_wait(struct settler *settler, const char *instance_id, int64_t timeout_ms)
{
	struct timespec until;
	struct item *item;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	pthread_mutex_lock(&settler->lock);
	item = *find_item(settler, instance_id);
	if (item) {
		item->waiters++;
		while (!item->done && !settler->ending &&
		       pthread_cond_timedwait(&item->ended, &settler->lock, &until) == 0)
			continue;
		if (--item->waiters == 0 && item->done)
			item_free(item);
	}
	pthread_mutex_unlock(&settler->lock);
}
