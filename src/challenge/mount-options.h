/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of a mount in memory: of an author's words, those that we know pass, and no others.
 */
#ifndef CHALLENGE_MOUNT_OPTIONS_H
#define CHALLENGE_MOUNT_OPTIONS_H

#include <stdbool.h>

struct arena;

/*
 * "size=64m,mode=1777,noexec" if each of its options is one of tmpfs(5) that concerns nothing but
 * the mount itself. ret_options is in the arena ("" for none); where the answer is no, ret_bad has
 * the option that isn't.
 */
bool tmpfs_options(struct arena *arena, const char *text, const char **ret_options,
		   const char **ret_bad);

#endif
