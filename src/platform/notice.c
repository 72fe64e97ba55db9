/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/notice.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "platform/page.h"
#include "platform/rows.h"
#include "platform/schema.h"

#include <string.h>

const struct field notice_fields[] = {
	FIELD(struct notice, STRING, id, 0),
	FIELD(struct notice, STRING, competition_id, 0),
	FIELD(struct notice, STRING, text, 0),
	FIELD(struct notice, TIME, at, 0),
	FIELDS_END,
};

const struct field notices_fields[] = {
	FIELD_LIST_OF(struct notices, notices, notice_count, struct notice, notice_fields, 0),
	FIELD(struct notices, STRING, next_cursor, 0),
	FIELDS_END,
};

int notice_make(struct db *db, struct arena *arena, int64_t now, const char *competition_id,
		const char *text, struct notice *ret_notice, struct err *e)
{
	char id[ROW_ID_SIZE];
	size_t len = strlen(text);
	int r;

	if (len == 0 || len > NOTICE_MAX)
		return err_set(e, ERR_VALIDATION, "a notice has 1 to %d bytes", NOTICE_MAX);
	id_random(id, ROW_ID_SIZE - 1);
	r = db_run(db, "INSERT INTO notice (id, competition_id, text, at) VALUES (?, ?, ?, ?)",
		   DB_ARGS(db_text(id), db_text(competition_id), db_text(text), db_int(now)), e);
	if (r < 0)
		return r;
	*ret_notice = (struct notice){ .id = arena_strdup(arena, id),
				       .competition_id = arena_strdup(arena, competition_id),
				       .text = arena_strdup(arena, text),
				       .at = now };
	return arena_failed(arena) ? err_memory(e) : 0;
}

static void read_notice(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(struct notice *)ret_struct = (struct notice){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.competition_id = arena_strdup(arena, db_get_text(rows, 1)),
		.text = arena_strdup(arena, db_get_text(rows, 2)),
		.at = db_get_int(rows, 3),
	};
}

int notice_list(struct db *db, struct arena *arena, const char *competition_id,
		const struct page *page, struct notices *ret_notices, struct err *e)
{
	const struct notice *last;
	int r;

	r = rows_all(db, arena,
		     "SELECT id, competition_id, text, at FROM notice WHERE competition_id = ?"
		     " AND at <= ? AND (at < ? OR id < ?) ORDER BY at DESC, id DESC LIMIT ?",
		     DB_ARGS(db_text(competition_id), db_int(page->at), db_int(page->at),
			     db_text(page->id), db_int(page->limit)),
		     read_notice, sizeof(struct notice), &ret_notices->notices,
		     &ret_notices->notice_count, e);
	if (r < 0)
		return r;
	last = ret_notices->notice_count ? &ret_notices->notices[ret_notices->notice_count - 1]
					 : NULL;
	return page_next(page, arena, ret_notices->notice_count, last ? last->at : 0,
			 last ? last->id : NULL, &ret_notices->next_cursor, e);
}
