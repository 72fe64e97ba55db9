/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One act on many accounts or teams at once: those of a filter.
 *
 * All of it is one transaction, and each object has its own entry in the audit log. A preview does
 * the very same, and takes it back: it tells what the act will do, and how many it will meet, which
 * whoever then wants it done has to say.
 */
#ifndef PLATFORM_BULK_H
#define PLATFORM_BULK_H

#include "base/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct audit_entry;
struct db;
struct err;

enum {
	BULK_MAX = 5000,     /* objects of one act: others wait for the store meanwhile */
	BULK_IDS_MAX = 1000, /* named in a filter */
};

/* Whom: who meets all that is said. Strings are borrowed. */
struct bulk_filter {
	char **ids; /* NULL: any */
	size_t id_count;
	char *name;              /* as names are compared; '*' is any text. NULL: any */
	int64_t since, until;    /* made then, `until` not included; 0: any */
	bool alone;              /* an account in no team, a team without members */
	bool idle;               /* has handed in nothing and started nothing */
	bool unsolved;           /* of teams: has solved nothing */
	const char *competition; /* of teams */
	const char *asker;       /* of accounts: never one's own */
};

/* What became of one, or will. */
struct bulk_row {
	char *id;
	char *name;
	char *outcome; /* "disabled", "enabled", "deleted", "hidden", "shown", "stopped", "removed"
			*/
	int64_t created_at;
	int64_t submissions, instances; /* it has left; instances of teams: the live ones */
};

struct bulk_report {
	char *act;
	bool done; /* else it is a preview */
	int64_t count;
	struct bulk_row *rows;
	size_t row_count;
	char **ended; /* ids of teams whose instances are to stop: see settler_stop_team() */
	size_t ended_count;
};

extern const struct field bulk_users_fields[];
extern const struct field bulk_teams_fields[];

struct bulk_wish {
	const char *act;
	struct bulk_filter filter;
	int64_t expected;               /* so many it has to meet; below 0: a preview */
	const struct audit_entry *like; /* who does it, from where: of each entry in the log */
};

/*
 * "disable", "enable", or "delete": out of all teams, and gone where it has left nothing; else
 * disabled, since what it did stays on record. Players alone are met: no organiser, no admin. Fails
 * with VALIDATION (no such act, no filter, too many) or CONFLICT (it meets another number now).
 */
int bulk_users(struct db *db, struct arena *arena, int64_t now, const struct bulk_wish *wish,
	       struct bulk_report *ret_report, struct err *e);

/*
 * "hide", "show", "stop" (what it runs), or "delete": see team_remove(). Fails likewise.
 */
int bulk_teams(struct db *db, struct arena *arena, int64_t now, const struct bulk_wish *wish,
	       struct bulk_report *ret_report, struct err *e);

#endif
