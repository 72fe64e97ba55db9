/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store knows of instances: who has which, on which node, in what state.
 *
 * A row says what is meant to be, and is written before a node is asked for anything; settle.h
 * makes the nodes follow. A row is live while it is starting, running or stopping, and a team has
 * at most one live row per challenge. Strings live in the arena they were read into.
 */
#ifndef PLATFORM_INSTANCE_H
#define PLATFORM_INSTANCE_H

#include "platform/scheduler.h"

#include <ctfy/node_client.h>

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct challenge;
struct competition;
struct db;
struct err;
struct page;

struct instance {
	char *id;
	char *competition_id;
	char *challenge_id;
	char *team_id;
	char *user_id;
	char *node_id;     /* "": it waits for a node that has room */
	char *copy_id;     /* what its node calls it: never what another may still have of it */
	char *team, *node; /* their names; node NULL: it was removed */
	char *status;      /* "starting", "running", "stopping", "stopped", "expired" or "failed" */
	bool live;
	char *ends_as;     /* what "stopping" will become */
	char *detail;      /* why it failed; for the player */
	char *cause;       /* the same for organisers: may name what players must not see */
	int64_t ttl;       /* seconds it was asked for */
	int64_t remaining; /* of them, where it is started again elsewhere; 0: all */
	json_t *endpoints; /* as the node told them; the struct's own: see instances_row_done() */
	int64_t created_at, started_at, expires_at, ended_at;
};

struct instances {
	struct instance *rows;
	size_t count;
};

void instances_row_done(struct instance *instance);
void instances_done(struct instances *instances);

/* It waits for a node that has room. */
bool instances_is_queued(const struct instance *instance);

bool instances_is(const struct instance *instance, const char *status);

/* What is asked for; strings are borrowed. */
struct instance_wish {
	const struct competition *competition;
	const char *team_id;
	const char *user_id;
	const struct challenge *challenge;
	int64_t ttl;           /* seconds */
	const json_t *answers; /* {question id: answer} */
	const char *key;       /* Idempotency-Key: the user's same wish again; NULL: none */
};

/*
 * Promises the team an instance on a node that has room for it, or finds the live one it has
 * (ret_is_new false). Counting, picking and promising are one transaction: nothing is promised
 * twice. Where all nodes are full or not heard of yet, or others wait already, it waits for its
 * turn. Fails with UNAVAILABLE (no node, or INSTANCE_QUEUE_MAX wait), CONFLICT (still stopping, or
 * the user has left the team) or RATE_LIMITED (the team, the user in any team, the challenge or the
 * competition has as many as it may).
 */
enum { INSTANCE_QUEUE_MAX = 1000 };

int instances_promise(struct db *db, struct arena *arena, int64_t now,
		      const struct instance_wish *wish, const struct node_load *nodes,
		      size_t node_count, struct instance *ret_instance, bool *ret_is_new,
		      struct err *e);

/* How many wait for a node. */
int instances_waiting(struct db *db, int64_t *ret_count, struct err *e);

/* One that waits for a node; strings are the arena's. */
struct waiting {
	const char *id;
	const char *challenge_id;
	int64_t since;
};

#define WAITING_FIRST ((struct waiting){ .id = "" }) /* whom every other comes after */

/* Who came next after that one. Fails with NOT_FOUND where nobody did. */
int instances_next_waiting(struct db *db, struct arena *arena, const struct waiting *after,
			   struct waiting *ret_waiting, struct err *e);

/*
 * Gives it a node; the loads are of its challenge. ret_changed false: it doesn't wait any more.
 * Fails with UNAVAILABLE where no node has room.
 */
int instances_place(struct db *db, struct arena *arena, const struct waiting *waiting,
		    const struct node_load *nodes, size_t node_count, char **ret_node_id,
		    bool *ret_changed, struct err *e);

/*
 * Its place in the queue, from 1 on, and when it should have an instance at the latest, were nobody
 * to stop or renew one: 0 where that isn't known.
 */
int instances_queue_position(struct db *db, const struct instance *instance, int64_t now,
			     int64_t *ret_position, int64_t *ret_eta_ms, struct err *e);

int instances_find(struct db *db, struct arena *arena, const char *id,
		   struct instance *ret_instance, struct err *e);
/* The team's live one, or else the last it had. */
int instances_of_team(struct db *db, struct arena *arena, const char *team_id,
		      const char *challenge_id, struct instance *ret_instance, struct err *e);

/* The live one alone. Fails with NOT_FOUND. */
int instances_live_of_team(struct db *db, struct arena *arena, const char *team_id,
			   const char *challenge_id, struct instance *ret_instance, struct err *e);

