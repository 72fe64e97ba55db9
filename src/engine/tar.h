/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tar made while it is read: for build contexts and files on their way into containers.
 *
 * The reader pulls, with tar_read() as an http_source; the tar asks its maker for one entry after
 * another. No more than one piece of one file is in memory.
 */
#ifndef ENGINE_TAR_H
#define ENGINE_TAR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct tar;

struct tar_entry {
	const char *name; /* relative to where it will be unpacked */
	mode_t mode;      /* S_IFREG, S_IFDIR or S_IFLNK, with the permissions */
	uint32_t uid, gid;
	int dir;          /* where a path that is relative is looked for */
	int64_t mtime;    /* Unix seconds */
	const char *link; /* S_IFLNK: where to */
	/*
	 * S_IFREG: the local file to read, which must not change meanwhile; or else the bytes. A
	 * path that is relative is opened below dir, following no link.
	 */
	const char *path;
	const void *bytes;
	size_t size; /* of bytes */
};

/*
 * Fills the zeroed entry: 1, or 0 when there are no more, or a failure, which tar_read() passes on.
 * What the entry points at must live until the next call.
 */
typedef int tar_next(void *cookie, struct tar_entry *ret_entry, struct err *e);

int tar_new(tar_next *next, void *cookie, struct tar **ret_tar, struct err *e);
void tar_free(struct tar *tar);
static inline void tar_freep(struct tar **tar)
{
	tar_free(*tar);
}

/* An http_source whose cookie is the tar. Fails with INVALID (a file can't be read, or shrank). */
int tar_read(void *cookie, void *bytes, size_t size, size_t *ret_len, struct err *e);

#endif
