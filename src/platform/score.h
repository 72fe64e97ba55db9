/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a challenge is worth, and who leads. Pure rules: no I/O, no clock.
 */
#ifndef PLATFORM_SCORE_H
#define PLATFORM_SCORE_H

#include "challenge/challenge.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

/*
 * The challenge's value when so many teams have solved the whole of it. Static ones keep theirs;
 * dynamic ones fall with the second solver on, by ctfcli's two functions, down to the minimum.
 */
int64_t score_value(const struct challenge *challenge, size_t solvers);

/* What it is worth at least, however many solve it. */
int64_t score_least(const struct challenge *challenge);

/*
 * What one question gets of a value: by the questions' own weights, or equal shares where they
 * name none. The shares of all questions add up to the value.
 */
int64_t score_share(const struct challenge *challenge, size_t question, int64_t value);

/* A question's share of the value, and of what the first to solve it gets besides. */
int64_t score_points(const struct challenge *challenge, size_t question, int64_t value,
		     int64_t first_blood, int64_t first_blood_percent);

/* One question, solved by one team. */
struct score_solve {
	size_t team;
	size_t challenge;
	size_t question;
	int64_t at;
	bool first; /* of all teams */
};

/* What a team paid, for a hint. */
struct score_charge {
	size_t team;
	int64_t cost;
	int64_t at;
};

struct score_game {
	size_t team_count;
	const struct challenge *const *challenges;
	size_t challenge_count;
	const struct score_solve *solves;
	size_t solve_count;
	const struct score_charge *charges;
	size_t charge_count;
	int64_t first_blood;         /* points for the first to solve a challenge, and */
	int64_t first_blood_percent; /* of its value */
	int64_t until; /* what is done at or after this instant doesn't count; 0: all does */
};

struct score_line {
	size_t team;
	int64_t score;
	int64_t last_at; /* the last solve that counted; 0: none */
	size_t solved;   /* questions */
	size_t rank;     /* from 1; teams with equal score and time share one */
};

struct score_tally {
	size_t solvers; /* teams that solved every question */
	int64_t value;
};

struct score_board {
	struct score_line *lines;    /* one per team, the leader first */
	struct score_tally *tallies; /* one per challenge */
};

/* Points for a solve as things stand. */
int64_t score_of(const struct score_game *game, const struct score_tally *tallies,
		 const struct score_solve *solve);

/* More points first; of equal points, who had them earlier; then the order of the teams. */
int score_count(const struct score_game *game, struct arena *arena, struct score_board *ret_board,
		struct err *e);

#endif
