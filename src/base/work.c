/* SPDX-License-Identifier: Apache-2.0 */
#include "base/work.h"

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { STACK_SIZE = 256 * 1024 };

struct work {
	pthread_mutex_t lock;
	pthread_cond_t idle;
	size_t running;
};

struct job {
	struct work *work;
	void (*run)(void *cookie);
	void *cookie;
	char request[64]; /* a job's log lines belong to the request that began it */
};

static int thread_start(pthread_t *thread, void *(*run)(void *), void *cookie, bool detached,
			struct err *e)
{
	pthread_attr_t attr;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	error = pthread_create(thread, &attr, run, cookie);
	pthread_attr_destroy(&attr);
	if (error) {
		errno = error;
		return err_errno(e, ERR_INTERNAL, "start a thread");
	}
	return 0;
}

void cond_init_monotonic(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

int work_new(struct work **ret_work, struct err *e)
{
	struct work *work = calloc(1, sizeof(*work));

	if (!work)
		return err_memory(e);
	pthread_mutex_init(&work->lock, NULL);
	pthread_cond_init(&work->idle, NULL);
	*ret_work = work;
	return 0;
}

void work_wait(struct work *work)
{
	pthread_mutex_lock(&work->lock);
	while (work->running > 0)
		pthread_cond_wait(&work->idle, &work->lock);
	pthread_mutex_unlock(&work->lock);
}

void work_free(struct work *work)
{
	if (!work)
		return;
	work_wait(work);
	pthread_cond_destroy(&work->idle);
	pthread_mutex_destroy(&work->lock);
	free(work);
}

static void job_ended(struct work *work)
{
	pthread_mutex_lock(&work->lock);
	if (--work->running == 0)
		pthread_cond_broadcast(&work->idle);
	pthread_mutex_unlock(&work->lock);
}

static void *run_job(void *cookie)
{
	struct job *job = cookie;
	struct work *work = job->work;

	log_set_request(job->request);
	job->run(job->cookie);
	free(job);
	job_ended(work);
	return NULL;
}

int work_start(struct work *work, void (*run)(void *cookie), void *cookie, struct err *e)
{
	struct job *job = calloc(1, sizeof(*job));
	pthread_t thread;
	int r;

	if (!job)
		return err_memory(e);
	*job = (struct job){ .work = work, .run = run, .cookie = cookie };
	strncpy(job->request, log_request(), sizeof(job->request) - 1);

	pthread_mutex_lock(&work->lock);
	work->running++;
	pthread_mutex_unlock(&work->lock);
	r = thread_start(&thread, run_job, job, true, e);
	if (r < 0) {
		job_ended(work);
		free(job);
	}
	return r;
}

struct rounds {
	pthread_mutex_t lock;
	size_t next, count;
	bool always;
	int (*round)(void *cookie, size_t i, struct err *e);
	void *cookie;
	const char *request;
	int result;       /* the first failure, */
	struct err error; /* and its words */
};

static bool next_round(struct rounds *rounds, size_t *ret_i)
{
	bool more;

	pthread_mutex_lock(&rounds->lock);
	more = rounds->next < rounds->count && (rounds->always || rounds->result == 0);
	if (more)
		*ret_i = rounds->next++;
	pthread_mutex_unlock(&rounds->lock);
	return more;
}

static void run_rounds(struct rounds *rounds)
{
	size_t i;

	while (next_round(rounds, &i)) {
		struct err error = ERR_INIT;
		int r = rounds->round(rounds->cookie, i, &error);

		if (r >= 0)
			continue;
		pthread_mutex_lock(&rounds->lock);
		if (rounds->result == 0) {
			rounds->result = r;
			rounds->error = error;
		}
		pthread_mutex_unlock(&rounds->lock);
	}
}

static void *run_rounds_on_thread(void *cookie)
{
	struct rounds *rounds = cookie;

	log_set_request(rounds->request);
	run_rounds(rounds);
	return NULL;
}

/* The caller's thread takes rounds too, so that all are done even where no thread can be had. */
static int each(struct rounds *rounds, size_t width, struct err *e)
{
	size_t helpers = rounds->count < width ? rounds->count : width, started = 0;
	AUTO(pthread_t *, freep) threads = NULL;

	helpers = helpers ? helpers - 1 : 0;
	threads = calloc(helpers + 1, sizeof(*threads));
	pthread_mutex_init(&rounds->lock, NULL);
	rounds->request = log_request();
	while (threads && started < helpers &&
	       thread_start(&threads[started], run_rounds_on_thread, rounds, false, NULL) == 0)
		started++;
	run_rounds(rounds);
	while (started > 0)
		pthread_join(threads[--started], NULL);
	pthread_mutex_destroy(&rounds->lock);
	if (rounds->result < 0 && e)
		*e = rounds->error;
	return rounds->result;
}

int work_each(size_t count, size_t width, int (*round)(void *cookie, size_t i, struct err *e),
	      void *cookie, struct err *e)
{
	struct rounds rounds = { .count = count, .round = round, .cookie = cookie };

	return each(&rounds, width, e);
}

int work_each_always(size_t count, size_t width,
		     int (*round)(void *cookie, size_t i, struct err *e), void *cookie,
		     struct err *e)
{
	struct rounds rounds = { .count = count, .always = true, .round = round, .cookie = cookie };

	return each(&rounds, width, e);
}
