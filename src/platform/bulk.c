/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/bulk.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "platform/audit.h"
#include "platform/instance.h"
#include "platform/rows.h"
#include "platform/team.h"

#include <ctype.h>
#include <string.h>

static const struct field user_row_fields[] = {
	FIELD(struct bulk_row, STRING, id, 0),
	FIELD(struct bulk_row, STRING, name, 0),
	FIELD(struct bulk_row, STRING, outcome, 0),
	FIELD(struct bulk_row, TIME, created_at, 0),
	FIELD(struct bulk_row, INT, submissions, 0),
	FIELD(struct bulk_row, INT, instances, 0),
	FIELDS_END,
};

#define REPORT_FIELDS(list)                                                 \
	{                                                                   \
		FIELD(struct bulk_report, STRING, act, 0),                  \
			FIELD(struct bulk_report, BOOL, done, 0),           \
			FIELD(struct bulk_report, INT, count, 0),           \
			{ .name = list,                                     \
			  .kind = FIELD_LIST,                               \
			  .offset = offsetof(struct bulk_report, rows),     \
			  .count = offsetof(struct bulk_report, row_count), \
			  .of = user_row_fields,                            \
			  .of_size = sizeof(struct bulk_row) },             \
			FIELDS_END,                                         \
	}

const struct field bulk_users_fields[] = REPORT_FIELDS("users");
const struct field bulk_teams_fields[] = REPORT_FIELDS("teams");

/* One act under way. */
struct bulk {
	struct db *db;
	struct arena *arena;
	int64_t now;
	const struct bulk_wish *wish;
	struct bulk_report *report;
	struct err *e;
};

/* Whom */

/* As SQL's LIKE has it: a '*' is any text, what else LIKE knows stands for itself. */
static const char *like_name(struct arena *arena, const char *name)
{
	char *like = arena_alloc(arena, 2 * strlen(name) + 1), *to = like;

	for (; like && *name; name++) {
		if (*name == '*') {
			*to++ = '%';
			continue;
		}
		if (strchr("%_\\", *name))
			*to++ = '\\';
		*to++ = (char)tolower((unsigned char)*name);
	}
	return like;
}

/* " id id id ", for a LIKE the other way round. */
static const char *join_ids(struct arena *arena, const struct bulk_filter *filter)
{
	size_t len = 2;
	char *ids, *to;

	for (size_t i = 0; i < filter->id_count; i++)
		len += strlen(filter->ids[i]) + 1;
	ids = to = arena_alloc(arena, len);
	if (!ids)
		return NULL;
	*to++ = ' ';
	for (size_t i = 0; i < filter->id_count; i++) {
		to = stpcpy(to, filter->ids[i]);
		*to++ = ' ';
	}
	return ids;
}

static bool is_any(const struct bulk_filter *f)
{
	return !f->ids && !f->name && !f->since && !f->until && !f->alone && !f->idle &&
	       !f->unsolved;
}

static int check_filter(const struct bulk_filter *filter, struct err *e)
{
	if (is_any(filter))
		return err_set(e, ERR_VALIDATION,
			       "say whom: by ids, name, since, until, alone, idle or unsolved");
	if (filter->id_count > BULK_IDS_MAX)
		return err_set(e, ERR_VALIDATION, "at most %d ids at once", BULK_IDS_MAX);
	return 0;
}

static void read_row(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct bulk_row *row = ret_struct;

	*row = (struct bulk_row){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.name = arena_strdup(arena, db_get_text(rows, 1)),
		.created_at = db_get_int(rows, 2),
		.submissions = db_get_int(rows, 3),
		.instances = db_get_int(rows, 4),
	};
}

#define FILTER(table)                                                                    \
	" AND (? IS NULL OR " table ".name_key LIKE ? ESCAPE '\\')"                      \
	" AND (? IS NULL OR ? LIKE '% ' || " table ".id || ' %')"                        \
	" AND " table ".created_at >= ? AND (? = 0 OR " table ".created_at < ?)"         \
	" AND (? = 0 OR NOT EXISTS (SELECT 1 FROM member WHERE member." table "_id"      \
	" = " table ".id))"                                                              \
	" AND (? = 0 OR (NOT EXISTS (SELECT 1 FROM submission AS s WHERE s." table "_id" \
	" = " table ".id) AND NOT EXISTS (SELECT 1 FROM instance AS i WHERE i." table    \
	"_id = " table ".id)))"

#define ORDER(table) " ORDER BY " table ".created_at, " table ".id LIMIT ?"

