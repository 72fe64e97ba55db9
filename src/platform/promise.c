/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/instance.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/own.h"
#include "base/secret.h"
#include "challenge/challenge.h"
#include "platform/competition.h"
#include "platform/rows.h"
#include "platform/team.h"

#include <string.h>

/* Where an instance goes, decided and written down in one transaction. */

enum { INSTANCE_ID_LENGTH = 20 };

struct promise_count {
	char *node_id;
	int64_t live, memory, nano_cpus;
};

static void read_promise_count(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct promise_count *count = ret_struct;

	*count = (struct promise_count){
		.node_id = arena_strdup(arena, db_get_text(rows, 0)),
		.live = db_get_int(rows, 1),
		.memory = db_get_int(rows, 2),
		.nano_cpus = db_get_int(rows, 3),
	};
}

static int by_node(const void *a, const void *b)
{
	const struct promise_count *left = a, *right = b;

	return strcmp(left->node_id, right->node_id);
}

static void raise_to(int64_t *value, int64_t least)
{
	if (*value < least)
		*value = least;
}

/* A node that was removed meanwhile is full. */
static void add_promises(struct node_load *load, const struct promise_count *promises,
			 size_t promise_count)
{
	const struct promise_count wanted = { .node_id = (char *)(uintptr_t)load->id };
	const struct promise_count *found =
		promise_count
			? bsearch(&wanted, promises, promise_count, sizeof(*promises), by_node)
			: NULL;

	if (!found) {
		load->healthy = false;
		return;
	}
	raise_to(&load->running, found->live);
	raise_to(&load->memory.promised, found->memory);
	raise_to(&load->nano_cpus.promised, found->nano_cpus);
}

/* What the nodes last said, brought up to date by what has been promised since. */
static int count_promises(struct db *db, struct arena *arena, const struct node_load *nodes,
			  size_t count, struct node_load **ret_loads, struct err *e)
{
	struct node_load *loads = arena_array(arena, count + 1, sizeof(*loads));
	struct promise_count *promises;
	size_t promise_count;
	int r;

	if (!loads)
		return err_memory(e);
	r = rows_all(db, arena,
		     "SELECT node.id, COUNT(instance.node_id), COALESCE(SUM(instance.memory), 0),"
		     " COALESCE(SUM(instance.nano_cpus), 0) FROM node LEFT JOIN instance"
		     " ON instance.node_id = node.id AND instance.live = 1 GROUP BY node.id",
		     NULL, read_promise_count, sizeof(*promises), &promises, &promise_count, e);
	if (r < 0)
		return r;
	if (promise_count > 0)
		qsort(promises, promise_count, sizeof(*promises), by_node);
	for (size_t i = 0; i < count; i++) {
		loads[i] = nodes[i];
		add_promises(&loads[i], promises, promise_count);
	}
	*ret_loads = loads;
	return 0;
}

/* How many may be live of what a statement counts. */
struct quota {
	int64_t most; /* 0: no limit */
	const char *count, *of;
};

static int is_used_up(struct db *db, const struct quota *quota, bool *ret_used_up, struct err *e)
{
	int64_t live = 0;
	int r = quota->most ? rows_count(db, quota->count, DB_ARGS(db_text(quota->of)), &live, e)
			    : 0;

	*ret_used_up = quota->most && live >= quota->most;
	return r;
}

static int check_team(struct db *db, const struct instance_wish *wish, struct err *e)
{
	const struct quota quota = {
		wish->competition->max_instances,
		"SELECT COUNT(*) FROM instance WHERE team_id = ? AND live = 1",
		wish->team_id,
	};
	bool used_up;
	int r = is_used_up(db, &quota, &used_up, e);

	if (r == 0 && used_up)
		return err_set(e, ERR_RATE_LIMITED,
			       "your team has as many instances as it may have at once "
			       "(max_instances: %lld): stop one first",
			       (long long)quota.most);
	return r;
}

