/*
 * The scoreboards, kept ready: a board is counted once per change, not once per reader.
 *
 * A board never changes; whoever took it keeps it until it is dropped.
 */
#ifndef PLATFORM_SCOREBOARD_H
#define PLATFORM_SCOREBOARD_H

#include "platform/score.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct challenges;
struct clock;
struct competition;
struct db;
struct err;
struct scoreboards;

/* How one challenge stands. */
struct standing {
	const char *challenge_id;
	int64_t value;
	size_t solvers;
};

struct board {
	char *json; /* what /scoreboard answers */
	size_t json_len;
	char etag[40];              /* in quotes; changes when the board does */
	struct standing *standings; /* by challenge id */
	size_t standing_count;
	struct arena *arena;
};

int scoreboards_new(struct db *db, struct challenges *challenges, const struct clock *clock,
		    struct scoreboards **ret_boards, struct err *e);
void scoreboards_free(struct scoreboards *boards);

/* Something that boards are counted from has changed. */
void scoreboards_touch(struct scoreboards *boards);

/*
 * The board as players see it (frozen once the competition says so), or as it really stands. To be
 * dropped.
 */
int scoreboards_take(struct scoreboards *boards, const struct competition *competition, bool live,
		     const struct board **ret_board, struct err *e);
void board_drop(const struct board *board);
static inline void board_dropp(const struct board **board)
{
	board_drop(*board);
}

/* NULL where the challenge isn't on it. */
const struct standing *board_standing(const struct board *board, const char *challenge_id);

#endif
