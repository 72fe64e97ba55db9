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

struct err;
struct plan_build;

struct context_entry {
	const char *name;   /* in the context, without a leading "/" */
	const char *path;   /* absolute, on the host */
	const char *target; /* a symlink's; else NULL */
	struct stat st;
};

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
