/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/competition.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "platform/rows.h"
#include "platform/schema.h"

#include <string.h>

enum competition_phase competition_phase(const struct competition *competition, int64_t now)
{
	if (now < competition->starts_at)
		return COMPETITION_BEFORE;
	if (competition->ends_at && now >= competition->ends_at)
		return COMPETITION_ENDED;
	return COMPETITION_RUNNING;
}

bool competition_is_frozen(const struct competition *competition, int64_t now)
{
	return competition->freeze_at && now >= competition->freeze_at;
}

bool competition_is_practice(const struct competition *competition, int64_t now)
{
	return competition->practice && competition_phase(competition, now) == COMPETITION_ENDED;
}

int competition_check_running(const struct competition *competition, int64_t now, struct err *e)
{
	char when[CLOCK_TEXT_SIZE];

	switch (competition_phase(competition, now)) {
	case COMPETITION_BEFORE:
		return err_set(e, ERR_FORBIDDEN, "'%s' begins at %s", competition->name,
			       clock_format(competition->starts_at, when));
	case COMPETITION_ENDED:
		if (competition->practice)
			break;
		return err_set(e, ERR_FORBIDDEN, "'%s' ended at %s", competition->name,
			       clock_format(competition->ends_at, when));
	case COMPETITION_RUNNING: break;
	}
	return 0;
}

const struct competition_challenge *competition_challenge(const struct competition *competition,
							  const char *challenge_id)
{
	for (size_t i = 0; i < competition->challenge_count; i++)
		if (strcmp(competition->challenges[i].id, challenge_id) == 0)
			return &competition->challenges[i];
	return NULL;
}

bool competition_has(const struct competition *competition, const char *challenge_id)
{
	return competition->every_challenge || competition_challenge(competition, challenge_id);
}

bool competition_has_division(const struct competition *competition, const char *id)
{
	for (size_t i = 0; i < competition->division_count; i++)
		if (strcmp(competition->divisions[i].id, id) == 0)
			return true;
	return false;
}

static void adapt_numbers(const struct competition_challenge *own, struct challenge *challenge)
{
	if (own->value)
		challenge->value = *own->value;
	if (own->minimum)
		challenge->minimum = *own->minimum;
	if (own->decay)
		challenge->decay = *own->decay;
	if (own->function) {
		challenge->type = strcmp(own->function, "static") == 0 ? "standard" : "dynamic";
		challenge->decay_function = own->function;
	}
	if (own->attempts)
		challenge->attempts = *own->attempts;
	if (own->max_instances)
		challenge->max_instances = *own->max_instances;
}

/* What the challenge requires by itself, and what it requires here. */
static int adapt_requires(const struct competition_challenge *own, struct arena *arena,
			  struct challenge *challenge, struct err *e)
{
	size_t count = challenge->require_count;
	const char **all;

	if (own->require_count == 0)
		return 0;
	all = arena_array(arena, count + own->require_count, sizeof(*all));
	if (!all)
		return err_memory(e);
	for (size_t i = 0; i < count; i++)
		all[i] = challenge->requires_[i];
	for (size_t i = 0; i < own->require_count; i++)
		all[count + i] = own->requires_[i];
	challenge->requires_ = all;
	challenge->require_count = count + own->require_count;
	return 0;
}

int competition_adapt(const struct competition *competition, struct arena *arena,
		      const struct challenge *challenge, const struct challenge **ret_challenge,
		      struct err *e)
{
	const struct competition_challenge *own = competition_challenge(competition, challenge->id);
	struct challenge *copy;

	*ret_challenge = challenge;
	if (!own)
		return 0;
	copy = arena_alloc(arena, sizeof(*copy));
	if (!copy)
		return err_memory(e);
	*copy = *challenge;
	*ret_challenge = copy;
	adapt_numbers(own, copy);
	return adapt_requires(own, arena, copy, e);
}

/* The store: the file says it all; the columns beside it are what SQL asks for. */

static int update(struct db *db, const struct competition *c, int64_t *ret_changed, struct err *e)
{
	return db_change(
		db,
		"UPDATE competition SET name = ?, description = ?, starts_at = ?, ends_at = ?,"
		" freeze_at = ?, registration = ?, team_size = ?, instance_ttl = ?,"
		" max_instances = ?, every_challenge = ?, file = ? WHERE id = ?",
		DB_ARGS(db_text(c->name), db_text(c->description), db_int(c->starts_at),
			db_int(c->ends_at), db_int(c->freeze_at), db_text(c->registration),
			db_int(c->team_size), db_int(c->instance_ttl), db_int(c->max_instances),
			db_int(c->every_challenge), db_text(c->file), db_text(c->id)),
		ret_changed, e);
}

static int insert(struct db *db, const struct competition *c, struct err *e)
{
	return db_run(db,
		      "INSERT INTO competition (id, name, description, starts_at, ends_at,"
		      " freeze_at, registration, team_size, instance_ttl, max_instances,"
		      " every_challenge, file) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		      DB_ARGS(db_text(c->id), db_text(c->name), db_text(c->description),
			      db_int(c->starts_at), db_int(c->ends_at), db_int(c->freeze_at),
			      db_text(c->registration), db_int(c->team_size),
			      db_int(c->instance_ttl), db_int(c->max_instances),
			      db_int(c->every_challenge), db_text(c->file)),
		      e);
}

int competition_apply(struct db *db, const struct competition *competition, bool *ret_created,
		      struct err *e)
{
	int64_t changed;
	int r;

	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = update(db, competition, &changed, e);
	if (r == 0 && changed == 0)
		r = insert(db, competition, e);
	r = rows_end(db, r, e);
	if (r == 0)
		*ret_created = changed == 0;
	return r;
}

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
		.file = arena_strdup(arena, db_get_text(rows, 11)),
		.scoreboard = arena_strdup(arena, "public"),
	};
}

static void read_challenge(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(struct competition_challenge *)ret_struct = (struct competition_challenge){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
	};
}

/* One that was applied before files were kept has its challenges in a table. */
static int read_rest(struct db *db, struct arena *arena, struct competition *c, struct err *e)
{
	if (c->file)
		return competition_parse(arena, c->id, c->file, strlen(c->file), c, e);
	if (c->every_challenge)
		return 0;
	return rows_all(db, arena,
			"SELECT challenge_id FROM competition_challenge WHERE competition_id = ?"
			" ORDER BY challenge_id",
			DB_ARGS(db_text(c->id)), read_challenge,
			sizeof(struct competition_challenge), &c->challenges, &c->challenge_count,
			e);
}

int competition_list(struct db *db, struct arena *arena, struct competitions *ret_competitions,
		     struct err *e)
{
	int r;

	r = rows_all(db, arena,
		     "SELECT id, name, description, starts_at, ends_at, freeze_at, registration,"
		     " team_size, instance_ttl, max_instances, every_challenge, file"
		     " FROM competition ORDER BY starts_at, id",
		     NULL, read_competition, sizeof(struct competition),
		     &ret_competitions->competitions, &ret_competitions->competition_count, e);
	for (size_t i = 0; r == 0 && i < ret_competitions->competition_count; i++)
		r = read_rest(db, arena, &ret_competitions->competitions[i], e);
	return r;
}
