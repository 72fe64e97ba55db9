/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a service is: its name asked of the engine's name server, since a service that is started
 * again may come back elsewhere. glibc's own functions for this wait, and want its shared library.
 */
#ifndef RELAY_LOOKUP_H
#define RELAY_LOOKUP_H

#include "relay/loop.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct lookup;
struct name;

/* What was asked has been answered, or will not be. */
typedef void name_settled(void *cookie, struct name *name);

struct name {
	const char *host; /* borrowed: a name, or an IPv4 address */
	struct in_addr address;
	bool known;         /* the address is that of the last answer */
	bool asking;        /* a question is on its way */
	int64_t settled_ms; /* when it was last found, or not; monotonic */
	int64_t asked_ms;
	unsigned tries;
	uint16_t id;
};

struct lookup {
	struct watch watch;
	int fd; /* -1: all hosts are addresses */
	struct name **names;
	size_t count;
	name_settled *settled;
	void *cookie;
};

/* The system's name server. Names that are addresses are known at once. */
int lookup_open(struct lookup *lookup, int loop, struct err *e);
void lookup_close(struct lookup *lookup);

int lookup_add(struct lookup *lookup, struct name *name, struct err *e);

enum name_state { NAME_KNOWN, NAME_ASKED, NAME_UNKNOWN };

/*
 * KNOWN: the address is that of a moment ago, and is asked for again meanwhile where that moment is
 * over a second past. ASKED: settled() will be called. UNKNOWN: it was not found just now.
 */
enum name_state name_find(struct lookup *lookup, struct name *name, int64_t now_ms);

/* Asks, whatever is known: nobody answers at that address. */
void name_doubt(struct lookup *lookup, struct name *name, int64_t now_ms);

/* Asks again what had no answer; call it every 100 ms while it says true. */
bool lookup_tick(struct lookup *lookup, int64_t now_ms);

#endif