static int select_rows(const struct bulk *b, const char *sql, const char *scope)
{
	const struct bulk_filter *f = &b->wish->filter;
	const char *name = f->name ? like_name(b->arena, f->name) : NULL;
	const char *ids = f->ids ? join_ids(b->arena, f) : NULL;
	struct bulk_report *report = b->report;
	int r;

	if (arena_failed(b->arena))
		return err_memory(b->e);
	r = rows_all(b->db, b->arena, sql,
		     DB_ARGS(db_text(scope), db_int(f->unsolved), db_text(b->wish->act),
			     db_text(name), db_text(name), db_text(ids), db_text(ids),
			     db_int(f->since), db_int(f->until), db_int(f->until), db_int(f->alone),
			     db_int(f->idle), db_int(BULK_MAX + 1)),
		     read_row, sizeof(struct bulk_row), &report->rows, &report->row_count, b->e);
	if (r < 0)
		return r;
	report->count = (int64_t)report->row_count;
	if (report->row_count > BULK_MAX)
		return err_set(b->e, ERR_VALIDATION,
			       "more than %d are met: take fewer at once, by since and until",
			       BULK_MAX);
	if (b->wish->expected >= 0 && b->wish->expected != report->count)
		return err_set(b->e, ERR_CONFLICT,
			       "%lld are met now, not %lld: look at the preview again",
			       (long long)report->count, (long long)b->wish->expected);
	return 0;
}

/* What */

static int add_ended(struct bulk *b, const char *team_id)
{
	struct bulk_report *report = b->report;
	char **ended = arena_array(b->arena, report->ended_count + 1, sizeof(*ended));

	if (!ended)
		return err_memory(b->e);
	if (report->ended_count)
		memcpy(ended, report->ended, report->ended_count * sizeof(*ended));
	ended[report->ended_count++] = arena_strdup(b->arena, team_id);
	report->ended = ended;
	return arena_failed(b->arena) ? err_memory(b->e) : 0;
}

/* In the log it is known by the act and what it was done to, whatever is left of that. */
static int note_row(const struct bulk *b, const char *kind, const struct bulk_row *row)
{
	struct audit_entry entry = *b->wish->like;

	entry.action = arena_printf(b->arena, "%s %s, as one of %lld", b->wish->act, kind,
				    (long long)b->report->count);
	entry.object = row->id;
	entry.note = arena_printf(b->arena, "'%s': %s", row->name, row->outcome);
	entry.status = 200;
	if (arena_failed(b->arena))
		return err_memory(b->e);
	return audit_record(b->db, b->arena, b->now, &entry, NULL, b->e);
}

struct verb {
	const char *act, *outcome;
	int (*run)(struct bulk *b, struct bulk_row *row);
};

static int do_all(struct bulk *b, const char *kind, const struct verb *verb)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < b->report->row_count; i++) {
		struct bulk_row *row = &b->report->rows[i];

		row->outcome = arena_strdup(b->arena, verb->outcome);
		r = verb->run(b, row);
		if (r == 0)
			r = note_row(b, kind, row);
	}
	return r;
}

/* The transaction; a preview's is taken back. */
static int carry_out(struct bulk *b, const char *kind, const struct verb *verb, const char *sql,
		     const char *scope)
{
	bool done = b->wish->expected >= 0;
	int r = db_begin(b->db, b->e);

	if (r < 0)
		return r;
	r = select_rows(b, sql, scope);
	if (r == 0)
		r = do_all(b, kind, verb);
	if (r == 0 && !done) {
		db_rollback(b->db);
		return 0;
	}
	b->report->done = done;
	return rows_end(b->db, r, b->e);
}

static int find_verb(const struct verb *verbs, const char *act, const char *words,
		     const struct verb **ret_verb, struct err *e)
{
	for (const struct verb *verb = verbs; verb->act; verb++) {
		if (!act || strcmp(act, verb->act) != 0)
			continue;
		*ret_verb = verb;
		return 0;
	}
	return err_set(e, ERR_VALIDATION, "%s expected as 'act'", words);
}

static int run(struct bulk *b, const char *kind, const struct verb *verbs, const char *words,
	       const char *sql, const char *scope)
{
	const struct verb *verb = NULL;
	int r;

	r = find_verb(verbs, b->wish->act, words, &verb, b->e);
	if (r == 0)
		r = check_filter(&b->wish->filter, b->e);
	if (r < 0)
		return r;
	b->report->act = arena_strdup(b->arena, verb->act);
	return carry_out(b, kind, verb, sql, scope);
}

/* Accounts */

static int disable_user(struct bulk *b, struct bulk_row *row)
{
	return db_run(b->db, "UPDATE account SET disabled = 1 WHERE id = ?",
		      DB_ARGS(db_text(row->id)), b->e);
}

static int enable_user(struct bulk *b, struct bulk_row *row)
{
	return db_run(b->db, "UPDATE account SET disabled = 0 WHERE id = ?",
		      DB_ARGS(db_text(row->id)), b->e);
}

