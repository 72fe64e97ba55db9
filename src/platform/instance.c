#include "platform/instance.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/own.h"
#include "base/secret.h"
#include "challenge/challenge.h"
#include "platform/competition.h"
#include "platform/rows.h"
#include "platform/schema.h"
#include "wire/instance.h"

#include <string.h>

enum { INSTANCE_ID_LENGTH = 20 };

void instances_row_done(struct instance *instance)
{
	json_decref(instance->endpoints);
	instance->endpoints = NULL;
}

void instances_done(struct instances *instances)
{
	for (size_t i = 0; i < instances->count; i++)
		instances_row_done(&instances->rows[i]);
	instances->count = 0;
}

bool instances_is(const struct instance *instance, const char *status)
{
	return strcmp(instance->status, status) == 0;
}

/* Reading */

#define INSTANCE_SELECT                                                                  \
	"SELECT id, competition_id, challenge_id, team_id, account_id, node_id, status," \
	" live, ends_as, detail, cause, ttl, endpoints, created_at, started_at,"         \
	" expires_at, ended_at FROM instance"

static void read_instance(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct instance *i = ret_struct;

	*i = (struct instance){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.competition_id = arena_strdup(arena, db_get_text(rows, 1)),
		.challenge_id = arena_strdup(arena, db_get_text(rows, 2)),
		.team_id = arena_strdup(arena, db_get_text(rows, 3)),
		.user_id = arena_strdup(arena, db_get_text(rows, 4)),
		.node_id = arena_strdup(arena, db_get_text(rows, 5)),
		.status = arena_strdup(arena, db_get_text(rows, 6)),
		.live = db_get_int(rows, 7) != 0,
		.ends_as = arena_strdup(arena, db_get_text(rows, 8)),
		.detail = arena_strdup(arena, db_get_text(rows, 9)),
		.cause = arena_strdup(arena, db_get_text(rows, 10)),
		.ttl = db_get_int(rows, 11),
		.endpoints = json_loads(db_get_text(rows, 12), 0, NULL),
		.created_at = db_get_int(rows, 13),
		.started_at = db_get_int(rows, 14),
		.expires_at = db_get_int(rows, 15),
		.ended_at = db_get_int(rows, 16),
	};
}

static int list(struct db *db, struct arena *arena, const char *sql, const struct db_value *args,
		struct instances *ret_instances, struct err *e)
{
	return rows_all(db, arena, sql, args, read_instance, sizeof(struct instance),
			&ret_instances->rows, &ret_instances->count, e);
}

int instances_find(struct db *db, struct arena *arena, const char *id,
		   struct instance *ret_instance, struct err *e)
{
	return rows_one(db, arena, INSTANCE_SELECT " WHERE id = ?", DB_ARGS(db_text(id)),
			read_instance, ret_instance, "instance", e);
}

int instances_of_team(struct db *db, struct arena *arena, const char *team_id,
		      const char *challenge_id, struct instance *ret_instance, struct err *e)
{
	int r = rows_one(db, arena,
			 INSTANCE_SELECT " WHERE team_id = ? AND challenge_id = ?"
					 " ORDER BY live DESC, created_at DESC, id LIMIT 1",
			 DB_ARGS(db_text(team_id), db_text(challenge_id)), read_instance,
			 ret_instance, "instance", e);

	if (r == -ERR_NOT_FOUND)
		return err_set(e, ERR_NOT_FOUND, "your team has no instance of '%s'", challenge_id);
	return r;
}

int instances_list(struct db *db, struct arena *arena, const struct instance_filter *filter,
		   struct instances *ret_instances, struct err *e)
{
	struct db_value competition = db_text(filter->competition_id);
	struct db_value team = db_text(filter->team_id);
	struct db_value node = db_text(filter->node_id);

	return list(db, arena,
		    INSTANCE_SELECT " WHERE live >= ? AND (? IS NULL OR competition_id = ?)"
				    " AND (? IS NULL OR team_id = ?) AND (? IS NULL OR node_id = ?)"
				    " ORDER BY created_at DESC, id",
		    DB_ARGS(db_int(filter->live), competition, competition, team, team, node, node),
		    ret_instances, e);
}

int instances_overdue(struct db *db, struct arena *arena, int64_t now,
		      struct instances *ret_instances, struct err *e)
{
	return list(db, arena,
		    INSTANCE_SELECT
		    " WHERE live = 1 AND status = 'running' AND expires_at <= ? ORDER BY id",
		    DB_ARGS(db_int(now)), ret_instances, e);
}

