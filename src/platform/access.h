/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may do what: every route names the least it takes, and a token names who asks: as a bearer
 * token, or in a browser's cookie.
 *
 * Tokens are looked up on the listening threads, so the keyring has all of them in memory, by their
 * hashes. Whoever changes a token, an account or a node in the store refreshes it afterwards.
 */
#ifndef PLATFORM_ACCESS_H
#define PLATFORM_ACCESS_H

#include "platform/user.h"

#include <stdint.h>

struct arena;
struct db;
struct err;
struct http_req;
struct http_route;

/* What a route takes (http_route.access). One for everybody is HTTP_OPEN instead. */
enum access {
	ACCESS_USER,
	ACCESS_ORGANISER,
	ACCESS_ADMIN,
	ACCESS_NODE,
	ACCESS_AGENT, /* users, and a token for the one instance that the path is about */
};

/* What a token for one instance alone is good for. */
struct agent {
	const char *instance_id;
	const char *competition_id;
	const char *challenge_id;
	const char *team_id;
};

/* Who asks: a user, or a node. */
struct principal {
	enum role role;            /* of a user; no more than the token's scope */
	const char *user_id;       /* NULL: a node */
	const char *token_id;      /* of a user */
	const char *node_id;       /* NULL: a user */
	const struct agent *agent; /* NULL: not for one instance alone */
	const char *csrf_hash;     /* of a browser's token; NULL: of a program's */
	const char *note;          /* for the audit log; see door_note() */
};

struct keyring;

int keyring_new(struct db *db, struct keyring **ret_keyring, struct err *e);
void keyring_free(struct keyring *keyring);

/* Told of each token that is no longer good, or for other things than before; one, before any. */
void keyring_tell(struct keyring *keyring, void (*ended)(void *cookie, const char *token_id),
		  void *cookie);

/* Reads a user's tokens again; a node's token. */
int keyring_refresh_user(struct keyring *keyring, const char *user_id, struct err *e);
int keyring_refresh_node(struct keyring *keyring, const char *node_id, struct err *e);

/* Whose token this is, into the arena. Fails with UNAUTHORIZED. Never waits for the store. */
int keyring_find(struct keyring *keyring, struct arena *arena, const char *token, int64_t now,
		 struct principal *ret_principal, struct err *e);

/* Fails with FORBIDDEN. challenge_id is what the path is about; NULL: no challenge. */
int access_check(const struct principal *principal, enum access access, const char *challenge_id,
		 struct err *e);

#endif