static void read_id(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

static int leave_teams(struct bulk *b, const char *user_id)
{
	char **teams;
	size_t count;
	int r = rows_all(b->db, b->arena, "SELECT team_id FROM member WHERE account_id = ?",
			 DB_ARGS(db_text(user_id)), read_id, sizeof(char *), &teams, &count, b->e);

	for (size_t i = 0; r == 0 && i < count; i++) {
		bool emptied = false;

		r = team_quit(b->db, b->now, teams[i], user_id, &emptied, b->e);
		if (r == 0 && emptied)
			r = add_ended(b, teams[i]);
	}
	return r;
}

/* What an account did stays on record, and names it. */
static int has_left_traces(const struct bulk *b, const char *user_id, bool *ret_has)
{
	int64_t traces;
	int r = rows_count(
		b->db,
		"SELECT COUNT(*) FROM account WHERE id = ?"
		" AND (EXISTS (SELECT 1 FROM submission AS t WHERE t.account_id"
		" = account.id)"
		" OR EXISTS (SELECT 1 FROM instance AS t WHERE t.account_id = account.id)"
		" OR EXISTS (SELECT 1 FROM unlock AS t WHERE t.account_id = account.id)"
		" OR EXISTS (SELECT 1 FROM download AS t WHERE t.account_id = account.id)"
		" OR EXISTS (SELECT 1 FROM team AS t WHERE t.captain_id = account.id))",
		DB_ARGS(db_text(user_id)), &traces, b->e);

	*ret_has = traces > 0;
	return r;
}

static int erase_user(const struct bulk *b, const char *user_id)
{
	static const char *const statements[] = {
		"DELETE FROM token WHERE account_id = ?",
		"DELETE FROM known_browser WHERE account_id = ?",
		"DELETE FROM identity WHERE account_id = ?",
		"DELETE FROM founding WHERE account_id = ?",
		"DELETE FROM login_attempt WHERE account_id = ?",
		"DELETE FROM account WHERE id = ?",
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(statements); i++)
		r = db_run(b->db, statements[i], DB_ARGS(db_text(user_id)), b->e);
	return r;
}

static int delete_user(struct bulk *b, struct bulk_row *row)
{
	bool has_traces = true;
	int r = leave_teams(b, row->id);

	if (r == 0)
		r = has_left_traces(b, row->id, &has_traces);
	if (r < 0)
		return r;
	if (!has_traces)
		return erase_user(b, row->id);
	row->outcome = arena_strdup(b->arena, "disabled");
	return disable_user(b, row);
}

int bulk_users(struct db *db, struct arena *arena, int64_t now, const struct bulk_wish *wish,
	       struct bulk_report *ret_report, struct err *e)
{
	static const struct verb verbs[] = {
		{ "disable", "disabled", disable_user },
		{ "enable", "enabled", enable_user },
		{ "delete", "deleted", delete_user },
		{ NULL, NULL, NULL },
	};
	struct bulk b = { db, arena, now, wish, ret_report, e };

	*ret_report = (struct bulk_report){ .act = NULL };
	return run(&b, "account", verbs, "disable, enable or delete",
		   "SELECT account.id, account.name, account.created_at,"
		   " (SELECT COUNT(*) FROM submission WHERE submission.account_id = account.id),"
		   " (SELECT COUNT(*) FROM instance WHERE instance.account_id = account.id)"
		   " FROM account WHERE account.role = 'player' AND account.id <> ? AND ? = 0"
		   " AND account.disabled = CASE ? WHEN 'disable' THEN 0 WHEN 'enable' THEN 1"
		   " ELSE account.disabled END" FILTER("account") ORDER("account"),
		   wish->filter.asker);
}

/* Teams */

static int hide_team(struct bulk *b, struct bulk_row *row)
{
	return db_run(b->db, "UPDATE team SET hidden = 1 WHERE id = ?", DB_ARGS(db_text(row->id)),
		      b->e);
}

static int show_team(struct bulk *b, struct bulk_row *row)
{
	return db_run(b->db, "UPDATE team SET hidden = 0 WHERE id = ?", DB_ARGS(db_text(row->id)),
		      b->e);
}

static int stop_team(struct bulk *b, struct bulk_row *row)
{
	int r = instances_begin_stop_of_team(b->db, row->id, "an organiser has stopped it", b->e);

	return r < 0 ? r : add_ended(b, row->id);
}

static int delete_team(struct bulk *b, struct bulk_row *row)
{
	int r = team_remove(b->db, b->now, row->id, b->e);

	return r < 0 ? r : add_ended(b, row->id);
}

int bulk_teams(struct db *db, struct arena *arena, int64_t now, const struct bulk_wish *wish,
	       struct bulk_report *ret_report, struct err *e)
{
	static const struct verb verbs[] = {
		{ "hide", "hidden", hide_team },
		{ "show", "shown", show_team },
		{ "stop", "stopped", stop_team },
		{ "delete", "removed", delete_team },
		{ NULL, NULL, NULL },
	};
	struct bulk b = { db, arena, now, wish, ret_report, e };

	*ret_report = (struct bulk_report){ .act = NULL };
	return run(&b, "team", verbs, "hide, show, stop or delete",
		   "SELECT team.id, team.name, team.created_at,"
		   " (SELECT COUNT(*) FROM submission WHERE submission.team_id = team.id),"
		   " (SELECT COUNT(*) FROM instance WHERE instance.team_id = team.id"
		   " AND instance.live = 1)"
		   " FROM team WHERE team.competition_id = ? AND team.gone_at = 0"
		   " AND (? = 0 OR NOT EXISTS (SELECT 1 FROM solve WHERE solve.team_id = team.id))"
		   " AND team.hidden = CASE ? WHEN 'hide' THEN 0 WHEN 'show' THEN 1"
		   " ELSE team.hidden END" FILTER("team") ORDER("team"),
		   wish->filter.competition);
}
