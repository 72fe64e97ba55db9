/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A team of one competition, and who is in it: an account is in at most one team of each.
 */
#ifndef PLATFORM_TEAM_H
#define PLATFORM_TEAM_H

#include "base/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct competition;
struct db;
struct err;
struct page;

struct team_member {
	char *id; /* of the account */
	char *name;
	int64_t joined_at;
};

struct team {
	char *id;
	char *competition_id;
	char *name;
	char *invite; /* whoever has it may join; for members' eyes */
	char *captain_id;
	char *division; /* NULL: the competition has none */
	bool hidden;    /* on no scoreboard, as if it weren't there */
	int64_t created_at;
	struct team_member *members;
	size_t member_count;
};

struct teams {
	struct team *teams; /* without their members */
	size_t team_count;
	char *next_cursor; /* NULL: the list has ended */
};

extern const struct field team_fields[];
extern const struct field teams_fields[]; /* without invites */

/* What a new team is made from; strings are borrowed. */
struct team_wish {
	char *name;
	char *division; /* NULL: where there is a choice, that is an error */
	char *code;     /* of the competition, or of the team on its list */
};

/*
 * A new team whose captain is its first member. Fails with VALIDATION (the name, the division),
 * FORBIDDEN (registration does not let it in) or CONFLICT (the name is taken, or the account has a
 * team, or has made TEAMS_FOUNDED_MAX of them in the competition).
 */
enum { TEAMS_FOUNDED_MAX = 20 };

int team_create(struct db *db, struct arena *arena, int64_t now,
		const struct competition *competition, const char *user_id,
		const struct team_wish *wish, struct team *ret_team, struct err *e);

/* What an organiser may change; NULL: it stays. Fails with NOT_FOUND. */
int team_set(struct db *db, const char *id, const char *division, const bool *hidden,
	     struct err *e);

/* Fails with NOT_FOUND (no such invite) or CONFLICT (the team is full, the account has a team). */
int team_join(struct db *db, struct arena *arena, int64_t now,
	      const struct competition *competition, const char *user_id, const char *invite,
	      struct team *ret_team, struct err *e);

/*
 * Takes the account out of its team; the captain's place goes to the longest member. Whom the last
 * one leaves ends: its instances are to stop, its invite is good for nobody, and one that has
 * solved nothing is gone. ret_team_id is the arena's; ret_emptied: see settler_stop_team(). Fails
 * with NOT_FOUND.
 */
int team_leave(struct db *db, struct arena *arena, int64_t now, const char *competition_id,
	       const char *user_id, char **ret_team_id, bool *ret_emptied, struct err *e);

/* As team_leave(), of a team that the account is known to be in, as a part of a transaction. */
int team_quit(struct db *db, int64_t now, const char *id, const char *user_id, bool *ret_emptied,
	      struct err *e);

/* By an organiser: a part of a transaction. Its members have no team, and it is gone as well. */
int team_remove(struct db *db, int64_t now, const char *id, struct err *e);

/* Fails with CONFLICT: the account isn't in the team, or no longer. */
int team_check_member(struct db *db, const char *team_id, const char *user_id, struct err *e);

/* The account's team, without its members. Fails with CONFLICT: it has none yet. */
int team_of(struct db *db, struct arena *arena, const char *competition_id, const char *user_id,
	    struct team *ret_team, struct err *e);

/* With its members. */
int team_find(struct db *db, struct arena *arena, const char *id, struct team *ret_team,
	      struct err *e);

int team_list(struct db *db, struct arena *arena, const char *competition_id,
	      const struct page *page, struct teams *ret_teams, struct err *e);

#endif
