/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/pacer.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

enum {
	/*
	 * Rounds that are a second or more apart begin together, so many milliseconds apart: the
	 * first one after a sleep finds its caches cold, and costs four times what the next do.
	 */
	GRAIN_MS = 250,
	GRAIN_FROM_MS = 1000,
	IDLE_MS = 10000, /* a thread too many ends after that */
	IDLE_WANTED = 2, /* who waits for the next round, and who sees to it that somebody does */
	STACK_SIZE = 256 * 1024,
};

static const size_t at_work = SIZE_MAX; /* a pace's place then */

struct pacer {
	pthread_attr_t attr;
	pthread_mutex_t lock;
	pthread_cond_t sooner; /* for who leads: what is due first is another */
	pthread_cond_t aside;  /* for the other idle ones: one of them is to lead */
	pthread_cond_t over;   /* the last pace, or the last thread */
	unsigned threads, idle;
	bool led; /* an idle thread waits for what is due first */
	bool ending;
	struct pace **waiting; /* a heap: what is due first is at its top */
	size_t count, room;
	size_t paces; /* that are not over, waiting or at work */
};

/* The heap: the lock is held. */

static void place(struct pacer *pacer, struct pace *pace, size_t at)
{
	pacer->waiting[at] = pace;
	pace->place = at;
}

static void move_up(struct pacer *pacer, struct pace *pace, size_t at)
{
	while (at > 0 && pacer->waiting[(at - 1) / 2]->due_at > pace->due_at) {
		place(pacer, pacer->waiting[(at - 1) / 2], at);
		at = (at - 1) / 2;
	}
	place(pacer, pace, at);
}

static void move_down(struct pacer *pacer, struct pace *pace, size_t at)
{
	size_t child;

	while ((child = 2 * at + 1) < pacer->count) {
		if (child + 1 < pacer->count &&
		    pacer->waiting[child + 1]->due_at < pacer->waiting[child]->due_at)
			child++;
		if (pacer->waiting[child]->due_at >= pace->due_at)
			break;
		place(pacer, pacer->waiting[child], at);
		at = child;
	}
	place(pacer, pace, at);
}

/* There is room for every pace. */
static void wait_for_turn(struct pacer *pacer, struct pace *pace, int64_t in_ms)
{
	pace->due_at = clock_monotonic_ms() + in_ms;
	if (in_ms >= GRAIN_FROM_MS)
		pace->due_at -= pace->due_at % GRAIN_MS;
	move_up(pacer, pace, pacer->count++);
	if (pace->place == 0)
		pthread_cond_signal(&pacer->sooner);
}

static struct pace *take_first(struct pacer *pacer)
{
	struct pace *first = pacer->waiting[0];
	struct pace *last = pacer->waiting[--pacer->count];

	if (pacer->count > 0)
		move_down(pacer, last, 0);
	first->place = at_work;
	return first;
}

/* Threads: the lock is held, but for the rounds. */

static void *keep_pace(void *cookie);

static int add_thread(struct pacer *pacer, struct err *e)
{
	pthread_t thread;
	int error = pthread_create(&thread, &pacer->attr, keep_pace, pacer);

	if (error) {
		errno = error;
		return err_errno(e, ERR_INTERNAL, "start a thread");
	}
	pacer->threads++;
	return 0;
}

static void wait_on(struct pacer *pacer, pthread_cond_t *cond, int64_t ms)
{
	const struct timespec until = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	pthread_cond_timedwait(cond, &pacer->lock, &until);
}

/* Who leads takes what is due; the others what should have been taken some time ago. */
static bool is_due(const struct pacer *pacer, int64_t now)
{
	int64_t patience = pacer->led ? PACER_PATIENCE_MS : 0;

	return pacer->count > 0 && pacer->waiting[0]->due_at + patience <= now;
}

static void wait_for_first(struct pacer *pacer, int64_t now)
{
	int64_t due_at = pacer->count > 0 ? pacer->waiting[0]->due_at : now + IDLE_MS;

	if (pacer->led) {
		wait_on(pacer, &pacer->aside, due_at + PACER_PATIENCE_MS);
		return;
	}
	pacer->led = true;
	wait_on(pacer, &pacer->sooner, due_at);
	pacer->led = false;
}

/* NULL: the thread is one too many. */
static struct pace *next_pace(struct pacer *pacer)
{
	int64_t began = clock_monotonic_ms(), now = began;
	struct pace *pace = NULL;

	pacer->idle++;
	while (!pacer->ending && !is_due(pacer, now) &&
	       (pacer->idle <= IDLE_WANTED || now - began < IDLE_MS)) {
		wait_for_first(pacer, now);
		now = clock_monotonic_ms();
	}
	if (!pacer->ending && is_due(pacer, now))
		pace = take_first(pacer);
	pacer->idle--;
	return pace;
}

