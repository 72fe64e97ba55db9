/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a team has to spend, as the store says at that moment: never from a board, which may be a
 * moment old.
 */
#ifndef PLATFORM_PURSE_H
#define PLATFORM_PURSE_H

#include <stdint.h>

struct arena;
struct competition;
struct db;
struct err;
struct shelf;
struct team;

/* Whose, and where; all of it borrowed. */
struct purse {
	const struct shelf *shelf;
	const struct competition *competition;
	const struct team *team;
	const char *user_id; /* who wants to spend: what it has paid in other teams counts, too */
};

/*
 * The points at today's values, less what was paid; a part of the transaction that spends them.
 * Exact where there are fewer than `wanted`; else at least that, without counting all of the
 * solvers, since other writers wait.
 */
int purse_points(struct db *db, struct arena *arena, const struct purse *purse, int64_t wanted,
		 int64_t *ret_points, struct err *e);

#endif
