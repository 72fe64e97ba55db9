/*
 * A gate that lets so many through at once, in the order they came.
 */
#ifndef NODE_GATE_H
#define NODE_GATE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	size_t width, inside;
	uint64_t arrived, admitted; /* tickets given, tickets let in */
};

void gate_init(struct gate *gate, size_t width);
void gate_done(struct gate *gate);
void gate_enter(struct gate *gate);
void gate_leave(struct gate *gate);
size_t gate_waiting(struct gate *gate);
bool gate_is_idle(struct gate *gate); /* nobody is inside or waits */

#endif
