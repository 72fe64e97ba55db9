/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A build context: the files of a directory that `.dockerignore` leaves in.
 *
 * Symlinks are kept as they are; they resolve inside the image, never on the host. Sockets, pipes
 * and devices are left out, as the docker client does.
 */
#ifndef CHALLENGE_CONTEXT_H
#define CHALLENGE_CONTEXT_H

#include <stdint.h>
#include <sys/stat.h>

struct arena;
struct err;
struct plan_build;

struct context_entry {
	const char *name;   /* in the context, without a leading "/" */
	int dir;            /* the open directory that it is in, until the callback returns... */
	const char *base;   /* ...and its name there */
	const char *target; /* a symlink's; else NULL */
	struct stat st;
};

/*
 * Opens the context's directory without leaving the challenge's folder. What context_walk() tells
 * is to be opened below it, following no link. Fails as folder_open_path() does.
 */
int context_open(const struct plan_build *build, int *ret_dir, struct err *e);

/* The Dockerfile's text, in the arena, wherever it is. Fails as folder_read() does. */
int context_dockerfile(struct arena *arena, const struct plan_build *build, const char **ret_text,
		       struct err *e);

/*
 * Calls back for every directory, file and symlink, parents first, sorted by name. The Dockerfile
 * and .dockerignore are always among them. Stops at the first non-zero return and returns it.
 */
int context_walk(const struct plan_build *build,
		 int (*found)(void *cookie, const struct context_entry *entry), void *cookie,
		 struct err *e);

enum { CONTEXT_HASH_SIZE = 65 }; /* hex SHA-256 and a NUL */

/* Over names, modes, contents, the Dockerfile, its arguments and target; not over times. */
int context_hash(const struct plan_build *build, char hash[CONTEXT_HASH_SIZE], struct err *e);

#endif
