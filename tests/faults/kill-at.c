/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a program, ends it as kill -9 does at one of its writes to disk, counted from 1:
 * KILL_AT=N before the Nth, KILL_AT=-N after it. KILL_COUNT names a file that gets how many there
 * were.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long uncounted;
static atomic_long *count = &uncounted;
static long at;

/* The count is in the file itself, for whoever is killed can't write it there. */
__attribute__((constructor)) static void begin(void)
{
	const char *when = getenv("KILL_AT"), *path = getenv("KILL_COUNT");
	int fd = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
	void *shared = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(*count)) == 0)
		shared = mmap(NULL, sizeof(*count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared != MAP_FAILED)
		count = shared;
	at = when ? strtol(when, NULL, 10) : 0;
}

static void die_if(long now)
{
	if (at == now)
		kill(getpid(), SIGKILL);
}

#define COUNTED(type, name, parameters, arguments)                  \
	type name parameters;                                       \
	__attribute__((visibility("default"))) type name parameters \
	{                                                           \
		type(*real) parameters;                             \
		long number = atomic_fetch_add(count, 1) + 1;       \
		type result;                                        \
                                                                    \
		*(void **)(void *)&real = dlsym(RTLD_NEXT, #name);  \
		die_if(number);                                     \
		result = real arguments;                            \
		die_if(-number);                                    \
		return result;                                      \
	}

COUNTED(int, fsync, (int fd), (fd))
COUNTED(int, fdatasync, (int fildes), (fildes))
COUNTED(int, rename, (const char *old, const char *new), (old, new))
COUNTED(ssize_t, pwrite64, (int fd, const void *buf, size_t n, off64_t offset),
	(fd, buf, n, offset))
