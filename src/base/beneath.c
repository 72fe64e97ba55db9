/* SPDX-License-Identifier: Apache-2.0 */
#include "base/beneath.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* openat2() gives up with EAGAIN where something was renamed while it looked at a "..". */
enum { TRIES = 16 };

static int open_resolving(int dir, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = { .flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
				.mode = flags & O_CREAT ? mode : 0,
				.resolve = resolve };
	long fd = -1;

	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	return (int)fd;
}

int beneath_open(int dir, const char *path, int flags)
{
	return open_resolving(dir, path, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
}

int beneath_open_plain(int dir, const char *path, int flags, mode_t mode)
{
	return open_resolving(dir, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

int beneath_open_anywhere(const char *path, int flags)
{
	return open_resolving(AT_FDCWD, path, flags, 0, RESOLVE_NO_MAGICLINKS);
}
