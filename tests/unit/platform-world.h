/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A platform in this process as its clients meet it, and nodes that do as they are told.
 *
 * A test that fails leaves its platform and nodes running: what comes after it may then fail too.
 */
#ifndef UNIT_PLATFORM_WORLD_H
#define UNIT_PLATFORM_WORLD_H

#include "base/buf.h"
#include "base/secret.h"
#include "platform/options.h"

#include "check.h"

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>

struct http_client;
struct http_server;
struct platform_daemon;

/* A node */

enum { NODE_INSTANCES_MAX = 64, PATIENCE_S = 20 };

struct fake_node {
	struct http_server *server;
	char url[64];
	pthread_mutex_t lock;
	pthread_cond_t changed;

	/* What it is told to do. */
	bool hang_health;    /* heartbeats get no answer */
	bool refuse_stops;   /* they are answered with 500 */
	bool hold_starts;    /* starts get no answer until this is taken back */
	const char *words;   /* starts fail with these; NULL: they don't */
	int status;          /* of such a failure */
	int capacity;        /* 0: 10 */
	int64_t lifetime;    /* milliseconds an instance lives; 0: its ttl */
	const char *illness; /* its services have ended, with these words; NULL: they are well */
	bool forgets;        /* it has ended by itself what it has just started */

	/* What it has seen. */
	int beats, starts, stops, trials;
	char live[NODE_INSTANCES_MAX][64]; /* ids of instances that it has */
	char last_body[4096];              /* of the last start, */
	char last_bulk[256];               /* of the last build-all or pull-all */
};

/* A platform */

struct world {
	struct platform_options options;
	char state[160];
	struct platform_daemon *daemon;
	struct http_client *http;
	json_t *document; /* the API's */
	char admin[SECRET_TOKEN_SIZE], alice[SECRET_TOKEN_SIZE], bob[SECRET_TOKEN_SIZE];
};

struct reply {
	int status;
	json_t *json;
	struct buf body;
	struct buf headers;
};

#define EXPECT(reply_, status_)                                                               \
	do {                                                                                  \
		const struct reply *got_ = (reply_);                                          \
		if (got_->status != (status_))                                                \
			fail_msg("%d, not %d: %s", got_->status, (status_), got_->body.data); \
	} while (0)

#define WAIT "Prefer: wait=20"

size_t count_live(struct fake_node *node);
void begin_node(struct fake_node *node);
void tell(struct fake_node *node, bool *what, bool value);
void end_node(struct fake_node *node);
/* Until the node has seen so many more of something, or so many in all. */
void wait_for_more(struct fake_node *node, const int *count, int more);
void wait_for_count(struct fake_node *node, const int *count, int wanted);
void listen_as(struct fake_node *node, uint16_t port);
/* Below the folder of challenges. */
void write_file(const char *name, const char *text);
/* For cmocka: a folder with the challenges web, pwn, quiz and secret. */
int world_setup(void **state);
int world_teardown(void **state);
/* Where a test may have a store of its own. */
void store_path(const char *name, char *path, size_t size);
/* A thread's last reply is its own to end. */
void forget_reply(void);
/* A call of the API: path "/me" stands for "/api/v1/me"; header may be several lines. The reply is
 * the thread's until its next one. */
const struct reply *call(struct world *w, const char *token, const char *method, const char *path,
			 const char *body, const char *header);
/* A member of the reply that has to be a string. */
const char *text(const struct reply *reply, const char *name);
void begin_platform(struct world *w);
void end_platform(struct world *w);
/* An account with the password "password", logged in; with a team unless team is NULL. */
void make_player(struct world *w, const char *name, const char *team,
		 char token[SECRET_TOKEN_SIZE]);
/* The settings of a platform that is yet to begin. */
void prepare_world(struct world *w);
/* The accounts admin, alice (of team Red) and bob (of team Blue). */
void make_people(struct world *w);
/* A platform with these. */
void begin_world(struct world *w);
void add_node(struct world *w, const char *name, struct fake_node *node);
/* Until the platform says that of every node. */
void wait_for_state(struct world *w, const char *state);
/* Of alice's instance of "web". */
void wait_for_status(struct world *w, const char *status);
/* Starts the player's instance of a challenge: a token for it alone. */
void make_agent(struct world *w, const char *player, const char *challenge,
		char token[SECRET_TOKEN_SIZE]);
bool reply_header(const struct reply *reply, const char *name, char *value, size_t size);
/* Applies a competition's file. */
void apply(struct world *w, const char *file);
const struct reply *answer(struct world *w, const char *token, const char *challenge,
			   const char *text);

#endif
