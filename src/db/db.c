/* SPDX-License-Identifier: Apache-2.0 */
#include "db/db.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/secret.h"
#include "base/utf8.h"
#include "db/connection.h"
#include "db/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

enum { BATCH_MAX = 256 };

struct batch;
struct kept;

struct db {
	struct readers *readers; /* for queries outside a transaction */
	bool has_key;
	unsigned char key[SECRET_KEY_SIZE];

	pthread_mutex_t lock; /* recursive: held while a statement or transaction is at work */
	struct connection writer;
	_Atomic(const void *) owner; /* `me` of the thread that has a transaction; NULL: none */

	/*
	 * Group commit: a batch is one SQLite transaction, each of our transactions a savepoint in
	 * it. Whoever leaves while nobody else waits to enter commits the batch for all.
	 */
	atomic_int entering;
	unsigned batch_entered; /* members the open batch ever had */
	struct batch *batch;    /* the one that is open; NULL: none */
	pthread_cond_t batch_ended;
};

/* Outlives its commit until every member has heard of it. */
struct batch {
	unsigned members; /* that have not left */
	bool ended;
	struct err error; /* code NONE: what they wrote is on disk */
};

/* Every thread's own. */
static _Thread_local const char me;

struct db_rows {
	struct db *db;
	struct connection *connection;
	struct statement *statement;
	sqlite3_stmt *stmt;
	struct kept *kept; /* of the present row */
};

/* Texts that were asked for and aren't the store's own, until the next row. */
struct kept {
	struct kept *next;
	char *text;
};

void db_use_key(struct db *db, const unsigned char key[SECRET_KEY_SIZE])
{
	memcpy(db->key, key, SECRET_KEY_SIZE);
	db->has_key = true;
}

/* No text of the store is anything but UTF-8, whoever wrote it: no list fails for one of its rows.
 */
static char *valid_text(const char *text)
{
	AUTO(struct buf, buf_done) valid = BUF_INIT;

	utf8_put_valid(&valid, text, strlen(text));
	return buf_take(&valid);
}

static int bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
	char *valid;

	if (utf8_is_valid(text, strlen(text)))
		return sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
	valid = valid_text(text);
	return valid ? sqlite3_bind_text(stmt, i, valid, -1, free) : SQLITE_NOMEM;
}

static int bind_secret(struct db *db, sqlite3_stmt *stmt, int i, const char *text)
{
	char *sealed;

	if (!db->has_key)
		return bind_text(stmt, i, text);
	sealed = secret_seal(db->key, text);
	return sealed ? sqlite3_bind_text(stmt, i, sealed, -1, free) : SQLITE_NOMEM;
}

static int bind(struct db *db, const struct connection *connection, sqlite3_stmt *stmt,
		const struct db_value *args, struct err *e)
{
	for (int i = 1; args && args->kind != DB_END; args++, i++) {
		int r = SQLITE_OK;

		switch (args->kind) {
		case DB_NULL: r = sqlite3_bind_null(stmt, i); break;
		case DB_INT: r = sqlite3_bind_int64(stmt, i, args->integer); break;
		case DB_TEXT: r = bind_text(stmt, i, args->text); break;
		case DB_SECRET: r = bind_secret(db, stmt, i, args->text); break;
		case DB_END: break;
		}
		if (r != SQLITE_OK)
			return connection_error(connection, e);
	}
	return 0;
}

static void put_connection(struct db *db, struct connection *connection)
{
	if (connection == &db->writer)
		pthread_mutex_unlock(&db->lock);
	else
		readers_put(db->readers, connection);
}

/* Takes the connection: the writer's lock with it, or a reader. */
static int query_on(struct db *db, struct connection *connection, const char *sql,
		    const struct db_value *args, struct db_rows **ret_rows, struct err *e)
{
	struct db_rows *rows = calloc(1, sizeof(*rows));
	int r;

	if (!rows) {
		put_connection(db, connection);
		return err_memory(e);
	}
	rows->db = db;
	rows->connection = connection;
	r = statement_get(connection, sql, &rows->statement, &rows->stmt, e);
	if (r == 0)
		r = bind(db, connection, rows->stmt, args, e);
	if (r < 0) {
		db_rows_close(rows);
		return r;
	}
	*ret_rows = rows;
	return 0;
}

static struct connection *take_writer(struct db *db)
{
	pthread_mutex_lock(&db->lock);
	return &db->writer;
}

