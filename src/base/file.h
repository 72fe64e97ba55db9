/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and directories: whole reads, writes that are all or nothing, trees.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

struct err;

/* The whole file and a NUL, the caller's. Fails with NOT_FOUND, TOO_LARGE (over max), INVALID. */
int file_read(const char *path, size_t max, char **ret_text, size_t *ret_len, struct err *e);

/* Written beside, synced and renamed over path: a crash leaves the old or the new. */
int file_write(const char *path, const void *bytes, size_t len, mode_t mode, struct err *e);

/* A file without a name in dir, gone when it is closed, for writing and reading. */
int file_temporary(const char *dir, FILE **ret_file, struct err *e);

bool file_exists(const char *path);

/* The directory and its parents; fine when it is there. */
int dir_make(const char *path, mode_t mode, struct err *e);

/* The tree below path and path itself; follows no symlink; fine when there is none. */
int tree_remove(const char *path, struct err *e);

/*
 * Copies what is open, a file or a directory, with its mode; in it files, directories and symlinks
 * (as they are): special files are refused.
 */
int tree_copy(int from, const char *to, struct err *e);

#endif
