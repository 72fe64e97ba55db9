/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The challenges on disk, as the platform shows them: names, texts, questions, answers.
 *
 * A shelf is one scan's result and never changes; whoever took it keeps it until it is dropped,
 * whatever a rescan puts in its place meanwhile.
 */
#ifndef PLATFORM_CHALLENGES_H
#define PLATFORM_CHALLENGES_H

#include "challenge/challenge.h"

#include <jansson.h>
#include <stddef.h>

struct challenges;
struct err;

struct shelf {
	struct challenge **challenges; /* by id */
	size_t count;
	json_t *errors; /* [{path, detail}]: folders that don't load */
};

/* Scans dir. Fails with INVALID or NOT_FOUND when it can't be read. */
int challenges_new(const char *dir, struct challenges **ret_challenges, struct err *e);
void challenges_free(struct challenges *challenges);

/* The present shelf; to be dropped. */
const struct shelf *challenges_take(struct challenges *challenges);
void shelf_drop(const struct shelf *shelf);
static inline void shelf_dropp(const struct shelf **shelf)
{
	shelf_drop(*shelf);
}

/* NULL where there is none. */
const struct challenge *shelf_find(const struct shelf *shelf, const char *id);

/*
 * Scans again. ret_report, the caller's: {total, added: [ids], removed: [ids], errors}. On failure
 * the old shelf stays.
 */
int challenges_rescan(struct challenges *challenges, json_t **ret_report, struct err *e);

/* Puts a challenge's folder into its place, which see parcel_put(); then scans again. */
int challenges_put(struct challenges *challenges, const char *id, const void *parcel, size_t len,
		   json_t **ret_report, struct err *e);

#endif
