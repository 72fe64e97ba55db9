/* SPDX-License-Identifier: Apache-2.0 */
#include "node/warm-store.h"

#include "base/err.h"
#include "base/own.h"
#include "db/db.h"

#include <string.h>

/* As the database has them; WARM_UNASKED has no row. */
static const char *const state_words[] = {
	[WARM_UNASKED] = "",  [WARM_WAITING] = "waiting", [WARM_WORKING] = "working",
	[WARM_DONE] = "done", [WARM_FAILED] = "failed",
};

static void record_done(struct warm_record *record)
{
	free(record->challenge_id);
	free(record->error);
	free(record->stamp);
	json_decref(record->images);
}

void warm_records_done(struct warm_records *records)
{
	for (size_t i = 0; i < records->count; i++)
		record_done(&records->items[i]);
	free(records->items);
	*records = (struct warm_records){ 0 };
}

static enum warm_state state_of(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(state_words); i++)
		if (strcmp(state_words[i], word) == 0)
			return (enum warm_state)i;
	return WARM_UNASKED;
}

static char *column(const struct db_rows *rows, int i)
{
	const char *text = db_get_text(rows, i);

	return text ? strdup(text) : NULL;
}

static int add_record(struct warm_records *records, const struct db_rows *rows, struct err *e)
{
	struct warm_record *items = realloc(records->items, (records->count + 1) * sizeof(*items));
	const char *images = db_get_text(rows, 4);
	struct warm_record *record;

	if (!items)
		return err_memory(e);
	records->items = items;
	record = &items[records->count++];
	*record = (struct warm_record){
		.challenge_id = column(rows, 0),
		.state = state_of(db_get_text(rows, 1)),
		.ended_at = db_get_int(rows, 2),
		.error = column(rows, 3),
		.images = images ? json_loads(images, 0, NULL) : NULL,
		.stamp = column(rows, 5),
	};
	return record->challenge_id ? 0 : err_memory(e);
}

/* Rows come in the list's order. */
static int read_records(struct db_rows *rows, struct warm_records *records, struct err *e)
{
	int64_t waiting = 0;
	int r;

	while ((r = db_next(rows, e)) > 0) {
		r = add_record(records, rows, e);
		if (r < 0)
			return r;
		if (records->items[records->count - 1].state == WARM_WAITING)
			records->items[records->count - 1].position = ++waiting;
	}
	return r;
}

static int by_id(const void *a, const void *b)
{
	const struct warm_record *left = a, *right = b;

	return strcmp(left->challenge_id, right->challenge_id);
}

int warm_store_records(struct db *db, const char *kind, struct warm_records *ret_records,
		       struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	struct warm_records records = { 0 };
	int r;

	r = db_query(db,
		     "SELECT challenge_id, state, ended_at, error, images, stamp FROM warming"
		     " WHERE kind = ? ORDER BY place, challenge_id",
		     DB_ARGS(db_text(kind)), &rows, e);
	if (r == 0)
		r = read_records(rows, &records, e);
	if (r < 0) {
		warm_records_done(&records);
		return r;
	}
	if (records.count > 0)
		qsort(records.items, records.count, sizeof(*records.items), by_id);
	*ret_records = records;
	return 0;
}

int warm_store_state(struct db *db, const char *kind, const char *challenge_id,
		     enum warm_state *ret_state, struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	*ret_state = WARM_UNASKED;
	r = db_query(db, "SELECT state FROM warming WHERE kind = ? AND challenge_id = ?",
		     DB_ARGS(db_text(kind), db_text(challenge_id)), &rows, e);
	if (r == 0)
		r = db_next(rows, e);
	if (r > 0)
		*ret_state = state_of(db_get_text(rows, 0));
	return r < 0 ? r : 0;
}

int warm_store_wait(struct db *db, const char *kind, const char *challenge_id, struct err *e)
{
	return db_run(db,
		      "INSERT INTO warming (kind, challenge_id, state, place)"
		      " SELECT ?, ?, 'waiting', COALESCE(MAX(place), 0) + 1 FROM warming"
		      " WHERE kind = ?"
		      " ON CONFLICT (kind, challenge_id) DO UPDATE SET state = 'waiting',"
		      " place = excluded.place, interruptions = 0, ended_at = 0, error = NULL,"
		      " images = NULL, stamp = NULL",
		      DB_ARGS(db_text(kind), db_text(challenge_id), db_text(kind)), e);
}

