/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "db/db.h"
#include "platform/main.h"
#include "platform/schema.h"

#include "platform-world.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What lies on the disk: sealed answers, their key, backups. */

static const char *in_state(const struct world *w, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", w->state, name);
	return path;
}

static bool file_has(const char *path, const char *words)
{
	AUTO(char *, freep) bytes = NULL;
	struct err e = ERR_INIT;
	size_t len;

	if (!file_exists(path))
		return false;
	CHECK_EQ(file_read(path, 64 << 20, &bytes, &len, &e), 0);
	return memmem(bytes, len, words, strlen(words)) != NULL;
}

static bool store_has(const struct world *w, const char *words)
{
	return file_has(in_state(w, "platform.db"), words) ||
	       file_has(in_state(w, "platform.db-wal"), words);
}

static bool is_listed(struct world *w, const char *words)
{
	return strstr(call(w, w->alice, "GET", "/submissions", NULL, NULL)->body.data, words);
}

TEST(no_answer_is_on_disk_in_clear_and_all_are_known)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const char *at;
	char own[128];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	at = strstr(node.last_body, "flag{");
	CHECK(at);
	snprintf(own, sizeof(own), "%.*s", (int)strcspn(at, "\""), at);
	CHECK_STR(text(answer(&w, w.alice, "web", own), "verdict"), "correct");
	CHECK_STR(text(answer(&w, w.alice, "quiz", "Reykjavik"), "verdict"), "wrong");
	CHECK(is_listed(&w, own));
	CHECK(!store_has(&w, own));
	CHECK(!store_has(&w, "Reykjavik"));
	end_platform(&w);
	begin_platform(&w);
	CHECK(is_listed(&w, own));
}

static void in_store(const struct world *w, const char *const *statements)
{
	struct db *db;
	struct err e = ERR_INIT;

	CHECK_EQ(schema_open(in_state(w, "platform.db"), &db, &e), 0);
	for (; *statements; statements++)
		CHECK_EQ(db_run(db, *statements, NULL, &e), 0);
	db_close(db);
}

TEST(what_was_kept_in_clear_is_sealed_at_the_next_start)
{
	static const char *const before[] = { "DELETE FROM vault",
					      "UPDATE submission SET answer = 'Reykjavik'", NULL };
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	end_platform(&w);
	in_store(&w, before);
	begin_platform(&w);
	CHECK(is_listed(&w, "Reykjavik"));
	CHECK_EQ(access(in_state(&w, "answer-key"), R_OK), 0);
}

static void check_refused(struct world *w, const char *words)
{
	struct platform_daemon *daemon = NULL;
	struct err e = ERR_INIT;

	CHECK(platform_daemon_new(&w->options, &daemon, &e) < 0);
	CHECK_HAS(e.msg, words);
}

TEST(without_its_key_or_with_another_a_platform_does_not_start)
{
	static const char other[] =
		"0000000000000000000000000000000000000000000000000000000000000000\n";
	AUTO(char *, freep) key = NULL;
	AUTO(struct world, end_platform) w;
	struct err e = ERR_INIT;

	begin_world(&w);
	end_platform(&w);
	CHECK_EQ(file_read(in_state(&w, "answer-key"), 1000, &key, NULL, &e), 0);
	CHECK_EQ(unlink(in_state(&w, "answer-key")), 0);
	check_refused(&w, "is missing");
	CHECK_EQ(file_write(in_state(&w, "answer-key"), other, strlen(other), 0600, &e), 0);
	check_refused(&w, "is not the key of this database");
	CHECK_EQ(file_write(in_state(&w, "answer-key"), "x\n", 2, 0600, &e), 0);
	check_refused(&w, "holds no key");
	CHECK_EQ(file_write(in_state(&w, "answer-key"), key, strlen(key), 0600, &e), 0);
	begin_platform(&w);
}

TEST(a_database_that_is_gone_beside_its_key_is_no_new_platform)
{
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	end_platform(&w);
	w.daemon = NULL;
	w.http = NULL;
	w.document = NULL;
	CHECK_EQ(unlink(in_state(&w, "platform.db")), 0);
	check_refused(&w, "restore it (ctfy restore), mount what it is on, or begin anew with "
			  "--new-database");
	CHECK(access(in_state(&w, "platform.db"), F_OK) < 0);
	w.options.new_database = true;
	begin_platform(&w);
	EXPECT(call(&w, NULL, "GET", "/competitions", NULL, NULL), 200);
}

