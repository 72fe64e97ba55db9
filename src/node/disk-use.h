/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much disk a directory's tree takes: blocks and inodes, as they are on the disk.
 */
#ifndef NODE_DISK_USE_H
#define NODE_DISK_USE_H

#include <stdbool.h>
#include <stdint.h>

struct disk_use {
	int64_t bytes;  /* of blocks that are taken: holes are none, what fallocate(2) gives is */
	int64_t inodes; /* hard links count once each */
	bool too_deep; /* directories within directories beyond DISK_DEPTH_MAX were not looked at */
};

/* A descriptor is held for each. Path names end at 2048 of the shortest names. */
enum { DISK_DEPTH_MAX = 256 };

/*
 * Adds what the tree below path takes, and path itself. Follows no symlink and goes into no other
 * file system; a tree in memory (tmpfs) takes no disk. Ends early once `most` is passed: more
 * need not be known. What goes while it is looked at is not counted. false: path can't be opened.
 */
bool disk_use_add(struct disk_use *use, const char *path, const struct disk_use *most);

/* Whether the one is more than the other in anything. */
bool disk_use_exceeds(const struct disk_use *use, const struct disk_use *most);

#endif
