/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks after the disk while an image is made: a build or pull that takes the last of it is given
 * up, so that what runs has room. Runs on a thread of its own, from begin to end.
 */
#ifndef NODE_IMAGE_WATCH_H
#define NODE_IMAGE_WATCH_H

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct image_job;

struct image_watch {
	const struct image_job *job;
	atomic_bool stop; /* for the engine's call: the job was cancelled, or the disk is short */
	struct err why;   /* of the disk; code NONE: it wasn't that */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	bool over;
};

/* The job is borrowed until the end. Fails with UNAVAILABLE (no room even now) or INTERNAL. */
int image_watch_begin(struct image_watch *watch, const struct image_job *job, struct err *e);

/* result and e are the call's: what is returned, and in e, says so where it ended for the disk. */
int image_watch_end(struct image_watch *watch, int result, struct err *e);

#endif
