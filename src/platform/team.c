/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/team.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "platform/competition.h"
#include "platform/name.h"
#include "platform/page.h"
#include "platform/rows.h"
#include "platform/schema.h"

#include <string.h>

static const struct field team_member_fields[] = {
	FIELD(struct team_member, STRING, id, 0),
	FIELD(struct team_member, STRING, name, 0),
	FIELD(struct team_member, TIME, joined_at, 0),
	FIELDS_END,
};

const struct field team_fields[] = {
	FIELD(struct team, STRING, id, 0),
	FIELD(struct team, STRING, competition_id, 0),
	FIELD(struct team, STRING, name, 0),
	FIELD(struct team, STRING, invite, 0),
	FIELD(struct team, STRING, captain_id, 0),
	FIELD(struct team, STRING, division, 0),
	FIELD(struct team, BOOL, hidden, FIELD_OPTIONAL),
	FIELD(struct team, TIME, created_at, 0),
	FIELD_LIST_OF(struct team, members, member_count, struct team_member, team_member_fields,
		      0),
	FIELDS_END,
};

static const struct field team_line_fields[] = {
	FIELD(struct team, STRING, id, 0),
	FIELD(struct team, STRING, name, 0),
	FIELD(struct team, STRING, captain_id, 0),
	FIELD(struct team, STRING, division, 0),
	FIELD(struct team, BOOL, hidden, FIELD_OPTIONAL),
	FIELD(struct team, TIME, created_at, 0),
	FIELDS_END,
};

const struct field teams_fields[] = {
	FIELD_LIST_OF(struct teams, teams, team_count, struct team, team_line_fields, 0),
	FIELD(struct teams, STRING, next_cursor, 0),
	FIELDS_END,
};

#define TEAM_COLUMNS                                                             \
	"team.id, team.competition_id, team.name, team.invite, team.captain_id," \
	" team.created_at, team.division, team.hidden"

static void read_team(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct team *team = ret_struct;

	*team = (struct team){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.competition_id = arena_strdup(arena, db_get_text(rows, 1)),
		.name = arena_strdup(arena, db_get_text(rows, 2)),
		.invite = arena_strdup(arena, db_get_text(rows, 3)),
		.captain_id = arena_strdup(arena, db_get_text(rows, 4)),
		.created_at = db_get_int(rows, 5),
		.division = arena_strdup(arena, db_get_text(rows, 6)),
		.hidden = db_get_int(rows, 7) != 0,
	};
}

static void read_member(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct team_member *member = ret_struct;

	*member = (struct team_member){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.name = arena_strdup(arena, db_get_text(rows, 1)),
		.joined_at = db_get_int(rows, 2),
	};
}

static int add_member(struct db *db, int64_t now, const char *competition_id, const char *user_id,
		      const char *team_id, struct err *e)
{
	int r = db_run(db,
		       "INSERT INTO member (competition_id, account_id, team_id, joined_at)"
		       " VALUES (?, ?, ?, ?)",
		       DB_ARGS(db_text(competition_id), db_text(user_id), db_text(team_id),
			       db_int(now)),
		       e);

	if (r == -ERR_CONFLICT)
		return err_set(e, ERR_CONFLICT, "you are in a team already: leave it first");
	return r;
}

static int insert_team(struct db *db, const struct team *team, const char *key, struct err *e)
{
	int r = db_run(db,
		       "INSERT INTO team (id, competition_id, name, name_key, invite, captain_id,"
		       " division, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		       DB_ARGS(db_text(team->id), db_text(team->competition_id),
			       db_text(team->name), db_text(key), db_text(team->invite),
			       db_text(team->captain_id), db_text(team->division),
			       db_int(team->created_at)),
		       e);

	if (r == -ERR_CONFLICT)
		return err_set(e, ERR_CONFLICT, "there is a team '%s' already", team->name);
	return r;
}

static const struct competition_entrant *find_entrant(const struct competition *competition,
						      struct arena *arena, const char *key)
{
	for (size_t i = 0; i < competition->entrant_count; i++) {
		const char *name, *own_key;

		if (name_read(arena, "a team's name", competition->entrants[i].name, &name,
			      &own_key, NULL) == 0 &&
		    strcmp(own_key, key) == 0)
			return &competition->entrants[i];
	}
	return NULL;
}

static bool has_code(const struct team_wish *wish, const char *code)
{
	return !code || (wish->code && secret_equal(wish->code, code));
}

