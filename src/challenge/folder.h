/*
 * Paths of a challenge's folder, and reading from it.
 *
 * Nothing here trusts an author: a path may climb with "..", a symlink may point anywhere, and what
 * looks like a file may be a pipe that never ends.
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

/* Whether what the path leads to, symlinks followed, is dir or below it. True for what is absent.
 */
bool path_stays_below(const char *path, const char *dir);

bool path_exists(const char *path);
bool path_is_dir(const char *path);
bool dir_has_file(const char *dir, const char *name); /* a regular one */

/*
 * A regular file's whole text and a NUL, in the arena; folder NULL, or the directory that symlinks
 * may not leave. Fails with NOT_FOUND, TOO_LARGE (over max bytes) or INVALID.
 */
int folder_read(struct arena *arena, const char *folder, const char *path, size_t max,
		const char **ret_text, size_t *ret_len, struct err *e);

#endif
