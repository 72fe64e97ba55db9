/* SPDX-License-Identifier: Apache-2.0 */
#include "node/timing.h"

#include "base/err.h"
#include "base/id.h"

#include <pthread.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT = 64 };

struct timing {
	char challenge_id[ID_SIZE]; /* first: what the tree is ordered by */
	int64_t ms[KEPT];
	size_t count; /* ever added; the newest is at (count - 1) % KEPT */
};

struct timings {
	pthread_mutex_t lock;
	void *tree;
};

int timings_new(struct timings **ret_timings, struct err *e)
{
	struct timings *timings = calloc(1, sizeof(*timings));

	if (!timings)
		return err_memory(e);
	pthread_mutex_init(&timings->lock, NULL);
	*ret_timings = timings;
	return 0;
}

void timings_free(struct timings *timings)
{
	if (!timings)
		return;
	tdestroy(timings->tree, free);
	pthread_mutex_destroy(&timings->lock);
	free(timings);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct timing *find(struct timings *timings, const char *challenge_id)
{
	void *found = tfind(challenge_id, &timings->tree, by_id);

	return found ? *(struct timing **)found : NULL;
}

static struct timing *find_or_add(struct timings *timings, const char *challenge_id)
{
	struct timing *timing = find(timings, challenge_id);

	if (timing)
		return timing;
	timing = calloc(1, sizeof(*timing));
	if (!timing)
		return NULL;
	strncpy(timing->challenge_id, challenge_id, sizeof(timing->challenge_id) - 1);
	if (tsearch(timing, &timings->tree, by_id))
		return timing;
	free(timing);
	return NULL;
}

void timings_add(struct timings *timings, const char *challenge_id, int64_t ms)
{
	struct timing *timing;

	pthread_mutex_lock(&timings->lock);
	timing = find_or_add(timings, challenge_id);
	if (timing)
		timing->ms[timing->count++ % KEPT] = ms;
	pthread_mutex_unlock(&timings->lock);
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

bool timings_percentile(struct timings *timings, const char *challenge_id, unsigned percentile,
			int64_t *ret_ms)
{
	const struct timing *timing;
	int64_t sorted[KEPT];
	size_t count = 0;

	pthread_mutex_lock(&timings->lock);
	timing = find(timings, challenge_id);
	if (timing) {
		count = timing->count < KEPT ? timing->count : KEPT;
		memcpy(sorted, timing->ms, count * sizeof(sorted[0]));
	}
	pthread_mutex_unlock(&timings->lock);
	if (count == 0)
		return false;
	qsort(sorted, count, sizeof(sorted[0]), by_value);
	*ret_ms = sorted[(count - 1) * percentile / 100];
	return true;
}
