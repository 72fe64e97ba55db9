/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: one SQLite database in WAL mode, shared by a daemon's threads.
 *
 * One connection writes. Queries outside a transaction have connections of their own, so that who
 * reads waits for no disk, and sees what is on disk already: nothing that may yet be rolled back.
 * What was committed is on disk: db_commit() returns after the log is synced. Writers who commit
 * at the same time share one sync (group commit), so durability costs a crowd little.
 * Texts are UTF-8 in either direction: a byte that belongs to no character becomes U+FFFD.
 * SQL is kept portable (no SQLite-only functions), because a database server comes next.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_rows;
struct err;

/*
 * Opens or makes the database, and brings its schema up to date: migrations is a NULL-terminated
 * list of scripts, each run once, in order, for ever append-only. It is its owner's alone (0600).
 * Fails with STORE.
 */
int db_open(const char *path, const char *const *migrations, struct db **ret_db, struct err *e);
void db_close(struct db *db);
static inline void db_closep(struct db **db)
{
	db_close(*db);
}

/*
 * With a key, db_secret() values are kept sealed, and db_get_secret() gives them back; without,
 * they are texts like any other. Copied; before anybody else has the database.
 */
void db_use_key(struct db *db, const unsigned char key[32]);

/*
 * Copies a database that may be in use, as it is at one moment, into a new file, whole or not at
 * all; the copy is checked. Fails with NOT_FOUND, CONFLICT (there is such a file) or STORE.
 */
int db_copy(const char *from, const char *to, struct err *e);

enum db_kind { DB_END, DB_NULL, DB_INT, DB_TEXT, DB_SECRET };

struct db_value {
	enum db_kind kind;
	int64_t integer;
	const char *text; /* borrowed for the call */
};

static inline struct db_value db_int(int64_t value)
{
	return (struct db_value){ .kind = DB_INT, .integer = value };
}

/* NULL is SQL's NULL. */
static inline struct db_value db_text(const char *text)
{
	return (struct db_value){ .kind = text ? DB_TEXT : DB_NULL, .text = text };
}

static inline struct db_value db_secret(const char *text)
{
	return (struct db_value){ .kind = text ? DB_SECRET : DB_NULL, .text = text };
}

/* clang-format off */
/* The values of a statement's ?s: DB_ARGS(db_text(id), db_int(now)); none: NULL. */
#define DB_ARGS(...) (const struct db_value[]){ __VA_ARGS__, { .kind = DB_END } }
/* clang-format on */

/*
 * A statement that gives no rows; sql is a literal (statements are kept by its address). Outside a
 * transaction it is one of its own. Fails with CONFLICT (a constraint) or STORE.
 */
int db_run(struct db *db, const char *sql, const struct db_value *args, struct err *e);

/* As db_run(), and says how many rows it changed. */
int db_change(struct db *db, const char *sql, const struct db_value *args, int64_t *ret_changed,
	      struct err *e);

/*
 * A query. db_next() returns 1 for a row, 0 at the end, or a negative code. Columns are borrowed
 * until the next row. Close the rows soon: there are few connections, and in a transaction this is
 * the one that writes.
 */
int db_query(struct db *db, const char *sql, const struct db_value *args, struct db_rows **ret_rows,
	     struct err *e);
int db_next(struct db_rows *rows, struct err *e);
void db_rows_close(struct db_rows *rows);
static inline void db_rows_closep(struct db_rows **rows)
{
	db_rows_close(*rows);
}

int64_t db_get_int(const struct db_rows *rows, int column);
const char *db_get_text(const struct db_rows *rows, int column); /* NULL for SQL's NULL */
/* Of a db_secret(), or of a text from before there was a key. NULL too: sealed with another key. */
const char *db_get_secret(const struct db_rows *rows, int column);
bool db_is_null(const struct db_rows *rows, int column);

/*
 * A transaction of this thread: nobody else's statements run between begin and commit. Always ended
 * by exactly one of the two; not nested. Keep it short: other writers wait.
 */
int db_begin(struct db *db, struct err *e);
int db_commit(struct db *db, struct err *e);
void db_rollback(struct db *db);

#endif