/* The team's live ones, everybody's live ones; the newest first. */
int instances_all_of_team(struct db *db, struct arena *arena, const char *team_id,
			  struct instances *ret_instances, struct err *e);
int instances_live(struct db *db, struct arena *arena, struct instances *ret_instances,
		   struct err *e);

/* A page of everybody's: the live ones, or all there ever were. ret_cursor is the next page's. */
int instances_list(struct db *db, struct arena *arena, bool ended_too, const struct page *page,
		   struct instances *ret_instances, char **ret_cursor, struct err *e);

/* Those that run on a node. */
int instances_running_on(struct db *db, struct arena *arena, const char *node_id,
			 struct instances *ret_instances, struct err *e);

/* The running ones whose time is over. */
int instances_overdue(struct db *db, struct arena *arena, int64_t now,
		      struct instances *ret_instances, struct err *e);

/*
 * The running ones that come near their end between two moments: five minutes before it, or when a
 * quarter of a shorter life is left. Each comes near once, and once more after it was renewed.
 */
int instances_nearing_end(struct db *db, struct arena *arena, int64_t after, int64_t until,
			  struct instances *ret_instances, struct err *e);

int instances_answers(struct db *db, struct arena *arena, const char *id,
		      struct ctfy_answer **ret_answers, size_t *ret_count, struct err *e);

/*
 * Changes of state. Each happens only from the state it may happen in; ret_changed, which may be
 * NULL, tells whether it did.
 */
/* What a node says, unless its clock is more than a minute from ours. told: 0: it didn't say. */
int64_t instances_by_our_clock(int64_t told, int64_t ours);

/* now: ours. What the node says of times is believed as far as its clock goes by ours. */
int instances_now_running(struct db *db, const char *id, const struct ctfy_instance *told,
			  int64_t now, bool *ret_changed, struct err *e);
int instances_begin_stop(struct db *db, const char *id, const char *ends_as, const char *detail,
			 bool *ret_changed, struct err *e);
/* All that the team has; without taking them down: see settle.h. */
int instances_begin_stop_of_team(struct db *db, const char *team_id, const char *detail,
				 struct err *e);
int instances_ended(struct db *db, const struct instance *instance, int64_t now, struct err *e);
int instances_renewed(struct db *db, const char *id, int64_t expires_at, bool *ret_changed,
		      struct err *e);

/* How a start ended without an instance. */
struct instance_failure {
	const char *detail;
	const char *cause;
	bool leftover; /* the node may hold something of it */
};

/* ret_changed false: it was being stopped already, and goes on being that. */
int instances_failed(struct db *db, const struct instance *instance,
		     const struct instance_failure *failure, int64_t now, bool *ret_changed,
		     struct err *e);

/* A start goes to another node; fails with UNAVAILABLE where there is none. */
int instances_move(struct db *db, struct arena *arena, const struct instance *instance,
		   const struct scheduler_want *want, const struct node_load *nodes,
		   size_t node_count, bool leftover, struct err *e);
/* A start waits for a node with room, as before it was given one. */
int instances_requeue(struct db *db, const struct instance *instance, bool leftover, struct err *e);
/*
 * A running one whose node is lost is to start on another, with so many seconds left; the node is
 * to be told once it is back. ret_changed false: it doesn't run there any more. Fails with
 * UNAVAILABLE where there is no other, and nothing has changed.
 */
int instances_replace(struct db *db, struct arena *arena, const struct instance *instance,
		      int64_t remaining, const struct node_load *nodes, size_t node_count,
		      bool *ret_changed, struct err *e);
/* The stop of an instance on a node that is lost: it is over, but for what the node may hold. */
int instances_abandon(struct db *db, const struct instance *instance, int64_t now, struct err *e);

/* Those that are starting or stopping on a node. */
int instances_unsettled(struct db *db, struct arena *arena, const char *node_id,
			struct instances *ret_instances, struct err *e);

/* Ids of what a node may still hold though it isn't meant to be there. */
int leftovers_on(struct db *db, struct arena *arena, const char *node_id, char ***ret_ids,
		 size_t *ret_count, struct err *e);
/* Its node may hold something of it. */
int leftover_add(struct db *db, const struct instance *instance, struct err *e);
int leftover_forget(struct db *db, const char *node_id, const char *instance_id, struct err *e);

/* For its players; NULL when out of memory. */
json_t *instances_json(const struct instance *instance);
/* With node and cause, for organisers. */
json_t *instances_admin_json(const struct instance *instance);

#endif
