/* SPDX-License-Identifier: Apache-2.0 */
/*
 * News, pushed to whoever listens (GET /events, Server-Sent Events): a new scoreboard, a notice, an
 * instance about to expire.
 *
 * A listener holds a connection and no thread. Nothing is kept for those who aren't there: who
 * comes is told the state of things by "hello", and asks for what it missed. A listener that
 * doesn't keep up is cut off, and comes again. Listeners have three of four connections at most:
 * there always are some left for calls; one account has EVENTS_OF_ACCOUNT of them, one address
 * without an account EVENTS_OF_ADDRESS, and all without one a quarter.
 */
#ifndef PLATFORM_EVENTS_H
#define PLATFORM_EVENTS_H

#include "platform/user.h"

#include <jansson.h>

enum { EVENTS_OF_ACCOUNT = 16, EVENTS_OF_ADDRESS = 1024, EVENTS_RETRY_S = 5 };

struct err;
struct events;
struct http_feed;

int events_new(struct events **ret_events, struct err *e);
/* Ends the listeners' connections; who comes afterwards is sent away. */
void events_end(struct events *events);
void events_free(struct events *events); /* ends first */

/* Whom an event is for; strings are borrowed. */
struct event_audience {
	const char *competition_id; /* NULL: those of every competition */
	const char *team_id;        /* NULL: every team, and who has none */
	bool users_only;            /* not those who aren't logged in */
	bool organisers_only;
};

/* Tells everybody it is for, without waiting. data is borrowed; an object. From any thread. */
void events_publish(struct events *events, const struct event_audience *audience, const char *name,
		    const json_t *data);

/* Who listens. */
struct listener_wish {
	const char *competition_id;
	const char *team_id; /* NULL: none */
	const char *source;  /* the account's id, or the address of who has none */
	bool is_user;
	bool is_organiser;
};

unsigned events_listeners(struct events *events);

/* Whether there is room for one more: asked while it can still be told. Fails with UNAVAILABLE. */
int events_check_room(struct events *events, const struct listener_wish *wish, struct err *e);

/* Takes the feed, also on failure. Fails with UNAVAILABLE (it is ending, or too many listen). */
int events_listen(struct events *events, const struct listener_wish *wish, struct http_feed *feed,
		  const char *hello, struct err *e);

/* "event: NAME\ndata: DATA\n\n", the caller's; NULL when out of memory. */
char *events_text(const char *name, const json_t *data);

#endif
