/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/instance.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json.h"
#include "base/own.h"
#include "base/secret.h"
#include "challenge/challenge.h"
#include "platform/competition.h"
#include "platform/page.h"
#include "platform/rows.h"
#include "platform/schema.h"
#include "wire/instance.h"

#include <string.h>

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

bool instances_is_queued(const struct instance *instance)
{
	return !*instance->node_id && instances_is(instance, "starting");
}

bool instances_is(const struct instance *instance, const char *status)
{
	return strcmp(instance->status, status) == 0;
}

/* Reading */

#define INSTANCE_SELECT                                                                      \
	"SELECT i.id, i.competition_id, i.challenge_id, i.team_id, i.account_id, i.node_id," \
	" i.status, i.live, i.ends_as, i.detail, i.cause, i.ttl, i.endpoints,"               \
	" i.created_at, i.started_at, i.expires_at, i.ended_at, team.name, node.name,"       \
	" i.remaining, i.moves"                                                              \
	" FROM instance AS i JOIN team ON team.id = i.team_id"                               \
	" LEFT JOIN node ON node.id = i.node_id"

static char *copy_id(struct arena *arena, const char *id, int64_t moves)
{
	return moves ? arena_printf(arena, "%s-%lld", id, (long long)moves)
		     : arena_strdup(arena, id);
}

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
		.copy_id = copy_id(arena, db_get_text(rows, 0), db_get_int(rows, 20)),
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
		.team = arena_strdup(arena, db_get_text(rows, 17)),
		.node = arena_strdup(arena, db_get_text(rows, 18)),
		.remaining = db_get_int(rows, 19),
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
	return rows_one(db, arena, INSTANCE_SELECT " WHERE i.id = ?", DB_ARGS(db_text(id)),
			read_instance, ret_instance, "instance", e);
}

int instances_of_team(struct db *db, struct arena *arena, const char *team_id,
		      const char *challenge_id, struct instance *ret_instance, struct err *e)
{
	int r = rows_one(db, arena,
			 INSTANCE_SELECT " WHERE i.team_id = ? AND i.challenge_id = ?"
					 " ORDER BY i.live DESC, i.created_at DESC, i.id LIMIT 1",
			 DB_ARGS(db_text(team_id), db_text(challenge_id)), read_instance,
			 ret_instance, "instance", e);

	if (r == -ERR_NOT_FOUND)
		return err_set(e, ERR_NOT_FOUND, "your team has no instance of '%s'", challenge_id);
	return r;
}

int instances_live_of_team(struct db *db, struct arena *arena, const char *team_id,
			   const char *challenge_id, struct instance *ret_instance, struct err *e)
{
	return rows_one(db, arena,
			INSTANCE_SELECT
			" WHERE i.team_id = ? AND i.challenge_id = ? AND i.live = 1",
			DB_ARGS(db_text(team_id), db_text(challenge_id)), read_instance,
			ret_instance, "instance", e);
}

int instances_all_of_team(struct db *db, struct arena *arena, const char *team_id,
			  struct instances *ret_instances, struct err *e)
{
	return list(db, arena,
		    INSTANCE_SELECT
		    " WHERE i.team_id = ? AND i.live = 1 ORDER BY i.created_at DESC",
		    DB_ARGS(db_text(team_id)), ret_instances, e);
}

int instances_live(struct db *db, struct arena *arena, struct instances *ret_instances,
		   struct err *e)
{
	return list(db, arena, INSTANCE_SELECT " WHERE i.live = 1 ORDER BY i.created_at DESC", NULL,
		    ret_instances, e);
}

#define INSTANCE_PAGE                                               \
	" AND i.created_at <= ? AND (i.created_at < ? OR i.id < ?)" \
	" ORDER BY i.created_at DESC, i.id DESC LIMIT ?"

int instances_list(struct db *db, struct arena *arena, bool ended_too, const struct page *page,
		   struct instances *ret_instances, char **ret_cursor, struct err *e)
{
	static const char live[] = INSTANCE_SELECT " WHERE i.live = 1" INSTANCE_PAGE;
	static const char all[] = INSTANCE_SELECT " WHERE 1 = 1" INSTANCE_PAGE;
	const struct instance *last;
	int r;

	r = list(db, arena, ended_too ? all : live,
		 DB_ARGS(db_int(page->at), db_int(page->at), db_text(page->id),
			 db_int(page->limit)),
		 ret_instances, e);
	if (r < 0)
		return r;
	last = ret_instances->count ? &ret_instances->rows[ret_instances->count - 1] : NULL;
	return page_next(page, arena, ret_instances->count, last ? last->created_at : 0,
			 last ? last->id : NULL, ret_cursor, e);
}

int instances_overdue(struct db *db, struct arena *arena, int64_t now,
		      struct instances *ret_instances, struct err *e)
{
	return list(db, arena,
		    INSTANCE_SELECT " WHERE i.live = 1 AND i.status = 'running'"
				    " AND i.expires_at <= ? ORDER BY i.expires_at",
		    DB_ARGS(db_int(now)), ret_instances, e);
}

int instances_nearing_end(struct db *db, struct arena *arena, int64_t after, int64_t until,
			  struct instances *ret_instances, struct err *e)
{
#define NEAR_END "i.expires_at - CASE WHEN i.ttl < 1200 THEN i.ttl * 250 ELSE 300000 END"
	return list(db, arena,
		    INSTANCE_SELECT " WHERE i.live = 1 AND i.status = 'running' AND " NEAR_END
				    " > ? AND " NEAR_END " <= ?",
		    DB_ARGS(db_int(after), db_int(until)), ret_instances, e);
#undef NEAR_END
}

