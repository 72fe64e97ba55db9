/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many connections each address holds, so that there is room for everybody: when all places are
 * taken, a newcomer gets one of whoever holds the most.
 */
#ifndef RELAY_CROWD_H
#define RELAY_CROWD_H

#include <netinet/in.h>
#include <stddef.h>

struct crowd {
	void *origins; /* a tsearch() tree */
};

struct origin {
	struct in_addr address;
	size_t count; /* connections that it holds */
};

/* Counts one more; NULL: out of memory. */
struct origin *crowd_enter(struct crowd *crowd, struct in_addr address);
void crowd_leave(struct crowd *crowd, struct origin *origin);
/* NULL: there is nobody. */
struct origin *crowd_largest(const struct crowd *crowd);

#endif
