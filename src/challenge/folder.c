/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/folder.h"

#include "base/arena.h"
#include "base/beneath.h"
#include "base/err.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Appends the parts of path to out, which holds len bytes of a normal path. Returns its length. */
static size_t append_parts(char *out, size_t len, const char *path)
{
	while (*path) {
		size_t part = strcspn(path, "/");

		if (part == 2 && path[0] == '.' && path[1] == '.') {
			while (len > 0 && out[--len] != '/')
				;
		} else if (part > 0 && !(part == 1 && path[0] == '.')) {
			out[len++] = '/';
			memcpy(out + len, path, part);
			len += part;
		}
		path += part + (path[part] == '/');
	}
	out[len] = '\0';
	return len;
}

char *path_join(struct arena *arena, const char *dir, const char *path)
{
	char *out = dir && path ? arena_alloc(arena, strlen(dir) + strlen(path) + 3) : NULL;
	size_t len = 0;

	if (!out)
		return NULL;
	if (path[0] != '/')
		len = append_parts(out, len, dir);
	len = append_parts(out, len, path);
	if (len == 0)
		memcpy(out, "/", 2);
	return out;
}

bool path_is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	if (strcmp(dir, "/") == 0)
		return true;
	return strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

const char *path_relative(const char *path, const char *dir)
{
	if (!path_is_below(path, dir))
		return path;
	path += strcmp(dir, "/") == 0 ? 0 : strlen(dir);
	path += *path == '/';
	return *path ? path : ".";
}

const char *folder_guard(const char *folder, const char *path)
{
	return path_is_below(path, folder) ? folder : "/";
}

static int open_failure(const char *path, int error, struct err *e)
{
	errno = error;
	switch (error) {
	case ENOENT:
	case ENOTDIR: return err_errno(e, ERR_NOT_FOUND, "read '%s'", path);
	case EXDEV:
		return err_set(e, ERR_INVALID, "'%s' is a symlink that leaves the folder", path);
	case ELOOP:
		return err_set(e, ERR_INVALID, "'%s' is a symlink that leads nowhere or into /proc",
			       path);
	case ENOSYS:
		return err_set(
			e, ERR_UNAVAILABLE,
			"read '%s': this kernel has no openat2(), which keeps a challenge in "
			"its folder: Linux 5.6 or later is needed",
			path);
	default: return err_errno(e, ERR_INVALID, "read '%s'", path);
	}
}

/* "." for the folder itself. */
static int open_below(const char *folder, const char *path, int flags)
{
	AUTO(int, closep) dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

	return dir < 0 ? -1 : beneath_open(dir, path_relative(path, folder), flags);
}

int folder_open_path(const char *folder, const char *path, int flags, int *ret_fd, struct err *e)
{
	int fd;

	flags |= O_NONBLOCK | O_NOCTTY;
	if (flags & O_PATH) /* which takes no more than this */
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW;
	if (!path_is_below(path, folder))
		return err_set(e, ERR_INVALID, "'%s' is outside the challenge's folder", path);
	fd = strcmp(folder, "/") == 0 ? beneath_open_anywhere(path, flags)
				      : open_below(folder, path, flags);
	if (fd < 0)
		return open_failure(path, errno, e);
	*ret_fd = fd;
	return 0;
}

static enum path_kind kind_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return PATH_OTHER;
	return S_ISREG(st.st_mode) ? PATH_FILE : S_ISDIR(st.st_mode) ? PATH_DIR : PATH_OTHER;
}

enum path_kind folder_kind(const char *folder, const char *path)
{
	AUTO(int, closep) fd = -1;
	int r = folder_open_path(folder, path, O_PATH, &fd, NULL);

	return r == -ERR_NOT_FOUND ? PATH_ABSENT : r < 0 ? PATH_OTHER : kind_of(fd);
}

bool dir_has_file(const char *dir, const char *name)
{
	AUTO(int, closep) top = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	AUTO(int, closep) fd = top < 0 ? -1 : beneath_open(top, name, O_PATH);

	return fd >= 0 && kind_of(fd) == PATH_FILE;
}

/* The kernel's own name of what is open, if that leads there again. */
static bool name_of(int fd, char name[PATH_MAX])
{
	char link[32];
	struct stat st, named;
	ssize_t len;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, name, PATH_MAX - 1);
	if (len <= 0)
		return false;
	name[len] = '\0';
	return name[0] == '/' && fstat(fd, &st) == 0 && lstat(name, &named) == 0 &&
	       st.st_dev == named.st_dev && st.st_ino == named.st_ino;
}

int folder_resolve(struct arena *arena, const char *folder, const char *path, const char **ret_real,
		   struct err *e)
{
	AUTO(int, closep) fd = -1;
	char name[PATH_MAX];
	int r = folder_open_path(folder, path, O_PATH, &fd, e);

	if (r < 0)
		return r;
	if (!name_of(fd, name) || !path_is_below(name, folder))
		return err_set(e, ERR_INVALID, "it can't be told where '%s' leads", path);
	*ret_real = arena_strdup(arena, name);
	return *ret_real ? 0 : err_memory(e);
}

bool path_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int read_whole(int fd, char *text, size_t size, size_t *ret_len)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = read(fd, text + len, size - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

int folder_read(struct arena *arena, const char *folder, const char *path, size_t max,
		const char **ret_text, size_t *ret_len, struct err *e)
{
	AUTO(int, closep) fd = -1;
	int r = folder_open_path(folder, path, O_RDONLY, &fd, e);
	struct stat st;
	char *text;

	if (r < 0)
		return r;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "'%s' is not a regular file", path);
	if ((size_t)st.st_size > max)
		return err_set(e, ERR_TOO_LARGE, "'%s' is larger than %zu bytes", path, max);
	text = arena_alloc(arena, (size_t)st.st_size + 1);
	if (!text)
		return err_memory(e);
	if (read_whole(fd, text, (size_t)st.st_size, ret_len) < 0)
		return err_errno(e, ERR_INVALID, "read '%s'", path);
	*ret_text = text;
	return 0;
}
