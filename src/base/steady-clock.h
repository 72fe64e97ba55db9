/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The time that a daemon lives by: the machine's, without its jumps.
 *
 * It begins with the machine's clock and goes on by CLOCK_BOOTTIME, so that a deadline comes when
 * that much time has passed, wherever somebody sets the clock meanwhile. What the machine's clock
 * differs by it makes up for gently, up to 15 minutes; more is a jump: it keeps its own time then,
 * and says so, until the two agree again.
 *
 * A file remembers it across restarts. Within one boot of the machine a jump is known to be one.
 * After another boot the machine's clock is believed, with two exceptions: the time never goes
 * back, and after more than a day away nothing should be ended or removed for an hour, in case that
 * clock is wrong.
 *
 * Reading it is for any thread, the rest for one.
 */
#ifndef BASE_STEADY_CLOCK_H
#define BASE_STEADY_CLOCK_H

#include "base/clock.h"

struct err;
struct steady_clock;

/*
 * path: the file, which needs not be there. accept: the machine's clock is right, whatever the file
 * says. Fails with MEMORY, or as the file can't be read or written.
 */
int steady_clock_open(const char *path, bool accept, struct steady_clock **ret_clock,
		      struct err *e);
void steady_clock_free(struct steady_clock *clock);

/* Borrowed. */
const struct clock *steady_clock_of(const struct steady_clock *clock);

/* To be called every few seconds at least. Fails where the file can't be written. */
int steady_clock_tick(struct steady_clock *clock, struct err *e);

/* How far the machine's clock has jumped ahead, or back (below 0), in ms; 0: it has not. */
int64_t steady_clock_jump(const struct steady_clock *clock);

/* Whether nothing should be ended or removed for the reason that it is old. */
bool steady_clock_doubts(const struct steady_clock *clock);

/* Whether anything is old may be told wrong while the machine's clock and this one differ. */
static inline bool steady_clock_is_sure(const struct steady_clock *clock)
{
	return steady_clock_jump(clock) == 0 && !steady_clock_doubts(clock);
}

enum { STEADY_CLOCK_WORDS = 256 };

/* What an organiser should know; "": all is well. Returns words. */
const char *steady_clock_words(const struct steady_clock *clock, char words[STEADY_CLOCK_WORDS]);

/* Whether these words are others than the last time that this was asked, for a line in a log. */
bool steady_clock_news(struct steady_clock *clock, char words[STEADY_CLOCK_WORDS]);

#endif
