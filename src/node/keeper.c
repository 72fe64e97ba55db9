/* SPDX-License-Identifier: Apache-2.0 */
#include "node/keeper.h"

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/steady-clock.h"
#include "base/work.h"
#include "engine/engine.h"
#include "node/compose.h"
#include "node/evidence.h"
#include "node/firewall.h"
#include "node/instance.h"
#include "node/labelled.h"
#include "node/late-container.h"
#include "node/node.h"
#include "node/pool.h"
#include "node/roster.h"
#include "node/store.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum {
	ROUND_MS = 250,
	PING_MS = 5000,
	PING_LOST_MS = 1000,
	FIREWALL_MS = 10000, /* a look costs 15 ms */
	/* A call that a killed node had sent may take effect after its successor has cleaned up. */
	FIRST_SWEEP_MS = 5000,
	SWEEP_MS = 60000,
};

struct keeper {
	struct node *node;
	pthread_t watch_thread, tidy_thread;
	pthread_mutex_t lock;
	pthread_cond_t stop_asked;
	bool stopping;
	int64_t next_ping, next_revival, next_firewall; /* monotonic; of the watch's thread */
	int64_t next_sweep;                             /* monotonic; of the tidying one */
	json_t *late; /* what late_containers_remove() has found */
};

/* Whether a job is to be begun for it now; one at a time. */
static bool claim_due(struct instance *inst, int64_t now)
{
	bool due;

	pthread_mutex_lock(&inst->lock);
	due = !inst->busy && !inst->reaping && instance_is_due(inst, now) &&
	      (inst->status == STOPPING || !steady_clock_doubts(inst->node->steady));
	if (due)
		inst->reaping = true;
	pthread_mutex_unlock(&inst->lock);
	return due;
}

static void tick(struct node *node)
{
	char words[STEADY_CLOCK_WORDS];
	struct err e = ERR_INIT;

	if (steady_clock_tick(node->steady, &e) < 0)
		log_warn("remember the time: %s", e.msg);
	if (steady_clock_news(node->steady, words))
		log_error("%s", words);
}

static void reap(struct node *node)
{
	int64_t now = clock_now_ms(node->clock);
	struct err e = ERR_INIT;
	struct roll roll = { 0 };

	if (roster_roll(node->roster, &roll, &e) < 0)
		log_error("end what is over its time: %s", e.msg);
	for (size_t i = 0; i < roll.count; i++) {
		if (!claim_due(roll.instances[i], now))
			continue;
		if (instance_begin(node, roll.instances[i], INSTANCE_EXPIRE, &e) < 0)
			log_error("end what is over its time: %s", e.msg);
		else
			roll.instances[i] = NULL; /* the job's now */
	}
	roll_done(&roll);
}

/* Nobody may start an instance of that id while what is left of the last one is removed. */
static void remove_orphan(struct node *node, const char *id)
{
	struct instance *stand_in = instance_new(node, id, "", ""), *owner = NULL;
	struct err e = ERR_INIT;

	if (!stand_in)
		return;
	stand_in->status = STOPPING;
	stand_in->busy = true;
	if (roster_enter(node->roster, stand_in, SIZE_MAX, &owner, &e) < 0 || owner) {
		instance_unref(owner);
		instance_unref(stand_in);
		instance_unref(stand_in);
		return;
	}
	log_warn("removing what is left of instance '%s', which has ended", id);
	if (compose_down(node, id, LABELLED_ALL, &e) < 0)
		log_warn("%s", e.msg);
	roster_leave(stand_in);
	pthread_mutex_lock(&stand_in->lock);
	stand_in->status = STOPPED;
	stand_in->busy = false;
	pthread_cond_broadcast(&stand_in->changed);
	pthread_mutex_unlock(&stand_in->lock);
	instance_unref(stand_in);
}

/* Not while the clock is doubted: the evidence of a whole competition may look old then. */
static void forget_old(struct node *node)
{
	int64_t keep_since = clock_now_ms(node->clock) - node->options->retention;
	struct err e = ERR_INIT;

	if (!steady_clock_is_sure(node->steady))
		return;
	if (store_forget(node->db, keep_since, &e) < 0)
		log_warn("forget ended instances: %s", e.msg);
	if (evidence_sweep(node, keep_since, &e) < 0)
		log_warn("remove old evidence: %s", e.msg);
}

static void sweep(struct node *node, json_t *late)
{
	AUTO(json_t *, json_decrefp) ids = NULL;
	struct err e = ERR_INIT;
	const char *id;
	json_t *unused;

	if (compose_instances(node, &ids, &e) < 0)
		log_warn("look for orphans: %s", e.msg);
	json_object_foreach (ids, id, unused)
		remove_orphan(node, id);
	if (late_containers_remove(node, late, &e) < 0)
		log_warn("look for containers that came late: %s", e.msg);
	if (pool_sweep(node->pool, &e) < 0)
		log_warn("look for orphaned networks: %s", e.msg);
	forget_old(node);
}

static void revive_all(struct node *node)
{
	struct roll roll = { 0 };
	struct err e = ERR_INIT;

	if (roster_roll(node->roster, &roll, &e) < 0)
		log_error("look after instances: %s", e.msg);
	for (size_t i = 0; i < roll.count; i++)
		if (instance_begin(node, roll.instances[i], INSTANCE_REVIVE, &e) == 0)
			roll.instances[i] = NULL; /* the job's now */
	roll_done(&roll);
}