int warm_store_next(struct db *db, const char *kind, char challenge_id[ID_SIZE], struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	r = db_query(db,
		     "SELECT challenge_id FROM warming WHERE kind = ? AND state = 'waiting'"
		     " ORDER BY place, challenge_id LIMIT 1",
		     DB_ARGS(db_text(kind)), &rows, e);
	if (r == 0)
		r = db_next(rows, e);
	if (r > 0)
		strncpy(challenge_id, db_get_text(rows, 0), ID_SIZE - 1);
	return r;
}

/* What was asked for before keeps its count of interruptions: it is the same work. */
int warm_store_work(struct db *db, const char *kind, const char *challenge_id, struct err *e)
{
	return db_run(db,
		      "INSERT INTO warming (kind, challenge_id, state, place)"
		      " VALUES (?, ?, 'working', 0)"
		      " ON CONFLICT (kind, challenge_id) DO UPDATE SET"
		      " interruptions = CASE WHEN state = 'waiting' THEN interruptions ELSE 0 END,"
		      " state = 'working', ended_at = 0, error = NULL, images = NULL, stamp = NULL",
		      DB_ARGS(db_text(kind), db_text(challenge_id)), e);
}

int warm_store_done(struct db *db, const struct warm_record *record, const char *kind,
		    struct err *e)
{
	AUTO(char *, freep) images = json_dumps(record->images, JSON_COMPACT);

	if (!images)
		return err_memory(e);
	return db_run(db,
		      "UPDATE warming SET state = 'done', ended_at = ?, images = ?, stamp = ?"
		      " WHERE kind = ? AND challenge_id = ?",
		      DB_ARGS(db_int(record->ended_at), db_text(images), db_text(record->stamp),
			      db_text(kind), db_text(record->challenge_id)),
		      e);
}

int warm_store_failed(struct db *db, const char *kind, const char *challenge_id, const char *error,
		      int64_t now, struct err *e)
{
	return db_run(db,
		      "UPDATE warming SET state = 'failed', ended_at = ?, error = ?"
		      " WHERE kind = ? AND challenge_id = ?",
		      DB_ARGS(db_int(now), db_text(error), db_text(kind), db_text(challenge_id)),
		      e);
}

int warm_store_set_stamp(struct db *db, const char *kind, const char *challenge_id,
			 const char *stamp, struct err *e)
{
	return db_run(db,
		      "UPDATE warming SET stamp = ?"
		      " WHERE kind = ? AND challenge_id = ? AND state = 'done'",
		      DB_ARGS(db_text(stamp), db_text(kind), db_text(challenge_id)), e);
}

int warm_store_forget(struct db *db, const char *kind, const char *challenge_id, struct err *e)
{
	return db_run(db,
		      "DELETE FROM warming WHERE kind = ? AND challenge_id = ? AND state = 'done'",
		      DB_ARGS(db_text(kind), db_text(challenge_id)), e);
}

int warm_store_discard(struct db *db, const char *kind, const char *challenge_id, struct err *e)
{
	return db_run(db, "DELETE FROM warming WHERE kind = ? AND challenge_id = ?",
		      DB_ARGS(db_text(kind), db_text(challenge_id)), e);
}

int warm_store_put_back(struct db *db, const char *kind, const char *challenge_id, struct err *e)
{
	return db_run(db,
		      "UPDATE warming SET state = 'waiting', place = 0"
		      " WHERE kind = ? AND challenge_id = ?",
		      DB_ARGS(db_text(kind), db_text(challenge_id)), e);
}

static int recover(struct db *db, int64_t now, struct err *e)
{
	int r;

	r = db_run(db,
		   "UPDATE warming SET interruptions = interruptions + 1"
		   " WHERE state = 'working'",
		   NULL, e);
	if (r == 0)
		r = db_run(db,
			   "UPDATE warming SET state = 'failed', ended_at = ?, error ="
			   " 'interrupted: the node ended twice while it was at this'"
			   " WHERE state = 'working' AND interruptions > 1",
			   DB_ARGS(db_int(now)), e);
	if (r == 0)
		r = db_run(db,
			   "UPDATE warming SET state = 'waiting', place = 0"
			   " WHERE state = 'working'",
			   NULL, e);
	return r;
}

int warm_store_recover(struct db *db, int64_t now, struct err *e)
{
	int r = db_begin(db, e);

	if (r < 0)
		return r;
	r = recover(db, now, e);
	if (r < 0) {
		db_rollback(db);
		return r;
	}
	return db_commit(db, e);
}
