/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A query's rows into an array of structs that lives in an arena.
 */
#ifndef PLATFORM_ROWS_H
#define PLATFORM_ROWS_H

#include "db/db.h"

#include <stddef.h>

struct arena;
struct err;

/* Makes the whole struct from the present row. */
typedef void rows_read(const struct db_rows *rows, struct arena *arena, void *ret_struct);

/* Every row, in order; ret_array points to ret_count structs of `size` bytes. */
int rows_all(struct db *db, struct arena *arena, const char *sql, const struct db_value *args,
	     rows_read *read, size_t size, void *ret_array, size_t *ret_count, struct err *e);

/* The one row there should be. Fails with NOT_FOUND: "there is no such WHAT". */
int rows_one(struct db *db, struct arena *arena, const char *sql, const struct db_value *args,
	     rows_read *read, void *ret_struct, const char *what, struct err *e);

/* The first row's first column; 0 where there is no row. */
int rows_count(struct db *db, const char *sql, const struct db_value *args, int64_t *ret_count,
	       struct err *e);

/* Ends a transaction: commits where r is 0, rolls back and returns r otherwise. */
int rows_end(struct db *db, int r, struct err *e);

#endif