int instances_unsettled(struct db *db, struct arena *arena, const char *node_id,
			struct instances *ret_instances, struct err *e)
{
	return list(db, arena,
		    INSTANCE_SELECT " WHERE live = 1 AND status <> 'running'"
				    " AND (? IS NULL OR node_id = ?) ORDER BY created_at, id",
		    DB_ARGS(db_text(node_id), db_text(node_id)), ret_instances, e);
}

static void read_answer(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct ctfy_answer *answer = ret_struct;

	*answer = (struct ctfy_answer){
		.question_id = arena_strdup(arena, db_get_text(rows, 0)),
		.answer = arena_strdup(arena, db_get_text(rows, 1)),
	};
}

int instances_answers(struct db *db, struct arena *arena, const char *id,
		      struct ctfy_answer **ret_answers, size_t *ret_count, struct err *e)
{
	return rows_all(db, arena,
			"SELECT question_id, answer FROM answer WHERE instance_id = ?"
			" ORDER BY position",
			DB_ARGS(db_text(id)), read_answer, sizeof(struct ctfy_answer), ret_answers,
			ret_count, e);
}

/* Promising */

struct promise_count {
	char *node_id;
	int64_t live;
};

static void read_promise_count(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct promise_count *count = ret_struct;

	*count = (struct promise_count){
		.node_id = arena_strdup(arena, db_get_text(rows, 0)),
		.live = db_get_int(rows, 1),
	};
}

/*
 * What the nodes last said, brought up to date by what has been promised since; a node that was
 * removed meanwhile is full.
 */
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
		     "SELECT node.id, COUNT(instance.id) FROM node LEFT JOIN instance"
		     " ON instance.node_id = node.id AND instance.live = 1 GROUP BY node.id",
		     NULL, read_promise_count, sizeof(*promises), &promises, &promise_count, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		loads[i] = nodes[i];
		loads[i].healthy = false;
		for (size_t j = 0; j < promise_count; j++) {
			if (strcmp(promises[j].node_id, nodes[i].id) != 0)
				continue;
			loads[i].healthy = nodes[i].healthy;
			if (promises[j].live > loads[i].running)
				loads[i].running = promises[j].live;
		}
	}
	*ret_loads = loads;
	return 0;
}

static int check_quota(struct db *db, const struct instance_wish *wish, struct err *e)
{
	int64_t most = wish->competition->max_instances, live;
	int r;

	if (most == 0)
		return 0;
	r = rows_count(db, "SELECT COUNT(*) FROM instance WHERE team_id = ? AND live = 1",
		       DB_ARGS(db_text(wish->team_id)), &live, e);
	if (r == 0 && live >= most)
		return err_set(e, ERR_RATE_LIMITED,
			       "your team has %lld instances, the most it may have at once: stop "
			       "one first",
			       (long long)live);
	return r;
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
				   db_text(text), db_text(unique ? hash : NULL)),
			   e);
		if (r < 0)
			return r;
	}
	return r;
}

static int insert_instance(struct db *db, int64_t now, const struct instance_wish *wish,
			   const char *id, const char *node_id, struct err *e)
{
	int r = db_run(db,
		       "INSERT INTO instance (id, competition_id, challenge_id, team_id,"
		       " account_id, node_id, status, live, ttl, endpoints, created_at,"
		       " started_at, expires_at, ended_at)"
		       " VALUES (?, ?, ?, ?, ?, ?, 'starting', 1, ?, '[]', ?, 0, 0, 0)",
		       DB_ARGS(db_text(id), db_text(wish->competition->id),
			       db_text(wish->challenge->id), db_text(wish->team_id),
			       db_text(wish->user_id), db_text(node_id), db_int(wish->ttl),
			       db_int(now)),
		       e);

	return r < 0 ? r : insert_answers(db, id, wish, e);
}

static int promise_new(struct db *db, struct arena *arena, int64_t now,
		       const struct instance_wish *wish, const struct node_load *nodes,
		       size_t node_count, const char *id, struct err *e)
{
	const struct scheduler_want anywhere = { .avoid = NULL };
	const struct node_load *picked;
	struct node_load *loads;
	int r;

	r = check_quota(db, wish, e);
	if (r < 0)
		return r;
	r = count_promises(db, arena, nodes, node_count, &loads, e);
	if (r < 0)
		return r;
	r = scheduler_pick(loads, node_count, &anywhere, &picked, e);
	return r < 0 ? r : insert_instance(db, now, wish, id, picked->id, e);
}

static int promise(struct db *db, struct arena *arena, int64_t now,
		   const struct instance_wish *wish, const struct node_load *nodes,
		   size_t node_count, struct instance *ret_instance, bool *ret_is_new,
		   struct err *e)
{
	char id[INSTANCE_ID_LENGTH + 1];
	int r;

