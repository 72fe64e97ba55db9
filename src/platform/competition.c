#include "platform/competition.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "platform/rows.h"
#include "platform/schema.h"

#include <string.h>

const struct field competition_fields[] = {
	FIELD(struct competition, STRING, id, 0),
	FIELD(struct competition, STRING, name, 0),
	FIELD(struct competition, STRING, description, 0),
	FIELD(struct competition, TIME, starts_at, 0),
	FIELD(struct competition, TIME, ends_at, 0),
	FIELD(struct competition, TIME, freeze_at, 0),
	FIELD(struct competition, STRING, registration, 0),
	FIELD(struct competition, INT, team_size, 0),
	FIELD(struct competition, INT, instance_ttl, 0),
	FIELD(struct competition, INT, max_instances, 0),
	FIELD(struct competition, BOOL, every_challenge, 0),
	FIELD_STRINGS_OF(struct competition, challenges, challenge_count, FIELD_OPTIONAL),
	FIELDS_END,
};

const struct field competitions_fields[] = {
	FIELD_LIST_OF(struct competitions, competitions, competition_count, struct competition,
		      competition_fields, 0),
	FIELDS_END,
};

enum competition_phase competition_phase(const struct competition *competition, int64_t now)
{
	if (now < competition->starts_at)
		return COMPETITION_BEFORE;
	if (competition->ends_at && now >= competition->ends_at)
		return COMPETITION_ENDED;
	return COMPETITION_RUNNING;
}

int competition_check_running(const struct competition *competition, int64_t now, struct err *e)
{
	char when[CLOCK_TEXT_SIZE];

	switch (competition_phase(competition, now)) {
	case COMPETITION_BEFORE:
		return err_set(e, ERR_FORBIDDEN, "'%s' begins at %s", competition->name,
			       clock_format(competition->starts_at, when));
	case COMPETITION_ENDED:
		return err_set(e, ERR_FORBIDDEN, "'%s' ended at %s", competition->name,
			       clock_format(competition->ends_at, when));
	case COMPETITION_RUNNING: break;
	}
	return 0;
}

bool competition_has(const struct competition *competition, const char *challenge_id)
{
	for (size_t i = 0; i < competition->challenge_count; i++)
		if (strcmp(competition->challenges[i], challenge_id) == 0)
			return true;
	return competition->every_challenge;
}

static int write_competition(struct db *db, const struct competition *c, bool *ret_created,
			     struct err *e)
{
	int64_t changed;
	int r;

	r = db_change(
		db,
		"UPDATE competition SET name = ?, description = ?, starts_at = ?, ends_at = ?,"
		" freeze_at = ?, registration = ?, team_size = ?, instance_ttl = ?,"
		" max_instances = ?, every_challenge = ? WHERE id = ?",
		DB_ARGS(db_text(c->name), db_text(c->description), db_int(c->starts_at),
			db_int(c->ends_at), db_int(c->freeze_at), db_text(c->registration),
			db_int(c->team_size), db_int(c->instance_ttl), db_int(c->max_instances),
			db_int(c->every_challenge), db_text(c->id)),
		&changed, e);
	if (r < 0)
		return r;
	*ret_created = changed == 0;
	if (changed > 0)
		return 0;
	return db_run(db,
		      "INSERT INTO competition (id, name, description, starts_at, ends_at,"
		      " freeze_at, registration, team_size, instance_ttl, max_instances,"
		      " every_challenge) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      DB_ARGS(db_text(c->id), db_text(c->name), db_text(c->description),
			      db_int(c->starts_at), db_int(c->ends_at), db_int(c->freeze_at),
			      db_text(c->registration), db_int(c->team_size),
			      db_int(c->instance_ttl), db_int(c->max_instances),
			      db_int(c->every_challenge)),
		      e);
}

static int write_challenges(struct db *db, const struct competition *c, struct err *e)
{
	int r;

	r = db_run(db, "DELETE FROM competition_challenge WHERE competition_id = ?",
		   DB_ARGS(db_text(c->id)), e);
	for (size_t i = 0; r == 0 && i < c->challenge_count; i++)
		r = db_run(db,
			   "INSERT INTO competition_challenge (competition_id, challenge_id)"
			   " VALUES (?, ?)",
			   DB_ARGS(db_text(c->id), db_text(c->challenges[i])), e);
	return r;
}

