/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/rows.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"

#include <string.h>

static int grow(struct arena *arena, char **array, size_t *room, size_t count, size_t size,
		struct err *e)
{
	size_t wanted = *room ? 2 * *room : 16;
	char *bigger;

	if (count < *room)
		return 0;
	bigger = arena_array(arena, wanted, size);
	if (!bigger)
		return err_memory(e);
	if (count > 0)
		memcpy(bigger, *array, count * size);
	*array = bigger;
	*room = wanted;
	return 0;
}

int rows_all(struct db *db, struct arena *arena, const char *sql, const struct db_value *args,
	     rows_read *read, size_t size, void *ret_array, size_t *ret_count, struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	size_t room = 0, count = 0;
	char *array = NULL;
	int r;

	r = db_query(db, sql, args, &rows, e);
	if (r < 0)
		return r;
	while ((r = db_next(rows, e)) > 0) {
		r = grow(arena, &array, &room, count, size, e);
		if (r < 0)
			return r;
		read(rows, arena, array + count * size);
		count++;
	}
	if (r < 0)
		return r;
	if (arena_failed(arena))
		return err_memory(e);
	memcpy(ret_array, &array, sizeof(array));
	*ret_count = count;
	return 0;
}

int rows_one(struct db *db, struct arena *arena, const char *sql, const struct db_value *args,
	     rows_read *read, void *ret_struct, const char *what, struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	r = db_query(db, sql, args, &rows, e);
	if (r < 0)
		return r;
	r = db_next(rows, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such %s", what);
	read(rows, arena, ret_struct);
	return arena_failed(arena) ? err_memory(e) : 0;
}

int rows_count(struct db *db, const char *sql, const struct db_value *args, int64_t *ret_count,
	       struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	r = db_query(db, sql, args, &rows, e);
	if (r < 0)
		return r;
	r = db_next(rows, e);
	if (r < 0)
		return r;
	*ret_count = r > 0 ? db_get_int(rows, 0) : 0;
	return 0;
}

int rows_end(struct db *db, int r, struct err *e)
{
	if (r < 0) {
		db_rollback(db);
		return r;
	}
	return db_commit(db, e);
}