static void come_back(struct keeper *keeper, int64_t left_at, int64_t now)
{
	atomic_store(&keeper->node->revive_since, left_at - ENGINE_SHUTDOWN_MS);
	revive_all(keeper->node);
	keeper->next_revival = now + PING_MS;
}

static void ping(struct keeper *keeper, int64_t now)
{
	struct node *node = keeper->node;
	struct err e = ERR_INIT;
	bool lost = engine_ping(node->engine, &e) < 0;
	bool was_lost = atomic_exchange(&node->engine_lost, lost);
	int64_t left_at;

	keeper->next_ping = now + (lost ? PING_LOST_MS : PING_MS);
	if (lost && !was_lost)
		log_error("the engine does not answer: %s", e.msg);
	if (lost) {
		node_miss_engine(node);
		return;
	}
	if (was_lost)
		log_info("the engine answers again");
	left_at = atomic_exchange(&node->engine_left_at, 0);
	if (left_at)
		come_back(keeper, left_at, now);
}

/* Sooner where the engine may have been restarted; but its events may end again and again. */
static bool is_ping_due(const struct keeper *keeper, int64_t now)
{
	const struct node *node = keeper->node;

	return now >= keeper->next_ping ||
	       (atomic_load(&node->engine_left_at) && !atomic_load(&node->engine_lost) &&
		now >= keeper->next_revival);
}

/* Networks are made ready while nothing starts: a start must not wait for them. */
static void fill_pool(struct node *node)
{
	struct err e = ERR_INIT;

	if (gate_is_idle(&node->starts) && pool_fill(node->pool, &e) < 0)
		log_warn("make a network ready: %s", e.msg);
}

/* Somebody may have flushed them, or restarted a firewall of their own. */
static void keep_firewall(struct keeper *keeper, int64_t now)
{
	struct err e = ERR_INIT;
	int r = firewall_keep(keeper->node->firewall, &e);

	keeper->next_firewall = now + FIREWALL_MS;
	if (r > 0)
		log_error("the firewall's rules were changed by another program; they are set "
			  "again");
	else if (r < 0)
		log_error("%s", e.msg);
}

static void watch_round(struct keeper *keeper)
{
	int64_t now = clock_monotonic_ms();

	tick(keeper->node);
	reap(keeper->node);
	if (keeper->node->firewall && now >= keeper->next_firewall)
		keep_firewall(keeper, now);
	if (is_ping_due(keeper, now))
		ping(keeper, now);
}

static void tidy_round(struct keeper *keeper)
{
	int64_t now = clock_monotonic_ms();

	if (atomic_load(&keeper->node->engine_lost))
		return;
	fill_pool(keeper->node);
	if (now >= keeper->next_sweep) {
		sweep(keeper->node, keeper->late);
		keeper->next_sweep = now + SWEEP_MS;
	}
}

static bool wait_round(struct keeper *keeper)
{
	struct timespec until;
	bool go_on;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ROUND_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&keeper->lock);
	if (!keeper->stopping)
		pthread_cond_timedwait(&keeper->stop_asked, &keeper->lock, &until);
	go_on = !keeper->stopping;
	pthread_mutex_unlock(&keeper->lock);
	return go_on;
}

static void *watch(void *cookie)
{
	struct keeper *keeper = cookie;

	do
		watch_round(keeper);
	while (wait_round(keeper));
	return NULL;
}

static void *tidy(void *cookie)
{
	struct keeper *keeper = cookie;

	do
		tidy_round(keeper);
	while (wait_round(keeper));
	return NULL;
}

static void ask_to_stop(struct keeper *keeper)
{
	pthread_mutex_lock(&keeper->lock);
	keeper->stopping = true;
	pthread_cond_broadcast(&keeper->stop_asked);
	pthread_mutex_unlock(&keeper->lock);
}

static int start_threads(struct keeper *keeper, struct err *e)
{
	if (pthread_create(&keeper->watch_thread, NULL, watch, keeper) != 0)
		return err_set(e, ERR_INTERNAL, "start the keeper's thread");
	if (pthread_create(&keeper->tidy_thread, NULL, tidy, keeper) == 0)
		return 0;
	ask_to_stop(keeper);
	pthread_join(keeper->watch_thread, NULL);
	return err_set(e, ERR_INTERNAL, "start the keeper's second thread");
}

static void keeper_free(struct keeper *keeper)
{
	pthread_cond_destroy(&keeper->stop_asked);
	pthread_mutex_destroy(&keeper->lock);
	json_decref(keeper->late);
	free(keeper);
}

int keeper_start(struct node *node, struct keeper **ret_keeper, struct err *e)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int r;

	if (!keeper)
		return err_memory(e);
	keeper->node = node;
	keeper->next_sweep = clock_monotonic_ms() + FIRST_SWEEP_MS;
	pthread_mutex_init(&keeper->lock, NULL);
	cond_init_monotonic(&keeper->stop_asked);
	keeper->late = json_object();
	r = keeper->late ? start_threads(keeper, e) : err_memory(e);
	if (r < 0)
		keeper_free(keeper);
	else
		*ret_keeper = keeper;
	return r;
}

void keeper_stop(struct keeper *keeper)
{
	if (!keeper)
		return;
	ask_to_stop(keeper);
	pthread_join(keeper->watch_thread, NULL);
	pthread_join(keeper->tidy_thread, NULL);
	keeper_free(keeper);
}
