/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/limit.h"

#include "base/err.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096, SWEEP_EVERY = 1024 };

/* A key, and the instant at which all that was counted will have been worked off. */
struct tally {
	struct tally *next;
	int64_t clear_at;
	char key[];
};

struct limiter {
	pthread_mutex_t lock;
	struct tally *buckets[BUCKETS];
	unsigned count;
	unsigned added; /* since the last sweep */
};

int limiter_new(struct limiter **ret_limiter, struct err *e)
{
	struct limiter *limiter = calloc(1, sizeof(*limiter));

	if (!limiter)
		return err_memory(e);
	pthread_mutex_init(&limiter->lock, NULL);
	*ret_limiter = limiter;
	return 0;
}

/* Forgets what was over by then. */
static void sweep(struct limiter *limiter, int64_t now)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct tally **at = &limiter->buckets[i];

		while (*at) {
			struct tally *tally = *at;

			if (tally->clear_at > now) {
				at = &tally->next;
				continue;
			}
			*at = tally->next;
			free(tally);
			limiter->count--;
		}
	}
	limiter->added = 0;
}

void limiter_free(struct limiter *limiter)
{
	if (!limiter)
		return;
	sweep(limiter, INT64_MAX);
	pthread_mutex_destroy(&limiter->lock);
	free(limiter);
}

/* FNV-1a. */
static struct tally **bucket(struct limiter *limiter, const char *key)
{
	uint32_t hash = 2166136261;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 16777619;
	return &limiter->buckets[hash % BUCKETS];
}

static struct tally *find(struct limiter *limiter, const char *key)
{
	struct tally *tally = *bucket(limiter, key);

	while (tally && strcmp(tally->key, key) != 0)
		tally = tally->next;
	return tally;
}

/*
 * Of those that share its bucket, the one that matters for the shortest time: who makes up many
 * keys pushes out some that are nearly over, and is counted like anybody.
 */
static void push_out_one(struct limiter *limiter, const char *key)
{
	struct tally **first = bucket(limiter, key);
	struct tally *tally;

	for (struct tally **at = first; *at; at = &(*at)->next)
		if ((*at)->clear_at < (*first)->clear_at)
			first = at;
	tally = *first;
	if (!tally)
		return;
	*first = tally->next;
	free(tally);
	limiter->count--;
}

/* NULL: out of memory, and then it isn't limited. */
static struct tally *find_or_add(struct limiter *limiter, const char *key, int64_t now)
{
	struct tally *tally = find(limiter, key), **at;

	if (tally)
		return tally;
	if (++limiter->added >= SWEEP_EVERY)
		sweep(limiter, now);
	if (limiter->count >= LIMIT_KEYS_MAX)
		push_out_one(limiter, key);
	tally = calloc(1, sizeof(*tally) + strlen(key) + 1);
	if (!tally)
		return NULL;
	memcpy(tally->key, key, strlen(key) + 1);
	at = bucket(limiter, key);
	tally->next = *at;
	*at = tally;
	limiter->count++;
	return tally;
}

/* What is counted beyond the burst has to be worked off first. */
static int64_t wait_of(const struct tally *tally, const struct rate *rate, int64_t now)
{
	int64_t wait = tally ? tally->clear_at - now - (rate->burst - 1) * rate->period_ms : 0;

	return wait > 0 && rate->burst > 0 ? wait : 0;
}

static void count_one(struct tally *tally, const struct rate *rate, int64_t now)
{
	if (tally->clear_at < now)
		tally->clear_at = now;
	tally->clear_at += rate->period_ms;
}

int64_t limiter_wait(struct limiter *limiter, const char *key, const struct rate *rate, int64_t now)
{
	int64_t wait;

	pthread_mutex_lock(&limiter->lock);
	wait = wait_of(find(limiter, key), rate, now);
	pthread_mutex_unlock(&limiter->lock);
	return wait;
}

void limiter_count(struct limiter *limiter, const char *key, const struct rate *rate, int64_t now)
{
	struct tally *tally;

	pthread_mutex_lock(&limiter->lock);
	tally = find_or_add(limiter, key, now);
	if (tally)
		count_one(tally, rate, now);
	pthread_mutex_unlock(&limiter->lock);
}

void limiter_return(struct limiter *limiter, const char *key, const struct rate *rate)
{
	struct tally *tally;

	pthread_mutex_lock(&limiter->lock);
	tally = find(limiter, key);
	if (tally)
		tally->clear_at -= rate->period_ms;
	pthread_mutex_unlock(&limiter->lock);
}

int64_t limiter_take(struct limiter *limiter, const char *key, const struct rate *rate, int64_t now)
{
	struct tally *tally;
	int64_t wait;

	if (rate->burst == 0)
		return 0;
	pthread_mutex_lock(&limiter->lock);
	tally = find_or_add(limiter, key, now);
	wait = wait_of(tally, rate, now);
	if (tally && wait == 0)
		count_one(tally, rate, now);
	pthread_mutex_unlock(&limiter->lock);
	return wait;
}
