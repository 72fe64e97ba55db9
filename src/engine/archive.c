/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/archive.h"

#include "base/err.h"
#include "base/own.h"
#include "engine/request.h"
#include "engine/tar.h"

#include <sys/stat.h>
#include <time.h>

/* Both ways move at the disk's pace, whatever the size: only standing still is a fault. */
static void begin_transfer(struct request *req)
{
	request_is_slow(req);
	req->call.idle_timeout_ms = req->call.timeout_ms;
	req->call.timeout_ms = 0;
	req->call.max_body = UINT64_MAX;
}

int engine_archive_read(struct engine *engine, const char *container, const char *path,
			http_sink *sink, void *cookie, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "GET", "/containers/%s/archive", container);
	request_query(&req, "path", path);
	begin_transfer(&req);
	req.call.sink = sink;
	req.call.sink_cookie = cookie;
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "read '%s' of container '%s'", path, container) : 0;
}

int engine_archive_write(struct engine *engine, const char *container, const char *path,
			 http_source *source, void *cookie, struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "PUT", "/containers/%s/archive", container);
	request_query(&req, "path", path);
	/* Or a file could take the place of a whole directory. */
	request_query(&req, "noOverwriteDirNonDir", "1");
	begin_transfer(&req);
	req.call.content_type = "application/x-tar";
	req.call.source = source;
	req.call.source_cookie = cookie;
	r = request_run(&req, NULL, e);
	return r < 0 ? err_wrap(e, "write to '%s' of container '%s'", path, container) : 0;
}

struct file_walk {
	const struct engine_file *at, *end;
	int64_t now;
};

static int next_file(void *cookie, struct tar_entry *ret_entry, struct err *e)
{
	struct file_walk *walk = cookie;
	const struct engine_file *file = walk->at;

	if (file == walk->end)
		return 0;
	if (file->path[0] != '/')
		return err_set(e, ERR_INVALID, "'%s' is not an absolute path", file->path);
	*ret_entry = (struct tar_entry){ .name = file->path + 1,
					 .mode = S_IFREG | (file->mode & 07777),
					 .uid = file->uid,
					 .gid = file->gid,
					 .mtime = walk->now,
					 .bytes = file->bytes,
					 .size = file->size };
	walk->at++;
	return 1;
}

int engine_archive_put_files(struct engine *engine, const char *container,
			     const struct engine_file *files, size_t count, struct err *e)
{
	AUTO(struct tar *, tar_freep) tar = NULL;
	struct file_walk walk = { files, files + count, time(NULL) };
	int r;

	r = tar_new(next_file, &walk, &tar, e);
	return r < 0 ? r : engine_archive_write(engine, container, "/", tar_read, tar, e);
}
