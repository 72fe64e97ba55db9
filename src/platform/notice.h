/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What organisers tell the players of a competition.
 */
#ifndef PLATFORM_NOTICE_H
#define PLATFORM_NOTICE_H

#include "base/field.h"

#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct err;
struct page;

struct notice {
	char *id;
	char *competition_id;
	char *text;
	int64_t at;
};

struct notices {
	struct notice *notices;
	size_t notice_count;
	char *next_cursor; /* NULL: there are no more */
};

extern const struct field notice_fields[];
extern const struct field notices_fields[];

enum { NOTICE_MAX = 2000 }; /* bytes */

/* Fails with VALIDATION: empty, or too long. */
int notice_make(struct db *db, struct arena *arena, int64_t now, const char *competition_id,
		const char *text, struct notice *ret_notice, struct err *e);

/* The newest first. */
int notice_list(struct db *db, struct arena *arena, const char *competition_id,
		const struct page *page, struct notices *ret_notices, struct err *e);

#endif
