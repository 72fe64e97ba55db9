/* SPDX-License-Identifier: Apache-2.0 */
#include "node/gate.h"

#include "base/work.h"

#include <stdint.h>
#include <time.h>

/* One who waits; lives on the waiting thread's stack. */
struct gate_waiter {
	struct gate_waiter *next;
	const void *who;
};

void gate_init(struct gate *gate, size_t width)
{
	*gate = (struct gate){ .width = width ? width : 1 };
	gate->last = &gate->first;
	pthread_mutex_init(&gate->lock, NULL);
	cond_init_monotonic(&gate->moved);
}

void gate_done(struct gate *gate)
{
	pthread_cond_destroy(&gate->moved);
	pthread_mutex_destroy(&gate->lock);
}

static void unlink_waiter(struct gate *gate, struct gate_waiter *waiter)
{
	struct gate_waiter **at = &gate->first;

	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
	if (!*at)
		gate->last = at;
}

/* Whoever cancels a waiter can't know that it waits here: it looks for itself now and then. */
static void wait_a_while(struct gate *gate)
{
	const long pause_ns = 200 * 1000000L;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += pause_ns;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&gate->moved, &gate->lock, &until);
}

bool gate_enter(struct gate *gate, const void *who, const atomic_bool *cancelled)
{
	struct gate_waiter waiter = { .who = who };
	bool entered;

	pthread_mutex_lock(&gate->lock);
	*gate->last = &waiter;
	gate->last = &waiter.next;
	while ((gate->first != &waiter || gate->inside >= gate->width) && !atomic_load(cancelled))
		wait_a_while(gate);
	entered = !atomic_load(cancelled);
	unlink_waiter(gate, &waiter);
	if (entered)
		gate->inside++;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
	return entered;
}

void gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->inside--;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

size_t gate_position(struct gate *gate, const void *who)
{
	const struct gate_waiter *waiter;
	size_t position = 1;

	pthread_mutex_lock(&gate->lock);
	for (waiter = gate->first; waiter && waiter->who != who; waiter = waiter->next)
		position++;
	pthread_mutex_unlock(&gate->lock);
	return waiter ? position : 0;
}

size_t gate_waiting(struct gate *gate)
{
	size_t waiting = 0;

	pthread_mutex_lock(&gate->lock);
	for (const struct gate_waiter *w = gate->first; w; w = w->next)
		waiting++;
	pthread_mutex_unlock(&gate->lock);
	return waiting;
}

bool gate_is_idle(struct gate *gate)
{
	bool idle;

	pthread_mutex_lock(&gate->lock);
	idle = gate->inside == 0 && !gate->first;
	pthread_mutex_unlock(&gate->lock);
	return idle;
}