static int run(int (*command)(int, char **), struct world *w, char *file)
{
	char name[] = "command", option[] = "--state";
	char *argv[] = { name, option, w->state, file, NULL };

	return command(4, argv);
}

TEST(a_backup_of_a_running_platform_is_restored_into_a_stopped_one)
{
	AUTO(struct world, end_platform) w;
	char file[PATH_MAX];

	begin_world(&w);
	snprintf(file, sizeof(file), "%s", in_state(&w, "backup"));
	EXPECT(answer(&w, w.alice, "quiz", "Oslo"), 201);
	CHECK_EQ(run(platform_backup_main, &w, file), 0);
	CHECK_EQ(run(platform_backup_main, &w, file), 1); /* never over another */
	EXPECT(answer(&w, w.alice, "quiz", "Rome"), 201);
	CHECK_EQ(run(platform_restore_main, &w, file), 1); /* it runs */
	CHECK(is_listed(&w, "Rome"));
	end_platform(&w);
	CHECK_EQ(run(platform_restore_main, &w, file), 0);
	begin_platform(&w);
	CHECK(is_listed(&w, "Oslo"));
	CHECK(!is_listed(&w, "Rome"));
	CHECK(!file_has(file, "Oslo"));
}

/* As kill -9 leaves a database: what was written last is in the log beside it. */
static void copy_as_killed(const struct world *w, const char *to)
{
	static const char *const files[] = { "platform.db", "platform.db-wal" };
	char from_path[PATH_MAX], to_path[PATH_MAX];
	struct err e = ERR_INIT;
	int fd;

	CHECK_EQ(dir_make(to, 0700, &e), 0);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(from_path, sizeof(from_path), "%s", in_state(w, files[i]));
		snprintf(to_path, sizeof(to_path), "%s/%s", to, files[i]);
		fd = open(from_path, O_RDONLY);
		CHECK_EQ(tree_copy(fd, to_path, &e), 0);
		close(fd);
	}
}

static bool has_submission(const char *path)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	struct err e = ERR_INIT;
	struct db *db;
	bool has;

	CHECK_EQ(schema_open(path, &db, &e), 0);
	CHECK_EQ(db_query(db, "SELECT id FROM submission", NULL, &rows, &e), 0);
	has = db_next(rows, &e) == 1;
	db_rows_close(TAKE(rows));
	db_close(db);
	return has;
}

TEST(what_a_restore_puts_aside_is_whole)
{
	AUTO(struct world, end_platform) w;
	struct world killed = { .daemon = NULL };
	char file[PATH_MAX], aside[PATH_MAX];

	begin_world(&w);
	snprintf(file, sizeof(file), "%s", in_state(&w, "backup"));
	CHECK_EQ(run(platform_backup_main, &w, file), 0);
	EXPECT(answer(&w, w.alice, "quiz", "Rome"), 201);
	snprintf(killed.state, sizeof(killed.state), "%.140s/killed", w.state);
	snprintf(aside, sizeof(aside), "%s", in_state(&killed, "platform.db.before-restore"));
	copy_as_killed(&w, killed.state);
	CHECK_EQ(run(platform_restore_main, &killed, file), 0);
	CHECK(has_submission(aside));
	CHECK(!has_submission(in_state(&killed, "platform.db")));

	/* The next one has no log, and an older one's is not its own. */
	copy_as_killed(&w, killed.state);
	CHECK_EQ(run(platform_restore_main, &killed, file), 0);
	CHECK_EQ(run(platform_restore_main, &killed, file), 0);
	CHECK(!has_submission(aside));
}

TEST(what_is_no_backup_is_not_restored)
{
	AUTO(struct world, end_platform) w;
	char file[PATH_MAX];
	struct err e = ERR_INIT;

	begin_world(&w);
	snprintf(file, sizeof(file), "%s", in_state(&w, "backup"));
	end_platform(&w);
	CHECK_EQ(file_write(file, "no database", 11, 0600, &e), 0);
	CHECK_EQ(run(platform_restore_main, &w, file), 1);
	begin_platform(&w);
	EXPECT(call(&w, w.alice, "GET", "/me", NULL, NULL), 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_database_that_is_gone_beside_its_key_is_no_new_platform),
		T(no_answer_is_on_disk_in_clear_and_all_are_known),
		T(what_was_kept_in_clear_is_sealed_at_the_next_start),
		T(without_its_key_or_with_another_a_platform_does_not_start),
		T(a_backup_of_a_running_platform_is_restored_into_a_stopped_one),
		T(what_a_restore_puts_aside_is_whole),
		T(what_is_no_backup_is_not_restored),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
