/* SPDX-License-Identifier: Apache-2.0 */
#include "db/connection.h"

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { BUSY_TIMEOUT_MS = 10000 };

int connection_error(const struct connection *c, struct err *e)
{
	int code = sqlite3_errcode(c->sqlite);
	const char *words = sqlite3_errmsg(c->sqlite);

	return err_set(e, code == SQLITE_CONSTRAINT ? ERR_CONFLICT : ERR_STORE, "store: %s", words);
}

int connection_script(struct connection *c, const char *sql, struct err *e)
{
	return sqlite3_exec(c->sqlite, sql, NULL, NULL, NULL) == SQLITE_OK ? 0
									   : connection_error(c, e);
}

int connection_open(struct connection *c, const char *path, const char *settings, struct err *e)
{
	if (sqlite3_open_v2(path, &c->sqlite,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return connection_error(c, e);
	sqlite3_busy_timeout(c->sqlite, BUSY_TIMEOUT_MS);
	return connection_script(c, settings, e);
}

void connection_close(struct connection *c)
{
	for (size_t i = 0; i < STATEMENTS_MAX; i++)
		sqlite3_finalize(c->statements[i].stmt);
	sqlite3_close(c->sqlite);
}

int statement_get(struct connection *c, const char *sql, struct statement **ret,
		  sqlite3_stmt **ret_stmt, struct err *e)
{
	size_t start = ((uintptr_t)sql >> 3) % STATEMENTS_MAX;
	struct statement *found = NULL;

	for (size_t i = 0; i < STATEMENTS_MAX; i++) {
		struct statement *s = &c->statements[(start + i) % STATEMENTS_MAX];

		if (s->sql == sql || !s->sql) {
			found = s;
			break;
		}
	}
	if (found && found->sql && !found->in_use) {
		found->in_use = true;
		*ret = found;
		*ret_stmt = found->stmt;
		return 0;
	}
	if (sqlite3_prepare_v3(c->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, ret_stmt, NULL) !=
	    SQLITE_OK)
		return connection_error(c, e);
	*ret = NULL;
	if (found && !found->sql) {
		*found = (struct statement){ .sql = sql, .stmt = *ret_stmt, .in_use = true };
		*ret = found;
	}
	return 0;
}

void statement_put(struct statement *s, sqlite3_stmt *stmt)
{
	if (!s) {
		sqlite3_finalize(stmt);
		return;
	}
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	s->in_use = false;
}
