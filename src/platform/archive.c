/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/archive.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "http/call.h"
#include "platform/archive-sender.h"
#include "platform/instance.h"
#include "platform/node.h"
#include "platform/rows.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PART_TIMEOUT_S = 600,
	EXPIRE_AT_ONCE = 10,
};

static const int64_t day_ms = 24 * 60 * 60 * 1000;

struct archives {
	struct archives_options options;
	struct archive_sender *sender; /* NULL: they stay on our disk */
};

static void archives_freep(struct archives **archives)
{
	archives_free(*archives);
}

static int begin_sending(struct archives *archives, struct err *e)
{
	const struct archive_sender_options options = { .db = archives->options.db,
							.clock = archives->options.clock,
							.s3 = archives->options.s3,
							.dir = archives->options.dir,
							.days = archives->options.days };

	return archive_sender_new(&options, &archives->sender, e);
}

int archives_new(const struct archives_options *options, struct archives **ret_archives,
		 struct err *e)
{
	AUTO(struct archives *, archives_freep) archives = NULL;
	int r = options->days ? dir_make(options->dir, 0700, e) : 0;

	if (r < 0)
		return r;
	archives = calloc(1, sizeof(*archives));
	if (!archives)
		return err_memory(e);
	archives->options = *options;
	r = options->s3 ? begin_sending(archives, e) : 0;
	if (r < 0)
		return r;
	*ret_archives = TAKE(archives);
	return 0;
}

void archives_free(struct archives *archives)
{
	if (!archives)
		return;
	archive_sender_free(archives->sender);
	free(archives);
}

bool archives_want(const struct archives *archives, const struct instance *instance)
{
	return archives->options.days > 0 && instance->started_at > 0;
}

int archives_owe(struct archives *archives, const struct instance *instance, struct err *e)
{
	return db_run(archives->options.db,
		      "INSERT INTO archive (copy_id, instance_id, node_id, team_id, challenge_id,"
		      " status, tries, size, owed_at, archived_at)"
		      " VALUES (?, ?, ?, ?, ?, 'owed', 0, 0, ?, 0) ON CONFLICT DO NOTHING",
		      DB_ARGS(db_text(instance->copy_id), db_text(instance->id),
			      db_text(instance->node_id), db_text(instance->team_id),
			      db_text(instance->challenge_id),
			      db_int(clock_now_ms(archives->options.clock))),
		      e);
}

/* Fetching: one part after the other into a folder beside the archive's place */

struct fetch {
	const struct archives *archives;
	const char *copy_id;
	struct node *node;
	char dir[PATH_MAX];
	int64_t size;
};

typedef int fetch_part(const struct fetch *fetch, int fd, struct err *e);

/* A call of the SDK's: what the node has nothing of is no failure. */
static int ended(const struct fetch *fetch, int r, struct ctfy_error *error, struct err *e)
{
	bool absent = r < 0 && error->kind == CTFY_ERROR_NODE && error->status == 404;

	if (r < 0 && !absent)
		return nodes_failed(fetch->node, error, e);
	ctfy_error_done(error);
	return 0;
}

/* A node that is lost while it gives something must not keep what is to be stopped. */
static struct ctfy_call part_call(const struct fetch *fetch)
{
	return (struct ctfy_call){
		.timeout = PART_TIMEOUT_S,
		.idle_timeout = (double)fetch->archives->options.idle_timeout_ms / 1000,
		.body_max = UINT64_MAX,
	};
}

static int fetch_logs(const struct fetch *fetch, int fd, struct err *e)
{
	const struct ctfy_call call = part_call(fetch);
	struct ctfy_error error = CTFY_ERROR_INIT;
	int r = ctfy_node_get_container_logs_to_fd(nodes_client(fetch->node), fetch->copy_id, NULL,
						   fd, NULL, &call, &error);

	return ended(fetch, r, &error, e);
}

static int fetch_traffic(const struct fetch *fetch, int fd, struct err *e)
{
	const struct ctfy_traffic_query query = { .har = true };
	const struct ctfy_call call = part_call(fetch);
	struct ctfy_error error = CTFY_ERROR_INIT;
	int r = ctfy_node_get_traffic_to_fd(nodes_client(fetch->node), fetch->copy_id, &query, fd,
					    NULL, &call, &error);

	return ended(fetch, r, &error, e);
}

