/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts of those who log in with an OpenID provider, and logins that are on their way there.
 *
 * An account is theirs by issuer and subject, and by nothing else: neither a name nor an e-mail
 * address says whose an account is.
 */
#ifndef PLATFORM_IDENTITY_H
#define PLATFORM_IDENTITY_H

#include "platform/user.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct arena;
struct db;
struct err;

/* Which of a provider's claims mean what; strings are borrowed. */
struct identity_rules {
	const char *issuer;
	const char *name_claim;          /* what a new account is called after */
	const char *role_claim;          /* NULL: the provider says nothing of roles */
	const char *organisers, *admins; /* values of it, with commas between; NULL: none */
	bool makes_accounts;             /* for whoever comes the first time */
};

/*
 * Whose the claims are: an account of before, or a new one under a name that is free. With a role
 * claim the account gets the role that it says, and loses it again. Fails with FORBIDDEN (there is
 * no account, or it is locked) and CONFLICT (somebody has to stay admin).
 */
int identity_enter(struct db *db, struct arena *arena, int64_t now,
		   const struct identity_rules *rules, const json_t *claims, struct user *ret_user,
		   struct err *e);

enum { LINKS_MAX = 10 };

/* From now on they are this account's too. Fails with CONFLICT: they are another's, or it has
 * LINKS_MAX. */
int identity_link(struct db *db, struct arena *arena, int64_t now,
		  const struct identity_rules *rules, const json_t *claims, const char *user_id,
		  struct err *e);

/* A login between its two ends. */
struct attempt {
	char *nonce, *verifier;
	char *next;    /* the path to go on to */
	char *user_id; /* who wants to be linked; NULL: nobody, it is a login */
};

enum { ATTEMPT_S = 600, ATTEMPTS_MAX = 20000 };

/* Fails with UNAVAILABLE: ATTEMPTS_MAX are under way. */
int attempt_begin(struct db *db, int64_t now, const char *state, const struct attempt *attempt,
		  struct err *e);
/* Once, and not for ever. Fails with NOT_FOUND. */
int attempt_take(struct db *db, struct arena *arena, int64_t now, const char *state,
		 struct attempt *ret_attempt, struct err *e);

#endif
