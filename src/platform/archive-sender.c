/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/archive-sender.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "platform/rows.h"
#include "platform/s3.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum {
	IDLE_MS = 60 * 1000,
	FIRST_PAUSE_MS = 1000,
	LONGEST_PAUSE_MS = 60 * 1000,
};

static const int64_t day_ms = 24 * 60 * 60 * 1000;

struct archive_sender {
	struct archive_sender_options options;
	pthread_t thread;
	bool runs;
	int64_t pause_ms; /* after a failure; 0: the last round went well */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool kicked, ending;
};

/* An archive that has something to be done about it. */
struct task {
	char *copy_id;
	char *objects; /* JSON; NULL: it is on our disk */
};

static void read_task(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct task *task = ret_struct;

	task->copy_id = arena_strdup(arena, db_get_text(rows, 0));
	task->objects = arena_strdup(arena, db_get_text(rows, 1));
}

static int place_of(const struct archive_sender *sender, const char *copy_id, const char *file,
		    char path[PATH_MAX], struct err *e)
{
	if (snprintf(path, PATH_MAX, "%s/%s/%s", sender->options.dir, copy_id, file) >= PATH_MAX)
		return err_set(e, ERR_INTERNAL, "'%s' is too long a path", sender->options.dir);
	return 0;
}

static int remove_place(const struct archive_sender *sender, const char *copy_id, struct err *e)
{
	char path[PATH_MAX];
	int r = place_of(sender, copy_id, "", path, e);

	return r < 0 ? r : tree_remove(path, e);
}

