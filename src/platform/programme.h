/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The competitions there are, in memory: every request asks for one.
 *
 * What is taken from it stays as it was until the programme is freed, whatever is applied
 * meanwhile: competitions are few, small and seldom changed.
 */
#ifndef PLATFORM_PROGRAMME_H
#define PLATFORM_PROGRAMME_H

#include "platform/competition.h"

struct programme;

/* Reads the store. */
int programme_new(struct db *db, struct programme **ret_programme, struct err *e);
void programme_free(struct programme *programme);

/* Reads the store again: a competition was applied. */
int programme_refresh(struct programme *programme, struct err *e);

const struct competitions *programme_all(struct programme *programme);

/* Borrowed. Fails with NOT_FOUND. */
int programme_find(struct programme *programme, const char *id,
		   const struct competition **ret_competition, struct err *e);

/*
 * The one meant where none is named: the one that runs (the last begun), or else begins next, or
 * else ended last. Fails with NOT_FOUND where there is none at all.
 */
int programme_current(struct programme *programme, int64_t now,
		      const struct competition **ret_competition, struct err *e);

#endif
