/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tcpdump says of its own work: how many packets it wrote down, and how many it did not get.
 *
 * Its words are in the log of its container. It says them when it ends and when it is asked
 * (SIGUSR1), of one start each; what it left out of its ring is in files beside the packets.
 */
#ifndef NODE_CAPTURE_COUNT_H
#define NODE_CAPTURE_COUNT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine_container;
struct engine_container_list;
struct err;
struct node;

#define CAPTURE_SERVICE                                                           \
	"ctfy-capture" /* of the first network; "ctfy-capture-2" of the second... \
			*/
/* What the container says where tcpdump begins, so that its starts can be told apart. */
#define CAPTURE_BEGINS "ctfy: capture begins"

struct capture_count {
	int64_t starts;
	int64_t silent; /* starts that said nothing at their end: they were killed */
	int64_t captured, received, dropped;
	int64_t said;   /* how often it was told, asked for or not */
	int64_t behind; /* packets that the last start has got and not written down yet */
};

void capture_count_read(const char *log, struct capture_count *ret_count);

bool capture_is(const struct engine_container *container);

/*
 * Waits until all that went over the wire is written down: what tcpdump has not read when it is
 * told to end it forgets. Gives up after some seconds; a failure is none of the capture's.
 */
int capture_settle(struct node *node, const struct engine_container_list *list, struct err *e);

/*
 * [{recorder, starts, silent_ends, packets, unread, dropped, left_out_packets, left_out_bytes}] of
 * each network, of an instance that has these containers; an empty array where nothing is captured.
 */
int capture_report(struct node *node, const char *instance_id,
		   const struct engine_container_list *list, json_t **ret_report, struct err *e);

#endif
