/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One file out of a container. The engine pushes a tar and libarchive pulls it: a thread in between
 * reads from the engine into a socket pair, and neither holds more than a piece.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "engine/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_SIZE = 16 << 10, LINKS_MAX = 8 };

struct pump {
	struct engine *engine;
	const char *container, *path;
	int fd;
	int result;
	struct err e;
};

struct one_file {
	struct buf *bytes;
	char *link; /* where a symlink leads; NULL: it was none */
};

static int push(void *cookie, const void *bytes, size_t len, struct err *e)
{
	const int *fd = cookie;
	const char *at = bytes;
	ssize_t n;

	for (; len > 0; at += n, len -= (size_t)n) {
		n = send(*fd, at, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			n = 0;
		if (n < 0)
			return err_set(e, ERR_ABORTED, "nobody reads on");
	}
	return 0;
}

static void *run_pump(void *cookie)
{
	struct pump *pump = cookie;

	pump->result = engine_archive_read(pump->engine, pump->container, pump->path, push,
					   &pump->fd, &pump->e);
	close(pump->fd);
	return NULL;
}

static int archive_failure(struct archive *archive, struct err *e)
{
	const char *words = archive_error_string(archive);

	return err_set(e, ERR_INVALID, "%s", words ? words : "libarchive gives no reason");
}

static void archive_read_freep(struct archive **archive)
{
	archive_read_free(*archive);
}

static int append_data(struct archive *archive, struct buf *bytes, struct err *e)
{
	char piece[READ_SIZE];
	la_ssize_t n;
	int r;

	while ((n = archive_read_data(archive, piece, sizeof(piece))) > 0) {
		buf_put(bytes, piece, (size_t)n);
		r = buf_check(bytes, e);
		if (r < 0)
			return r;
	}
	return n < 0 ? archive_failure(archive, e) : 0;
}

/* The engine tells names in UTF-8; libarchive has none for what it can't put into our locale. */
static int take_link(struct archive_entry *entry, struct one_file *file, struct err *e)
{
	const char *target = archive_entry_symlink(entry);

	if (!target)
		return err_set(e, ERR_INVALID, "a symlink whose target is not in ASCII");
	file->link = strdup(target);
	return file->link ? 0 : err_memory(e);
}

static int take_entry(struct archive *archive, struct archive_entry *entry, struct one_file *file,
		      struct err *e)
{
	if (archive_entry_filetype(entry) == AE_IFLNK)
		return take_link(entry, file, e);
	if (archive_entry_filetype(entry) != AE_IFREG)
		return err_set(e, ERR_INVALID, "not a regular file");
	return append_data(archive, file->bytes, e);
}

/* The archive's first entry: the file itself. */
static int take_first(int fd, struct one_file *file, struct err *e)
{
	AUTO(struct archive *, archive_read_freep) archive = archive_read_new();
	struct archive_entry *entry;
	int r;

	if (!archive)
		return err_memory(e);
	if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_open_fd(archive, fd, READ_SIZE) != ARCHIVE_OK)
		return archive_failure(archive, e);
	r = archive_read_next_header(archive, &entry);
	if (r == ARCHIVE_EOF)
		return 0;
	return r < ARCHIVE_WARN ? archive_failure(archive, e) : take_entry(archive, entry, file, e);
}

static int start_pump(struct pump *pump, pthread_t *ret_thread, int *ret_fd, struct err *e)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno(e, ERR_INTERNAL, "socketpair");
	pump->fd = pair[1];
	errno = pthread_create(ret_thread, NULL, run_pump, pump);
	if (errno) {
		close(pair[0]);
		close(pair[1]);
		return err_errno(e, ERR_INTERNAL, "start a thread");
	}
	*ret_fd = pair[0];
	return 0;
}

static int read_once(struct engine *engine, const char *container, const char *path,
		     struct one_file *file, struct err *e)
{
	struct pump pump = { .engine = engine, .container = container, .path = path };
	pthread_t thread;
	int fd = -1, r;

	r = start_pump(&pump, &thread, &fd, e);
	if (r < 0)
		return r;
	r = take_first(fd, file, e);
	close(fd);
	pthread_join(thread, NULL);

	/* An archive cut short is a fault of what cut it, unless that was ourselves. */
	if (pump.result < 0 && pump.result != -ERR_ABORTED)
		return err_set(e, pump.e.code, "%s", pump.e.msg);
	return r < 0 ? err_wrap(e, "read '%s' of container '%s'", path, container) : 0;
}

/* Where a symlink at path leads; the engine itself resolves "..". */
static char *follow(const char *path, const char *link)
{
	const char *slash = strrchr(path, '/');

	if (link[0] == '/' || !slash)
		return strdup(link);
	return strf("%.*s/%s", (int)(slash - path), path, link);
}

int engine_archive_read_file(struct engine *engine, const char *container, const char *path,
			     struct buf *ret_bytes, struct err *e)
{
	AUTO(char *, freep) at = strdup(path);

	for (unsigned links = 0; links <= LINKS_MAX; links++) {
		AUTO(char *, freep) link = NULL;
		struct one_file file = { .bytes = ret_bytes };
		char *next;
		int r;

		if (!at)
			return err_memory(e);
		r = read_once(engine, container, at, &file, e);
		link = file.link;
		if (r < 0 || !link)
			return r;
		next = follow(at, link);
		free(at);
		at = next;
	}
	return err_set(e, ERR_INVALID, "read '%s' of container '%s': too many symlinks", path,
		       container);
}
