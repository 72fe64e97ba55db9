/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/parcel.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/problem.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where one is unpacked, in the root itself; no walk looks into those. */
#define BESIDE ".parcel-"

enum { ENTRIES_MAX = 100000, PIECE = 64 << 10 };

static void archive_read_freep(struct archive **archive)
{
	archive_read_free(*archive);
}

static void archive_write_freep(struct archive **archive)
{
	archive_write_free(*archive);
}

static void archive_entry_freep(struct archive_entry **entry)
{
	archive_entry_free(*entry);
}

static int failure(struct archive *archive, struct err *e)
{
	const char *words = archive_error_string(archive);

	return err_set(e, ERR_INVALID, "%s", words ? words : "libarchive gives no reason");
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* --- packing ------------------------------------------------------------------------------ */

static la_ssize_t take_bytes(struct archive *archive, void *cookie, const void *bytes, size_t len)
{
	struct buf *parcel = cookie;

	buf_put(parcel, bytes, len);
	if (!buf_failed(parcel))
		return (la_ssize_t)len;
	archive_set_error(archive, EFBIG, "it is too large");
	return -1;
}

static int copy_file(struct archive *from, struct archive *to, struct err *e)
{
	char piece[PIECE];
	la_ssize_t len;

	while ((len = archive_read_data(from, piece, sizeof(piece))) > 0)
		if (archive_write_data(to, piece, (size_t)len) != len)
			return failure(to, e);
	return len < 0 ? failure(from, e) : 0;
}

/* What it is called within the folder; NULL: it is the folder itself. */
static const char *name_within(const char *dir, const char *path)
{
	const char *name = path + strlen(dir);

	name += strspn(name, "/");
	return *name ? name : NULL;
}

static int pack_entry(const char *dir, struct archive *disk, struct archive *tar,
		      struct archive_entry *entry, struct err *e)
{
	const char *path = archive_entry_pathname(entry);
	const char *name = name_within(dir, path);
	mode_t kind = archive_entry_filetype(entry);
	int r;

	if (!name)
		return 0;
	if (kind != AE_IFREG && kind != AE_IFDIR && kind != AE_IFLNK)
		return err_set(e, ERR_INVALID, "'%s' is no file, directory or symlink", name);
	archive_entry_copy_pathname(entry, name);
	archive_entry_set_hardlink(entry, NULL);
	archive_entry_set_uid(entry, 0);
	archive_entry_set_gid(entry, 0);
	if (archive_write_header(tar, entry) != ARCHIVE_OK)
		return failure(tar, e);
	r = kind == AE_IFREG ? copy_file(disk, tar, e) : 0;
	return r < 0 ? err_wrap(e, "'%s'", name) : 0;
}

static bool is_left_out(const char *path)
{
	return strcmp(last_part(path), ".git") == 0;
}

static int pack_all(const char *dir, struct archive *disk, struct archive *tar, struct err *e)
{
	AUTO(struct archive_entry *, archive_entry_freep) entry = archive_entry_new();
	const char *path;
	int found, r = 0;

	if (!entry)
		return err_memory(e);
	while (r == 0 && (found = archive_read_next_header2(disk, entry)) != ARCHIVE_EOF) {
		if (found < ARCHIVE_WARN)
			return failure(disk, e);
		path = archive_entry_pathname(entry);
		if (!path)
			return err_set(e, ERR_INVALID, "a file in it has no name");
		if (is_left_out(path))
			continue;
		archive_read_disk_descend(disk);
		r = pack_entry(dir, disk, tar, entry, e);
	}
	if (r == 0 && archive_write_close(tar) != ARCHIVE_OK)
		return failure(tar, e);
	return r;
}

static int open_disk(const char *dir, struct archive *disk, struct err *e)
{
	if (archive_read_disk_set_symlink_physical(disk) != ARCHIVE_OK ||
	    archive_read_disk_set_behavior(disk,
					   ARCHIVE_READDISK_NO_XATTR | ARCHIVE_READDISK_NO_ACL |
						   ARCHIVE_READDISK_NO_FFLAGS) != ARCHIVE_OK ||
	    archive_read_disk_open(disk, dir) != ARCHIVE_OK)
		return failure(disk, e);
	return 0;
}

/* GNU's format takes names as the bytes they are, in any locale and of any length. */
static int open_tar(struct archive *tar, struct buf *parcel, struct err *e)
{
	if (archive_write_set_format_gnutar(tar) != ARCHIVE_OK ||
	    archive_write_add_filter_gzip(tar) != ARCHIVE_OK ||
	    archive_write_open2(tar, parcel, NULL, take_bytes, NULL, NULL) != ARCHIVE_OK)
		return failure(tar, e);
	return 0;
}

int parcel_pack(const char *dir, struct buf *ret_parcel, struct err *e)
{
	AUTO(struct archive *, archive_read_freep) disk = archive_read_disk_new();
	AUTO(struct archive *, archive_write_freep) tar = archive_write_new();
	struct buf parcel = BUF_LIMITED(PARCEL_MAX);
	int r = disk && tar ? open_disk(dir, disk, e) : err_memory(e);

	if (r == 0)
		r = open_tar(tar, &parcel, e);
	if (r == 0)
		r = pack_all(dir, disk, tar, e);
	if (r < 0 && parcel.over_limit)
		r = err_set(e, ERR_TOO_LARGE, "it weighs more than %d MiB", PARCEL_MAX >> 20);
	archive_write_fail(tar); /* what was not closed is not ended by freeing it */
	if (r < 0) {
		buf_done(&parcel);
		return err_wrap(e, "pack '%s'", dir);
	}
	*ret_parcel = parcel;
	return 0;
}

/* --- unpacking ---------------------------------------------------------------------------- */

/*
 * What is unpacked is made below one open directory, and nothing of it through a link: a link that
 * the tar has made is no way for what comes after it.
 */
struct unpacking {
	int into;
	struct archive *tar;
	int64_t left;   /* bytes that it may still make */
	size_t entries; /* and directories, those of no entry of their own as well */
	struct link {   /* made when all else is */
		struct link *next;
		char *name, *target;
	} * links;
};

static void links_done(struct unpacking *u)
{
	while (u->links) {
		struct link *link = u->links;

		u->links = link->next;
		free(link->name);
		free(link->target);
		free(link);
	}
}

/* Whether a name stays below the folder that it is relative to. */
static bool is_within(const char *name)
{
	if (name[0] == '/')
		return false;
	for (const char *part = name; *part; part += strspn(part, "/")) {
		size_t len = strcspn(part, "/");

		if (len == 2 && strncmp(part, "..", 2) == 0)
			return false;
		part += len;
	}
	return true;
}

static int keep_link(struct unpacking *u, const char *name, const char *target, struct err *e)
{
	struct link *link;

	if (!target || !*target)
		return err_set(e, ERR_INVALID, "'%s' is a symlink to nothing", name);
	link = calloc(1, sizeof(*link));
	if (!link)
		return err_memory(e);
	link->next = u->links;
	u->links = link;
	link->name = strdup(name);
	link->target = strdup(target);
	return link->name && link->target ? 0 : err_memory(e);
}

static int write_all(int fd, const char *bytes, size_t len, const char *path, struct err *e)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(e, ERR_UNAVAILABLE, "write '%s'", path);
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int fill(struct unpacking *u, int fd, const char *path, struct err *e)
{
	char piece[PIECE];
	la_ssize_t len;
	int r = 0;

	while (r == 0 && (len = archive_read_data(u->tar, piece, sizeof(piece))) > 0) {
		u->left -= len;
		r = u->left < 0 ? err_set(e, ERR_TOO_LARGE, "it unpacks to more than %d MiB",
					  PARCEL_UNPACKED_MAX >> 20)
				: write_all(fd, piece, (size_t)len, path, e);
	}
	if (r == 0 && len < 0)
		return failure(u->tar, e);
	return r == 0 && fsync(fd) < 0 ? err_errno(e, ERR_UNAVAILABLE, "write '%s'", path) : r;
}

static int make_failure(const char *name, struct err *e)
{
	if (errno == E2BIG)
		return err_set(e, ERR_TOO_LARGE, "it has more than %d files and directories",
			       ENTRIES_MAX);
	return errno == ELOOP || errno == ENOTDIR
		       ? err_set(e, ERR_INVALID, "'%s' would be made in what is no directory", name)
		       : err_errno(e, ERR_INVALID, "'%s'", name);
}

/* One is made where it is missing; E2BIG: there are too many of them. */
static int open_dir(struct unpacking *u, int above, const char *name)
{
	if (mkdirat(above, name, 0755) == 0) {
		if (++u->entries > ENTRIES_MAX) {
			errno = E2BIG;
			return -1;
		}
	} else if (errno != EEXIST) {
		return -1;
	}
	return openat(above, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/* The directory that the parts of a path lead to. -1 and errno. */
static int open_dirs(struct unpacking *u, char *path)
{
	int dir = fcntl(u->into, F_DUPFD_CLOEXEC, 0);
	char *save = NULL;

	for (char *part = strtok_r(path, "/", &save); part && dir >= 0;
	     part = strtok_r(NULL, "/", &save)) {
		AUTO(int, closep) above = dir;

		dir = open_dir(u, above, part);
	}
	return dir;
}

/* The directory that the file of this name is to be in; its last part, or all of it. */
static int make_dirs(struct unpacking *u, const char *name, bool all, int *ret_dir, struct err *e)
{
	AUTO(char *, freep) path = strdup(name);
	int dir;

	if (!path)
		return err_memory(e);
	if (!all)
		path[last_part(path) - path] = '\0';
	dir = open_dirs(u, path);
	if (dir < 0)
		return make_failure(name, e);
	*ret_dir = dir;
	return 0;
}

static int make_dir(struct unpacking *u, const char *name, struct err *e)
{
	AUTO(int, closep) dir = -1;

	return make_dirs(u, name, true, &dir, e);
}

static int make_file(struct unpacking *u, const char *name, mode_t mode, struct err *e)
{
	AUTO(int, closep) dir = -1;
	AUTO(int, closep) fd = -1;
	int r = make_dirs(u, name, false, &dir, e);

	if (r < 0)
		return r;
	fd = openat(dir, last_part(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    mode);
	return fd < 0 ? make_failure(name, e) : fill(u, fd, name, e);
}

/* "./a//b/" is "a/b"; the folder itself is "". NULL: it is outside, or out of memory. */
static char *clean_name(const char *name)
{
	char *clean = is_within(name) ? malloc(strlen(name) + 1) : NULL;
	size_t len = 0;

	for (const char *part = name; clean && *part; part += strspn(part, "/")) {
		size_t part_len = strcspn(part, "/");

		if (!(part_len == 1 && part[0] == '.')) {
			if (len)
				clean[len++] = '/';
			memcpy(clean + len, part, part_len);
			len += part_len;
		}
		part += part_len;
	}
	if (clean)
		clean[len] = '\0';
	return clean;
}

/* Programs stay programs; nothing else of a mode is taken over. */
static int unpack_entry(struct unpacking *u, struct archive_entry *entry, struct err *e)
{
	const char *given = archive_entry_pathname(entry);
	AUTO(char *, freep) name = given ? clean_name(given) : NULL;
	mode_t mode = archive_entry_perm(entry) & 0100 ? 0755 : 0644;
	mode_t kind = archive_entry_filetype(entry);

	if (!given)
		return err_set(e, ERR_INVALID, "a file in it has no name");
	if (strlen(given) >= PATH_MAX)
		return err_set(e, ERR_INVALID, "a name in it is longer than %d bytes",
			       PATH_MAX - 1);
	if (!is_within(given))
		return err_set(e, ERR_INVALID, "'%s' is outside of it", given);
	if (!name)
		return err_memory(e);
	if (++u->entries > ENTRIES_MAX)
		return err_set(e, ERR_TOO_LARGE, "it has more than %d files and directories",
			       ENTRIES_MAX);
	if (archive_entry_hardlink(entry))
		return err_set(e, ERR_INVALID, "'%s' is a hard link", given);
	if (kind == AE_IFDIR)
		return *name ? make_dir(u, name, e) : 0;
	if (!*name)
		return err_set(e, ERR_INVALID, "'%s' is no name for a file", given);
	switch (kind) {
	case AE_IFLNK: return keep_link(u, name, archive_entry_symlink(entry), e);
	case AE_IFREG: return make_file(u, name, mode, e);
	default: return err_set(e, ERR_INVALID, "'%s' is no file, directory or symlink", given);
	}
}

static int make_link(struct unpacking *u, const struct link *link, struct err *e)
{
	AUTO(int, closep) dir = -1;
	int r = make_dirs(u, link->name, false, &dir, e);

	if (r == 0 && symlinkat(link->target, dir, last_part(link->name)) < 0)
		return make_failure(link->name, e);
	return r;
}

static int make_links(struct unpacking *u, struct err *e)
{
	int r = 0;

	for (const struct link *link = u->links; r == 0 && link; link = link->next)
		r = make_link(u, link, e);
	return r;
}

static int unpack(struct unpacking *u, const void *parcel, size_t len, struct err *e)
{
	struct archive_entry *entry;
	int found, r = 0;

	if (archive_read_support_format_tar(u->tar) != ARCHIVE_OK ||
	    archive_read_support_filter_gzip(u->tar) != ARCHIVE_OK ||
	    archive_read_open_memory(u->tar, parcel, len) != ARCHIVE_OK)
		return failure(u->tar, e);
	while (r == 0 && (found = archive_read_next_header(u->tar, &entry)) != ARCHIVE_EOF)
		r = found < ARCHIVE_WARN ? failure(u->tar, e) : unpack_entry(u, entry, e);
	return r == 0 ? make_links(u, e) : r;
}

static int unpack_into(const char *into, const void *parcel, size_t len, struct err *e)
{
	AUTO(struct archive *, archive_read_freep) tar = archive_read_new();
	AUTO(int, closep) dir = -1;
	struct unpacking u = { .tar = tar, .left = PARCEL_UNPACKED_MAX };
	int r = tar ? dir_make(into, 0755, e) : err_memory(e);

	if (r < 0)
		return r;
	u.into = dir = open(into, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	r = dir < 0 ? err_errno(e, ERR_UNAVAILABLE, "open '%s'", into) : unpack(&u, parcel, len, e);
	links_done(&u);
	return r;
}

/* --- putting ------------------------------------------------------------------------------ */

static int check_challenge(const char *dir, const char *id, struct err *e)
{
	AUTO(struct problems, problems_done) problems = PROBLEMS_INIT;
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	int r = challenge_load(dir, &challenge, &problems, e);

	if (r == -ERR_NOT_FOUND)
		return err_set(e, ERR_INVALID, "there is no challenge in it");
	if (r == 0 && strcmp(challenge->id, id) != 0)
		return err_set(e, ERR_INVALID, "it is the challenge '%s', not '%s'", challenge->id,
			       id);
	return r;
}

/* The old folder, where there was one, is then where the new one was. */
static int exchange(const char *fresh, const char *place, struct err *e)
{
	if (renameat2(AT_FDCWD, fresh, AT_FDCWD, place, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno == ENOENT && renameat2(AT_FDCWD, fresh, AT_FDCWD, place, RENAME_NOREPLACE) == 0)
		return 0;
	return err_errno(e, ERR_UNAVAILABLE, "put '%s' into its place", place);
}

static int put_within(const char *beside, const char *id, const char *place, const void *parcel,
		      size_t len, struct err *e)
{
	AUTO(char *, freep) fresh = strf("%s/%s", beside, last_part(place));
	int r = fresh ? unpack_into(fresh, parcel, len, e) : err_memory(e);

	if (r == 0)
		r = check_challenge(fresh, id, e);
	return r < 0 ? r : exchange(fresh, place, e);
}

/* One of the length that mkdtemp() makes. */
static bool is_beside(const char *name)
{
	return strncmp(name, BESIDE, strlen(BESIDE)) == 0 && strlen(name) == strlen(BESIDE) + 6;
}

int parcel_sweep(const char *root, struct err *e)
{
	AUTO(DIR *, closedirp) dir = opendir(root);
	const struct dirent *entry;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : err_errno(e, ERR_UNAVAILABLE, "look into '%s'", root);
	while (r == 0 && (entry = readdir(dir))) {
		AUTO(char *, freep) path = NULL;

		if (!is_beside(entry->d_name))
			continue;
		path = strf("%s/%s", root, entry->d_name);
		r = path ? tree_remove(path, e) : err_memory(e);
	}
	return r;
}

int parcel_put(const char *root, const char *id, const char *at, const void *parcel, size_t len,
	       struct err *e)
{
	AUTO(char *, freep) beside = strf("%s/" BESIDE "XXXXXX", root);
	AUTO(char *, freep) place = at ? strdup(at) : strf("%s/%s", root, id);
	int r;

	if (!beside || !place)
		return err_memory(e);
	if (!mkdtemp(beside))
		return err_errno(e, ERR_UNAVAILABLE, "make '%s'", beside);
	r = put_within(beside, id, place, parcel, len, e);
	if (tree_remove(beside, r < 0 ? NULL : e) < 0 && r == 0)
		r = -(int)e->code;
	return r;
}
