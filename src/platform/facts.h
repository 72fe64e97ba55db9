/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a competition's boards are counted from, in memory: its teams, challenges, solves, charges.
 *
 * Read once, then kept up to date by asking the store for what came since. One thread at a time.
 */
#ifndef PLATFORM_FACTS_H
#define PLATFORM_FACTS_H

#include "platform/challenges.h"
#include "platform/score.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct competition;
struct db;
struct err;

struct facts_team {
	char *id;
	char *name;
	char *division;  /* NULL: none */
	char *json_name; /* the name as JSON has it, in quotes */
};

struct facts {
	struct arena *arena;
	const struct shelf *shelf;           /* held */
	const struct challenge **challenges; /* by id, as the competition has them */
	size_t challenge_count;
	struct facts_team *teams; /* by id; without hidden ones */
	size_t team_count;
	struct score_solve *solves; /* in the order in which they were made */
	size_t solve_count, solve_room;
	struct score_charge *charges; /* likewise */
	size_t charge_count;
	int64_t last_seq; /* of the solves that were read */
};

void facts_done(struct facts *facts);

/* Everything, anew. On failure there is nothing in it. */
int facts_read(struct facts *facts, struct db *db, struct challenges *challenges,
	       const struct competition *competition, struct err *e);

/* The solves since; the charges. */
int facts_read_solves(struct facts *facts, struct db *db, const char *competition_id,
		      struct err *e);
int facts_read_charges(struct facts *facts, struct db *db, const char *competition_id,
		       struct err *e);

#endif