/* Whether registration lets a team of this name in. */
static int check_entry(const struct competition *competition, const struct team_wish *wish,
		       const struct competition_entrant *entrant, struct err *e)
{
	const char *registration = competition->registration;

	if (strcmp(registration, "closed") == 0)
		return err_set(e, ERR_FORBIDDEN, "'%s' takes no new teams", competition->name);
	if (strcmp(registration, "invite") == 0 && !has_code(wish, competition->invite))
		return err_set(e, ERR_FORBIDDEN, "'%s' takes teams with its invite code only",
			       competition->name);
	if (strcmp(registration, "list") == 0 && !entrant)
		return err_set(e, ERR_FORBIDDEN, "'%s' is not on the list of teams of '%s'",
			       wish->name, competition->name);
	if (entrant && !has_code(wish, entrant->code))
		return err_set(e, ERR_FORBIDDEN, "the code of team '%s' is another one",
			       entrant->name);
	return 0;
}

/* The list's word goes before the team's own; where there is but one, it is that. */
static int choose_division(const struct competition *competition, const struct team_wish *wish,
			   const struct competition_entrant *entrant, const char **ret_division,
			   struct err *e)
{
	const char *wanted = entrant && entrant->division ? entrant->division : wish->division;

	if (!wanted && competition->division_count == 1)
		wanted = competition->divisions[0].id;
	*ret_division = wanted;
	if (!wanted && competition->division_count > 1)
		return err_set(e, ERR_VALIDATION, "which division? '%s' has several",
			       competition->name);
	if (wanted && !competition_has_division(competition, wanted))
		return err_set(e, ERR_VALIDATION, "'%s' has no division '%s'", competition->name,
			       wanted);
	return 0;
}

static int admit(struct arena *arena, const struct competition *competition,
		 const struct team_wish *wish, const char *key, struct team *team, struct err *e)
{
	const struct competition_entrant *entrant = find_entrant(competition, arena, key);
	const char *division;
	int r;

	r = check_entry(competition, wish, entrant, e);
	if (r == 0)
		r = choose_division(competition, wish, entrant, &division, e);
	if (r == 0)
		team->division = arena_strdup(arena, division);
	return r;
}

/* Of an account in a competition, those that are gone included. */
static int count_founding(struct db *db, const struct competition *competition, const char *user_id,
			  struct err *e)
{
	int64_t teams;
	int r = rows_count(db,
			   "SELECT teams FROM founding WHERE competition_id = ?"
			   " AND account_id = ?",
			   DB_ARGS(db_text(competition->id), db_text(user_id)), &teams, e);

	if (r < 0)
		return r;
	if (teams >= TEAMS_FOUNDED_MAX)
		return err_set(e, ERR_CONFLICT,
			       "you have made %d teams in '%s', and more nobody may: join one by "
			       "its invite",
			       TEAMS_FOUNDED_MAX, competition->name);
	return db_run(db,
		      "INSERT INTO founding (competition_id, account_id, teams) VALUES (?, ?, 1)"
		      " ON CONFLICT (competition_id, account_id)"
		      " DO UPDATE SET teams = founding.teams + 1",
		      DB_ARGS(db_text(competition->id), db_text(user_id)), e);
}

int team_create(struct db *db, struct arena *arena, int64_t now,
		const struct competition *competition, const char *user_id,
		const struct team_wish *wish, struct team *ret_team, struct err *e)
{
	char id[ROW_ID_SIZE], invite[ROW_ID_SIZE];
	struct team team = { .id = id, .invite = invite, .created_at = now };
	const char *shown, *key;
	int r;

	r = name_read(arena, "a team's name", wish->name, &shown, &key, e);
	if (r == 0)
		r = admit(arena, competition, wish, key, &team, e);
	if (r < 0)
		return r;
	id_random(id, ROW_ID_SIZE - 1);
	id_random(invite, ROW_ID_SIZE - 1);
	team.name = arena_strdup(arena, shown);
	team.competition_id = arena_strdup(arena, competition->id);
	team.captain_id = arena_strdup(arena, user_id);
	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = count_founding(db, competition, user_id, e);
	if (r == 0)
		r = insert_team(db, &team, key, e);
	if (r == 0)
		r = add_member(db, now, competition->id, user_id, id, e);
	r = rows_end(db, r, e);
	return r < 0 ? r : team_find(db, arena, id, ret_team, e);
}