static int fetch_pcap(const struct fetch *fetch, int fd, struct err *e)
{
	const struct ctfy_call call = part_call(fetch);
	struct ctfy_error error = CTFY_ERROR_INIT;
	int r = ctfy_node_get_pcap_to_fd(nodes_client(fetch->node), fetch->copy_id, fd, NULL, &call,
					 &error);

	return ended(fetch, r, &error, e);
}

static int write_part(void *cookie, const void *bytes, size_t len, struct err *e)
{
	const int *fd = cookie;
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = write(*fd, at, len);

		if (n < 0 && errno != EINTR)
			return err_errno(e, ERR_INVALID, "write an archive");
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

/* Of our own nodes only: others answer 404, as for what they have nothing of. */
static int fetch_beside_contract(const struct fetch *fetch, const char *what, int fd, struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	char path[256];
	const struct http_call call = { .method = "GET",
					.path = path,
					.sink = write_part,
					.sink_cookie = &fd,
					.timeout_ms = PART_TIMEOUT_S * 1000,
					.idle_timeout_ms = fetch->archives->options.idle_timeout_ms,
					.max_body = UINT64_MAX };
	struct err failed = ERR_INIT;

	snprintf(path, sizeof(path), "/api/v1/instances/%s/%s", fetch->copy_id, what);
	if (http_call(nodes_wire(fetch->node), &call, &reply, &failed) < 0)
		return nodes_unreachable(fetch->node, &failed, e);
	if (reply.status == 404)
		return 0;
	return reply.status < 300 ? 0 : nodes_refused(&reply, e);
}

static int fetch_timeline(const struct fetch *fetch, int fd, struct err *e)
{
	return fetch_beside_contract(fetch, "timeline", fd, e);
}

static int fetch_bundle(const struct fetch *fetch, int fd, struct err *e)
{
	return fetch_beside_contract(fetch, "evidence", fd, e);
}

static const struct part {
	const char *name;
	fetch_part *fetch;
} parts[] = {
	{ "logs.txt", fetch_logs },           { "traffic.har", fetch_traffic },
	{ "capture.pcap", fetch_pcap },       { "timeline.json", fetch_timeline },
	{ "evidence.tar.zst", fetch_bundle },
};

/* Synced; removed where there is nothing of it. */
static int keep_part(struct fetch *fetch, const char *path, int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || (st.st_size == 0 && unlink(path) < 0) || fsync(fd) < 0)
		return err_errno(e, ERR_INVALID, "write '%s'", path);
	fetch->size += st.st_size;
	return 0;
}

static int take_part(struct fetch *fetch, const struct part *part, struct err *e)
{
	char path[PATH_MAX];
	AUTO(int, closep) fd = -1;
	int r;

	if (snprintf(path, sizeof(path), "%s/%s", fetch->dir, part->name) >= PATH_MAX)
		return err_set(e, ERR_INVALID, "'%s' is too long a path", fetch->dir);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, ERR_INVALID, "make '%s'", path);
	r = part->fetch(fetch, fd, e);
	return r < 0 ? r : keep_part(fetch, path, fd, e);
}

static int sync_dir(const char *path, struct err *e)
{
	AUTO(int, closep) fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return err_errno(e, ERR_INVALID, "sync '%s'", path);
	return 0;
}

static int place_of(const struct archives *archives, const char *copy_id, const char *suffix,
		    char path[PATH_MAX], struct err *e)
{
	if (snprintf(path, PATH_MAX, "%s/%s%s", archives->options.dir, copy_id, suffix) >= PATH_MAX)
		return err_set(e, ERR_INVALID, "'%s' is too long a path", archives->options.dir);
	return 0;
}

static int move_there(const struct fetch *fetch, const char *place, struct err *e)
{
	int r = sync_dir(fetch->dir, e);

	if (r == 0)
		r = tree_remove(place, e); /* one that nobody was told of */
	if (r < 0)
		return r;
	if (rename(fetch->dir, place) < 0)
		return err_errno(e, ERR_INVALID, "move '%s' to '%s'", fetch->dir, place);
	return sync_dir(fetch->archives->options.dir, e);
}

static int fetch_all(struct fetch *fetch, struct err *e)
{
	char place[PATH_MAX];
	int r;

	r = place_of(fetch->archives, fetch->copy_id, "", place, e);
	if (r == 0)
		r = place_of(fetch->archives, fetch->copy_id, ".part", fetch->dir, e);
	if (r == 0)
		r = tree_remove(fetch->dir, e); /* of a try that failed, or was killed */
	if (r == 0)
		r = dir_make(fetch->dir, 0700, e);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(parts); i++)
		r = take_part(fetch, &parts[i], e);
	return r < 0 ? r : move_there(fetch, place, e);
}

