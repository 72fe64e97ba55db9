#include "node/gate.h"

void gate_init(struct gate *gate, size_t width)
{
	*gate = (struct gate){ .width = width ? width : 1 };
	pthread_mutex_init(&gate->lock, NULL);
	pthread_cond_init(&gate->moved, NULL);
}

void gate_done(struct gate *gate)
{
	pthread_cond_destroy(&gate->moved);
	pthread_mutex_destroy(&gate->lock);
}

void gate_enter(struct gate *gate)
{
	uint64_t ticket;

	pthread_mutex_lock(&gate->lock);
	ticket = gate->arrived++;
	while (ticket != gate->admitted || gate->inside >= gate->width)
		pthread_cond_wait(&gate->moved, &gate->lock);
	gate->admitted++;
	gate->inside++;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

void gate_leave(struct gate *gate)
{
	pthread_mutex_lock(&gate->lock);
	gate->inside--;
	pthread_cond_broadcast(&gate->moved);
	pthread_mutex_unlock(&gate->lock);
}

size_t gate_waiting(struct gate *gate)
{
	size_t waiting;

	pthread_mutex_lock(&gate->lock);
	waiting = (size_t)(gate->arrived - gate->admitted);
	pthread_mutex_unlock(&gate->lock);
	return waiting;
}

bool gate_is_idle(struct gate *gate)
{
	bool idle;

	pthread_mutex_lock(&gate->lock);
	idle = gate->inside == 0 && gate->arrived == gate->admitted;
	pthread_mutex_unlock(&gate->lock);
	return idle;
}
