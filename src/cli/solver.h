/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program with which an author shows that a challenge can be solved.
 *
 * It is given what a player has: endpoints as arguments, attachments in a directory. What it found
 * it writes to its standard output. It runs in a process group of its own, all of which is gone
 * when the run ends.
 */
#ifndef CLI_SOLVER_H
#define CLI_SOLVER_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct err;

struct solver {
	const char *program; /* absolute */
	const char *dir;     /* where it runs */
	const char *attachments;
	const char *const *endpoints; /* "host:port", or a URL */
	size_t endpoint_count;
	int64_t timeout_ms;
};

enum { SOLVER_OUTPUT_MAX = 1 << 20, SOLVER_WORDS_MAX = 4096 };

/*
 * Runs it to its end. ret_found: its standard output, at most SOLVER_OUTPUT_MAX bytes; ret_words:
 * the last of its standard error. Both are filled whatever happens. Fails with INVALID where it
 * can't be run or doesn't exit with 0, TIMEOUT, TOO_LARGE, and ABORTED once *cancelled.
 */
int solver_run(const struct solver *solver, const volatile sig_atomic_t *cancelled,
	       struct buf *ret_found, struct buf *ret_words, struct err *e);

#endif