int team_set(struct db *db, const char *id, const char *division, const bool *hidden, struct err *e)
{
	int64_t changed;
	int r = db_change(db,
			  "UPDATE team SET division = COALESCE(?, division),"
			  " hidden = COALESCE(?, hidden) WHERE id = ? AND gone_at = 0",
			  DB_ARGS(db_text(division), hidden ? db_int(*hidden) : db_text(NULL),
				  db_text(id)),
			  &changed, e);

	if (r == 0 && changed == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such team");
	return r;
}

static int check_room(struct db *db, const struct competition *competition, const char *team_id,
		      struct err *e)
{
	int64_t members;
	int r;

	if (competition->team_size == 0)
		return 0;
	r = rows_count(db, "SELECT COUNT(*) FROM member WHERE team_id = ?",
		       DB_ARGS(db_text(team_id)), &members, e);
	if (r == 0 && members >= competition->team_size)
		return err_set(e, ERR_CONFLICT, "the team is full: %lld members",
			       (long long)members);
	return r;
}

int team_join(struct db *db, struct arena *arena, int64_t now,
	      const struct competition *competition, const char *user_id, const char *invite,
	      struct team *ret_team, struct err *e)
{
	struct team team = { .id = NULL };
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = rows_one(db, arena,
		     "SELECT " TEAM_COLUMNS " FROM team WHERE invite = ? AND competition_id = ?"
		     " AND EXISTS (SELECT 1 FROM member WHERE member.team_id = team.id)",
		     DB_ARGS(db_text(invite), db_text(competition->id)), read_team, &team, "invite",
		     e);
	if (r == 0)
		r = check_room(db, competition, team.id, e);
	if (r == 0)
		r = add_member(db, now, competition->id, user_id, team.id, e);
	r = rows_end(db, r, e);
	return r < 0 ? r : team_find(db, arena, team.id, ret_team, e);
}

int team_of(struct db *db, struct arena *arena, const char *competition_id, const char *user_id,
	    struct team *ret_team, struct err *e)
{
	int r = rows_one(db, arena,
			 "SELECT " TEAM_COLUMNS " FROM member JOIN team ON team.id = member.team_id"
			 " WHERE member.competition_id = ? AND member.account_id = ?",
			 DB_ARGS(db_text(competition_id), db_text(user_id)), read_team, ret_team,
			 "team", e);

	if (r == -ERR_NOT_FOUND)
		return err_set(e, ERR_CONFLICT,
			       "you are in no team yet: create one, or join one by its invite");
	return r;
}

int team_find(struct db *db, struct arena *arena, const char *id, struct team *ret_team,
	      struct err *e)
{
	int r;

	r = rows_one(db, arena, "SELECT " TEAM_COLUMNS " FROM team WHERE id = ? AND gone_at = 0",
		     DB_ARGS(db_text(id)), read_team, ret_team, "team", e);
	if (r < 0)
		return r;
	return rows_all(db, arena,
			"SELECT account.id, account.name, member.joined_at FROM member"
			" JOIN account ON account.id = member.account_id"
			" WHERE member.team_id = ? ORDER BY member.joined_at, account.id",
			DB_ARGS(db_text(id)), read_member, sizeof(struct team_member),
			&ret_team->members, &ret_team->member_count, e);
}

int team_list(struct db *db, struct arena *arena, const char *competition_id,
	      const struct page *page, struct teams *ret_teams, struct err *e)
{
	const struct team *last;
	int r;

	r = rows_all(db, arena,
		     "SELECT " TEAM_COLUMNS " FROM team WHERE competition_id = ?"
		     " AND gone_at = 0 AND created_at <= ? AND (created_at < ? OR id < ?)"
		     " ORDER BY created_at DESC, id DESC LIMIT ?",
		     DB_ARGS(db_text(competition_id), db_int(page->at), db_int(page->at),
			     db_text(page->id), db_int(page->limit)),
		     read_team, sizeof(struct team), &ret_teams->teams, &ret_teams->team_count, e);
	if (r < 0)
		return r;
	last = ret_teams->team_count ? &ret_teams->teams[ret_teams->team_count - 1] : NULL;
	return page_next(page, arena, ret_teams->team_count, last ? last->created_at : 0,
			 last ? last->id : NULL, &ret_teams->next_cursor, e);
}
