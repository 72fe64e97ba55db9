/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What organisers did, kept for ever: who, what, to what, when, from where, and how it ended.
 *
 * Every call that changes something and is not open to players is written down by the dispatcher,
 * before it is carried out and again when it has ended: an entry without a status was cut short. A
 * handler adds what its path doesn't tell with door_note(). What is no such call (a shell that was
 * opened and closed) is written down with audit_record().
 */
#ifndef PLATFORM_AUDIT_H
#define PLATFORM_AUDIT_H

#include "base/field.h"

#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct err;
struct page;

struct audit_entry {
	const char *id;
	const char *user_id, *user; /* the account, and its name then */
	const char *action; /* "DELETE /api/v1/admin/nodes/{node}", or a word of one's own */
	const char *object; /* the path as it was called, or an id */
	const char *note;   /* more, for people; NULL: nothing */
	int64_t status;     /* of the answer; 0: it did not end, or there is none */
	const char *peer;   /* the client's address */
	const char *request_id;
	int64_t at;
};

struct audit {
	struct audit_entry *entries;
	size_t entry_count;
	char *next_cursor; /* NULL: there are no more */
};

extern const struct field audit_fields[];

/*
 * Writes an entry; id, user and at are its own to fill. ret_id, unless NULL, is the arena's. In a
 * transaction it is a part of it.
 */
int audit_record(struct db *db, struct arena *arena, int64_t now, const struct audit_entry *entry,
		 char **ret_id, struct err *e);

/* How it ended. */
int audit_finish(struct db *db, const char *id, int status, const char *note, struct err *e);

/* The newest first. */
int audit_list(struct db *db, struct arena *arena, const struct page *page, struct audit *ret_audit,
	       struct err *e);

#endif