int competition_apply(struct db *db, const struct competition *competition, bool *ret_created,
		      struct err *e)
{
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = write_competition(db, competition, ret_created, e);
	if (r == 0)
		r = write_challenges(db, competition, e);
	return rows_end(db, r, e);
}

#define COMPETITION_SELECT                                                           \
	"SELECT id, name, description, starts_at, ends_at, freeze_at, registration," \
	" team_size, instance_ttl, max_instances, every_challenge FROM competition"

static void read_competition(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct competition *c = ret_struct;

	*c = (struct competition){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.name = arena_strdup(arena, db_get_text(rows, 1)),
		.description = arena_strdup(arena, db_get_text(rows, 2)),
		.starts_at = db_get_int(rows, 3),
		.ends_at = db_get_int(rows, 4),
		.freeze_at = db_get_int(rows, 5),
		.registration = arena_strdup(arena, db_get_text(rows, 6)),
		.team_size = db_get_int(rows, 7),
		.instance_ttl = db_get_int(rows, 8),
		.max_instances = db_get_int(rows, 9),
		.every_challenge = db_get_int(rows, 10) != 0,
	};
}

static void read_challenge_id(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

static int read_challenges(struct db *db, struct arena *arena, struct competition *c, struct err *e)
{
	if (c->every_challenge)
		return 0;
	return rows_all(db, arena,
			"SELECT challenge_id FROM competition_challenge WHERE competition_id = ?"
			" ORDER BY challenge_id",
			DB_ARGS(db_text(c->id)), read_challenge_id, sizeof(char *), &c->challenges,
			&c->challenge_count, e);
}

int competition_find(struct db *db, struct arena *arena, const char *id,
		     struct competition *ret_competition, struct err *e)
{
	int r;

	r = rows_one(db, arena, COMPETITION_SELECT " WHERE id = ?", DB_ARGS(db_text(id)),
		     read_competition, ret_competition, "competition", e);
	return r < 0 ? r : read_challenges(db, arena, ret_competition, e);
}

int competition_list(struct db *db, struct arena *arena, struct competitions *ret_competitions,
		     struct err *e)
{
	int r;

	r = rows_all(db, arena, COMPETITION_SELECT " ORDER BY starts_at, id", NULL,
		     read_competition, sizeof(struct competition), &ret_competitions->competitions,
		     &ret_competitions->competition_count, e);
	for (size_t i = 0; r == 0 && i < ret_competitions->competition_count; i++)
		r = read_challenges(db, arena, &ret_competitions->competitions[i], e);
	return r;
}

/* Whether b is meant rather than a, where neither is named. */
static bool is_rather_meant(const struct competition *a, const struct competition *b, int64_t now)
{
	enum competition_phase phase = competition_phase(b, now);

	if (phase != competition_phase(a, now))
		return phase == COMPETITION_RUNNING ||
		       (phase == COMPETITION_BEFORE &&
			competition_phase(a, now) == COMPETITION_ENDED);
	switch (phase) {
	case COMPETITION_RUNNING: return b->starts_at > a->starts_at;
	case COMPETITION_BEFORE: return b->starts_at < a->starts_at;
	case COMPETITION_ENDED: return b->ends_at > a->ends_at;
	}
	return false;
}

int competition_current(struct db *db, struct arena *arena, int64_t now,
			struct competition *ret_competition, struct err *e)
{
	struct competitions all = { .competitions = NULL };
	const struct competition *meant;
	int r;

	r = rows_all(db, arena, COMPETITION_SELECT " ORDER BY id", NULL, read_competition,
		     sizeof(struct competition), &all.competitions, &all.competition_count, e);
	if (r < 0)
		return r;
	if (all.competition_count == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no competition yet");
	meant = &all.competitions[0];
	for (size_t i = 1; i < all.competition_count; i++)
		if (is_rather_meant(meant, &all.competitions[i], now))
			meant = &all.competitions[i];
	*ret_competition = *meant;
	return read_challenges(db, arena, ret_competition, e);
}
