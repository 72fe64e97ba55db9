/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another program, run to its end. Of the caller's environment it gets PATH alone.
 */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

struct buf;
struct err;

/*
 * Runs argv[0] (found in PATH) with `input` (NULL: none) on its standard input, and waits. Succeeds
 * when it exits with 0; otherwise fails with INTERNAL and the last of what it said.
 */
int spawn_wait(const char *const *argv, const char *input, struct err *e);

/* The same; what it said, on both its outputs, is appended to ret_said. */
int spawn_read(const char *const *argv, const char *input, struct buf *ret_said, struct err *e);

/* As spawn_wait(), for a program whose exit status is an answer: fails only when it did not run. */
int spawn_ask(const char *const *argv, int *ret_status, struct err *e);

#endif
