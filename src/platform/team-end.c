/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/team.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "platform/instance.h"
#include "platform/rows.h"
#include "platform/schema.h"

/* How teams are left, and how they end. */

static int revoke_invite(struct db *db, const char *id, struct err *e)
{
	char unknown[ROW_ID_SIZE];

	id_random(unknown, ROW_ID_SIZE - 1);
	return db_run(db, "UPDATE team SET invite = ? WHERE id = ?",
		      DB_ARGS(db_text(unknown), db_text(id)), e);
}

/* No name has a line break in it: the key that is made here is no name's. */
static int free_name(struct db *db, int64_t now, const char *id, struct err *e)
{
	return db_run(db,
		      "UPDATE team SET gone_at = ?, name_key = name_key || ? || id WHERE id = ?"
		      " AND gone_at = 0",
		      DB_ARGS(db_int(now), db_text("\n"), db_text(id)), e);
}

/* One that has left nothing needn't be remembered. */
static int forget(struct db *db, const char *id, struct err *e)
{
#define NONE_OF(table) " AND NOT EXISTS (SELECT 1 FROM " table " AS t WHERE t.team_id = team.id)"
	return db_run(db,
		      "DELETE FROM team WHERE id = ?" NONE_OF("member") NONE_OF("instance")
			      NONE_OF("submission") NONE_OF("solve") NONE_OF("unlock")
				      NONE_OF("download") NONE_OF("archive"),
		      DB_ARGS(db_text(id)), e);
#undef NONE_OF
}

static int be_gone(struct db *db, int64_t now, const char *id, struct err *e)
{
	int r = free_name(db, now, id, e);

	return r < 0 ? r : forget(db, id, e);
}

/* Nobody can start anything for it, or join it, from here on. */
static int close_down(struct db *db, const char *id, const char *why, struct err *e)
{
	int r = instances_begin_stop_of_team(db, id, why, e);

	return r < 0 ? r : revoke_invite(db, id, e);
}

static int end_emptied(struct db *db, int64_t now, const char *id, struct err *e)
{
	int64_t solves = 0;
	int r;

	r = close_down(db, id, "its team has no members any more", e);
	if (r == 0)
		r = rows_count(db, "SELECT COUNT(*) FROM solve WHERE team_id = ?",
			       DB_ARGS(db_text(id)), &solves, e);
	return r < 0 || solves > 0 ? r : be_gone(db, now, id, e);
}

static int pass_captaincy(struct db *db, const char *id, const char *user_id, struct err *e)
{
	return db_run(db,
		      "UPDATE team SET captain_id = (SELECT account_id FROM member"
		      " WHERE member.team_id = team.id ORDER BY joined_at, account_id LIMIT 1)"
		      " WHERE id = ? AND captain_id = ?",
		      DB_ARGS(db_text(id), db_text(user_id)), e);
}

int team_quit(struct db *db, int64_t now, const char *id, const char *user_id, bool *ret_emptied,
	      struct err *e)
{
	int64_t members = 0;
	int r;

	r = db_run(db, "DELETE FROM member WHERE team_id = ? AND account_id = ?",
		   DB_ARGS(db_text(id), db_text(user_id)), e);
	if (r == 0)
		r = rows_count(db, "SELECT COUNT(*) FROM member WHERE team_id = ?",
			       DB_ARGS(db_text(id)), &members, e);
	if (r < 0)
		return r;
	*ret_emptied = members == 0;
	return members > 0 ? pass_captaincy(db, id, user_id, e) : end_emptied(db, now, id, e);
}

static void read_id(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

int team_leave(struct db *db, struct arena *arena, int64_t now, const char *competition_id,
	       const char *user_id, char **ret_team_id, bool *ret_emptied, struct err *e)
{
	int r = db_begin(db, e);

	if (r < 0)
		return r;
	r = rows_one(db, arena,
		     "SELECT team_id FROM member WHERE competition_id = ? AND account_id = ?",
		     DB_ARGS(db_text(competition_id), db_text(user_id)), read_id, ret_team_id,
		     "team", e);
	if (r == -ERR_NOT_FOUND)
		r = err_set(e, ERR_NOT_FOUND, "you are in no team");
	if (r == 0)
		r = team_quit(db, now, *ret_team_id, user_id, ret_emptied, e);
	return rows_end(db, r, e);
}

int team_remove(struct db *db, int64_t now, const char *id, struct err *e)
{
	int r = db_run(db, "DELETE FROM member WHERE team_id = ?", DB_ARGS(db_text(id)), e);

	if (r == 0)
		r = close_down(db, id, "its team was removed by an organiser", e);
	return r < 0 ? r : be_gone(db, now, id, e);
}

int team_check_member(struct db *db, const char *team_id, const char *user_id, struct err *e)
{
	int64_t count;
	int r = rows_count(db, "SELECT COUNT(*) FROM member WHERE team_id = ? AND account_id = ?",
			   DB_ARGS(db_text(team_id), db_text(user_id)), &count, e);

	if (r == 0 && count == 0)
		return err_set(e, ERR_CONFLICT, "you are no longer in that team");
	return r;
}
