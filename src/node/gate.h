/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gate that lets so many through at once, in the order they came.
 */
#ifndef NODE_GATE_H
#define NODE_GATE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct gate_waiter;

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	size_t width, inside;
	struct gate_waiter *first, **last;
};

void gate_init(struct gate *gate, size_t width);
void gate_done(struct gate *gate);

/*
 * Waits for its turn; `who` tells it from others for gate_position(). False when cancelled was set
 * before the turn came: then there is nothing to leave.
 */
bool gate_enter(struct gate *gate, const void *who, const atomic_bool *cancelled);
void gate_leave(struct gate *gate);

/* 1 for the next to be let in; 0: not waiting. */
size_t gate_position(struct gate *gate, const void *who);
size_t gate_waiting(struct gate *gate);
bool gate_is_idle(struct gate *gate); /* nobody is inside or waits */

#endif
