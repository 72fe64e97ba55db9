/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image-making.h"

#include "base/err.h"
#include "base/own.h"
#include "base/work.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

struct making {
	struct making *next;
	char *reference;
	unsigned uses; /* the maker, and those who wait */
	bool ended;
	int result;
	struct err error;
};

struct images {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct making *first; /* those not ended */
};

int images_new(struct images **ret_images, struct err *e)
{
	struct images *images = calloc(1, sizeof(*images));

	if (!images)
		return err_memory(e);
	pthread_mutex_init(&images->lock, NULL);
	cond_init_monotonic(&images->ended);
	*ret_images = images;
	return 0;
}

void images_free(struct images *images)
{
	if (!images)
		return;
	pthread_cond_destroy(&images->ended);
	pthread_mutex_destroy(&images->lock);
	free(images);
}

static struct making *find(const struct images *images, const char *reference)
{
	struct making *making = images->first;

	while (making && strcmp(making->reference, reference) != 0)
		making = making->next;
	return making;
}

static void end_use(struct making *making)
{
	if (--making->uses > 0)
		return;
	free(making->reference);
	free(making);
}

/* A waiter looks now and then whether he is still wanted: nobody wakes him for that. */
static void wait_a_moment(struct images *images)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 250000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&images->ended, &images->lock, &until);
}

/* 0: made; 1: not made, and nobody is at it; or the maker's failure. */
static int wait_for(struct images *images, struct making *making, const atomic_bool *cancelled,
		    struct err *e)
{
	int r;

	making->uses++;
	while (!making->ended && !(cancelled && atomic_load(cancelled)))
		wait_a_moment(images);
	if (!making->ended) {
		r = err_set(e, ERR_ABORTED, "no longer wanted");
	} else if (making->result == -ERR_ABORTED) {
		r = 1; /* that one was called off, not the image */
	} else {
		r = making->result;
		if (r < 0)
			*e = making->error;
	}
	end_use(making);
	return r;
}

static int begin_locked(struct images *images, const char *reference, const atomic_bool *cancelled,
			struct making **ret_making, struct err *e)
{
	struct making *making;

	while ((making = find(images, reference))) {
		int r = wait_for(images, making, cancelled, e);

		if (r <= 0)
			return r;
	}
	making = calloc(1, sizeof(*making));
	if (making)
		making->reference = strdup(reference);
	if (!making || !making->reference) {
		free(making);
		return err_memory(e);
	}
	making->uses = 1;
	making->next = images->first;
	images->first = making;
	*ret_making = making;
	return 1;
}

int making_begin(struct images *images, const char *reference, const atomic_bool *cancelled,
		 struct making **ret_making, struct err *e)
{
	int r;

	pthread_mutex_lock(&images->lock);
	r = begin_locked(images, reference, cancelled, ret_making, e);
	pthread_mutex_unlock(&images->lock);
	return r;
}

void making_end(struct images *images, struct making *making, int result, const struct err *e)
{
	struct making **at = &images->first;

	pthread_mutex_lock(&images->lock);
	while (*at != making)
		at = &(*at)->next;
	*at = making->next;
	making->ended = true;
	making->result = result < 0 ? result : 0;
	making->error = *e;
	end_use(making);
	pthread_cond_broadcast(&images->ended);
	pthread_mutex_unlock(&images->lock);
}
