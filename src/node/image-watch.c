/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image-watch.h"

#include "base/work.h"
#include "node/image.h"
#include "node/node.h"
#include "node/pressure.h"

#include <time.h>

enum { ROUND_MS = 200 };

static void look(struct image_watch *watch)
{
	const atomic_bool *cancelled = watch->job->cancelled;

	if ((cancelled && atomic_load(cancelled)) ||
	    pressure_check_disk(watch->job->node, &watch->why) < 0)
		atomic_store(&watch->stop, true);
}

static bool wait_round(struct image_watch *watch)
{
	struct timespec until;
	bool over;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ROUND_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&watch->lock);
	if (!watch->over)
		pthread_cond_timedwait(&watch->ended, &watch->lock, &until);
	over = watch->over;
	pthread_mutex_unlock(&watch->lock);
	return !over;
}

static void *run(void *cookie)
{
	struct image_watch *watch = cookie;

	while (!atomic_load(&watch->stop) && wait_round(watch))
		look(watch);
	return NULL;
}

int image_watch_begin(struct image_watch *watch, const struct image_job *job, struct err *e)
{
	int r = pressure_check_disk(job->node, e);

	if (r < 0)
		return r;
	*watch = (struct image_watch){ .job = job };
	pthread_mutex_init(&watch->lock, NULL);
	cond_init_monotonic(&watch->ended);
	if (pthread_create(&watch->thread, NULL, run, watch) == 0)
		return 0;
	pthread_cond_destroy(&watch->ended);
	pthread_mutex_destroy(&watch->lock);
	return err_set(e, ERR_INTERNAL, "start a thread to look after the disk");
}

int image_watch_end(struct image_watch *watch, int result, struct err *e)
{
	pthread_mutex_lock(&watch->lock);
	watch->over = true;
	pthread_cond_signal(&watch->ended);
	pthread_mutex_unlock(&watch->lock);
	pthread_join(watch->thread, NULL);
	pthread_cond_destroy(&watch->ended);
	pthread_mutex_destroy(&watch->lock);
	if (result >= 0 || watch->why.code == ERR_NONE)
		return result;
	*e = watch->why;
	return -(int)e->code;
}
