/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A scoreboard at one moment, as it is sent. It never changes; whoever took it keeps it until it is
 * dropped.
 */
#ifndef PLATFORM_BOARD_H
#define PLATFORM_BOARD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct competition;
struct err;
struct facts;

/* How one challenge stands. */
struct standing {
	const char *challenge_id;
	const char *name, *category; /* category NULL: none */
	const char **questions;      /* their ids */
	int64_t value;
	size_t solvers;
	const struct board_line *first; /* who was first to solve a question; NULL: nobody */
};

/* What a team did that counts, at today's value. */
struct board_step {
	int64_t at;
	int64_t points;            /* below 0: paid, for a hint */
	const struct standing *of; /* what it solved; NULL: it paid */
	size_t question;
	bool first; /* of all teams */
};

/* A team's line: where in the JSON of all it stands, what it has, and how it got there. */
struct board_line {
	const char *team_id, *team;
	int64_t score;
	size_t start, len;
	struct board_step *steps; /* in the order of time */
	size_t step_count;
};

/* Who leads, of all teams or of one division, in every form in which it is sent. */
struct board_view {
	const char *division; /* NULL: all */
	char *json;           /* what /scoreboard answers */
	size_t json_len;
	char *history; /* the leaders' ways there */
	size_t history_len;
	char *ctftime; /* as CTFtime has it */
	size_t ctftime_len;
	char etag[40]; /* in quotes; changes when this does */
};

struct board {
	struct board_view all;
	struct board_view *divisions;
	size_t division_count;
	bool frozen;
	struct standing *standings; /* by challenge id */
	size_t standing_count;
	struct board_line *lines; /* by team id */
	size_t line_count;
	struct arena *arena;
};

enum { BOARD_LEADERS = 10 }; /* in the history */

/* Counts. The board is held once. */
int board_new(const struct facts *facts, const struct competition *competition, bool frozen,
	      const struct board **ret_board, struct err *e);

void board_hold(const struct board *board);
void board_drop(const struct board *board);
static inline void board_dropp(const struct board **board)
{
	board_drop(*board);
}

/* That of a division (NULL: of all); NULL where there is none. */
const struct board_view *board_view(const struct board *board, const char *division);

/* NULL where the challenge, or the team, isn't on it. */
const struct standing *board_standing(const struct board *board, const char *challenge_id);
const struct board_line *board_line(const struct board *board, const char *team_id);

/*
 * The team's line, its solves and its points after each step. NULL: it isn't on the board, or out
 * of memory.
 */
json_t *board_team_json(const struct board *board, const char *team_id);

/*
 * What a reader of the old board needs to have the new one: {etag, previous, teams: [lines that
 * changed], challenges: [those that changed]}; without the lists where the whole is due. NULL: when
 * out of memory.
 */
json_t *board_delta(const struct board *old, const struct board *new);

#endif
