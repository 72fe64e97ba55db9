/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening below a directory: whatever a path's parts and links are, what is opened lies within.
 *
 * By openat2(2), which Linux has since 5.6. Where there is none (an older kernel, a filter),
 * nothing is opened and errno is ENOSYS or the filter's: a check by name would be none, since links
 * change.
 */
#ifndef BASE_BENEATH_H
#define BASE_BENEATH_H

#include <sys/types.h>

/*
 * Opens path, which is relative to dir, with O_CLOEXEC. Links are followed where they stay below
 * dir; none that is absolute does, nor one of /proc's. -1 and errno: EXDEV where it would leave.
 */
int beneath_open(int dir, const char *path, int flags);

/* The same, following no link at all: ELOOP where there is one. mode is for O_CREAT. */
int beneath_open_plain(int dir, const char *path, int flags, mode_t mode);

/* Anywhere on the host, by an absolute path, but through none of /proc's links. */
int beneath_open_anywhere(const char *path, int flags);

#endif
