/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long starts of each challenge take on this node: what an honest estimate is made from.
 *
 * The last 64 starts of a challenge count, from their turn to their containers running; making
 * images is not in it. Safe for threads.
 */
#ifndef NODE_TIMING_H
#define NODE_TIMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct timings;

int timings_new(struct timings **ret_timings, struct err *e);
void timings_free(struct timings *timings);

/* A challenge that can't be kept for want of memory is one without an estimate. */
void timings_add(struct timings *timings, const char *challenge_id, int64_t ms);

/* The percentile (0 to 100) of a challenge's starts, in ms; false: none was measured. */
bool timings_percentile(struct timings *timings, const char *challenge_id, unsigned percentile,
			int64_t *ret_ms);

#endif
