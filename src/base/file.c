/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_error(struct err *e, const char *path)
{
	return err_errno(e, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_INVALID,
			 "open '%s'", path);
}

int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct err *e)
{
	AUTO(int, closep) fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf b = BUF_LIMITED(max);
	char part[16384];
	ssize_t n;
	int r;

	if (fd < 0)
		return open_error(e, path);
	while ((n = read(fd, part, sizeof(part))) > 0)
		buf_put(&b, part, (size_t)n);
	r = n < 0 ? err_errno(e, ERR_INVALID, "read '%s'", path) : buf_check(&b, e);
	if (r < 0) {
		buf_done(&b);
		return n < 0 ? r : err_wrap(e, "read '%s'", path);
	}
	if (ret_len)
		*ret_len = b.len;
	*ret_text = buf_take(&b);
	return *ret_text ? 0 : err_memory(e);
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static void sync_parent(const char *path)
{
	const char *slash = strrchr(path, '/');
	AUTO(char *, freep) dir =
		slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	AUTO(int, closep) fd = dir ? open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd >= 0)
		fsync(fd);
}

int file_write(const char *path, const void *bytes, size_t len, mode_t mode, struct err *e)
{
	AUTO(char *, freep) beside = strf("%s.XXXXXX", path);
	AUTO(int, closep) fd = -1;

	if (!beside)
		return err_memory(e);
	fd = mkostemp(beside, O_CLOEXEC);
	if (fd < 0)
		return open_error(e, path);
	if (write_all(fd, bytes, len) < 0 || fchmod(fd, mode) < 0 || fsync(fd) < 0 ||
	    rename(beside, path) < 0) {
		err_errno(e, ERR_INTERNAL, "write '%s'", path);
		unlink(beside);
		return -(int)ERR_INTERNAL;
	}
	sync_parent(path);
	return 0;
}

int file_temporary(const char *dir, FILE **ret_file, struct err *e)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(e, ERR_INTERNAL, "make a file in '%s'", dir);
	*ret_file = fdopen(fd, "w+");
	if (*ret_file)
		return 0;
	close(fd);
	return err_memory(e);
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int dir_make(const char *path, mode_t mode, struct err *e)
{
	char partial[PATH_MAX];
	size_t len = strlen(path);
	struct stat st;

	if (len == 0 || len >= sizeof(partial))
		return err_set(e, ERR_INVALID, "'%s' is not a usable path", path);
	memcpy(partial, path, len + 1);
	for (char *p = partial + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdir(partial, mode) < 0 && errno != EEXIST)
			return err_errno(e, ERR_INTERNAL, "make directory '%s'", partial);
		*p = '/';
	}
	if (mkdir(partial, mode) < 0 && errno != EEXIST)
		return err_errno(e, ERR_INTERNAL, "make directory '%s'", path);
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return err_set(e, ERR_INVALID, "'%s' is not a directory", path);
	return 0;
}

/* A removal at work: directories that were not empty when met have become entries of the top one.
 */
struct removal {
	int top;
	char prefix[16]; /* of their names: random, so that nobody can have made one like it */
	unsigned long moved;
};

enum { MOVED_NAME_SIZE = 40 };

static void moved_name(const struct removal *removal, unsigned long number, char *name)
{
	snprintf(name, MOVED_NAME_SIZE, "%s-%lu", removal->prefix, number);
}

static int remove_entry(struct removal *removal, int dir, const char *entry)
{
	char name[MOVED_NAME_SIZE];

	if (unlinkat(dir, entry, 0) == 0 || errno == ENOENT)
		return 0;
	if ((errno != EISDIR && errno != EPERM))
		return -1;
	if (unlinkat(dir, entry, AT_REMOVEDIR) == 0)
		return 0;
	moved_name(removal, removal->moved++, name);
	return renameat(dir, entry, removal->top, name);
}

static int empty_directory(struct removal *removal, const char *name)
{
	int fd = openat(removal->top, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(DIR *, closedirp) dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strncmp(entry->d_name, removal->prefix, strlen(removal->prefix)) != 0 &&
		    remove_entry(removal, dirfd(dir), entry->d_name) < 0)
			return -1;
	return 0;
}

/* However deep a player has made the tree: no recursion, and two directories open at most. */
static int remove_below(int top)
{
	struct removal removal = { .top = top };
	char name[MOVED_NAME_SIZE];

	id_random(removal.prefix, sizeof(removal.prefix) - 1);
	if (empty_directory(&removal, ".") < 0)
		return -1;
	for (unsigned long next = 0; next < removal.moved; next++) {
		moved_name(&removal, next, name);
		if (empty_directory(&removal, name) < 0 || unlinkat(top, name, AT_REMOVEDIR) < 0)
			return -1;
	}
	return 0;
}