/* Whether this thread is in a transaction. */
static bool has_transaction(const struct db *db)
{
	return atomic_load(&db->owner) == &me;
}

static int take_connection(struct db *db, struct connection **ret_connection, struct err *e)
{
	int r = 0;

	*ret_connection = NULL;
	if (!has_transaction(db))
		r = readers_take(db->readers, ret_connection, e);
	if (r == 0 && !*ret_connection)
		*ret_connection = take_writer(db);
	return r;
}

int db_query(struct db *db, const char *sql, const struct db_value *args, struct db_rows **ret_rows,
	     struct err *e)
{
	struct connection *connection;
	int r = take_connection(db, &connection, e);

	return r < 0 ? r : query_on(db, connection, sql, args, ret_rows, e);
}

static void forget_kept(struct db_rows *rows)
{
	while (rows->kept) {
		struct kept *one = rows->kept;

		rows->kept = one->next;
		free(one->text);
		free(one);
	}
}

int db_next(struct db_rows *rows, struct err *e)
{
	forget_kept(rows);
	switch (sqlite3_step(rows->stmt)) {
	case SQLITE_ROW: return 1;
	case SQLITE_DONE: return 0;
	default: return connection_error(rows->connection, e);
	}
}

void db_rows_close(struct db_rows *rows)
{
	if (!rows)
		return;
	statement_put(rows->statement, rows->stmt);
	forget_kept(rows);
	put_connection(rows->db, rows->connection);
	free(rows);
}

int64_t db_get_int(const struct db_rows *rows, int column)
{
	return sqlite3_column_int64(rows->stmt, column);
}

/* Kept with the rows, so that it lives as long as other columns do. */
static const char *keep(const struct db_rows *rows, char *text)
{
	struct db_rows *mine = (struct db_rows *)(uintptr_t)rows;
	struct kept *one = text ? malloc(sizeof(*one)) : NULL;

	if (!one) {
		free(text);
		return NULL;
	}
	*one = (struct kept){ .next = mine->kept, .text = text };
	mine->kept = one;
	return text;
}

/* What was stored before texts were checked may be anything. */
const char *db_get_text(const struct db_rows *rows, int column)
{
	const char *text = (const char *)sqlite3_column_text(rows->stmt, column);

	if (!text || utf8_is_valid(text, strlen(text)))
		return text;
	return keep(rows, valid_text(text));
}

const char *db_get_secret(const struct db_rows *rows, int column)
{
	const char *text = db_get_text(rows, column);

	if (!text || !secret_is_sealed(text))
		return text;
	return rows->db->has_key ? keep(rows, secret_unseal(rows->db->key, text)) : NULL;
}

bool db_is_null(const struct db_rows *rows, int column)
{
	return sqlite3_column_type(rows->stmt, column) == SQLITE_NULL;
}

static int run_locked(struct db *db, const char *sql, const struct db_value *args,
		      int64_t *ret_changed, struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	r = query_on(db, take_writer(db), sql, args, &rows, e);
	if (r < 0)
		return r;
	while ((r = db_next(rows, e)) > 0)
		continue;
	if (r == 0 && ret_changed)
		*ret_changed = sqlite3_changes64(db->writer.sqlite);
	return r;
}

int db_change(struct db *db, const char *sql, const struct db_value *args, int64_t *ret_changed,
	      struct err *e)
{
	int r;

	if (has_transaction(db))
		return run_locked(db, sql, args, ret_changed, e);
	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = run_locked(db, sql, args, ret_changed, e);
	if (r < 0) {
		db_rollback(db);
		return r;
	}
	return db_commit(db, e);
}

int db_run(struct db *db, const char *sql, const struct db_value *args, struct err *e)
{
	return db_change(db, sql, args, NULL, e);
}

static int leave_batch(struct db *db, struct err *e);

/* Whatever was written in it is on disk afterwards, or its members are told that it is not. */
static void end_batch(struct db *db)
{
	struct batch *batch = TAKE(db->batch);

	/* A statement that found the disk full may have rolled the whole batch back already. */
	if (sqlite3_get_autocommit(db->writer.sqlite))
		err_set(&batch->error, ERR_STORE, "store: the transaction was rolled back: %s",
			sqlite3_errmsg(db->writer.sqlite));
	else if (connection_script(&db->writer, "COMMIT", &batch->error) < 0 &&
		 !sqlite3_get_autocommit(db->writer.sqlite))
		sqlite3_exec(db->writer.sqlite, "ROLLBACK", NULL, NULL, NULL);
	batch->ended = true;
	pthread_cond_broadcast(&db->batch_ended);
}

