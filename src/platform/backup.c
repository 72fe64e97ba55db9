/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/main.h"

#include "base/buf.h"
#include "base/claim.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "db/db.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

/* `ctfy backup` and `ctfy restore`: the platform's database into a file, and back. */

#define BACKUP_OPTIONS(ROW)                                                                   \
	ROW(state, STRING, "DIR", NULL, "The platform's --state; of ctfy up, its platform/.") \
	ROW(help, FLAG, NULL, NULL, "Show this help.")

struct backup_options {
	BACKUP_OPTIONS(OPTION_MEMBER)
};

/* clang-format off */
#define ROW(...) OPTION_ROW(struct backup_options, __VA_ARGS__)
static const struct option_row rows[] = { BACKUP_OPTIONS(ROW) { .name = NULL } };
#undef ROW
/* clang-format on */

struct task {
	const char *name, *usage, *words;
	int (*run)(const char *database, const char *file, const char *state, struct err *e);
};

static int back_up(const char *database, const char *file, const char *state, struct err *e)
{
	int r = db_copy(database, file, e);

	if (r == 0)
		printf("'%s' is a backup. Answers in it are sealed: keep '%s/answer-key' too, "
		       "elsewhere.\n",
		       file, state);
	return r;
}

#define ASIDE ".before-restore"

/* A file beside the database, by its suffix: "" is the database itself. */
static int set_aside(const char *database, const char *suffix, struct err *e)
{
	AUTO(char *, freep) path = strf("%s%s", database, suffix);
	AUTO(char *, freep) aside = strf("%s" ASIDE "%s", database, suffix);

	if (!path || !aside)
		return err_memory(e);
	if (rename(path, aside) < 0 && errno != ENOENT)
		return err_errno(e, ERR_STORE, "put '%s' aside", path);
	return 0;
}

static int remove_beside(const char *database, const char *suffix, struct err *e)
{
	AUTO(char *, freep) path = strf("%s%s", database, suffix);

	if (!path)
		return err_memory(e);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_errno(e, ERR_STORE, "remove '%s'", path);
	return 0;
}

/*
 * A platform that was killed has left a log, which SQLite finds by its name: it stays beside its
 * database. One of an earlier restore is not to be taken for it; but where the database is gone, a
 * restore was cut short, and the log that lies there is the right one.
 */
static int set_old_aside(const char *database, struct err *e)
{
	int r = 0;

	if (file_exists(database))
		r = remove_beside(database, ASIDE "-wal", e);
	if (r == 0)
		r = set_aside(database, "", e);
	if (r == 0)
		r = set_aside(database, "-wal", e);
	if (r == 0)
		r = remove_beside(database, "-shm", e);
	return r < 0 ? r : remove_beside(database, ASIDE "-shm", e);
}

static int restore(const char *database, const char *file, const char *state, struct err *e)
{
	AUTO(char *, freep) fresh = strf("%s.restored", database);
	AUTO(char *, freep) aside = strf("%s" ASIDE, database);
	AUTO(int, closep) claim = -1;
	int r;

	if (!fresh || !aside)
		return err_memory(e);
	r = dir_make(state, 0700, e);
	if (r == 0)
		r = claim_dir(state, &claim, e);
	if (r < 0)
		return err_wrap(e, "the platform has to be stopped");
	unlink(fresh); /* of a restore that was cut short */
	r = db_copy(file, fresh, e);
	if (r == 0)
		r = set_old_aside(database, e);
	if (r == 0 && rename(fresh, database) < 0)
		r = err_errno(e, ERR_STORE, "rename '%s'", fresh);
	if (r == 0 && file_exists(aside)) /* also of a restore that was cut short */
		printf("Restored. What was there is in '%s'.\n", aside);
	else if (r == 0)
		puts("Restored.");
	return r;
}

static int run(const struct task *task, int argc, char **argv)
{
	struct backup_options options;
	char database[PATH_MAX];
	struct err e = ERR_INIT;
	int rest;

	if (options_parse(rows, &options, argc, argv, &rest, &e) < 0) {
		fprintf(stderr, "ctfy %s: %s\n", task->name, e.msg);
		return 2;
	}
	if (options.help || rest != 1 || !options.state) {
		fprintf(options.help ? stdout : stderr, "Usage: ctfy %s %s\n\n%s\n", task->name,
			task->usage, task->words);
		options_help(rows, options.help ? stdout : stderr);
		return options.help ? 0 : 2;
	}
	snprintf(database, sizeof(database), "%s/platform.db", options.state);
	if (task->run(database, argv[1], options.state, &e) == 0)
		return 0;
	fprintf(stderr, "ctfy %s: %s\n", task->name, e.msg);
	return 1;
}

int platform_backup_main(int argc, char **argv)
{
	static const struct task task = { "backup", "--state DIR FILE",
					  "Copies the database into a new file, while the platform "
					  "runs.",
					  back_up };

	return run(&task, argc, argv);
}

int platform_restore_main(int argc, char **argv)
{
	static const struct task task = { "restore", "--state DIR FILE",
					  "Puts a backup in the database's place; the platform has "
					  "to be stopped.",
					  restore };

	return run(&task, argc, argv);
}
