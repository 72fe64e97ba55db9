/* SPDX-License-Identifier: Apache-2.0 */
#include "node/store.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "db/db.h"

#include <string.h>

static const char *const migrations[] = {
	"CREATE TABLE node (id TEXT PRIMARY KEY);"
	"CREATE TABLE instance ("
	"  id TEXT PRIMARY KEY,"
	"  challenge_id TEXT NOT NULL,"
	"  status TEXT NOT NULL,"
	"  detail TEXT,"
	"  spec TEXT NOT NULL,"
	"  resources TEXT,"
	"  endpoints TEXT,"
	"  services TEXT,"
	"  acknowledged INTEGER NOT NULL,"
	"  started_at INTEGER NOT NULL,"
	"  expires_at INTEGER NOT NULL,"
	"  ended_at INTEGER NOT NULL DEFAULT 0);"
	"CREATE INDEX instance_ended ON instance (ended_at);",
	"CREATE TABLE event ("
	"  id INTEGER PRIMARY KEY,"
	"  instance_id TEXT NOT NULL,"
	"  at INTEGER NOT NULL,"
	"  event TEXT NOT NULL,"
	"  service TEXT,"
	"  detail TEXT);"
	"CREATE INDEX event_instance ON event (instance_id);",
	"CREATE TABLE warming ("
	"  kind TEXT NOT NULL,"
	"  challenge_id TEXT NOT NULL,"
	"  state TEXT NOT NULL,"
	"  place INTEGER NOT NULL,"
	"  interruptions INTEGER NOT NULL DEFAULT 0,"
	"  ended_at INTEGER NOT NULL DEFAULT 0,"
	"  error TEXT,"
	"  images TEXT,"
	"  stamp TEXT,"
	"  PRIMARY KEY (kind, challenge_id));",
	"CREATE TABLE trial ("
	"  challenge_id TEXT PRIMARY KEY,"
	"  instance_id TEXT NOT NULL,"
	"  state TEXT NOT NULL,"
	"  ended INTEGER NOT NULL);",
	"CREATE TRIGGER event_room AFTER INSERT ON event BEGIN"
	"  DELETE FROM event WHERE instance_id = NEW.instance_id AND id <="
	"    (SELECT id FROM event WHERE instance_id = NEW.instance_id"
	"     ORDER BY id DESC LIMIT 1 OFFSET 1000);"
	"END;",
	"DROP TRIGGER event_room;"
	"CREATE INDEX event_kind ON event (instance_id, event);"
	"DROP INDEX event_instance;"
	"CREATE TABLE event_dropped ("
	"  instance_id TEXT NOT NULL,"
	"  event TEXT NOT NULL,"
	"  at INTEGER NOT NULL," /* of the last one */
	"  count INTEGER NOT NULL,"
	"  PRIMARY KEY (instance_id, event));"
	"CREATE TRIGGER event_room AFTER INSERT ON event"
	" WHEN 1000 < (SELECT COUNT(*) FROM event"
	"   WHERE instance_id = NEW.instance_id AND event = NEW.event) BEGIN"
	"  INSERT INTO event_dropped SELECT instance_id, event, at, 1 FROM event"
	"    WHERE instance_id = NEW.instance_id AND event = NEW.event ORDER BY id LIMIT 1"
	"    ON CONFLICT DO UPDATE SET at = excluded.at, count = count + 1;"
	"  DELETE FROM event WHERE id = (SELECT MIN(id) FROM event"
	"    WHERE instance_id = NEW.instance_id AND event = NEW.event);"
	"END;",
	"CREATE TABLE own_image ("
	"  name TEXT PRIMARY KEY,"
	"  content TEXT NOT NULL,"
	"  image_id TEXT NOT NULL);",
	NULL,
};

int store_open(const char *state_dir, struct db **ret_db, struct err *e)
{
	AUTO(char *, freep) path = strf("%s/node.db", state_dir);

	return path ? db_open(path, migrations, ret_db, e) : err_memory(e);
}

int store_node_id(struct db *db, char id[ID_SIZE], struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	r = db_query(db, "SELECT id FROM node", NULL, &rows, e);
	if (r < 0)
		return r;
	r = db_next(rows, e);
	if (r < 0)
		return r;
	if (r == 1) {
		strncpy(id, db_get_text(rows, 0), ID_SIZE - 1);
		return 0;
	}
	db_rows_close(TAKE(rows));
	id_random(id, 12);
	return db_run(db, "INSERT INTO node (id) VALUES (?)", DB_ARGS(db_text(id)), e);
}

