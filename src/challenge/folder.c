#include "challenge/folder.h"

#include "base/arena.h"
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

bool path_stays_below(const char *path, const char *dir)
{
	AUTO(char *, freep) real_path = realpath(path, NULL);
	AUTO(char *, freep) real_dir = realpath(dir, NULL);

	return !real_path || !real_dir || path_is_below(real_path, real_dir);
}

bool path_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

bool path_is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool dir_has_file(const char *dir, const char *name)
{
	char path[PATH_MAX];
	struct stat st;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path))
		return false;
	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
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
	/* A pipe without a writer would hold a blocking open for ever. */
	AUTO(int, closep) fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char *text;

	if (fd < 0)
		return err_errno(e,
				 errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_INVALID,
				 "read '%s'", path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "'%s' is not a regular file", path);
	if (folder && !path_stays_below(path, folder))
		return err_set(e, ERR_INVALID, "'%s' is a symlink that leaves the folder", path);
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
