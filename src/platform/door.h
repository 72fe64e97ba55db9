/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the platform's doors have in common: who asks, and about which competition and challenge.
 */
#ifndef PLATFORM_DOOR_H
#define PLATFORM_DOOR_H

#include "platform/access.h"
#include "platform/challenges.h"
#include "platform/competition.h"
#include "platform/platform.h"
#include "platform/team.h"

#include <stdint.h>

struct err;
struct http_req;

int64_t door_now(const struct platform *platform);

/* The cookie that a browser's session is in. */
#define SESSION_COOKIE "ctfy_session"

/* GET and HEAD change nothing. */
bool door_is_reading(const char *method);
/* The request's; NULL: it isn't sent. */
const char *door_cookie(struct http_req *req, const char *name);
/* What the audit log tells of an organiser's act besides its path; at most 511 bytes. */
__attribute__((format(printf, 2, 3))) void door_note(struct http_req *req, const char *format, ...);

/* Whether a token or cookie came with it, good or not. */
bool door_has_token(struct http_req *req);

/*
 * Whose token or cookie came with a request, for routes that are HTTP_OPEN. From memory. Fails with
 * UNAUTHORIZED, or FORBIDDEN: the word that goes with the cookie is missing.
 */
int door_identify(struct platform *platform, struct http_req *req, struct principal *ret_principal,
		  struct err *e);

/* Who asks. Never NULL on a route that isn't HTTP_OPEN. */
const struct principal *door_principal(const struct http_req *req);
bool door_is_organiser(const struct http_req *req);

/*
 * The competition of ?competition=, or the one meant where none is named. What it points to lives
 * as long as the platform.
 */
int door_competition(const struct platform *platform, struct http_req *req,
		     struct competition *ret_competition, struct err *e);

/*
 * Whether the asker may see its scoreboard, on a route that is HTTP_OPEN: who asks is looked at
 * only where that isn't for everybody. Fails with UNAUTHORIZED or FORBIDDEN.
 */
int door_check_board(struct platform *platform, struct http_req *req,
		     const struct competition *competition, struct err *e);

/*
 * The asker's team in it. Fails with CONFLICT where there is none, and with FORBIDDEN for a token
 * of another team's instance.
 */
int door_team(const struct platform *platform, struct http_req *req,
	      const struct competition *competition, struct team *ret_team, struct err *e);

/* A token for one instance alone sees no other. Fails with NOT_FOUND. */
int door_check_instance(const struct http_req *req, const char *instance_id, struct err *e);

/*
 * The request's Idempotency-Key; NULL: none. Fails with VALIDATION: 1 to 128 printable characters
 * of ASCII are expected.
 */
int door_idempotency_key(const struct http_req *req, const char **ret_key, struct err *e);

/* A player before a challenge. End it with door_leave(). */
struct entry {
	struct competition competition;
	struct team team; /* id NULL: none, where none was asked for */
	const struct shelf *shelf;
	const struct challenge *challenge; /* of the path's {id}, as it is played there */
};

/* clang-format off */
#define ENTRY_INIT { .shelf = NULL }
/* clang-format on */

/* Fails with NOT_FOUND, and with FORBIDDEN before the competition begins (for players). */
int door_enter(const struct platform *platform, struct http_req *req, struct entry *ret_entry,
	       struct err *e);
/* As door_enter(), by a member of a team. */
int door_enter_playing(const struct platform *platform, struct http_req *req,
		       struct entry *ret_entry, struct err *e);
void door_leave(struct entry *entry);

/*
 * The team may start and answer the challenge now. Fails with FORBIDDEN: the competition does not
 * run, the challenge has closed, or another has to be solved before.
 */
int door_check_open(const struct platform *platform, struct http_req *req,
		    const struct entry *entry, struct err *e);

/* The team has solved what comes before. Organisers needn't. Fails with FORBIDDEN. */
int door_check_required(const struct platform *platform, struct http_req *req,
			const struct entry *entry, struct err *e);

/* Whether players ever see the challenge there; whether the asker sees it now. */
bool door_shows(const struct competition *competition, const struct challenge *challenge);
bool door_sees(const struct platform *platform, const struct http_req *req,
	       const struct competition *competition, const struct challenge *challenge);

/* The competition has begun, or an organiser asks. Fails with FORBIDDEN. */
int door_check_begun(const struct platform *platform, const struct http_req *req,
		     const struct competition *competition, struct err *e);

#endif