/* Who changes teams takes along what it started. */
static int check_account(struct db *db, const struct instance_wish *wish, struct err *e)
{
	int64_t live = 0, most = wish->competition->max_instances;
	int r = most ? rows_count(db,
				  "SELECT COUNT(*) FROM instance WHERE account_id = ?"
				  " AND competition_id = ? AND live = 1",
				  DB_ARGS(db_text(wish->user_id), db_text(wish->competition->id)),
				  &live, e)
		     : 0;

	if (r == 0 && most && live >= most)
		return err_set(e, ERR_RATE_LIMITED,
			       "you have started as many instances as may run at once "
			       "(max_instances: %lld), those in a team that you have left "
			       "included: try again when one has ended",
			       (long long)most);
	return r;
}

static int check_challenge(struct db *db, const struct instance_wish *wish, struct err *e)
{
	const struct quota quota = {
		wish->challenge->max_instances,
		"SELECT COUNT(*) FROM instance WHERE challenge_id = ? AND live = 1",
		wish->challenge->id,
	};
	bool used_up;
	int r = is_used_up(db, &quota, &used_up, e);

	if (r == 0 && used_up)
		return err_set(e, ERR_RATE_LIMITED,
			       "there are as many instances of '%s' as all teams may have at once "
			       "(max_instances: %lld): try again when one has ended",
			       quota.of, (long long)quota.most);
	return r;
}

static int check_competition(struct db *db, const struct instance_wish *wish, struct err *e)
{
	const struct quota quota = {
		wish->competition->max_instances_total,
		"SELECT COUNT(*) FROM instance WHERE competition_id = ? AND live = 1",
		wish->competition->id,
	};
	bool used_up;
	int r = is_used_up(db, &quota, &used_up, e);

	if (r == 0 && used_up)
		return err_set(e, ERR_RATE_LIMITED,
			       "there are as many instances in '%s' as all its teams may have at "
			       "once (max_instances_total: %lld): try again when one has ended",
			       wish->competition->name, (long long)quota.most);
	return r;
}

static int check_quotas(struct db *db, const struct instance_wish *wish, struct err *e)
{
	int r = team_check_member(db, wish->team_id, wish->user_id, e);

	if (r == 0)
		r = check_team(db, wish, e);
	if (r == 0)
		r = check_account(db, wish, e);
	if (r == 0)
		r = check_challenge(db, wish, e);
	return r < 0 ? r : check_competition(db, wish, e);
}

/* Whether no other instance has this answer: it is known again by its hash. */
static bool is_unique(const struct challenge *challenge, const char *question_id,
		      const char *answer)
{
	for (size_t i = 0; i < challenge->question_count; i++) {
		const struct question *question = &challenge->questions[i];

		if (strcmp(question->id, question_id) == 0)
			return question->kind == ANSWER_GENERATED &&
			       strcmp(question->answer, answer) != 0;
	}
	return false;
}

static int insert_answers(struct db *db, const char *id, const struct instance_wish *wish,
			  struct err *e)
{
	int64_t position = 0;
	const char *question;
	json_t *answer;
	int r = 0;

	json_object_foreach ((json_t *)(uintptr_t)wish->answers, question, answer) {
		const char *text = json_string_value(answer);
		char hash[SECRET_HASH_SIZE];
		bool unique = is_unique(wish->challenge, question, text);

		secret_hash(text, hash);
		r = db_run(db,
			   "INSERT INTO answer (instance_id, question_id, position, answer,"
			   " answer_hash) VALUES (?, ?, ?, ?, ?)",
			   DB_ARGS(db_text(id), db_text(question), db_int(position++),
				   db_secret(text), db_text(unique ? hash : NULL)),
			   e);
		if (r < 0)
			return r;
	}
	return r;
}

/* Where it waits: it has been promised nothing yet. */
static const struct node_load nowhere = { .id = "" };
static const char queued_detail[] = "no node has room yet: it starts when one has";