int tree_remove(const char *path, struct err *e)
{
	AUTO(int, closep) top = -1;

	if (unlink(path) == 0 || errno == ENOENT)
		return 0;
	if (errno == EISDIR || errno == EPERM)
		top = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0 || remove_below(top) < 0 || rmdir(path) < 0)
		return err_errno(e, ERR_INTERNAL, "remove '%s'", path);
	return 0;
}

static int copy_file(int from, int to, mode_t mode)
{
	char part[65536];
	ssize_t n;

	while ((n = read(from, part, sizeof(part))) > 0)
		if (write_all(to, part, (size_t)n) < 0)
			return -1;
	return n < 0 ? -1 : fchmod(to, mode);
}

static int copy_entry(int from_dir, int to_dir, const char *name, const char *to_name,
		      struct err *e);

static int copy_entries(int from_fd, int to_fd, struct err *e)
{
	AUTO(DIR *, closedirp) dir = fdopendir(from_fd);
	struct dirent *entry;
	int r;

	if (!dir) {
		close(from_fd);
		return err_errno(e, ERR_INTERNAL, "list a directory");
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		r = copy_entry(dirfd(dir), to_fd, entry->d_name, entry->d_name, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int copy_directory(int from_dir, int to_dir, const char *name, const char *to_name,
			  mode_t mode, struct err *e)
{
	AUTO(int, closep) to = -1;
	int from, r;

	if (mkdirat(to_dir, to_name, 0700) < 0 && errno != EEXIST)
		return err_errno(e, ERR_INTERNAL, "copy '%s'", name);
	to = openat(to_dir, to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0 || from < 0) {
		if (from >= 0)
			close(from);
		return err_errno(e, ERR_INTERNAL, "copy '%s'", name);
	}
	r = copy_entries(from, to, e);
	if (r < 0)
		return err_wrap(e, "'%s'", name);
	return fchmod(to, mode) < 0 ? err_errno(e, ERR_INTERNAL, "copy '%s'", name) : 0;
}

static int copy_regular(int from_dir, int to_dir, const char *name, const char *to_name,
			mode_t mode, struct err *e)
{
	AUTO(int, closep) from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	AUTO(int, closep) to = -1;

	if (from >= 0)
		to = openat(to_dir, to_name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			    0600);
	if (from < 0 || to < 0 || copy_file(from, to, mode) < 0)
		return err_errno(e, ERR_INTERNAL, "copy '%s'", name);
	return 0;
}

static int copy_symlink(int from_dir, int to_dir, const char *name, const char *to_name,
			struct err *e)
{
	char target[PATH_MAX];
	ssize_t len = readlinkat(from_dir, name, target, sizeof(target) - 1);

	if (len >= 0) {
		target[len] = '\0';
		if (symlinkat(target, to_dir, to_name) == 0)
			return 0;
	}
	return err_errno(e, ERR_INTERNAL, "copy the link '%s'", name);
}

static int copy_entry(int from_dir, int to_dir, const char *name, const char *to_name,
		      struct err *e)
{
	struct stat st;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, errno == ENOENT ? ERR_NOT_FOUND : ERR_INTERNAL, "copy '%s'",
				 name);
	if (S_ISDIR(st.st_mode))
		return copy_directory(from_dir, to_dir, name, to_name, st.st_mode & 07777, e);
	if (S_ISREG(st.st_mode))
		return copy_regular(from_dir, to_dir, name, to_name, st.st_mode & 07777, e);
	if (S_ISLNK(st.st_mode))
		return copy_symlink(from_dir, to_dir, name, to_name, e);
	return err_set(e, ERR_INVALID, "copy '%s': neither a file, a directory nor a link", name);
}

int tree_copy(int from, const char *to, struct err *e)
{
	AUTO(int, closep) fd = -1;
	struct stat st;

	if (fstat(from, &st) < 0)
		return err_errno(e, ERR_INTERNAL, "copy to '%s'", to);
	if (S_ISDIR(st.st_mode))
		return copy_directory(from, AT_FDCWD, ".", to, st.st_mode & 07777, e);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "copy to '%s': neither a file nor a directory", to);
	fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || copy_file(from, fd, st.st_mode & 07777) < 0)
		return err_errno(e, ERR_INTERNAL, "copy to '%s'", to);
	return 0;
}