void instance_row_done(struct instance_row *row)
{
	free(row->instance_id);
	free(row->challenge_id);
	free(row->status);
	free(row->detail);
	free(row->spec);
	free(row->resources);
	free(row->endpoints);
	free(row->services);
	*row = (struct instance_row){ 0 };
}

int store_put_instance(struct db *db, const struct instance_row *row, struct err *e)
{
	return db_run(db,
		      "INSERT INTO instance (id, challenge_id, status, detail, spec, resources,"
		      " endpoints, services, acknowledged, started_at, expires_at, ended_at)"
		      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)"
		      " ON CONFLICT (id) DO UPDATE SET challenge_id = excluded.challenge_id,"
		      " status = excluded.status, detail = excluded.detail, spec = excluded.spec,"
		      " resources = excluded.resources, endpoints = excluded.endpoints,"
		      " services = excluded.services, acknowledged = excluded.acknowledged,"
		      " started_at = excluded.started_at, expires_at = excluded.expires_at,"
		      " ended_at = 0",
		      DB_ARGS(db_text(row->instance_id), db_text(row->challenge_id),
			      db_text(row->status), db_text(row->detail), db_text(row->spec),
			      db_text(row->resources), db_text(row->endpoints),
			      db_text(row->services), db_int(row->acknowledged),
			      db_int(row->started_at), db_int(row->expires_at)),
		      e);
}

int store_set_status(struct db *db, const char *instance_id, const char *status, const char *detail,
		     struct err *e)
{
	return db_run(db, "UPDATE instance SET status = ?, detail = ? WHERE id = ?",
		      DB_ARGS(db_text(status), db_text(detail), db_text(instance_id)), e);
}

int store_set_resources(struct db *db, const char *instance_id, const char *resources,
			struct err *e)
{
	return db_run(db, "UPDATE instance SET resources = ? WHERE id = ?",
		      DB_ARGS(db_text(resources), db_text(instance_id)), e);
}

int store_set_running(struct db *db, const char *instance_id, const char *endpoints,
		      const char *services, int64_t started_at, int64_t expires_at, struct err *e)
{
	return db_run(db,
		      "UPDATE instance SET status = 'running', detail = NULL, endpoints = ?,"
		      " services = ?, started_at = ?, expires_at = ? WHERE id = ?",
		      DB_ARGS(db_text(endpoints), db_text(services), db_int(started_at),
			      db_int(expires_at), db_text(instance_id)),
		      e);
}

int store_set_acknowledged(struct db *db, const char *instance_id, struct err *e)
{
	return db_run(db, "UPDATE instance SET acknowledged = 1 WHERE id = ?",
		      DB_ARGS(db_text(instance_id)), e);
}

int store_set_expiry(struct db *db, const char *instance_id, int64_t expires_at, struct err *e)
{
	return db_run(db, "UPDATE instance SET expires_at = ? WHERE id = ?",
		      DB_ARGS(db_int(expires_at), db_text(instance_id)), e);
}

int store_set_ended(struct db *db, const char *instance_id, const char *status, const char *detail,
		    int64_t now, struct err *e)
{
	return db_run(db,
		      "UPDATE instance SET status = ?, detail = ?, resources = NULL, ended_at = ?"
		      " WHERE id = ?",
		      DB_ARGS(db_text(status), db_text(detail), db_int(now), db_text(instance_id)),
		      e);
}

#define COLUMNS                                                                                 \
	"id, challenge_id, status, detail, spec, resources, endpoints, services, acknowledged," \
	" started_at, expires_at"

static char *column(const struct db_rows *rows, int i)
{
	const char *text = db_get_text(rows, i);

	return text ? strdup(text) : NULL;
}

static int read_row(const struct db_rows *rows, struct instance_row *ret_row, struct err *e)
{
	*ret_row = (struct instance_row){
		.instance_id = column(rows, 0),
		.challenge_id = column(rows, 1),
		.status = column(rows, 2),
		.detail = column(rows, 3),
		.spec = column(rows, 4),
		.resources = column(rows, 5),
		.endpoints = column(rows, 6),
		.services = column(rows, 7),
		.acknowledged = db_get_int(rows, 8) != 0,
		.started_at = db_get_int(rows, 9),
		.expires_at = db_get_int(rows, 10),
	};
	if (ret_row->instance_id && ret_row->challenge_id && ret_row->status && ret_row->spec)
		return 0;
	instance_row_done(ret_row);
	return err_memory(e);
}