static int insert_instance(struct db *db, int64_t now, const struct instance_wish *wish,
			   const char *id, const struct node_load *node, struct err *e)
{
	const char *detail = node == &nowhere ? queued_detail : NULL;
	int r = db_run(db,
		       "INSERT INTO instance (id, competition_id, challenge_id, team_id,"
		       " account_id, node_id, status, live, detail, ttl, endpoints, created_at,"
		       " started_at, expires_at, ended_at, idempotency_key, memory, nano_cpus)"
		       " VALUES (?, ?, ?, ?, ?, ?, 'starting', 1, ?, ?, '[]', ?, 0, 0, 0, ?, ?, ?)",
		       DB_ARGS(db_text(id), db_text(wish->competition->id),
			       db_text(wish->challenge->id), db_text(wish->team_id),
			       db_text(wish->user_id), db_text(node->id), db_text(detail),
			       db_int(wish->ttl), db_int(now), db_text(wish->key),
			       db_int(node->memory.need), db_int(node->nano_cpus.need)),
		       e);

	return r < 0 ? r : insert_answers(db, id, wish, e);
}

static const struct scheduler_want anywhere = { .avoid = NULL };

#define QUEUED " FROM instance WHERE live = 1 AND node_id = '' AND status = 'starting'"

int instances_waiting(struct db *db, int64_t *ret_count, struct err *e)
{
	return rows_count(db, "SELECT COUNT(*)" QUEUED, NULL, ret_count, e);
}

static int promise_place(struct db *db, struct arena *arena, const struct node_load *nodes,
			 size_t node_count, const struct node_load **ret_node, struct err *e)
{
	const struct node_load *picked = NULL;
	struct node_load *loads = NULL;
	int64_t waiting = 0;
	int r;

	r = instances_waiting(db, &waiting, e);
	if (r == 0)
		r = count_promises(db, arena, nodes, node_count, &loads, e);
	if (r < 0)
		return r;
	r = scheduler_pick(loads, node_count, &anywhere, &picked, e);
	if (r == 0 && waiting == 0) {
		*ret_node = picked;
		return 0;
	}
	if (r < 0 && !scheduler_may_wait(loads, node_count))
		return r;
	if (waiting >= INSTANCE_QUEUE_MAX)
		return err_set(e, ERR_UNAVAILABLE, "no room, and %lld are waiting already",
			       (long long)waiting);
	*ret_node = &nowhere;
	return 0;
}

static int promise_new(struct db *db, struct arena *arena, int64_t now,
		       const struct instance_wish *wish, const struct node_load *nodes,
		       size_t node_count, const char *id, struct err *e)
{
	const struct node_load *node = &nowhere;
	int r = check_quotas(db, wish, e);

	if (r == 0)
		r = promise_place(db, arena, nodes, node_count, &node, e);
	return r < 0 ? r : insert_instance(db, now, wish, id, node, e);
}