static int open_batch(struct db *db, struct err *e)
{
	struct batch *batch = calloc(1, sizeof(*batch));
	int r;

	if (!batch)
		return err_memory(e);
	r = connection_script(&db->writer, "BEGIN IMMEDIATE", e);
	if (r < 0) {
		free(batch);
		return r;
	}
	db->batch = batch;
	db->batch_entered = 0;
	return 0;
}

int db_begin(struct db *db, struct err *e)
{
	int r = 0;

	atomic_fetch_add(&db->entering, 1);
	pthread_mutex_lock(&db->lock);
	atomic_fetch_sub(&db->entering, 1);
	if (db->batch && sqlite3_get_autocommit(db->writer.sqlite))
		end_batch(db); /* it was rolled back under its members: ours is another one */
	if (!db->batch)
		r = open_batch(db, e);
	if (r < 0) {
		pthread_mutex_unlock(&db->lock);
		return r;
	}
	db->batch->members++;
	db->batch_entered++;
	atomic_store(&db->owner, &me);
	r = connection_script(&db->writer, "SAVEPOINT member", e);
	if (r < 0)
		leave_batch(db, NULL);
	return r;
}

/* Ends our part of the batch; the last one out ends it for all. Unlocks. */
static int leave_batch(struct db *db, struct err *e)
{
	struct batch *batch = db->batch;
	int r;

	atomic_store(&db->owner, NULL);
	if (atomic_load(&db->entering) == 0 || db->batch_entered >= BATCH_MAX ||
	    sqlite3_get_autocommit(db->writer.sqlite))
		end_batch(db);
	while (!batch->ended)
		pthread_cond_wait(&db->batch_ended, &db->lock);
	r = -(int)batch->error.code;
	if (r < 0 && e)
		*e = batch->error;
	if (--batch->members == 0)
		free(batch);
	pthread_mutex_unlock(&db->lock);
	return r;
}

int db_commit(struct db *db, struct err *e)
{
	int r;

	r = connection_script(&db->writer, "RELEASE member", e);
	if (r < 0) {
		db_rollback(db);
		return r;
	}
	return leave_batch(db, e);
}

void db_rollback(struct db *db)
{
	sqlite3_exec(db->writer.sqlite, "ROLLBACK TO member; RELEASE member", NULL, NULL, NULL);
	leave_batch(db, NULL);
}

static int migrate(struct db *db, const char *const *migrations, struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int64_t version, known = 0;
	char set_version[64];
	int r;

	while (migrations[known])
		known++;
	r = db_query(db, "PRAGMA user_version", NULL, &rows, e);
	if (r < 0)
		return r;
	r = db_next(rows, e);
	if (r < 0)
		return r;
	version = db_get_int(rows, 0);
	db_rows_close(TAKE(rows));
	if (version > known)
		return err_set(e, ERR_STORE,
			       "the database has schema %lld, and this program knows only %lld: "
			       "it was made by a newer ctfy",
			       (long long)version, (long long)known);

	for (; version < known; version++) {
		snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %lld",
			 (long long)version + 1);
		r = connection_script(&db->writer, "BEGIN IMMEDIATE", e);
		if (r == 0)
			r = connection_script(&db->writer, migrations[version], e);
		if (r == 0)
			r = connection_script(&db->writer, set_version, e);
		if (r == 0)
			r = connection_script(&db->writer, "COMMIT", e);
		if (r < 0) {
			sqlite3_exec(db->writer.sqlite, "ROLLBACK", NULL, NULL, NULL);
			return err_wrap(e, "migration %lld", (long long)version + 1);
		}
	}
	return 0;
}

static void init_lock(struct db *db)
{
	pthread_mutexattr_t recursive;

	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&db->lock, &recursive);
	pthread_mutexattr_destroy(&recursive);
	pthread_cond_init(&db->batch_ended, NULL);
}

/* For its owner alone, whoever made it: SQLite's own files follow its mode. */
static int make_private(const char *path, struct err *e)
{
	AUTO(int, closep) fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || fchmod(fd, 0600) < 0)
		return err_errno(e, ERR_STORE, "open '%s'", path);
	return 0;
}

