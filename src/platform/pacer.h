/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Things that are done again and again, each at a pace of its own.
 *
 * Quick rounds share one thread, which sleeps until the next one is due. A round that was slow last
 * time, or is new, gets a thread of its own; one that turns out to be slow delays the others by
 * PACER_PATIENCE_MS, once. So hundreds of quick ones need two threads, and each slow one a third.
 */
#ifndef PLATFORM_PACER_H
#define PLATFORM_PACER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct pacer;

/* A part of what it is about: zeroed by its owner, who sets `round` and nothing else. */
struct pace {
	/*
	 * Returns in how many milliseconds the next round is due, or PACE_OVER. Then the pacer
	 * knows it no longer, and it may be gone already.
	 */
	int64_t (*round)(struct pace *pace);
	struct pacer *pacer;
	int64_t due_at;
	size_t place; /* among those that wait; SIZE_MAX: it is at work */
	bool hurried; /* while at work */
	bool quick;   /* the last time */
};

enum { PACE_OVER = -1, PACER_PATIENCE_MS = 100 };

int pacer_new(struct pacer **ret_pacer, struct err *e);
/* When every pace is over. Waits for its threads. */
void pacer_free(struct pacer *pacer);

/* The first round is due in so many milliseconds. Fails with MEMORY or INTERNAL (no
 * thread), and then never runs it. */
int pacer_add(struct pacer *pacer, struct pace *pace, int64_t in_ms, struct err *e);

/*
 * A round at once, however long the pace would wait; one at work is followed by another at once.
 * Nothing is done for a pace that was never added.
 */
void pacer_hurry(struct pacer *pacer, struct pace *pace);

/* Waits until every pace is over. */
void pacer_wait(struct pacer *pacer);

#endif
