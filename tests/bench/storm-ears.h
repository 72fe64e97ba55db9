/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listeners of GET /events, all on one thread; some of them stuck: they never read.
 *
 * Once a second an organiser's notice is sent, and how long it takes to reach them all is measured;
 * so is how far apart the first and the last of them hear of a new scoreboard.
 */
#ifndef BENCH_STORM_EARS_H
#define BENCH_STORM_EARS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct ears;
struct err;
struct http_client;

struct ears_options {
	struct http_client *platform;
	uint16_t port;           /* of the platform, on this machine */
	const char *admin_token; /* who sends notices */
	unsigned listeners;      /* of the accounts "token-of-team-N" */
	unsigned stuck;          /* of them */
};

/* Connects all of them; returns when each has heard "hello". */
int ears_new(const struct ears_options *options, struct ears **ret_ears, struct err *e);
/* Begins the notices. */
int ears_listen(struct ears *ears, struct err *e);
/* Ends them; returns when everybody who reads has heard all of them, or after a minute. */
void ears_stop(struct ears *ears);
void ears_free(struct ears *ears);

/*
 * {"lost":, "notices": {"count":, "whole":, "p50_ms":, "max_ms":}, "boards": {...}}: how many there
 * were, how many of them reached all who read, and how long these took to reach the last of them.
 */
void ears_print(struct ears *ears, FILE *to);

#endif