int instances_running_on(struct db *db, struct arena *arena, const char *node_id,
			 struct instances *ret_instances, struct err *e)
{
	return list(db, arena,
		    INSTANCE_SELECT " WHERE i.live = 1 AND i.status = 'running'"
				    " AND i.node_id = ? ORDER BY i.created_at",
		    DB_ARGS(db_text(node_id)), ret_instances, e);
}

int instances_unsettled(struct db *db, struct arena *arena, const char *node_id,
			struct instances *ret_instances, struct err *e)
{
	return list(db, arena,
		    INSTANCE_SELECT " WHERE i.live = 1 AND i.status <> 'running'"
				    " AND i.node_id = ? ORDER BY i.created_at",
		    DB_ARGS(db_text(node_id)), ret_instances, e);
}

static void read_answer(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct ctfy_answer *answer = ret_struct;

	*answer = (struct ctfy_answer){
		.question_id = arena_strdup(arena, db_get_text(rows, 0)),
		.answer = arena_strdup(arena, db_get_secret(rows, 1)),
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

enum { CLOCKS_APART_MS = 60 * 1000 };

int64_t instances_by_our_clock(int64_t told, int64_t ours)
{
	return told < ours - CLOCKS_APART_MS || told > ours + CLOCKS_APART_MS ? ours : told;
}

/* Neither before it was asked for nor later than now. */
#define STARTED_AT "CASE WHEN ?2 BETWEEN created_at - 60000 AND ?3 + 60000 THEN ?2 ELSE ?3 END"

int instances_now_running(struct db *db, const char *id, const struct ctfy_instance *told,
			  int64_t now, bool *ret_changed, struct err *e)
{
	AUTO(char *, freep) endpoints = endpoints_text(told);
	int64_t started_at = told->started_at ? told->started_at : now;
	int64_t span = told->expires_at > started_at ? told->expires_at - started_at : 0;

	if (!endpoints)
		return err_memory(e);
	return change(
		db,
		"UPDATE instance SET status = 'running', endpoints = ?1, started_at = " STARTED_AT
		", expires_at = " STARTED_AT " + CASE WHEN ?4 > 0 THEN ?4"
		" ELSE 1000 * (CASE WHEN remaining > 0 THEN remaining ELSE ttl END) END,"
		" detail = NULL WHERE id = ?5 AND status = 'starting'",
		DB_ARGS(db_text(endpoints), db_int(started_at), db_int(now), db_int(span),
			db_text(id)),
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

int instances_begin_stop_of_team(struct db *db, const char *team_id, const char *detail,
				 struct err *e)
{
	return db_run(db,
		      "UPDATE instance SET status = 'stopping', ends_as = 'stopped', detail = ?"
		      " WHERE team_id = ? AND live = 1 AND status IN ('starting', 'running')",
		      DB_ARGS(db_text(detail), db_text(team_id)), e);
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

int instances_failed(struct db *db, const struct instance *instance,
		     const struct instance_failure *failure, int64_t now, bool *ret_changed,
		     struct err *e)
{
	int r;

	*ret_changed = false;
	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = change(db,
		   "UPDATE instance SET status = 'failed', live = 0, detail = ?, cause = ?,"
		   " ended_at = ? WHERE id = ? AND status = 'starting'",
		   DB_ARGS(db_text(failure->detail), db_text(failure->cause), db_int(now),
			   db_text(instance->id)),
		   ret_changed, e);
	if (r == 0 && *ret_changed && failure->leftover)
		r = leftover_add(db, instance, e);
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
		r = leftover_add(db, instance, e);
	return rows_end(db, r, e);
}

static void read_id(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

int leftovers_on(struct db *db, struct arena *arena, const char *node_id, char ***ret_ids,
		 size_t *ret_count, struct err *e)
{
	return rows_all(db, arena,
			"SELECT instance_id FROM leftover WHERE node_id = ? ORDER BY instance_id",
			DB_ARGS(db_text(node_id)), read_id, sizeof(char *), ret_ids, ret_count, e);
}

int leftover_add(struct db *db, const struct instance *instance, struct err *e)
{
	return db_run(db,
		      "INSERT INTO leftover (node_id, instance_id) VALUES (?, ?)"
		      " ON CONFLICT DO NOTHING",
		      DB_ARGS(db_text(instance->node_id), db_text(instance->copy_id)), e);
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
		return json_text(url);
	return json_textf("nc %s%s %lld", protocol && strcmp(protocol, "udp") == 0 ? "-u " : "",
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

	return ms ? json_text(clock_format(ms, text)) : json_null();
}

json_t *instances_json(const struct instance *instance)
{
	return json_make("{s:s, s:s, s:s, s:s, s:s?, s:o, s:I, s:o, s:o, s:o, s:o}", "id",
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
		json_make("{s:s, s:s, s:s, s:s, s:s?, s:s?}", "team_id", instance->team_id, "team",
			  instance->team, "user_id", instance->user_id, "node_id",
			  instance->node_id, "node", instance->node, "cause", instance->cause);
	json_t *json = instances_json(instance);

	if (json && json_object_update(json, more) < 0) {
		json_decref(json);
		return NULL;
	}
	return json;
}
