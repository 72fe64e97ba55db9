/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where builds take place, and what they may take of the machine. An author's RUN is an author's
 * program: it is held as a service is, as far as an engine's builders let themselves be told.
 *
 *                      classic builder         BuildKit
 *   network            one of the node's own, open to the outside and to nothing else, where no
 *                      two steps reach each other
 *                                              the engine's default bridge, closed towards host and
 *                                              private addresses while a build of ours runs
 *   memory, processors of each step, by the API; and of all of them by a cgroup of ours
 *                                              of all of them, by the cgroup that BuildKit's are in
 *   processes          by the same cgroups
 *   files, core dumps  ulimits                 the engine's own
 *   time               --build-time            --build-time
 *
 * Podman's builder is held as the classic one is. It leaves a step running when its build is given
 * up, so each build has a cgroup of its own there, and what is in it is ended with the build.
 *
 * The cgroups are the kernel's own where the engine makes them itself ("cgroupfs"). Where systemd
 * makes them, processes are limited by its DefaultTasksMax, and BuildKit's steps by nothing else.
 */
#ifndef NODE_BUILD_GROUND_H
#define NODE_BUILD_GROUND_H

#include <stdbool.h>

struct build_ground;
struct engine_build;
struct err;
struct node;

/* On the network that builds use: no instance's, and none that is kept ready. */
#define LABEL_BUILDS "ctfy.builds"

int build_ground_new(struct node *node, struct build_ground **ret_ground, struct err *e);
void build_ground_free(struct build_ground *ground);

/* What one build has of it; it has to be there for as long as the build. */
struct build_stay {
	char network[96]; /* the one that it was given */
	bool fenced;
	char cgroup[128]; /* one of its own, for Podman; "": it has none */
};

/*
 * Puts network and limits into a build that has its other members already; its network, where it
 * has one, stays. Followed by build_ground_leave() once that build has ended. Fails with ENGINE or
 * INTERNAL: then nothing is built.
 */
int build_ground_enter(struct build_ground *ground, struct engine_build *build,
		       struct build_stay *ret_stay, struct err *e);
void build_ground_leave(struct build_ground *ground, const struct build_stay *stay);

/* Takes up the network that an earlier life of the node made. */
int build_ground_recover(struct build_ground *ground, struct err *e);
/* Removes it, for a node that is not coming back. */
void build_ground_clear(struct build_ground *ground);

#endif
