/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform's store: its schema. Each noun keeps its own statements beside it.
 *
 * The SQL is what SQLite and PostgreSQL both take. Instants are Unix milliseconds, 0 for none;
 * ids are ours (random), except those of challenges and competitions, which their authors choose.
 */
#ifndef PLATFORM_SCHEMA_H
#define PLATFORM_SCHEMA_H

struct db;
struct err;

/* Opens or makes the database file and brings its schema up to date. Fails with STORE. */
int schema_open(const char *path, struct db **ret_db, struct err *e);

enum { ROW_ID_SIZE = 17 }; /* 16 random characters (80 bits) and a NUL */

#endif