	*ret_is_new = false;
	r = rows_one(db, arena,
		     INSTANCE_SELECT " WHERE team_id = ? AND challenge_id = ? AND live = 1",
		     DB_ARGS(db_text(wish->team_id), db_text(wish->challenge->id)), read_instance,
		     ret_instance, "instance", e);
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

/* Changing */

static int change(struct db *db, const char *sql, const struct db_value *args, bool *ret_changed,
		  struct err *e)
{
	int64_t changed;
	int r = db_change(db, sql, args, &changed, e);

	if (r == 0 && ret_changed)
		*ret_changed = changed > 0;
	return r;
}

static char *endpoints_text(const struct ctfy_instance *told)
{
	AUTO(json_t *, json_decrefp) list = json_array();

	for (size_t i = 0; i < told->endpoint_count; i++)
		if (json_array_append_new(list,
					  fields_encode(endpoint_fields, &told->endpoints[i])) < 0)
			return NULL;
	return json_dumps(list, JSON_COMPACT);
}

int instances_now_running(struct db *db, const char *id, const struct ctfy_instance *told,
			  int64_t now, bool *ret_changed, struct err *e)
{
	AUTO(char *, freep) endpoints = endpoints_text(told);
	int64_t started_at = told->started_at ? told->started_at : now;

	if (!endpoints)
		return err_memory(e);
	return change(db,
		      "UPDATE instance SET status = 'running', endpoints = ?, started_at = ?,"
		      " expires_at = CASE WHEN ? > 0 THEN ? ELSE ? + 1000 * ttl END"
		      " WHERE id = ? AND status = 'starting'",
		      DB_ARGS(db_text(endpoints), db_int(started_at), db_int(told->expires_at),
			      db_int(told->expires_at), db_int(started_at), db_text(id)),
		      ret_changed, e);
}

int instances_begin_stop(struct db *db, const char *id, const char *ends_as, const char *detail,
			 bool *ret_changed, struct err *e)
{
	return change(db,
		      "UPDATE instance SET status = 'stopping', ends_as = ?, detail = ?"
		      " WHERE id = ? AND status IN ('starting', 'running')",
		      DB_ARGS(db_text(ends_as), db_text(detail), db_text(id)), ret_changed, e);
}

int instances_ended(struct db *db, const struct instance *instance, int64_t now, struct err *e)
{
	return change(db,
		      "UPDATE instance SET status = ends_as, live = 0, ended_at = ?"
		      " WHERE id = ? AND status = 'stopping'",
		      DB_ARGS(db_int(now), db_text(instance->id)), NULL, e);
}

int instances_renewed(struct db *db, const char *id, int64_t expires_at, bool *ret_changed,
		      struct err *e)
{
	return change(db, "UPDATE instance SET expires_at = ? WHERE id = ? AND status = 'running'",
		      DB_ARGS(db_int(expires_at), db_text(id)), ret_changed, e);
}

static int add_leftover(struct db *db, const struct instance *instance, struct err *e)
{
	return db_run(db,
		      "INSERT INTO leftover (node_id, instance_id) VALUES (?, ?)"
		      " ON CONFLICT DO NOTHING",
		      DB_ARGS(db_text(instance->node_id), db_text(instance->id)), e);
}

int instances_failed(struct db *db, const struct instance *instance,
		     const struct instance_failure *failure, int64_t now, struct err *e)
{
	bool changed = false;
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = change(db,
		   "UPDATE instance SET status = 'failed', live = 0, detail = ?, cause = ?,"
		   " ended_at = ? WHERE id = ? AND status = 'starting'",
		   DB_ARGS(db_text(failure->detail), db_text(failure->cause), db_int(now),
			   db_text(instance->id)),
		   &changed, e);
	if (r == 0 && changed && failure->leftover)
		r = add_leftover(db, instance, e);
	return rows_end(db, r, e);
}

int instances_abandon(struct db *db, const struct instance *instance, int64_t now, struct err *e)
{
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = instances_ended(db, instance, now, e);
	if (r == 0)
		r = add_leftover(db, instance, e);
	return rows_end(db, r, e);
}

static void read_id(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

/* The nodes to avoid, and those that may still hold a copy: a sweep there would end the new one. */
static int avoid_leftovers(struct db *db, struct arena *arena, const char *instance_id,
			   const struct scheduler_want *want, struct scheduler_want *ret_want,
			   struct err *e)
{
	const char **avoid;
	char **holders;
	size_t count;
	int r;

	r = rows_all(db, arena, "SELECT node_id FROM leftover WHERE instance_id = ?",
		     DB_ARGS(db_text(instance_id)), read_id, sizeof(char *), &holders, &count, e);
	if (r < 0)
		return r;
	avoid = arena_array(arena, want->avoid_count + count + 1, sizeof(char *));
	if (!avoid)
		return err_memory(e);
	for (size_t i = 0; i < want->avoid_count; i++)
		avoid[i] = want->avoid[i];
	for (size_t i = 0; i < count; i++)
		avoid[want->avoid_count + i] = holders[i];
	*ret_want = (struct scheduler_want){ avoid, want->avoid_count + count };
	return 0;
}

static int move(struct db *db, struct arena *arena, const struct instance *instance,
		const struct scheduler_want *want, const struct node_load *nodes, size_t node_count,
		struct err *e)
{
	const struct node_load *picked;
	struct scheduler_want elsewhere;
	struct node_load *loads;
	int r;

	r = avoid_leftovers(db, arena, instance->id, want, &elsewhere, e);
	if (r < 0)
		return r;
	r = count_promises(db, arena, nodes, node_count, &loads, e);
	if (r < 0)
		return r;
	r = scheduler_pick(loads, node_count, &elsewhere, &picked, e);
	if (r < 0)
		return r;
	return change(db, "UPDATE instance SET node_id = ? WHERE id = ? AND status = 'starting'",
		      DB_ARGS(db_text(picked->id), db_text(instance->id)), NULL, e);
}

int instances_move(struct db *db, struct arena *arena, const struct instance *instance,
		   const struct scheduler_want *want, const struct node_load *nodes,
		   size_t node_count, bool leftover, struct err *e)
{
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = move(db, arena, instance, want, nodes, node_count, e);
	if (r == 0 && leftover)
		r = add_leftover(db, instance, e);
	return rows_end(db, r, e);
}

int leftovers_on(struct db *db, struct arena *arena, const char *node_id, char ***ret_ids,
		 size_t *ret_count, struct err *e)
{
	return rows_all(db, arena,
			"SELECT instance_id FROM leftover WHERE node_id = ? ORDER BY instance_id",
			DB_ARGS(db_text(node_id)), read_id, sizeof(char *), ret_ids, ret_count, e);
}

int leftover_forget(struct db *db, const char *node_id, const char *instance_id, struct err *e)
{
	return db_run(db, "DELETE FROM leftover WHERE node_id = ? AND instance_id = ?",
		      DB_ARGS(db_text(node_id), db_text(instance_id)), e);
}

/* Telling */

/* What a player pastes to get there. */
static json_t *endpoint_command(const json_t *endpoint)
{
	const char *url = json_string_value(json_object_get(endpoint, "url"));
	const char *protocol = json_string_value(json_object_get(endpoint, "protocol"));

	if (url)
		return json_string(url);
	return json_sprintf("nc %s%s %lld", protocol && strcmp(protocol, "udp") == 0 ? "-u " : "",
			    json_string_value(json_object_get(endpoint, "host")),
			    (long long)json_integer_value(json_object_get(endpoint, "port")));
}

/* None where nothing answers. */
static json_t *endpoints_json(const struct instance *instance)
{
	bool running = instance->endpoints && instances_is(instance, "running");
	json_t *list = running ? json_deep_copy(instance->endpoints) : json_array();
	json_t *endpoint;
	size_t i;

	json_array_foreach (list, i, endpoint)
		json_object_set_new(endpoint, "command", endpoint_command(endpoint));
	return list;
}

static json_t *time_json(int64_t ms)
{
	char text[CLOCK_TEXT_SIZE];

	return ms ? json_string(clock_format(ms, text)) : json_null();
}

json_t *instances_json(const struct instance *instance)
{
	return json_pack("{s:s, s:s, s:s, s:s, s:s?, s:o, s:I, s:o, s:o, s:o, s:o}", "id",
			 instance->id, "competition_id", instance->competition_id, "challenge_id",
			 instance->challenge_id, "status", instance->status, "detail",
			 instance->detail, "endpoints", endpoints_json(instance), "ttl",
			 (json_int_t)instance->ttl, "created_at", time_json(instance->created_at),
			 "started_at", time_json(instance->started_at), "expires_at",
			 time_json(instance->expires_at), "ended_at",
			 time_json(instance->ended_at));
}

json_t *instances_admin_json(const struct instance *instance)
{
	AUTO(json_t *, json_decrefp) more =
		json_pack("{s:s, s:s, s:s, s:s?}", "team_id", instance->team_id, "user_id",
			  instance->user_id, "node_id", instance->node_id, "cause",
			  instance->cause);
	json_t *json = instances_json(instance);

	if (json && json_object_update(json, more) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}
