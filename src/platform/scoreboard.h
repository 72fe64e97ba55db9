/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scoreboards, kept ready: a board is counted once per change, not once per reader.
 *
 * Who changes something says so, and the board is counted anew: at once while that is quick, else
 * by a thread of its own, which lets the boards be a moment old rather than anybody wait.
 */
#ifndef PLATFORM_SCOREBOARD_H
#define PLATFORM_SCOREBOARD_H

#include "platform/board.h"

struct challenges;
struct clock;
struct competition;
struct db;
struct err;
struct programme;
struct scoreboards;

struct scoreboards_options {
	struct db *db;
	struct challenges *challenges;
	struct programme *programme;
	const struct clock *clock;
	/*
	 * The board that players see has become another: at most once a second for each
	 * competition, from the boards' own thread. NULL: nobody asks.
	 */
	void (*changed)(void *cookie, const struct competition *competition,
			const struct board *old, const struct board *new);
	void *cookie;
};

/* Counts the boards there are, and begins the thread. */
int scoreboards_new(const struct scoreboards_options *options, struct scoreboards **ret_boards,
		    struct err *e);
void scoreboards_free(struct scoreboards *boards);

/* Teams, challenges or competitions have changed; there are new solves; somebody paid for a hint.
 */
void scoreboards_touch(struct scoreboards *boards);
void scoreboards_solved(struct scoreboards *boards);
void scoreboards_charged(struct scoreboards *boards);

/*
 * What is said of a competition has to live as long as the boards: it is the programme's.
 *
 * The board as players see it (frozen once the competition says so), or as it really stands. To be
 * dropped.
 */
int scoreboards_take(struct scoreboards *boards, const struct competition *competition, bool live,
		     const struct board **ret_board, struct err *e);

/* After a change: counts at once if that is quick, so that the next reader sees it. */
int scoreboards_settle(struct scoreboards *boards, const struct competition *competition,
		       struct err *e);

/* As it was counted last, from memory; NULL where it never was. To be dropped. */
const struct board *scoreboards_peek(struct scoreboards *boards, const char *competition_id,
				     bool live);

#endif
