/*
 * Unpacking what a container's archive holds. The engine pushes the tar and libarchive pulls it: a
 * thread in between reads from the engine into a socket pair, and neither holds more than a piece.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "engine/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

enum { READ_SIZE = 16 << 10, LINKS_MAX = 8 };

/* What an entry costs besides its bytes, so that a million empty files count for something. */
enum { ENTRY_SIZE = 512 };

struct pump {
	struct engine *engine;
	const char *container, *path;
	int fd;
	int result;
	struct err e;
};

/* Reads one entry, and its data if it wants it. 1: go on; 0: seen enough; or a failure. */
typedef int visit_fn(void *cookie, struct archive *archive, struct archive_entry *entry,
		     struct err *e);

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

static int visit_all(int fd, visit_fn *visit, void *cookie, struct err *e)
{
	AUTO(struct archive *, archive_read_freep) archive = archive_read_new();
	struct archive_entry *entry;
	int r;

	if (!archive)
		return err_memory(e);
	if (archive_read_support_format_tar(archive) != ARCHIVE_OK ||
	    archive_read_open_fd(archive, fd, READ_SIZE) != ARCHIVE_OK)
		return archive_failure(archive, e);
	while ((r = archive_read_next_header(archive, &entry)) != ARCHIVE_EOF) {
		if (r < ARCHIVE_WARN)
			return archive_failure(archive, e);
		r = visit(cookie, archive, entry, e);
		if (r <= 0)
			return r;
	}
	return 0;
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

static int walk(struct engine *engine, const char *container, const char *path, visit_fn *visit,
		void *cookie, struct err *e)
{
	struct pump pump = { .engine = engine, .container = container, .path = path };
	pthread_t thread;
	int fd = -1, r;

	r = start_pump(&pump, &thread, &fd, e);
	if (r < 0)
		return r;
	r = visit_all(fd, visit, cookie, e);
	close(fd);
	pthread_join(thread, NULL);

	/* An archive cut short is a fault of what cut it, unless that was ourselves. */
	if (pump.result < 0 && pump.result != -ERR_ABORTED)
		return err_set(e, pump.e.code, "%s", pump.e.msg);
	return r < 0 ? err_wrap(e, "read '%s' of container '%s'", path, container) : 0;
}

struct one_file {
	struct buf *bytes;
	char *link; /* where a symlink leads; NULL: it was none */
};

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

static int visit_file(void *cookie, struct archive *archive, struct archive_entry *entry,
		      struct err *e)
{
	struct one_file *file = cookie;

	if (archive_entry_filetype(entry) == AE_IFLNK) {
		file->link = strdup(archive_entry_symlink(entry));
		return file->link ? 0 : err_memory(e);
	}
	if (archive_entry_filetype(entry) != AE_IFREG)
		return err_set(e, ERR_INVALID, "not a regular file");
	return append_data(archive, file->bytes, e);
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
		r = walk(engine, container, at, visit_file, &file, e);
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

struct unpacking {
	const char *dir; /* without symlinks */
	struct archive *disk;
	uint64_t left; /* bytes that may still be written */
};

static bool is_inside(const char *name)
{
	if (name[0] == '/' || name[0] == '\0')
		return false;
	for (const char *part = name; *part; part += strspn(part, "/")) {
		size_t len = strcspn(part, "/");

		if (len == 2 && part[0] == '.' && part[1] == '.')
			return false;
		part += len;
	}
	return true;
}

static size_t depth_of(const char *name)
{
	size_t depth = 0;

	for (const char *part = name; *part; part += strspn(part, "/")) {
		size_t len = strcspn(part, "/");

		if (len > 1 || part[0] != '.')
			depth++;
		part += len;
	}
	return depth;
}

/*
 * A target may climb with ".." only from the link's own directory, which is real, and not above
 * dir. After its first name it may not climb again: that name could itself be a link.
 */
static bool link_stays_inside(const char *name, const char *target)
{
	size_t depth = depth_of(name);

	while (strncmp(target, "../", 3) == 0 || strcmp(target, "..") == 0) {
		if (depth-- <= 1)
			return false;
		target += target[2] ? 3 : 2;
		target += strspn(target, "/");
	}
	return *target == '\0' || is_inside(target);
}

static int check_entry(struct unpacking *unpacking, struct archive_entry *entry, struct err *e)
{
	const char *name = archive_entry_pathname(entry);
	const char *hardlink = archive_entry_hardlink(entry);
	const char *symlink = archive_entry_symlink(entry);
	mode_t type = archive_entry_filetype(entry);
	uint64_t size = (uint64_t)archive_entry_size(entry) + ENTRY_SIZE;

	if (!name || !is_inside(name))
		return err_set(e, ERR_INVALID, "'%s' leads out of its directory", name ? name : "");
	if (hardlink && !is_inside(hardlink))
		return err_set(e, ERR_INVALID, "link '%s' to '%s' leads out of its directory", name,
			       hardlink);
	if (type == AE_IFLNK && !link_stays_inside(name, symlink))
		return err_set(e, ERR_INVALID, "symlink '%s' to '%s' leads out of its directory",
			       name, symlink);
	if (!hardlink && type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK)
		return err_set(e, ERR_INVALID, "'%s' is a special file", name);
	if (size > unpacking->left)
		return err_set(e, ERR_TOO_LARGE, "it is larger than what may be unpacked");
	unpacking->left -= size;
	return 0;
}

static int move_below(const char *dir, struct archive_entry *entry, struct err *e)
{
	AUTO(char *, freep) name = strf("%s/%s", dir, archive_entry_pathname(entry));
	AUTO(char *, freep) hardlink = NULL;

	if (!name)
		return err_memory(e);
	archive_entry_copy_pathname(entry, name);
	if (!archive_entry_hardlink(entry))
		return 0;
	hardlink = strf("%s/%s", dir, archive_entry_hardlink(entry));
	if (!hardlink)
		return err_memory(e);
	archive_entry_copy_hardlink(entry, hardlink);
	return 0;
}

static int copy_data(struct archive *from, struct archive *disk, struct err *e)
{
	const void *piece;
	size_t len;
	la_int64_t offset;
	int r;

	while ((r = archive_read_data_block(from, &piece, &len, &offset)) == ARCHIVE_OK)
		if (archive_write_data_block(disk, piece, len, offset) < ARCHIVE_WARN)
			return archive_failure(disk, e);
	return r == ARCHIVE_EOF ? 0 : archive_failure(from, e);
}

static int visit_unpack(void *cookie, struct archive *archive, struct archive_entry *entry,
			struct err *e)
{
	struct unpacking *unpacking = cookie;
	int r;

	r = check_entry(unpacking, entry, e);
	if (r < 0)
		return r;
	r = move_below(unpacking->dir, entry, e);
	if (r < 0)
		return r;
	if (archive_write_header(unpacking->disk, entry) < ARCHIVE_WARN)
		return archive_failure(unpacking->disk, e);
	r = copy_data(archive, unpacking->disk, e);
	if (r < 0)
		return r;
	if (archive_write_finish_entry(unpacking->disk) < ARCHIVE_WARN)
		return archive_failure(unpacking->disk, e);
	return 1;
}

static void archive_write_freep(struct archive **archive)
{
	archive_write_free(*archive);
}

int engine_archive_extract(struct engine *engine, const char *container, const char *path,
			   const char *dir, uint64_t max_bytes, struct err *e)
{
	AUTO(char *, freep) real_dir = realpath(dir, NULL);
	AUTO(struct archive *, archive_write_freep) disk = NULL;
	struct unpacking unpacking = { .dir = real_dir, .left = max_bytes };

	if (!real_dir)
		return err_errno(e, ERR_INVALID, "directory '%s'", dir);
	disk = archive_write_disk_new();
	if (!disk)
		return err_memory(e);
	archive_write_disk_set_options(disk, ARCHIVE_EXTRACT_TIME |
						     ARCHIVE_EXTRACT_SECURE_SYMLINKS |
						     ARCHIVE_EXTRACT_SECURE_NODOTDOT);
	unpacking.disk = disk;
	return walk(engine, container, path, visit_unpack, &unpacking, e);
}
