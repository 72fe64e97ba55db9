/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a database's file, with the statements that were prepared on it. One thread at
 * a time has it; which one, is its owner's business.
 */
#ifndef DB_CONNECTION_H
#define DB_CONNECTION_H

#include <sqlite3.h>
#include <stdbool.h>

struct err;

enum { STATEMENTS_MAX = 256 };

struct statement {
	const char *sql; /* the literal it was prepared from */
	sqlite3_stmt *stmt;
	bool in_use;
};

struct connection {
	sqlite3 *sqlite;
	struct statement statements[STATEMENTS_MAX];
};

/* Into a zeroed struct; connection_close() is due whatever happens. Fails with STORE. */
int connection_open(struct connection *connection, const char *path, const char *settings,
		    struct err *e);
void connection_close(struct connection *connection);

/* SQLite's words. Fails with CONFLICT (a constraint) or STORE. */
int connection_error(const struct connection *connection, struct err *e);

/* SQL that gives no rows and is run once. */
int connection_script(struct connection *connection, const char *sql, struct err *e);

/*
 * The prepared statement of a literal: one that is kept, or a new one that then is; ret is NULL
 * where there is no room for it. statement_put() takes both back.
 */
int statement_get(struct connection *connection, const char *sql, struct statement **ret,
		  sqlite3_stmt **ret_stmt, struct err *e);
void statement_put(struct statement *statement, sqlite3_stmt *stmt);

#endif
