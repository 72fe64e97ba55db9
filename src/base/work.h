/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work on other threads: jobs that outlive their caller, and loops whose rounds run side by side.
 */
#ifndef BASE_WORK_H
#define BASE_WORK_H

#include <pthread.h>
#include <stddef.h>

struct err;
struct work;

/* A condition whose timed waits don't care when somebody sets the clock: CLOCK_MONOTONIC. */
void cond_init_monotonic(pthread_cond_t *cond);

/* Jobs of one owner, each on a thread of its own (a small stack: 256 KiB). */
int work_new(struct work **ret_work, struct err *e);
/* Waits for every job, then ends. */
void work_free(struct work *work);

/* Runs run(cookie) soon. Fails with MEMORY or INTERNAL (no more threads), and then never runs it.
 */
int work_start(struct work *work, void (*run)(void *cookie), void *cookie, struct err *e);

/* Waits until no job runs. */
void work_wait(struct work *work);

/*
 * Calls round(cookie, i, e) for i in 0..count-1, at most `width` at once, and waits for all. After
 * a failure no further round begins; returns the first failure, with its words in e.
 */
int work_each(size_t count, size_t width, int (*round)(void *cookie, size_t i, struct err *e),
	      void *cookie, struct err *e);

/* As work_each(), but every round runs, whatever others said. */
int work_each_always(size_t count, size_t width,
		     int (*round)(void *cookie, size_t i, struct err *e), void *cookie,
		     struct err *e);

#endif
