/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many scripted nodes behind one port: http://HOST:PORT/nNUMBER is a node that speaks the contract
 * and starts nothing. It remembers every instance that it was ever told of, so that what a platform
 * promised can be held against what nodes saw.
 */
#ifndef BENCH_STORM_FLEET_H
#define BENCH_STORM_FLEET_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct fleet;
struct http_client;

enum { FLEET_ANSWER_SIZE = 128 };

struct fleet_options {
	unsigned nodes;
	unsigned hanging;  /* the last so many of them never answer a heartbeat */
	unsigned capacity; /* instances of one node */
	int64_t start_ms;  /* a start takes from half of it to one and a half */
};

int fleet_new(const struct fleet_options *options, struct fleet **ret_fleet, struct err *e);
void fleet_free(struct fleet *fleet);

/* Every node makes itself known at the platform. */
int fleet_register(struct fleet *fleet, struct http_client *platform, const char *join_secret,
		   struct err *e);

/* What the node was told that solves this instance. False: no node runs it. */
int fleet_answer(struct fleet *fleet, const char *instance_id, char answer[FLEET_ANSWER_SIZE]);

struct fleet_report {
	size_t instances; /* that were ever told of */
	size_t copies;    /* of them, on any node */
	size_t live;
	size_t doubles; /* times when a copy was started while another one lived */
	uint64_t beats;
	int64_t gap_ms; /* longest time between two heartbeats of a node that doesn't hang */
};

/* Heartbeats are counted from here on. */
void fleet_watch(struct fleet *fleet);
void fleet_report(struct fleet *fleet, struct fleet_report *ret_report);

#endif
