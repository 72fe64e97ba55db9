/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that teams hand in: judged in constant time, every one of them kept.
 */
#ifndef PLATFORM_SUBMISSION_H
#define PLATFORM_SUBMISSION_H

#include "base/field.h"
#include "challenge/challenge.h"
#include "platform/competition.h"
#include "platform/page.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct err;

/* What is handed in; strings are borrowed. */
struct attempt {
	const char *competition_id;
	const struct challenge *challenge;
	const char *question_id; /* NULL: whichever it answers */
	const char *team_id;
	const char *user_id;
	const char *answer; /* white space around it doesn't count */
	const char *peer;   /* the client's address */
	bool only_live;     /* answers of instances that have ended are no longer good */
	bool practice;      /* it is over: nobody is first any more */
	int64_t ends_at;    /* when it is over; 0: never */
};

/* A submission as it is kept. */
struct submission {
	char *id;
	char *competition_id;
	char *challenge_id;
	char *question_id; /* NULL: it answered none */
	char *team_id;
	char *user_id;
	char *answer;
	char *verdict;           /* "correct", "repeated", "wrong", "foreign": another team's,
				    "held": no pattern could tell, so somebody has to */
	char *instance_id;       /* the team's own, live then; NULL: none */
	char *other_team_id;     /* foreign: whose it is, */
	char *other_instance_id; /* and of which of its instances */
	char *team, *other_team; /* names; in lists only */
	char *peer;
	int64_t submitted_at;
	bool first_blood;
	const char *review; /* "open": an organiser is to look at it; NULL: not, or not read */
};

struct submissions {
	struct submission *submissions;
	size_t submission_count;
	char *next_cursor; /* NULL: there are no more */
};

extern const struct field submissions_fields[];       /* for the team itself */
extern const struct field submissions_admin_fields[]; /* with whose answer it was */

/*
 * Judges and keeps. One transaction: of any number of right answers at once, exactly one is first.
 * Fails with VALIDATION (empty, too long), NOT_FOUND (no such question), FORBIDDEN (the team, or
 * the user in whichever team, has no attempts left) or CONFLICT (ANSWERS_KEPT_MAX are kept of
 * either, or the user has left the team), and then nothing is kept.
 */
enum { ANSWERS_KEPT_MAX = 2000 }; /* of a team, and of an account, to a challenge */

int submission_make(struct db *db, struct arena *arena, int64_t now, const struct attempt *attempt,
		    struct submission *ret_submission, struct err *e);

/*
 * An organiser's word on an answer that was held; it counts from when it was handed in. Fails with
 * NOT_FOUND, or CONFLICT (it is not held).
 */
int submission_judge(struct db *db, struct arena *arena, const struct competition *competition,
		     const char *submission_id, bool right, struct submission *ret_submission,
		     struct err *e);

/* What a team is told: that an answer was another's is for the organisers to know. */
const char *submission_verdict_shown(const struct submission *submission);

/* Which ones; NULL means any. The newest first. */
struct submission_filter {
	const char *challenge_id;
	const char *verdict; /* not among a team's own */
	struct page page;
};

int submission_list_of_team(struct db *db, struct arena *arena, const char *team_id,
			    const struct submission_filter *filter,
			    struct submissions *ret_submissions, struct err *e);
int submission_list(struct db *db, struct arena *arena, const char *competition_id,
		    const struct submission_filter *filter, struct submissions *ret_submissions,
		    struct err *e);

#endif
