/* SPDX-License-Identifier: Apache-2.0 */
#include "http/worker.h"

#include "base/err.h"
#include "base/own.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

enum {
	STACK_SIZE = 256 * 1024,
	IDLE_S = 10,
};

struct worker {
	struct worker *next;
	struct workers *workers;
	struct task *task;
	pthread_cond_t wake;
};

struct workers {
	pthread_mutex_t lock;
	pthread_condattr_t monotonic;
	pthread_attr_t thread_attr;
	pthread_cond_t ended;
	unsigned max;
	unsigned count;
	bool stopping;
	struct worker *idle; /* the one that rests least long comes first: the others may end */
	struct task *first, **last;
};

int workers_new(unsigned max, struct workers **ret_workers, struct err *e)
{
	struct workers *w = calloc(1, sizeof(*w));

	if (!w)
		return err_memory(e);
	w->max = max;
	w->last = &w->first;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->ended, NULL);
	pthread_condattr_init(&w->monotonic);
	pthread_condattr_setclock(&w->monotonic, CLOCK_MONOTONIC);
	pthread_attr_init(&w->thread_attr);
	pthread_attr_setstacksize(&w->thread_attr, STACK_SIZE);
	pthread_attr_setdetachstate(&w->thread_attr, PTHREAD_CREATE_DETACHED);
	*ret_workers = w;
	return 0;
}

void workers_stop(struct workers *w)
{
	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	for (struct worker *idle = w->idle; idle; idle = idle->next)
		pthread_cond_signal(&idle->wake);
	while (w->count > 0)
		pthread_cond_wait(&w->ended, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void workers_free(struct workers *w)
{
	if (!w)
		return;
	workers_stop(w);
	pthread_attr_destroy(&w->thread_attr);
	pthread_condattr_destroy(&w->monotonic);
	pthread_cond_destroy(&w->ended);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static struct task *queue_take(struct workers *w)
{
	struct task *task = w->first;

	if (!task)
		return NULL;
	w->first = task->next;
	if (!w->first)
		w->last = &w->first;
	return task;
}

static void queue_put(struct workers *w, struct task *task)
{
	task->next = NULL;
	*w->last = task;
	w->last = &task->next;
}

static void stop_resting(struct worker *self)
{
	struct worker **at = &self->workers->idle;

	while (*at != self)
		at = &(*at)->next;
	*at = self->next;
}

/* Until a task is handed over, or the time is up: then NULL. */
static struct task *rest(struct worker *self)
{
	struct workers *w = self->workers;
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_S;
	self->next = w->idle;
	w->idle = self;
	while (!self->task && !w->stopping && error != ETIMEDOUT)
		error = pthread_cond_timedwait(&self->wake, &w->lock, &until);
	if (!self->task)
		stop_resting(self);
	return TAKE(self->task);
}

static void *work(void *cookie)
{
	struct worker self = { .workers = cookie };
	struct workers *w = self.workers;
	struct task *task;

	pthread_cond_init(&self.wake, &w->monotonic);
	pthread_mutex_lock(&w->lock);
	while ((task = queue_take(w)) || (!w->stopping && (task = rest(&self)))) {
		pthread_mutex_unlock(&w->lock);
		task->run(task);
		pthread_mutex_lock(&w->lock);
	}
	if (--w->count == 0)
		pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(&w->lock);
	pthread_cond_destroy(&self.wake);
	return NULL;
}

/* Called with the lock held: a thread takes longer to make than to count. */
static int grow(struct workers *w, struct err *e)
{
	pthread_t thread;
	int error = pthread_create(&thread, &w->thread_attr, work, w);

	if (error) {
		errno = error;
		return err_errno(e, ERR_UNAVAILABLE, "start a thread");
	}
	w->count++;
	return 0;
}

static int hand_over(struct workers *w, struct task *task, struct err *e)
{
	struct worker *worker = w->idle;
	int r;

	if (worker) {
		w->idle = worker->next;
		worker->task = task;
		pthread_cond_signal(&worker->wake);
		return 0;
	}
	if (w->count < w->max) {
		r = grow(w, e);
		if (r < 0 && w->count == 0)
			return r;
	}
	queue_put(w, task);
	return 0;
}

int workers_submit(struct workers *w, struct task *task, struct err *e)
{
	int r;

	pthread_mutex_lock(&w->lock);
	r = w->stopping ? err_set(e, ERR_UNAVAILABLE, "the server is stopping")
			: hand_over(w, task, e);
	pthread_mutex_unlock(&w->lock);
	return r;
}