int store_get_instance(struct db *db, const char *instance_id, struct instance_row *ret_row,
		       struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	r = db_query(db, "SELECT " COLUMNS " FROM instance WHERE id = ?",
		     DB_ARGS(db_text(instance_id)), &rows, e);
	if (r < 0)
		return r;
	r = db_next(rows, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no instance '%s' on this node",
			       instance_id);
	return read_row(rows, ret_row, e);
}

int store_each_active(struct db *db,
		      int (*each)(void *cookie, struct instance_row *row, struct err *e),
		      void *cookie, struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	r = db_query(db, "SELECT " COLUMNS " FROM instance WHERE ended_at = 0 ORDER BY id", NULL,
		     &rows, e);
	if (r < 0)
		return r;
	while ((r = db_next(rows, e)) > 0) {
		struct instance_row row;

		r = read_row(rows, &row, e);
		if (r < 0)
			return r;
		r = each(cookie, &row, e);
		instance_row_done(&row);
		if (r < 0)
			return r;
	}
	return r;
}

int store_put_own_image(struct db *db, const char *name, const char *content, const char *image_id,
			struct err *e)
{
	return db_run(db,
		      "INSERT INTO own_image (name, content, image_id) VALUES (?, ?, ?)"
		      " ON CONFLICT (name) DO UPDATE SET content = excluded.content,"
		      " image_id = excluded.image_id",
		      DB_ARGS(db_text(name), db_text(content), db_text(image_id)), e);
}

int store_get_own_image(struct db *db, const char *name, char **ret_content, char **ret_image_id,
			struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	AUTO(char *, freep) content = NULL;
	AUTO(char *, freep) id = NULL;
	int r;

	r = db_query(db, "SELECT content, image_id FROM own_image WHERE name = ?",
		     DB_ARGS(db_text(name)), &rows, e);
	if (r == 0)
		r = db_next(rows, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, "this node never built the image '%s'", name);
	content = column(rows, 0);
	id = column(rows, 1);
	if (!content || !id)
		return err_memory(e);
	*ret_content = TAKE(content);
	*ret_image_id = TAKE(id);
	return 0;
}

int store_abandon(struct db *db, const char *instance_id, const char *detail, struct err *e)
{
	return db_run(db,
		      "UPDATE instance SET status = 'stopping', detail = ?"
		      " WHERE id = ? AND ended_at = 0",
		      DB_ARGS(db_text(detail), db_text(instance_id)), e);
}

int store_forget_instance(struct db *db, const char *instance_id, bool *ret_forgotten,
			  struct err *e)
{
	int64_t gone = 0;
	int r;

	r = db_change(db, "DELETE FROM instance WHERE id = ? AND ended_at > 0",
		      DB_ARGS(db_text(instance_id)), &gone, e);
	if (r == 0 && gone > 0)
		r = db_run(db, "DELETE FROM event WHERE instance_id = ?",
			   DB_ARGS(db_text(instance_id)), e);
	if (r == 0 && gone > 0)
		r = db_run(db, "DELETE FROM event_dropped WHERE instance_id = ?",
			   DB_ARGS(db_text(instance_id)), e);
	*ret_forgotten = gone > 0;
	return r;
}

int store_forget(struct db *db, int64_t before, struct err *e)
{
	int r;

	r = db_run(db,
		   "DELETE FROM event WHERE instance_id IN"
		   " (SELECT id FROM instance WHERE ended_at > 0 AND ended_at < ?)",
		   DB_ARGS(db_int(before)), e);
	if (r == 0)
		r = db_run(db,
			   "DELETE FROM event_dropped WHERE instance_id IN"
			   " (SELECT id FROM instance WHERE ended_at > 0 AND ended_at < ?)",
			   DB_ARGS(db_int(before)), e);
	if (r == 0)
		r = db_run(db, "DELETE FROM instance WHERE ended_at > 0 AND ended_at < ?",
			   DB_ARGS(db_int(before)), e);
	return r;
}
