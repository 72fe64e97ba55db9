/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often something may be done: so many at once, and then one per so long.
 *
 * A limiter remembers its keys (an address, a name, a team's id) in memory, for as long as they
 * matter, and some LIMIT_KEYS_MAX of them: a new one then takes the place of one that is nearly
 * over. Any thread may use it.
 */
#ifndef PLATFORM_LIMIT_H
#define PLATFORM_LIMIT_H

#include <stdint.h>

struct err;
struct limiter;

enum { LIMIT_KEYS_MAX = 1 << 17 };

struct rate {
	int64_t burst;     /* at once; 0: there is no limit */
	int64_t period_ms; /* then one per */
};

int limiter_new(struct limiter **ret_limiter, struct err *e);
void limiter_free(struct limiter *limiter);

/* Milliseconds until it may be done once more; 0: now. Counts nothing. */
int64_t limiter_wait(struct limiter *limiter, const char *key, const struct rate *rate,
		     int64_t now);

/* Counts one more, whether or not it may. */
void limiter_count(struct limiter *limiter, const char *key, const struct rate *rate, int64_t now);

/* Both in one: counts it and returns 0, or returns how long to wait. */
int64_t limiter_take(struct limiter *limiter, const char *key, const struct rate *rate,
		     int64_t now);

/* Takes back what limiter_take() counted. */
void limiter_return(struct limiter *limiter, const char *key, const struct rate *rate);

#endif