static int find_owed(const struct archives *archives, const char *copy_id, int64_t *ret_tries,
		     bool *ret_owed, struct err *e)
{
	AUTO(struct db_rows *, db_rows_closep) rows = NULL;
	int r;

	r = db_query(archives->options.db,
		     "SELECT tries FROM archive WHERE copy_id = ? AND status = 'owed'",
		     DB_ARGS(db_text(copy_id)), &rows, e);
	if (r == 0)
		r = db_next(rows, e);
	if (r < 0)
		return r;
	*ret_owed = r > 0;
	*ret_tries = *ret_owed ? db_get_int(rows, 0) : 0;
	return 0;
}

static int tell_failed(const struct archives *archives, const char *copy_id, int64_t tries,
		       const struct err *failed, struct err *e)
{
	return db_run(archives->options.db,
		      "UPDATE archive SET tries = ?, detail = ?, status = ? WHERE copy_id = ?",
		      DB_ARGS(db_int(tries), db_text(failed->msg),
			      db_text(tries < ARCHIVE_TRIES_MAX ? "owed" : "failed"),
			      db_text(copy_id)),
		      e);
}

static int tell_kept(const struct fetch *fetch, struct err *e)
{
	const struct archives_options *options = &fetch->archives->options;
	int r;

	r = db_run(options->db,
		   "UPDATE archive SET status = 'kept', detail = NULL, size = ?,"
		   " archived_at = ? WHERE copy_id = ?",
		   DB_ARGS(db_int(fetch->size), db_int(clock_now_ms(options->clock)),
			   db_text(fetch->copy_id)),
		   e);
	if (r == 0 && fetch->archives->sender)
		archive_sender_kick(fetch->archives->sender);
	return r;
}

int archives_fetch(struct archives *archives, struct arena *arena, const char *copy_id,
		   struct node *node, int64_t *ret_tries, struct err *e)
{
	struct fetch *fetch = arena_alloc(arena, sizeof(*fetch));
	struct err lost = ERR_INIT;
	bool owed;
	int r;

	*ret_tries = 0;
	if (!fetch)
		return err_memory(e);
	r = find_owed(archives, copy_id, ret_tries, &owed, e);
	if (r < 0 || !owed)
		return r;
	*fetch = (struct fetch){ .archives = archives, .copy_id = copy_id, .node = node };
	r = fetch_all(fetch, e);
	if (r == 0)
		return tell_kept(fetch, e);
	(*ret_tries)++;
	if (tell_failed(archives, copy_id, *ret_tries, e, &lost) < 0)
		log_error("archive of '%s': %s", copy_id, lost.msg);
	return r;
}

/* Asking */

