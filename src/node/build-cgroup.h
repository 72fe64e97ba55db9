/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's groups of processes that builds are in: limits for all of them at once, and an end
 * for what an engine leaves running of a build that was given up.
 *
 * root is where the groups are, "/sys/fs/cgroup" on a host: version 2, or a tree for each
 * controller of version 1. Names are of one or two parts, "ctfy-build" or "docker/buildkit".
 */
#ifndef NODE_BUILD_CGROUP_H
#define NODE_BUILD_CGROUP_H

#include <stdint.h>

#define BUILD_CGROUP_ROOT "/sys/fs/cgroup"

struct build_cgroup_limits {
	int64_t memory; /* bytes; and no swap, where the kernel counts that */
	int64_t cpus, pids;
};

/* Makes the group where it isn't there, and limits it. 0, or -1: errno says why. */
int build_cgroup_limit(const char *root, const char *name,
		       const struct build_cgroup_limits *limits);

/* Ends every process of a group, if there is one, until none is left; and the empty group. */
void build_cgroup_end(const char *root, const char *name);

/* The same of all groups below `parent` whose names begin so. */
void build_cgroup_end_all(const char *root, const char *parent, const char *prefix);

#endif
