/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What organisers should look at: answers of other teams, and solves that went oddly.
 *
 * Nothing here bans anybody. A team that hands in another's answer may have found a shared file;
 * one that solves without starting may have read the source. Both teams, instances and times are
 * told, so that somebody can judge.
 */
#ifndef PLATFORM_REVIEW_H
#define PLATFORM_REVIEW_H

#include "platform/challenges.h"
#include "platform/competition.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct err;
struct page;

/*
 * Answers of other teams, the newest first: {reviews: [...], next_cursor}, the caller's. state:
 * "open", "dismissed", "confirmed"; NULL: any.
 */
int review_list(struct db *db, struct arena *arena, const char *competition_id, const char *state,
		const struct page *page, json_t **ret_reviews, struct err *e);

/* Fails with NOT_FOUND: no such submission, or one that is nobody else's answer. */
int review_resolve(struct db *db, const char *submission_id, const char *state, const char *note,
		   struct err *e);

struct suspicion_wish {
	const struct competition *competition;
	const struct shelf *shelf;
	int64_t quick_ms; /* sooner after the start than this is too soon */
	int64_t after;    /* solves after this one of the competition */
	int64_t limit;    /* solves to look at */
};

/*
 * Among so many solves in their order, those by a team that had not started an instance, had not
 * downloaded any file, or was impossibly quick: {suspicions: [...], next_cursor}, the caller's.
 */
int suspicion_list(struct db *db, struct arena *arena, const struct suspicion_wish *wish,
		   json_t **ret_suspicions, struct err *e);

/* The team has got a file of a challenge. */
int download_note(struct db *db, int64_t now, const char *team_id, const char *user_id,
		  const char *challenge_id, const char *filename, struct err *e);

#endif
