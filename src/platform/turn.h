/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose turn it is to have a password hashed: an argon2id hash takes 64 MiB and a core, and anybody
 * may ask for one.
 *
 * A few are at work at a time. The others wait, each source (an address, or a browser that is
 * known) with a fair share of the turns, and within a source each account: a flood from one address
 * delays others by one turn, and one for many accounts delays an account by as many. Who waits
 * holds a worker thread, so there are TURNS_WAITING_MAX at most; then those give way of whom most
 * wait. Any thread may use it.
 */
#ifndef PLATFORM_TURN_H
#define PLATFORM_TURN_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct turns;

/* A quarter of the workers there are (http/serve.h). */
enum { TURNS_WAITING_MAX = 128 };

/* So many at work at once; 0: one per processor, and four at most. */
int turns_new(unsigned at_once, struct turns **ret_turns, struct err *e);
void turns_free(struct turns *turns);

/*
 * Waits for a turn; turn_end() is then due. A source that guesses gets but a sixteenth of a share.
 * Fails with UNAVAILABLE where too many wait already, or with those of others.
 */
int turn_take(struct turns *turns, const char *source, const char *account, bool guesses,
	      struct err *e);
void turn_end(struct turns *turns);

/* How many wait; for tests. */
unsigned turns_waiting(struct turns *turns);

#endif