/* Calls act with the name of each entry of a directory that may not be there. */
static int each_entry(struct archive_sender *sender, const char *path,
		      int (*act)(struct archive_sender *sender, const char *name, void *cookie,
				 struct err *e),
		      void *cookie, struct err *e)
{
	AUTO(DIR *, closedirp) dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(e, ERR_INTERNAL, "read '%s'", path);
	while (r == 0 && (errno = 0, entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			r = act(sender, entry->d_name, cookie, e);
	if (r == 0 && errno)
		r = err_errno(e, ERR_INTERNAL, "read '%s'", path);
	return r;
}

/* Sending */

struct parcel {
	const char *copy_id;
	json_t *objects;
};

static int send_file(struct archive_sender *sender, const char *name, void *cookie, struct err *e)
{
	struct parcel *parcel = cookie;
	AUTO(char *, freep) key = strf("%s/%s", parcel->copy_id, name);
	AUTO(int, closep) fd = -1;
	struct s3_object object;
	char path[PATH_MAX];
	int r;

	if (!key)
		return err_memory(e);
	r = place_of(sender, parcel->copy_id, name, path, e);
	if (r < 0)
		return r;
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, ERR_INTERNAL, "open '%s'", path);
	r = s3_put(sender->options.s3, key, fd, &object, e);
	if (r == 0 &&
	    json_array_append_new(parcel->objects,
				  json_make("{s:s, s:I, s:s}", "name", name, "size",
					    (json_int_t)object.size, "sha256", object.sha256)) < 0)
		r = err_memory(e);
	return r;
}

static int tell_sent(const struct archive_sender *sender, const struct parcel *parcel,
		     struct err *e)
{
	AUTO(char *, freep) objects = json_dumps(parcel->objects, JSON_COMPACT);

	if (!objects)
		return err_memory(e);
	return db_run(sender->options.db,
		      "UPDATE archive SET objects = ?, detail = NULL WHERE copy_id = ?",
		      DB_ARGS(db_text(objects), db_text(parcel->copy_id)), e);
}

static int send_archive(struct archive_sender *sender, const char *copy_id, struct err *e)
{
	AUTO(json_t *, json_decrefp) objects = json_array();
	struct parcel parcel = { copy_id, objects };
	char path[PATH_MAX];
	int r;

	if (!objects)
		return err_memory(e);
	r = place_of(sender, copy_id, "", path, e);
	if (r == 0)
		r = each_entry(sender, path, send_file, &parcel, e);
	if (r == 0)
		r = tell_sent(sender, &parcel, e);
	return r < 0 ? r : remove_place(sender, copy_id, e);
}

/* Behind those that were tried less often: one that can't be sent keeps no other from it. */
static int tell_unsent(const struct archive_sender *sender, const char *copy_id,
		       const struct err *failed, struct err *e)
{
	return db_run(sender->options.db,
		      "UPDATE archive SET sends = sends + 1, detail = ? WHERE copy_id = ?"
		      " AND objects IS NULL",
		      DB_ARGS(db_text(failed->msg), db_text(copy_id)), e);
}

/* Returns whether there was one. */
static int send_next(struct archive_sender *sender, struct arena *arena, struct err *e)
{
	struct err lost = ERR_INIT;
	struct task *tasks;
	size_t count;
	int r;

	r = rows_all(sender->options.db, arena,
		     "SELECT copy_id, objects FROM archive WHERE status = 'kept'"
		     " AND objects IS NULL ORDER BY sends, owed_at LIMIT 1",
		     NULL, read_task, sizeof(*tasks), &tasks, &count, e);
	if (r < 0 || count == 0)
		return r;
	r = send_archive(sender, tasks[0].copy_id, e);
	if (r < 0 && tell_unsent(sender, tasks[0].copy_id, e, &lost) < 0)
		log_error("archive of '%s': %s", tasks[0].copy_id, lost.msg);
	return r < 0 ? r : 1;
}

/* Removing */

static int delete_object(struct archive_sender *sender, const char *name, void *cookie,
			 struct err *e)
{
	AUTO(char *, freep) key = strf("%s/%s", (const char *)cookie, name);

	return key ? s3_delete(sender->options.s3, key, e) : err_memory(e);
}

static int delete_objects(struct archive_sender *sender, const struct task *task, struct err *e)
{
	AUTO(json_t *, json_decrefp) objects = json_loads(task->objects, 0, NULL);
	json_t *object;
	size_t i;
	int r = 0;

	json_array_foreach (objects, i, object) {
		const char *name = json_string_value(json_object_get(object, "name"));

		if (r == 0 && name)
			r = delete_object(sender, name, task->copy_id, e);
	}
	return r;
}

/* One that is on our disk yet may be on the storage in part. */
static int expire(struct archive_sender *sender, const struct task *task, struct err *e)
{
	char path[PATH_MAX];
	int r = place_of(sender, task->copy_id, "", path, e);

	if (r == 0)
		r = task->objects ? delete_objects(sender, task, e)
				  : each_entry(sender, path, delete_object, task->copy_id, e);
	if (r == 0)
		r = remove_place(sender, task->copy_id, e);
	if (r == 0)
		r = db_run(sender->options.db, "DELETE FROM archive WHERE copy_id = ?",
			   DB_ARGS(db_text(task->copy_id)), e);
	return r;
}

/* Returns whether there was one. */
static int expire_next(struct archive_sender *sender, struct arena *arena, struct err *e)
{
	const struct archive_sender_options *options = &sender->options;
	struct task *tasks;
	size_t count;
	int r;

	if (options->days == 0)
		return 0;
	r = rows_all(options->db, arena,
		     "SELECT copy_id, objects FROM archive WHERE status <> 'owed' AND owed_at < ?"
		     " ORDER BY owed_at LIMIT 1",
		     DB_ARGS(db_int(clock_now_ms(options->clock) - options->days * day_ms)),
		     read_task, sizeof(*tasks), &tasks, &count, e);
	if (r == 0 && count > 0)
		r = expire(sender, &tasks[0], e);
	return r < 0 ? r : count > 0;
}

/* What had been sent when we were killed. */
static int remove_if_sent(struct archive_sender *sender, const char *copy_id, void *cookie,
			  struct err *e)
{
	int64_t sent;
	int r;

	(void)cookie;
	r = rows_count(sender->options.db,
		       "SELECT COUNT(*) FROM archive WHERE copy_id = ? AND objects IS NOT NULL",
		       DB_ARGS(db_text(copy_id)), &sent, e);
	return r < 0 || sent == 0 ? r : remove_place(sender, copy_id, e);
}

/* The thread */

static void tell_failure(struct archive_sender *sender, const struct err *e)
{
	if (sender->pause_ms == 0)
		log_warn("archives wait on our disk: %s; trying again", e->msg);
	sender->pause_ms = sender->pause_ms == 0 ? FIRST_PAUSE_MS : 2 * sender->pause_ms;
	if (sender->pause_ms > LONGEST_PAUSE_MS)
		sender->pause_ms = LONGEST_PAUSE_MS;
}

static void tell_success(struct archive_sender *sender)
{
	if (sender->pause_ms > 0)
		log_info("archive storage takes archives again");
	sender->pause_ms = 0;
}

/* Returns for how long there is nothing to do. */
static int64_t do_next(struct archive_sender *sender)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct err e = ERR_INIT;
	int sent, expired;

	if (!arena)
		return FIRST_PAUSE_MS;
	sent = send_next(sender, arena, &e);
	expired = expire_next(sender, arena, &e);
	if (sent < 0 || expired < 0)
		tell_failure(sender, &e);
	else if (sent > 0 || expired > 0)
		tell_success(sender);
	return sender->pause_ms > 0 ? sender->pause_ms : sent > 0 || expired > 0 ? 0 : IDLE_MS;
}

