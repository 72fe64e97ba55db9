/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/tar.h"

#include "base/beneath.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE_SIZE = 64 << 10 };

struct tar {
	struct archive *archive;
	tar_next *next;
	void *cookie;
	struct buf out; /* made and... */
	size_t taken;   /* ...read already, of out */
	bool ended;
	bool abandoned; /* nobody reads on */
	/* The file being written, if left > 0. */
	char *name;
	int fd; /* -1: from bytes */
	const char *bytes;
	uint64_t left;
	char piece[PIECE_SIZE];
};

static la_ssize_t on_write(struct archive *archive, void *cookie, const void *bytes, size_t len)
{
	struct tar *tar = cookie;

	if (!tar->abandoned)
		buf_put(&tar->out, bytes, len);
	if (!buf_failed(&tar->out))
		return (la_ssize_t)len;
	archive_set_error(archive, ENOMEM, "out of memory");
	return -1;
}

int tar_new(tar_next *next, void *cookie, struct tar **ret_tar, struct err *e)
{
	AUTO(struct tar *, tar_freep) tar = calloc(1, sizeof(*tar));

	if (!tar)
		return err_memory(e);
	tar->out = (struct buf)BUF_INIT;
	tar->fd = -1;
	tar->next = next;
	tar->cookie = cookie;
	tar->archive = archive_write_new();
	/* GNU's format takes names as the bytes they are, in any locale and of any length. */
	if (!tar->archive || archive_write_set_format_gnutar(tar->archive) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(tar->archive, 0) != ARCHIVE_OK ||
	    archive_write_open2(tar->archive, tar, NULL, on_write, NULL, NULL) != ARCHIVE_OK)
		return err_memory(e);
	*ret_tar = TAKE(tar);
	return 0;
}

void tar_free(struct tar *tar)
{
	if (!tar)
		return;
	tar->abandoned = true; /* freeing an unfinished archive writes its end */
	archive_write_free(tar->archive);
	buf_done(&tar->out);
	closep(&tar->fd);
	free(tar->name);
	free(tar);
}

static int archive_failure(const struct tar *tar, const char *name, struct err *e)
{
	const char *words = archive_error_string(tar->archive);

	return err_set(e, ERR_INVALID, "put '%s' into a tar: %s", name,
		       words ? words : "libarchive gives no reason");
}

static int open_file(struct tar *tar, const struct tar_entry *entry, uint64_t *ret_size,
		     struct err *e)
{
	const char *path = entry->path;
	struct stat st;

	tar->fd = path[0] == '/' ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
				 : beneath_open_plain(entry->dir, path, O_RDONLY | O_NONBLOCK, 0);
	if (tar->fd < 0 || fstat(tar->fd, &st) < 0)
		return err_errno(e, ERR_INVALID, "read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INVALID, "read '%s': not a regular file", path);
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

static int write_header(struct tar *tar, const struct tar_entry *from, uint64_t size, struct err *e)
{
	struct archive_entry *entry = archive_entry_new();
	int r = 0;

	if (!entry)
		return err_memory(e);
	archive_entry_set_pathname(entry, from->name);
	archive_entry_set_mode(entry, from->mode);
	archive_entry_set_uid(entry, from->uid);
	archive_entry_set_gid(entry, from->gid);
	archive_entry_set_mtime(entry, from->mtime, 0);
	archive_entry_set_size(entry, (la_int64_t)size);
	if (S_ISLNK(from->mode))
		archive_entry_set_symlink(entry, from->link);
	if (archive_write_header(tar->archive, entry) < ARCHIVE_WARN)
		r = archive_failure(tar, from->name, e);
	archive_entry_free(entry);
	return r;
}

static int begin_entry(struct tar *tar, const struct tar_entry *entry, struct err *e)
{
	uint64_t size = 0;
	int r;

	free(tar->name);
	tar->name = strdup(entry->name);
	if (!tar->name)
		return err_memory(e);
	if (S_ISREG(entry->mode) && entry->path) {
		r = open_file(tar, entry, &size, e);
		if (r < 0)
			return r;
	} else if (S_ISREG(entry->mode)) {
		tar->bytes = entry->bytes;
		size = entry->size;
	}
	tar->left = size;
	return write_header(tar, entry, size, e);
}

/* The next piece of the file being written. */
static int next_piece(struct tar *tar, const char **ret_piece, size_t *ret_len, struct err *e)
{
	size_t len = tar->left < PIECE_SIZE ? (size_t)tar->left : PIECE_SIZE;
	ssize_t n;

	if (tar->fd < 0) {
		*ret_piece = tar->bytes;
		*ret_len = len;
		tar->bytes += len;
		return 0;
	}
	n = read(tar->fd, tar->piece, len);
	if (n < 0)
		return err_errno(e, ERR_INVALID, "read '%s'", tar->name);
	if (n == 0)
		return err_set(e, ERR_INVALID, "'%s' became shorter while it was read", tar->name);
	*ret_piece = tar->piece;
	*ret_len = (size_t)n;
	return 0;
}

static int write_piece(struct tar *tar, struct err *e)
{
	const char *piece = NULL;
	size_t len = 0;
	int r;

	r = next_piece(tar, &piece, &len, e);
	if (r < 0)
		return r;
	if (archive_write_data(tar->archive, piece, len) != (la_ssize_t)len)
		return archive_failure(tar, tar->name, e);
	tar->left -= len;
	return 0;
}

static int write_more(struct tar *tar, struct err *e)
{
	struct tar_entry entry = { 0 };
	int r;

	if (tar->left > 0)
		return write_piece(tar, e);
	closep(&tar->fd);
	tar->fd = -1;

	r = tar->next(tar->cookie, &entry, e);
	if (r < 0)
		return r;
	if (r > 0)
		return begin_entry(tar, &entry, e);
	tar->ended = true;
	return archive_write_close(tar->archive) == ARCHIVE_OK ? 0
							       : archive_failure(tar, "the end", e);
}

int tar_read(void *cookie, void *bytes, size_t size, size_t *ret_len, struct err *e)
{
	struct tar *tar = cookie;
	size_t ready;
	int r;

	if (tar->taken == tar->out.len) {
		buf_clear(&tar->out);
		tar->taken = 0;
	}
	while (tar->out.len == 0 && !tar->ended) {
		r = write_more(tar, e);
		if (r < 0)
			return r;
	}
	ready = tar->out.len - tar->taken;
	*ret_len = ready < size ? ready : size;
	memcpy(bytes, tar->out.data + tar->taken, *ret_len);
	tar->taken += *ret_len;
	return 0;
}
