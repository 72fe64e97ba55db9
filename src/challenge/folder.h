/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths of a challenge's folder, and opening what they name.
 *
 * Nothing here trusts an author: a path may climb with "..", a symlink may point anywhere and
 * change meanwhile, and what looks like a file may be a pipe that never ends. So every file that a
 * challenge names is opened by folder_open_path() and nothing else, and what was opened is what is
 * used.
 */
#ifndef CHALLENGE_FOLDER_H
#define CHALLENGE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

struct arena;
struct err;

/*
 * path seen from dir, absolute when dir is; "." and ".." resolved by name. NULL: out of memory, as
 * is either of its arguments.
 */
char *path_join(struct arena *arena, const char *dir, const char *path);

/* Whether path is dir or below it, both being normal. */
bool path_is_below(const char *path, const char *dir);

/* path as seen from dir where it is below it ("." for dir itself), else path. Borrows both. */
const char *path_relative(const char *path, const char *dir);

/*
 * What guards a path, for the functions below: the folder where the path is below it; else "/", for
 * a path of the host's own that the operator has permitted (planner_path()).
 */
const char *folder_guard(const char *folder, const char *path);

/*
 * Opens a path, which is normal and below the folder, without leaving the folder by any link; with
 * O_CLOEXEC and O_NONBLOCK, since a pipe without a writer would hold a blocking open for ever.
 * Fails with NOT_FOUND, INVALID (it leaves the folder, can't be opened) or UNAVAILABLE (a kernel
 * without openat2()).
 */
int folder_open_path(const char *folder, const char *path, int flags, int *ret_fd, struct err *e);

/* What lies behind a path. What can't be opened, or leaves the folder, is OTHER. */
enum path_kind { PATH_ABSENT, PATH_FILE, PATH_DIR, PATH_OTHER };
enum path_kind folder_kind(const char *folder, const char *path);

/* Whether a directory, which need be no challenge's folder yet, has such a regular file. */
bool dir_has_file(const char *dir, const char *name);

/* For paths of the operator's own: where a challenge was found. */
bool path_is_dir(const char *path);

/*
 * Where a path really is, in the arena: the name of what was opened, without a link in it. Fails
 * as folder_open_path() does, and with INVALID where the kernel can't tell.
 */
int folder_resolve(struct arena *arena, const char *folder, const char *path, const char **ret_real,
		   struct err *e);

/*
 * A regular file's whole text and a NUL, in the arena. Fails as folder_open_path() does, and with
 * TOO_LARGE (over max bytes).
 */
int folder_read(struct arena *arena, const char *folder, const char *path, size_t max,
		const char **ret_text, size_t *ret_len, struct err *e);

#endif
