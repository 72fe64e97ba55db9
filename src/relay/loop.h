/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits for descriptors, on one thread: edge-triggered, so that a descriptor is entered once.
 */
#ifndef RELAY_LOOP_H
#define RELAY_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct watch;

/* EPOLLIN and its like. It may close what it likes, but free no watch before the turn is over. */
typedef void watch_ready(struct watch *watch, uint32_t events);

/* Lies in what it belongs to. */
struct watch {
	watch_ready *ready;
};

enum loop_edge {
	LOOP_LEVEL, /* told again as long as it holds */
	LOOP_EDGE,
};

int loop_open(int *ret_loop, struct err *e);
int loop_add(int loop, int fd, enum loop_edge edge, struct watch *watch, struct err *e);
/* Waits so many milliseconds at most, -1: for ever, and calls all that are ready. */
int loop_turn(int loop, int timeout_ms, struct err *e);

#endif
