/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pipes for splice(): what is on its way from one socket to another is pages of the kernel's that
 * change hands. A pipe is held only while it has bytes, and there are few: those of all root's
 * processes on a machine share one allowance (fs.pipe-user-pages-soft, 16,384 pages).
 */
#ifndef RELAY_PIPES_H
#define RELAY_PIPES_H

#include <stdbool.h>
#include <stddef.h>

enum { PIPES_MAX = 32, PIPES_SPARE_MAX = 4 };

struct pipe {
	int read_fd, write_fd; /* -1: none */
	size_t len;            /* bytes in it */
};

/* clang-format off */
#define PIPE_NONE { -1, -1, 0 }
/* clang-format on */

struct pipes {
	struct pipe spare[PIPES_SPARE_MAX];
	size_t spare_count, taken;
};

/* False: there are enough of them, or the system gives no more. */
bool pipe_take(struct pipes *pipes, struct pipe *pipe);
/* One that isn't empty is closed. Does nothing where there is none. */
void pipe_give(struct pipes *pipes, struct pipe *pipe);
void pipes_done(struct pipes *pipes);

#endif