static void read_first_text(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

/* The instance that this very request has made before, whatever has become of it. */
static int find_by_key(struct db *db, struct arena *arena, const struct instance_wish *wish,
		       struct instance *ret_instance, struct err *e)
{
	char *id;
	int r;

	if (!wish->key)
		return -ERR_NOT_FOUND;
	r = rows_one(db, arena,
		     "SELECT id FROM instance WHERE account_id = ? AND idempotency_key = ?",
		     DB_ARGS(db_text(wish->user_id), db_text(wish->key)), read_first_text, &id,
		     "instance", e);
	if (r == 0)
		r = instances_find(db, arena, id, ret_instance, e);
	if (r < 0)
		return r;
	if (strcmp(ret_instance->team_id, wish->team_id) == 0 &&
	    strcmp(ret_instance->challenge_id, wish->challenge->id) == 0)
		return 0;
	instances_row_done(ret_instance);
	return err_set(e, ERR_VALIDATION, "the Idempotency-Key '%s' was used for another start",
		       wish->key);
}

static int promise(struct db *db, struct arena *arena, int64_t now,
		   const struct instance_wish *wish, const struct node_load *nodes,
		   size_t node_count, struct instance *ret_instance, bool *ret_is_new,
		   struct err *e)
{
	char id[INSTANCE_ID_LENGTH + 1];
	int r;

	*ret_is_new = false;
	r = find_by_key(db, arena, wish, ret_instance, e);
	if (r != -ERR_NOT_FOUND)
		return r;
	r = instances_live_of_team(db, arena, wish->team_id, wish->challenge->id, ret_instance, e);
	if (r == 0 && instances_is(ret_instance, "stopping")) {
		instances_row_done(ret_instance);
		return err_set(e, ERR_CONFLICT,
			       "your team's instance of '%s' is still being stopped: try again "
			       "in a moment",
			       wish->challenge->id);
	}
	if (r != -ERR_NOT_FOUND)
		return r;
	id_random(id, INSTANCE_ID_LENGTH);
	r = promise_new(db, arena, now, wish, nodes, node_count, id, e);
	if (r < 0)
		return r;
	*ret_is_new = true;
	return instances_find(db, arena, id, ret_instance, e);
}

int instances_promise(struct db *db, struct arena *arena, int64_t now,
		      const struct instance_wish *wish, const struct node_load *nodes,
		      size_t node_count, struct instance *ret_instance, bool *ret_is_new,
		      struct err *e)
{
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = promise(db, arena, now, wish, nodes, node_count, ret_instance, ret_is_new, e);
	if (r < 0 || *ret_is_new)
		return rows_end(db, r, e);
	db_rollback(db); /* nothing was written */
	return 0;
}

/* Moving */

static int pick_elsewhere(struct db *db, struct arena *arena, const struct scheduler_want *want,
			  const struct node_load *nodes, size_t node_count,
			  const struct node_load **ret_picked, struct err *e)
{
	struct node_load *loads;
	int r = count_promises(db, arena, nodes, node_count, &loads, e);

	return r < 0 ? r : scheduler_pick(loads, node_count, want, ret_picked, e);
}

static int move(struct db *db, struct arena *arena, const struct instance *instance,
		const struct scheduler_want *want, const struct node_load *nodes, size_t node_count,
		bool leftover, struct err *e)
{
	const struct node_load *picked;
	int r = pick_elsewhere(db, arena, want, nodes, node_count, &picked, e);

	if (r < 0)
		return r;
	r = db_run(db,
		   "UPDATE instance SET node_id = ?, memory = ?, nano_cpus = ?, moves = moves + ?"
		   " WHERE id = ? AND status = 'starting'",
		   DB_ARGS(db_text(picked->id), db_int(picked->memory.need),
			   db_int(picked->nano_cpus.need), db_int(leftover), db_text(instance->id)),
		   e);
	return r == 0 && leftover ? leftover_add(db, instance, e) : r;
}

static int replace(struct db *db, struct arena *arena, const struct instance *instance,
		   int64_t remaining, const struct node_load *nodes, size_t node_count,
		   bool *ret_changed, struct err *e)
{
	const char *const lost[] = { instance->node_id };
	const struct scheduler_want want = { lost, ARRAY_SIZE(lost) };
	const struct node_load *picked;
	int64_t changed;
	int r;

	r = pick_elsewhere(db, arena, &want, nodes, node_count, &picked, e);
	if (r < 0)
		return r;
	r = db_change(db,
		      "UPDATE instance SET status = 'starting', node_id = ?, memory = ?,"
		      " nano_cpus = ?, remaining = ?,"
		      " moves = moves + 1, endpoints = '[]', detail = ?"
		      " WHERE id = ? AND status = 'running' AND node_id = ?",
		      DB_ARGS(db_text(picked->id), db_int(picked->memory.need),
			      db_int(picked->nano_cpus.need), db_int(remaining),
			      db_text("its node does not answer: it is started on another"),
			      db_text(instance->id), db_text(instance->node_id)),
		      &changed, e);
	if (r < 0)
		return r;
	*ret_changed = changed > 0;
	return *ret_changed ? leftover_add(db, instance, e) : 0;
}

int instances_replace(struct db *db, struct arena *arena, const struct instance *instance,
		      int64_t remaining, const struct node_load *nodes, size_t node_count,
		      bool *ret_changed, struct err *e)
{
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = replace(db, arena, instance, remaining, nodes, node_count, ret_changed, e);
	return rows_end(db, r, e);
}

int instances_move(struct db *db, struct arena *arena, const struct instance *instance,
		   const struct scheduler_want *want, const struct node_load *nodes,
		   size_t node_count, bool leftover, struct err *e)
{
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = move(db, arena, instance, want, nodes, node_count, leftover, e);
	return rows_end(db, r, e);
}

static int requeue(struct db *db, const struct instance *instance, bool leftover, struct err *e)
{
	int r = db_run(db,
		       "UPDATE instance SET node_id = '', memory = 0, nano_cpus = 0, detail = ?,"
		       " moves = moves + ? WHERE id = ? AND status = 'starting'",
		       DB_ARGS(db_text(queued_detail), db_int(leftover), db_text(instance->id)), e);

	return r == 0 && leftover ? leftover_add(db, instance, e) : r;
}

int instances_requeue(struct db *db, const struct instance *instance, bool leftover, struct err *e)
{
	int r = db_begin(db, e);

	return r < 0 ? r : rows_end(db, requeue(db, instance, leftover, e), e);
}

/* Waiting */

static void read_waiting(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct waiting *waiting = ret_struct;

	*waiting = (struct waiting){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.challenge_id = arena_strdup(arena, db_get_text(rows, 1)),
		.since = db_get_int(rows, 2),
	};
}

int instances_next_waiting(struct db *db, struct arena *arena, const struct waiting *after,
			   struct waiting *ret_waiting, struct err *e)
{
	return rows_one(db, arena,
			"SELECT id, challenge_id, created_at" QUEUED
			" AND (created_at > ? OR (created_at = ? AND id > ?))"
			" ORDER BY created_at, id LIMIT 1",
			DB_ARGS(db_int(after->since), db_int(after->since), db_text(after->id)),
			read_waiting, ret_waiting, "instance", e);
}

static int place(struct db *db, struct arena *arena, const struct waiting *waiting,
		 const struct node_load *nodes, size_t node_count, char **ret_node_id,
		 bool *ret_changed, struct err *e)
{
	const struct node_load *picked;
	int64_t changed;
	int r;

	r = pick_elsewhere(db, arena, &anywhere, nodes, node_count, &picked, e);
	if (r < 0)
		return r;
	r = db_change(db,
		      "UPDATE instance SET node_id = ?, memory = ?, nano_cpus = ?, detail = NULL"
		      " WHERE id = ? AND status = 'starting' AND node_id = ''",
		      DB_ARGS(db_text(picked->id), db_int(picked->memory.need),
			      db_int(picked->nano_cpus.need), db_text(waiting->id)),
		      &changed, e);
	if (r < 0)
		return r;
	*ret_changed = changed > 0;
	*ret_node_id = arena_strdup(arena, picked->id);
	return 0;
}

int instances_place(struct db *db, struct arena *arena, const struct waiting *waiting,
		    const struct node_load *nodes, size_t node_count, char **ret_node_id,
		    bool *ret_changed, struct err *e)
{
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = place(db, arena, waiting, nodes, node_count, ret_node_id, ret_changed, e);
	return rows_end(db, r, e);
}

int instances_queue_position(struct db *db, const struct instance *instance, int64_t now,
			     int64_t *ret_position, int64_t *ret_eta_ms, struct err *e)
{
	int64_t before = 0, ends_at = 0;
	int r;

	r = rows_count(db,
		       "SELECT COUNT(*)" QUEUED
		       " AND (created_at < ? OR (created_at = ? AND id < ?))",
		       DB_ARGS(db_int(instance->created_at), db_int(instance->created_at),
			       db_text(instance->id)),
		       &before, e);
	if (r == 0)
		r = rows_count(db,
			       "SELECT expires_at FROM instance WHERE live = 1"
			       " AND status = 'running' ORDER BY expires_at LIMIT 1 OFFSET ?",
			       DB_ARGS(db_int(before)), &ends_at, e);
	if (r < 0)
		return r;
	*ret_position = before + 1;
	*ret_eta_ms = ends_at > now ? ends_at - now : 0;
	return 0;
}
