/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that is relayed: a player's end and the service's, and two streams between them.
 */
#ifndef RELAY_CONN_H
#define RELAY_CONN_H

#include "flow/tap.h"
#include "relay/crowd.h"
#include "relay/lookup.h"
#include "relay/loop.h"
#include "relay/pipes.h"
#include "relay/relay.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum { CONN_PART = 64 << 10 }; /* bytes that are read at once */

struct conn;
struct flow_writer;

struct end {
	struct watch watch;
	struct conn *conn;
	int fd;
	bool readable, writable; /* unless a call said that it isn't, it may be */
	bool hung_up;            /* its last bytes are here, or on their way to be read */
	bool reset;              /* what it sent before may still be read */
};

/* One direction. */
struct stream {
	struct end *from, *to;
	enum tap_side side;
	struct pipe pipe;
	bool over;   /* nothing comes any more */
	bool closed; /* and `to` was told */
	bool broken; /* `to` takes nothing any more */
};

enum conn_state {
	CONN_FINDING, /* its service's address is asked for */
	CONN_CONNECTING,
	CONN_OPEN,
	CONN_LEAVING, /* what is to be reset has to take what was sent before */
	CONN_DEAD,    /* freed when the turn is over */
};

TAILQ_HEAD(conn_list, conn);

/* What all connections of a relay share. */
struct conn_world {
	int loop;
	struct flow_writer *writer; /* NULL: nothing is recorded */
	struct lookup lookup;
	struct pipes pipes;
	struct crowd crowd;
	struct conn_list all;     /* whose last byte was longest ago comes first */
	struct conn_list hurried; /* that have more to do than one turn may take */
	size_t count, leaving, finding;
	struct conn_list dead;
	struct relay_counts counts;
	struct in_addr inside, inside_mask, gateway;
	char part[CONN_PART]; /* whoever's turn it is */
};

struct conn_target {
	const struct relay_target *options;
	struct name name;
};

struct conn {
	struct conn_world *world;
	struct conn_target *target;
	enum conn_state state;
	TAILQ_ENTRY(conn) in_all;
	TAILQ_ENTRY(conn) in_hurried; /* or in the dead */
	bool is_hurried;
	bool was_doubted;  /* its service was not where it was thought to be */
	bool is_condemned; /* one end is gone, and the other takes too long for the rest */
	struct in_addr tried;
	struct sockaddr_in client;
	struct origin *origin;
	struct end player, service;
	struct stream up, down;
	struct tap *tap;     /* from the first byte on */
	int64_t began_us;    /* Unix time */
	int64_t deadline_ms; /* of finding, connecting and leaving; monotonic */
};

void conn_world_init(struct conn_world *world);
/* Ends all connections. */
void conn_world_done(struct conn_world *world);

/* Takes the descriptor. What can't be served is reset. */
void conn_begin(struct conn_world *world, struct conn_target *target, int fd,
		const struct sockaddr_in *client);

/* A target's address was asked for, and is known now or not. */
void conn_settle(struct conn_world *world, const struct name *name);

/* Ends a connection, so that there is room for another: the one that has been silent for longest of
 * whoever has most. */
void conn_make_room(struct conn_world *world);

/* Goes on with what could not be done in one turn. */
void conn_hurry(struct conn_world *world);
/* Call it every 10 ms while there are any that leave, and every second. */
void conn_tick(struct conn_world *world, int64_t now_ms);
/* Between turns. */
void conn_bury(struct conn_world *world);

#endif
