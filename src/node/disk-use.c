/* SPDX-License-Identifier: Apache-2.0 */
#include "node/disk-use.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct walk {
	struct disk_use *use;
	const struct disk_use *most;
	dev_t device; /* of the tree's top */
};

bool disk_use_exceeds(const struct disk_use *use, const struct disk_use *most)
{
	return use->bytes > most->bytes || use->inodes > most->inodes || use->too_deep;
}

/* Each of a file's links has its share of it. */
static void count(struct disk_use *use, const struct stat *st)
{
	int64_t links = S_ISDIR(st->st_mode) || st->st_nlink == 0 ? 1 : (int64_t)st->st_nlink;

	use->bytes += (int64_t)st->st_blocks * 512 / links;
	use->inodes++;
}

static void walk_directory(struct walk *walk, int fd, int depth);

static void look_at(struct walk *walk, int dir, const char *name, int depth)
{
	struct stat st;
	int fd;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != walk->device)
		return;
	count(walk->use, &st);
	if (!S_ISDIR(st.st_mode))
		return;
	if (depth >= DISK_DEPTH_MAX) {
		walk->use->too_deep = true;
		return;
	}
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		walk_directory(walk, fd, depth + 1);
}

/* Closes fd. */
static void walk_directory(struct walk *walk, int fd, int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		close(fd);
		return;
	}
	while (!disk_use_exceeds(walk->use, walk->most) && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			look_at(walk, fd, entry->d_name, depth);
	closedir(dir);
}

bool disk_use_add(struct disk_use *use, const char *path, const struct disk_use *most)
{
	struct walk walk = { .use = use, .most = most };
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;
	struct stat st;

	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || fstatfs(fd, &fs) < 0 || fs.f_type == TMPFS_MAGIC) {
		close(fd);
		return true;
	}
	walk.device = st.st_dev;
	count(use, &st);
	walk_directory(&walk, fd, 0);
	return true;
}