/* Somebody waits for what is due next, while this round is at work. */
static void have_others_wait(struct pacer *pacer, const struct pace *pace)
{
	struct err e = ERR_INIT;

	if (pacer->idle == 0 && add_thread(pacer, &e) < 0)
		log_error("%s: one that takes long may delay others", e.msg);
	if (!pace->quick && !pacer->led)
		pthread_cond_signal(&pacer->aside);
}

static void serve_round(struct pacer *pacer, struct pace *pace)
{
	int64_t began = clock_monotonic_ms(), next;

	have_others_wait(pacer, pace);
	pthread_mutex_unlock(&pacer->lock);
	next = pace->round(pace);
	pthread_mutex_lock(&pacer->lock);
	if (next == PACE_OVER) {
		if (--pacer->paces == 0)
			pthread_cond_broadcast(&pacer->over);
		return;
	}
	pace->quick = clock_monotonic_ms() - began < PACER_PATIENCE_MS;
	wait_for_turn(pacer, pace, pace->hurried ? 0 : next);
	pace->hurried = false;
}

static void *keep_pace(void *cookie)
{
	struct pacer *pacer = cookie;
	struct pace *pace;

	pthread_mutex_lock(&pacer->lock);
	while ((pace = next_pace(pacer)))
		serve_round(pacer, pace);
	if (--pacer->threads == 0)
		pthread_cond_broadcast(&pacer->over);
	pthread_mutex_unlock(&pacer->lock);
	return NULL;
}

int pacer_new(struct pacer **ret_pacer, struct err *e)
{
	struct pacer *pacer = calloc(1, sizeof(*pacer));

	if (!pacer)
		return err_memory(e);
	pthread_attr_init(&pacer->attr);
	pthread_attr_setstacksize(&pacer->attr, STACK_SIZE);
	pthread_attr_setdetachstate(&pacer->attr, PTHREAD_CREATE_DETACHED);
	pthread_mutex_init(&pacer->lock, NULL);
	cond_init_monotonic(&pacer->sooner);
	cond_init_monotonic(&pacer->aside);
	pthread_cond_init(&pacer->over, NULL);
	*ret_pacer = pacer;
	return 0;
}

static void end_threads(struct pacer *pacer)
{
	pthread_mutex_lock(&pacer->lock);
	pacer->ending = true;
	pthread_cond_broadcast(&pacer->sooner);
	pthread_cond_broadcast(&pacer->aside);
	while (pacer->threads > 0)
		pthread_cond_wait(&pacer->over, &pacer->lock);
	pthread_mutex_unlock(&pacer->lock);
}

void pacer_free(struct pacer *pacer)
{
	if (!pacer)
		return;
	end_threads(pacer);
	pthread_cond_destroy(&pacer->sooner);
	pthread_cond_destroy(&pacer->aside);
	pthread_cond_destroy(&pacer->over);
	pthread_mutex_destroy(&pacer->lock);
	pthread_attr_destroy(&pacer->attr);
	free(pacer->waiting);
	free(pacer);
}

/* For one more pace than there are, so that a round always finds its place again. */
static int make_room(struct pacer *pacer, struct err *e)
{
	size_t room = pacer->room ? 2 * pacer->room : 16;
	struct pace **waiting;

	if (pacer->paces < pacer->room)
		return 0;
	waiting = realloc(pacer->waiting, room * sizeof(struct pace *));
	if (!waiting)
		return err_memory(e);
	pacer->waiting = waiting;
	pacer->room = room;
	return 0;
}

int pacer_add(struct pacer *pacer, struct pace *pace, int64_t in_ms, struct err *e)
{
	int r;

	pthread_mutex_lock(&pacer->lock);
	r = make_room(pacer, e);
	if (r == 0 && pacer->threads == 0)
		r = add_thread(pacer, e);
	if (r == 0) {
		pace->pacer = pacer;
		pacer->paces++;
		wait_for_turn(pacer, pace, in_ms);
	}
	pthread_mutex_unlock(&pacer->lock);
	return r;
}

void pacer_hurry(struct pacer *pacer, struct pace *pace)
{
	pthread_mutex_lock(&pacer->lock);
	if (!pace->pacer) {
		/* never added */
	} else if (pace->place == at_work) {
		pace->hurried = true;
	} else {
		pace->due_at = 0;
		move_up(pacer, pace, pace->place);
		pthread_cond_signal(&pacer->sooner);
	}
	pthread_mutex_unlock(&pacer->lock);
}

void pacer_wait(struct pacer *pacer)
{
	pthread_mutex_lock(&pacer->lock);
	while (pacer->paces > 0)
		pthread_cond_wait(&pacer->over, &pacer->lock);
	pthread_mutex_unlock(&pacer->lock);
}