static void read_id(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

int archives_owed_by(struct archives *archives, struct arena *arena, const char *node_id,
		     char ***ret_copies, size_t *ret_count, struct err *e)
{
	return rows_all(archives->options.db, arena,
			"SELECT copy_id FROM archive AS a WHERE status = 'owed' AND node_id = ?"
			" AND NOT EXISTS (SELECT 1 FROM instance AS i WHERE i.id = a.instance_id"
			" AND i.live = 1 AND i.node_id = a.node_id) ORDER BY owed_at",
			DB_ARGS(db_text(node_id)), read_id, sizeof(char *), ret_copies, ret_count,
			e);
}

int archives_lag(struct archives *archives, int64_t *ret_count, struct err *e)
{
	return rows_count(archives->options.db,
			  "SELECT COUNT(*) FROM archive WHERE status = 'owed'", NULL, ret_count, e);
}

int archives_unsent(struct archives *archives, int64_t *ret_count, int64_t *ret_since,
		    struct err *e)
{
	struct db *db = archives->options.db;
	int r;

	*ret_count = *ret_since = 0;
	if (!archives->sender)
		return 0;
	r = rows_count(db, "SELECT COUNT(*) FROM archive WHERE status = 'kept' AND objects IS NULL",
		       NULL, ret_count, e);
	return r < 0 ? r
		     : rows_count(db,
				  "SELECT MIN(archived_at) FROM archive WHERE status = 'kept'"
				  " AND objects IS NULL",
				  NULL, ret_since, e);
}

static int expire_one(struct archives *archives, const char *copy_id, struct err *e)
{
	char place[PATH_MAX];
	int r;

	r = place_of(archives, copy_id, "", place, e);
	if (r == 0)
		r = tree_remove(place, e);
	if (r == 0)
		r = db_run(archives->options.db, "DELETE FROM archive WHERE copy_id = ?",
			   DB_ARGS(db_text(copy_id)), e);
	return r;
}

int archives_expire(struct archives *archives, struct err *e)
{
	const struct archives_options *options = &archives->options;
	AUTO(struct arena *, arena_freep) arena = arena_new();
	size_t count = 0;
	char **copies;
	int r;

	if (!arena)
		return err_memory(e);
	if (options->days == 0 || archives->sender)
		return 0; /* the sender sees to those that it sends */
	r = rows_all(options->db, arena,
		     "SELECT copy_id FROM archive WHERE status <> 'owed' AND owed_at < ?"
		     " AND objects IS NULL ORDER BY owed_at LIMIT ?",
		     DB_ARGS(db_int(clock_now_ms(options->clock) - options->days * day_ms),
			     db_int(EXPIRE_AT_ONCE)),
		     read_id, sizeof(char *), &copies, &count, e);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = expire_one(archives, copies[i], e);
	return r;
}

struct listed {
	char *copy_id, *instance_id, *team_id, *team, *challenge_id, *node_id, *status, *detail;
	char *objects; /* JSON of what is on the storage; NULL: it is on our disk */
	int64_t size, owed_at, archived_at;
};

static void read_listed(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct listed *l = ret_struct;

	*l = (struct listed){
		.copy_id = arena_strdup(arena, db_get_text(rows, 0)),
		.instance_id = arena_strdup(arena, db_get_text(rows, 1)),
		.team_id = arena_strdup(arena, db_get_text(rows, 2)),
		.team = arena_strdup(arena, db_get_text(rows, 3)),
		.challenge_id = arena_strdup(arena, db_get_text(rows, 4)),
		.node_id = arena_strdup(arena, db_get_text(rows, 5)),
		.status = arena_strdup(arena, db_get_text(rows, 6)),
		.detail = arena_strdup(arena, db_get_text(rows, 7)),
		.size = db_get_int(rows, 8),
		.owed_at = db_get_int(rows, 9),
		.archived_at = db_get_int(rows, 10),
		.objects = arena_strdup(arena, db_get_text(rows, 11)),
	};
}

static json_t *files_json(const struct archives *archives, const struct listed *listed)
{
	json_t *files;

	if (listed->objects)
		return json_loads(listed->objects, 0, NULL);
	files = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char path[PATH_MAX];
		struct stat st;

		if (snprintf(path, sizeof(path), "%s/%s/%s", archives->options.dir, listed->copy_id,
			     parts[i].name) < PATH_MAX &&
		    stat(path, &st) == 0)
			json_array_append_new(files, json_make("{s:s, s:I}", "name", parts[i].name,
							       "size", (json_int_t)st.st_size));
	}
	return files;
}

static json_t *listed_json(const struct archives *archives, const struct listed *listed)
{
	char owed[CLOCK_TEXT_SIZE], kept[CLOCK_TEXT_SIZE];

	return json_make("{s:s, s:s, s:s, s:s?, s:s, s:s, s:s, s:s?, s:I, s:s, s:s?, s:o}", "id",
			 listed->copy_id, "instance_id", listed->instance_id, "team_id",
			 listed->team_id, "team", listed->team, "challenge_id",
			 listed->challenge_id, "node_id", listed->node_id, "status", listed->status,
			 "detail", listed->detail, "size", (json_int_t)listed->size, "ended_at",
			 clock_format(listed->owed_at, owed), "archived_at",
			 listed->archived_at ? clock_format(listed->archived_at, kept) : NULL,
			 "files", files_json(archives, listed));
}

static int find_listed(struct archives *archives, struct arena *arena,
		       const struct archives_query *query, struct listed **ret_found,
		       size_t *ret_count, struct err *e)
{
	const struct page *page = &query->page;
	const struct db_value team = db_text(query->team_id),
			      challenge = db_text(query->challenge_id),
			      instance = db_text(query->instance_id),
			      submission = db_text(query->submission_id);

	return rows_all(archives->options.db, arena,
			"SELECT a.copy_id, a.instance_id, a.team_id, team.name, a.challenge_id,"
			" a.node_id, a.status, a.detail, a.size, a.owed_at, a.archived_at,"
			" a.objects FROM archive AS a LEFT JOIN team ON team.id = a.team_id"
			" WHERE (? IS NULL OR a.team_id = ?) AND (? IS NULL OR a.challenge_id = ?)"
			" AND (? IS NULL OR a.instance_id = ?) AND (? IS NULL OR a.instance_id ="
			" (SELECT instance_id FROM submission WHERE submission.id = ?))"
			" AND a.owed_at <= ? AND (a.owed_at < ? OR a.copy_id < ?)"
			" ORDER BY a.owed_at DESC, a.copy_id DESC LIMIT ?",
			DB_ARGS(team, team, challenge, challenge, instance, instance, submission,
				submission, db_int(page->at), db_int(page->at), db_text(page->id),
				db_int(page->limit)),
			read_listed, sizeof(**ret_found), ret_found, ret_count, e);
}

