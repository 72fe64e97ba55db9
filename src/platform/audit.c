/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/audit.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "platform/page.h"
#include "platform/rows.h"
#include "platform/schema.h"

static const struct field entry_fields[] = {
	FIELD(struct audit_entry, STRING, id, 0),
	FIELD(struct audit_entry, STRING, user_id, 0),
	FIELD(struct audit_entry, STRING, user, 0),
	FIELD(struct audit_entry, STRING, action, 0),
	FIELD(struct audit_entry, STRING, object, 0),
	FIELD(struct audit_entry, STRING, note, 0),
	FIELD(struct audit_entry, INT, status, 0),
	FIELD(struct audit_entry, STRING, peer, 0),
	FIELD(struct audit_entry, STRING, request_id, 0),
	FIELD(struct audit_entry, TIME, at, 0),
	FIELDS_END,
};

const struct field audit_fields[] = {
	FIELD_LIST_OF(struct audit, entries, entry_count, struct audit_entry, entry_fields, 0),
	FIELD(struct audit, STRING, next_cursor, 0),
	FIELDS_END,
};

int audit_record(struct db *db, struct arena *arena, int64_t now, const struct audit_entry *entry,
		 char **ret_id, struct err *e)
{
	char id[ROW_ID_SIZE];
	int r;

	id_random(id, ROW_ID_SIZE - 1);
	r = db_run(
		db,
		"INSERT INTO audit (id, account_id, account, action, object, note, status, peer,"
		" request_id, at) VALUES (?, ?, (SELECT name FROM account WHERE id = ?), ?, ?, ?,"
		" ?, ?, ?, ?)",
		DB_ARGS(db_text(id), db_text(entry->user_id), db_text(entry->user_id),
			db_text(entry->action), db_text(entry->object), db_text(entry->note),
			db_int(entry->status), db_text(entry->peer), db_text(entry->request_id),
			db_int(now)),
		e);
	if (r < 0 || !ret_id)
		return r;
	*ret_id = arena_strdup(arena, id);
	return *ret_id ? 0 : err_memory(e);
}

int audit_finish(struct db *db, const char *id, int status, const char *note, struct err *e)
{
	return db_run(db, "UPDATE audit SET status = ?, note = ? WHERE id = ?",
		      DB_ARGS(db_int(status), db_text(note), db_text(id)), e);
}

static void read_entry(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct audit_entry *entry = ret_struct;

	*entry = (struct audit_entry){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.user_id = arena_strdup(arena, db_get_text(rows, 1)),
		.user = arena_strdup(arena, db_get_text(rows, 2)),
		.action = arena_strdup(arena, db_get_text(rows, 3)),
		.object = arena_strdup(arena, db_get_text(rows, 4)),
		.note = arena_strdup(arena, db_get_text(rows, 5)),
		.status = db_get_int(rows, 6),
		.peer = arena_strdup(arena, db_get_text(rows, 7)),
		.request_id = arena_strdup(arena, db_get_text(rows, 8)),
		.at = db_get_int(rows, 9),
	};
}

int audit_list(struct db *db, struct arena *arena, const struct page *page, struct audit *ret_audit,
	       struct err *e)
{
	const struct audit_entry *last;
	int r;

	r = rows_all(db, arena,
		     "SELECT id, account_id, account, action, object, note, status, peer,"
		     " request_id, at FROM audit WHERE at <= ? AND (at < ? OR id < ?)"
		     " ORDER BY at DESC, id DESC LIMIT ?",
		     DB_ARGS(db_int(page->at), db_int(page->at), db_text(page->id),
			     db_int(page->limit)),
		     read_entry, sizeof(struct audit_entry), &ret_audit->entries,
		     &ret_audit->entry_count, e);
	if (r < 0)
		return r;
	last = ret_audit->entry_count ? &ret_audit->entries[ret_audit->entry_count - 1] : NULL;
	return page_next(page, arena, ret_audit->entry_count, last ? last->at : 0,
			 last ? last->id : NULL, &ret_audit->next_cursor, e);
}