/* False: it is to end. A kick tells nothing new while the storage refuses. */
static bool wait_for(struct archive_sender *sender, int64_t ms)
{
	struct timespec until;
	bool ending;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	pthread_mutex_lock(&sender->lock);
	while (!sender->ending && ms > 0 && !(sender->kicked && sender->pause_ms == 0))
		if (pthread_cond_timedwait(&sender->wake, &sender->lock, &until) == ETIMEDOUT)
			break;
	sender->kicked = false;
	ending = sender->ending;
	pthread_mutex_unlock(&sender->lock);
	return !ending;
}

static void *run(void *cookie)
{
	struct archive_sender *sender = cookie;
	struct err e = ERR_INIT;
	int64_t pause = 0;

	if (each_entry(sender, sender->options.dir, remove_if_sent, NULL, &e) < 0)
		log_error("archives that were sent are still on our disk: %s", e.msg);
	while (wait_for(sender, pause))
		pause = do_next(sender);
	return NULL;
}

static void archive_sender_freep(struct archive_sender **sender)
{
	archive_sender_free(*sender);
}

int archive_sender_new(const struct archive_sender_options *options,
		       struct archive_sender **ret_sender, struct err *e)
{
	AUTO(struct archive_sender *, archive_sender_freep) sender = calloc(1, sizeof(*sender));

	if (!sender)
		return err_memory(e);
	sender->options = *options;
	pthread_mutex_init(&sender->lock, NULL);
	cond_init_monotonic(&sender->wake);
	if (pthread_create(&sender->thread, NULL, run, sender) != 0)
		return err_set(e, ERR_INTERNAL, "no thread to be had");
	sender->runs = true;
	*ret_sender = TAKE(sender);
	return 0;
}

void archive_sender_free(struct archive_sender *sender)
{
	if (!sender)
		return;
	pthread_mutex_lock(&sender->lock);
	sender->ending = true;
	pthread_cond_signal(&sender->wake);
	pthread_mutex_unlock(&sender->lock);
	if (sender->runs)
		pthread_join(sender->thread, NULL);
	pthread_cond_destroy(&sender->wake);
	pthread_mutex_destroy(&sender->lock);
	free(sender);
}

void archive_sender_kick(struct archive_sender *sender)
{
	pthread_mutex_lock(&sender->lock);
	sender->kicked = true;
	pthread_cond_signal(&sender->wake);
	pthread_mutex_unlock(&sender->lock);
}