int db_open(const char *path, const char *const *migrations, struct db **ret_db, struct err *e)
{
	AUTO(struct db *, db_closep) db = calloc(1, sizeof(*db));
	int r;

	if (!db)
		return err_memory(e);
	init_lock(db);
	/* FULL: a commit is on disk when it returns, through power loss too. */
	r = make_private(path, e);
	if (r == 0)
		r = connection_open(&db->writer, path,
				    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
				    "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY",
				    e);
	if (r == 0)
		r = readers_new(path, &db->readers, e);
	if (r == 0)
		r = migrate(db, migrations, e);
	if (r < 0)
		return err_wrap(e, "open '%s'", path);
	*ret_db = TAKE(db);
	return 0;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	readers_free(db->readers);
	connection_close(&db->writer);
	pthread_cond_destroy(&db->batch_ended);
	pthread_mutex_destroy(&db->lock);
	free(db);
}

/* Copying */

static int copy_pages(sqlite3 *from, sqlite3 *to, const char *path, struct err *e)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");

	/* All in one go: readers of a log don't stand in its writers' way. */
	if (backup)
		sqlite3_backup_step(backup, -1);
	if (!backup || sqlite3_backup_finish(backup) != SQLITE_OK)
		return err_set(e, ERR_STORE, "copy to '%s': %s", path, sqlite3_errmsg(to));
	return 0;
}

static int note_check(void *cookie, int columns, char **values, char **names)
{
	struct err *e = cookie;

	(void)names;
	if (columns != 1 || !values[0] || strcmp(values[0], "ok") != 0)
		err_set(e, ERR_STORE, "the copy is damaged: %s", values[0] ? values[0] : "?");
	return 0;
}

/* As a file of its own, without a log beside it. */
static int check_copy(sqlite3 *to, struct err *e)
{
	struct err damage = ERR_INIT;

	if (sqlite3_exec(to, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(to, "PRAGMA quick_check", note_check, &damage, NULL) != SQLITE_OK)
		return err_set(e, ERR_STORE, "check the copy: %s", sqlite3_errmsg(to));
	return damage.code == ERR_NONE ? 0 : err_set(e, damage.code, "%s", damage.msg);
}

static void sqlite_closep(sqlite3 **sqlite)
{
	sqlite3_close(*sqlite);
}

static int copy(const char *from, const char *to, struct err *e)
{
	AUTO(sqlite3 *, sqlite_closep) source = NULL;
	AUTO(sqlite3 *, sqlite_closep) target = NULL;
	int r;

	if (sqlite3_open_v2(from, &source, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return err_set(e, ERR_STORE, "open '%s': %s", from, sqlite3_errmsg(source));
	sqlite3_busy_timeout(source, 10000);
	if (sqlite3_open_v2(to, &target, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		return err_set(e, ERR_STORE, "open '%s': %s", to, sqlite3_errmsg(target));
	r = copy_pages(source, target, to, e);
	return r < 0 ? r : check_copy(target, e);
}

/* Made by us and for nobody else's eyes. */
static int make_file(const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(e, errno == EEXIST ? ERR_CONFLICT : ERR_STORE, "make '%s'", path);
	close(fd);
	return 0;
}

static int sync_and_rename(const char *from, const char *to, struct err *e)
{
	AUTO(int, closep) fd = open(from, O_RDONLY | O_CLOEXEC);

	/* link() and not rename(): what has appeared meanwhile isn't overwritten. */
	if (fd < 0 || fsync(fd) < 0 || link(from, to) < 0)
		return err_errno(e, errno == EEXIST ? ERR_CONFLICT : ERR_STORE, "write '%s'", to);
	return 0;
}

int db_copy(const char *from, const char *to, struct err *e)
{
	AUTO(char *, freep) part = strf("%s.part", to);
	int r;

	if (!part)
		return err_memory(e);
	if (!file_exists(from))
		return err_set(e, ERR_NOT_FOUND, "there is no '%s'", from);
	if (file_exists(to))
		return err_set(e, ERR_CONFLICT, "'%s' is there already", to);
	r = make_file(part, e);
	if (r < 0)
		return r;
	r = copy(from, part, e);
	if (r == 0)
		r = sync_and_rename(part, to, e);
	unlink(part);
	return r;
}
