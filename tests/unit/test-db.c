/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "db/db.h"

#include "check.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const migrations[] = {
	"CREATE TABLE pet (name TEXT PRIMARY KEY, legs INTEGER NOT NULL)",
	NULL,
};

static char dir[] = "/tmp/ctfy-test-db-XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/test.db", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return tree_remove(dir, NULL);
}

static int64_t count(struct db *db)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	struct err e = ERR_INIT;

	CHECK_EQ(db_query(db, "SELECT COUNT(*) FROM pet", NULL, &rows, &e), 0);
	CHECK_EQ(db_next(rows, &e), 1);
	return db_get_int(rows, 0);
}

static int add(struct db *db, const char *name, struct err *e)
{
	return db_run(db, "INSERT INTO pet (name, legs) VALUES (?, ?)",
		      DB_ARGS(db_text(name), db_int(4)), e);
}

TEST(a_constraint_is_a_conflict_and_changes_nothing)
{
	AUTO(struct db *, db_closep) db = NULL;
	struct err e = ERR_INIT;

	CHECK_EQ(db_open(path, migrations, &db, &e), 0);
	CHECK_EQ(add(db, "Rex", &e), 0);
	CHECK_EQ(add(db, "Rex", &e), -ERR_CONFLICT);
	CHECK_HAS(e.msg, "pet.name");
	CHECK_EQ(count(db), 1);
}

TEST(a_rollback_leaves_no_trace)
{
	AUTO(struct db *, db_closep) db = NULL;
	struct err e = ERR_INIT;

	CHECK_EQ(db_open(path, migrations, &db, &e), 0);
	CHECK_EQ(db_begin(db, &e), 0);
	CHECK_EQ(add(db, "Ben", &e), 0);
	CHECK_EQ(count(db), 2);
	db_rollback(db);
	CHECK_EQ(count(db), 1);
}

TEST(a_newer_schema_is_refused)
{
	AUTO(struct db *, db_closep) db = NULL;
	static const char *const none[] = { NULL };
	struct err e = ERR_INIT;

	CHECK_EQ(db_open(path, none, &db, &e), -ERR_STORE);
	CHECK_HAS(e.msg, "newer ctfy");
}

struct writer {
	struct db *db;
	int number;
};

static void *write_many(void *cookie)
{
	struct writer *w = cookie;
	struct err e = ERR_INIT;
	char name[32];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "w%d-%d", w->number, i);
		if (add(w->db, name, &e) < 0)
			return w;
		/* A refused one among them must not hurt its neighbours in the batch. */
		if (add(w->db, name, &e) != -ERR_CONFLICT)
			return w;
	}
	return NULL;
}

TEST(writers_at_once_lose_nothing)
{
	AUTO(struct db *, db_closep) db = NULL;
	struct writer writers[16];
	pthread_t threads[16];
	struct err e = ERR_INIT;
	int64_t before;

	CHECK_EQ(db_open(path, migrations, &db, &e), 0);
	before = count(db);
	for (int i = 0; i < 16; i++) {
		writers[i] = (struct writer){ db, i };
		CHECK_EQ(pthread_create(&threads[i], NULL, write_many, &writers[i]), 0);
	}
	for (int i = 0; i < 16; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		CHECK(!failed);
	}
	CHECK_EQ(count(db), before + 1600);
}

static void *count_apart(void *cookie)
{
	return (void *)(intptr_t)count(cookie);
}

static int64_t count_on_another_thread(struct db *db)
{
	pthread_t thread;
	void *counted;

	CHECK_EQ(pthread_create(&thread, NULL, count_apart, db), 0);
	pthread_join(thread, &counted);
	return (intptr_t)counted;
}

TEST(a_query_waits_for_no_writer_and_sees_only_what_is_committed)
{
	AUTO(struct db *, db_closep) db = NULL;
	struct err e = ERR_INIT;
	int64_t before;

	CHECK_EQ(db_open(path, migrations, &db, &e), 0);
	before = count(db);
	CHECK_EQ(db_begin(db, &e), 0);
	CHECK_EQ(add(db, "Tom", &e), 0);
	CHECK_EQ(count(db), before + 1);
	CHECK_EQ(count_on_another_thread(db), before);
	CHECK_EQ(db_commit(db, &e), 0);
	CHECK_EQ(count_on_another_thread(db), before + 1);
}

static void *count_while_reading(void *cookie)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	struct db *db = cookie;
	struct err e = ERR_INIT;

	for (int i = 0; i < 100; i++) {
		CHECK_EQ(db_query(db, "SELECT name FROM pet", NULL, &rows, &e), 0);
		CHECK_EQ(db_next(rows, &e), 1);
		CHECK(count(db) > 0);
		db_rows_close(TAKE(rows));
	}
	return NULL;
}

TEST(queries_within_queries_of_many_threads_dont_wait_for_each_other)
{
	AUTO(struct db *, db_closep) db = NULL;
	pthread_t threads[16];
	struct err e = ERR_INIT;

	CHECK_EQ(db_open(path, migrations, &db, &e), 0);
	for (int i = 0; i < 16; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, count_while_reading, db), 0);
	for (int i = 0; i < 16; i++)
		pthread_join(threads[i], NULL);
}

TEST(the_store_is_its_owners_alone)
{
	AUTO(struct db *, db_closep) db = NULL;
	struct err e = ERR_INIT;
	char open_to_all[80];
	struct stat st;

	snprintf(open_to_all, sizeof(open_to_all), "%s/public.db", dir);
	CHECK_EQ(file_write(open_to_all, "", 0, 0644, &e), 0);
	CHECK_EQ(db_open(open_to_all, migrations, &db, &e), 0);
	CHECK_EQ(stat(open_to_all, &st), 0);
	CHECK_EQ(st.st_mode & 0777, 0600);
}

TEST(no_text_of_the_store_is_anything_but_utf8)
{
	static const char *const old[] = {
		"CREATE TABLE pet (name TEXT PRIMARY KEY, legs INTEGER NOT NULL)",
		"INSERT INTO pet (name, legs) VALUES (CAST(X'41ff42' AS TEXT), 3)", NULL
	};
	AUTO(struct db *, db_closep) db = NULL;
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	struct err e = ERR_INIT;
	char other[80];

	snprintf(other, sizeof(other), "%s/old.db", dir);
	CHECK_EQ(db_open(other, old, &db, &e), 0);
	CHECK_EQ(add(db, "Re\xc3", &e), 0);
	CHECK_EQ(db_query(db, "SELECT name FROM pet ORDER BY legs", NULL, &rows, &e), 0);
	CHECK_EQ(db_next(rows, &e), 1);
	CHECK_STR(db_get_text(rows, 0), "A\xef\xbf\xbd"
					"B");
	CHECK_EQ(db_next(rows, &e), 1);
	CHECK_STR(db_get_text(rows, 0), "Re\xef\xbf\xbd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(the_store_is_its_owners_alone),
		T(no_text_of_the_store_is_anything_but_utf8),
		T(a_constraint_is_a_conflict_and_changes_nothing),
		T(a_rollback_leaves_no_trace),
		T(a_newer_schema_is_refused),
		T(writers_at_once_lose_nothing),
		T(a_query_waits_for_no_writer_and_sees_only_what_is_committed),
		T(queries_within_queries_of_many_threads_dont_wait_for_each_other),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