int archives_list(struct archives *archives, struct arena *arena,
		  const struct archives_query *query, json_t **ret_page, struct err *e)
{
	AUTO(json_t *, json_decrefp) list = json_array();
	const struct listed *last;
	struct listed *found;
	char *cursor;
	size_t count;
	int r;

	r = find_listed(archives, arena, query, &found, &count, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, listed_json(archives, &found[i])) < 0)
			return err_memory(e);
	last = count ? &found[count - 1] : NULL;
	r = page_next(&query->page, arena, count, last ? last->owed_at : 0,
		      last ? last->copy_id : NULL, &cursor, e);
	if (r < 0)
		return r;
	*ret_page = json_make("{s:O, s:s?}", "archives", list, "next_cursor", cursor);
	return *ret_page ? 0 : err_memory(e);
}

static bool is_part(const char *file)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (strcmp(parts[i].name, file) == 0)
			return true;
	return false;
}

static int open_here(const struct archives *archives, const char *copy_id, const char *file)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s/%s", archives->options.dir, copy_id, file) >=
	    PATH_MAX)
		return -1;
	return open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
}

static void read_objects(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	(void)arena;
	*(json_t **)ret_struct =
		db_is_null(rows, 0) ? NULL : json_loads(db_get_text(rows, 0), 0, NULL);
}

static bool find_object(const json_t *objects, const char *file, struct s3_object *ret_object)
{
	json_t *object;
	size_t i;

	json_array_foreach (objects, i, object) {
		const char *name, *sha256;
		json_int_t size;

		if (json_unpack(object, "{s:s, s:I, s:s}", "name", &name, "size", &size, "sha256",
				&sha256) < 0 ||
		    strcmp(name, file) != 0)
			continue;
		ret_object->size = size;
		snprintf(ret_object->sha256, sizeof(ret_object->sha256), "%s", sha256);
		return true;
	}
	return false;
}

static int find_there(const struct archives *archives, struct arena *arena, const char *copy_id,
		      const char *file, struct archived *archived, struct err *e)
{
	AUTO(json_t *, json_decrefp) objects = NULL;
	int r;

	r = rows_one(archives->options.db, arena, "SELECT objects FROM archive WHERE copy_id = ?",
		     DB_ARGS(db_text(copy_id)), read_objects, &objects, "archive", e);
	if (r < 0)
		return r;
	if (!find_object(objects, file, &archived->object))
		return err_set(e, ERR_NOT_FOUND, "there is no '%s' in the archive of '%s'", file,
			       copy_id);
	archived->key = arena_printf(arena, "%s/%s", copy_id, file);
	return archived->key ? 0 : err_memory(e);
}

/* Our disk first: what is sent meanwhile is named in its row before it leaves that. */
int archives_open(struct archives *archives, struct arena *arena, const char *copy_id,
		  const char *file, struct archived *ret_archived, struct err *e)
{
	struct archived archived = { .fd = -1 };
	int r;

	if (!id_valid(copy_id) || !is_part(file))
		return err_set(e, ERR_NOT_FOUND, "there is no '%s' in the archive of '%s'", file,
			       copy_id);
	archived.fd = open_here(archives, copy_id, file);
	if (archived.fd < 0) {
		r = find_there(archives, arena, copy_id, file, &archived, e);
		if (r < 0)
			return r;
	}
	*ret_archived = archived;
	return 0;
}

int archives_read(struct archives *archives, const struct archived *archived, http_sink *sink,
		  void *cookie, struct err *e)
{
	if (!archives->options.s3)
		return err_set(e, ERR_UNAVAILABLE,
			       "'%s' is on archive storage, and --archive-s3 doesn't say where",
			       archived->key);
	return s3_get(archives->options.s3, archived->key, &archived->object, sink, cookie, e);
}
