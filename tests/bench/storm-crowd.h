/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Players who all want an instance at once: each starts one, looks at it until it runs, hands in a
 * wrong and then its right answer, reads the list of challenges, stops the instance, and goes on to
 * the next one. A few threads play all of them, by a queue of who is due.
 *
 * Player N is who has the token "token-of-team-N"; challenges are "storm-0", "storm-1"...
 */
#ifndef BENCH_STORM_CROWD_H
#define BENCH_STORM_CROWD_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct crowd;
struct err;
struct fleet;
struct http_client;

struct crowd_options {
	struct http_client *platform;
	struct fleet *fleet; /* knows the answers */
	unsigned players;
	unsigned challenges;
	unsigned threads;
	int64_t pause_ms; /* between two acts of a player, about; all begin within this time */
	int64_t play_ms;  /* after that nothing more is started; what runs is played to its end */
};

int crowd_new(const struct crowd_options *options, struct crowd **ret_crowd, struct err *e);
void crowd_free(struct crowd *crowd);

/* Plays; returns when every player is through. Fails where no thread can be had. */
int crowd_play(struct crowd *crowd, struct err *e);

struct crowd_report {
	size_t calls;
	size_t started;  /* starts that the platform acknowledged */
	size_t ran;      /* of them, seen to run */
	size_t solved;   /* of those, answered right and told so */
	size_t stopped;  /* of those, seen to have ended */
	size_t refused;  /* calls that were answered as no player expects */
	int64_t late_ms; /* the latest that the crowd itself ever was with a call */
};

void crowd_report(const struct crowd *crowd, struct crowd_report *ret_report);

/* {"call": [count, p50, p99, longest in ms]..., "all calls": [...]} */
void crowd_print_times(struct crowd *crowd, FILE *to);

#endif
