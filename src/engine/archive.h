/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files out of and into containers, running or not.
 *
 * What the engine sees is the container's layers, volumes and binds. What lies on a tmpfs is
 * NOT_FOUND, and nothing can be written below a read-only root.
 */
#ifndef ENGINE_ARCHIVE_H
#define ENGINE_ARCHIVE_H

#include "http/call.h"

#include <stddef.h>
#include <stdint.h>

struct buf;
struct engine;
struct err;

/* The file or directory at path as a tar; its entries' names begin with path's last part. */
int engine_archive_read(struct engine *engine, const char *container, const char *path,
			http_sink *sink, void *cookie, struct err *e);

/*
 * Appends the bytes of the regular file at path, symlinks followed inside the container. A limited
 * buffer fails with TOO_LARGE before it holds too much. Fails with INVALID (not a regular file).
 */
int engine_archive_read_file(struct engine *engine, const char *container, const char *path,
			     struct buf *ret_bytes, struct err *e);

/*
 * Unpacks a tar (see engine/tar.h) below the directory path of the container. Fails with NOT_FOUND
 * (no such directory) or with what source said.
 */
int engine_archive_write(struct engine *engine, const char *container, const char *path,
			 http_source *source, void *cookie, struct err *e);

struct engine_file {
	const char *path; /* absolute */
	const void *bytes;
	size_t size;
	uint32_t mode; /* permissions: 0644 */
	uint32_t uid, gid;
};

/* Writes files; directories missing above them are made, root's and 0755. */
int engine_archive_put_files(struct engine *engine, const char *container,
			     const struct engine_file *files, size_t count, struct err *e);

#endif
