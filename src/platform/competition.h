/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A competition: when it runs, who may enter, which challenges it has and what they are worth.
 *
 * It is written in a file (docs/competition.md) and kept in the store; programme.h has those of the
 * store in memory.
 */
#ifndef PLATFORM_COMPETITION_H
#define PLATFORM_COMPETITION_H

#include "challenge/challenge.h"
#include "platform/limit.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct err;

struct competition_division {
	char *id;
	char *name;
};

/* A team that may enter where registration goes by list. */
struct competition_entrant {
	char *name;
	char *division; /* NULL: as it chooses */
	char *code;     /* what it has to show; NULL: nothing */
};

/* A challenge in it, and what is different there from the challenge's own file. */
struct competition_challenge {
	char *id;
	int64_t opens_at;  /* not there before; 0: from the start on */
	int64_t closes_at; /* takes no more answers, but keeps its points; 0: never */
	char **requires_;  /* ids of challenges to be solved before */
	size_t require_count;
	int64_t *value; /* these seven: NULL is the challenge's own */
	int64_t *minimum;
	int64_t *decay;
	char *function; /* "linear", "logarithmic", or "static": it doesn't fall */
	int64_t *attempts;
	int64_t *max_instances;
};

struct competition {
	char *id;
	char *name;
	char *description;
	int64_t starts_at;     /* 0: it has always run */
	int64_t ends_at;       /* 0: it runs for ever */
	int64_t freeze_at;     /* the scoreboard stands still from here on; 0: never */
	char *registration;    /* "open", "invite": with its code, "list": of entrants, "closed" */
	char *invite;          /* the code */
	char *scoreboard;      /* who sees it: "public", "players" or "organisers" */
	int64_t team_size;     /* most members; 0: no limit */
	int64_t instance_ttl;  /* seconds an instance lives, unless its challenge says otherwise */
	int64_t max_instances; /* of one team at once; 0: no limit */
	int64_t max_instances_total; /* of all its teams at once; 0: no limit */
	int64_t first_blood;         /* points for the first to solve a challenge, and */
	int64_t first_blood_percent; /* of its value */
	struct rate answer_rate;     /* of one team at one challenge */
	bool practice;               /* after the end it may be played on, for nothing */
	bool strict_answers;         /* an answer is good while its instance lives, no longer */
	bool every_challenge;        /* all there are; otherwise: */
	struct competition_challenge *challenges;
	size_t challenge_count;
	struct competition_division *divisions; /* none: there is but one */
	size_t division_count;
	struct competition_entrant *entrants;
	size_t entrant_count;
	char *file; /* what it was made from */
};

struct competitions {
	struct competition *competitions;
	size_t competition_count;
};

/* What anybody may know of it; everything, for organisers. NULL when out of memory. */
json_t *competition_public_json(const struct competition *competition);
json_t *competition_json(const struct competition *competition);

enum competition_phase { COMPETITION_BEFORE, COMPETITION_RUNNING, COMPETITION_ENDED };

enum competition_phase competition_phase(const struct competition *competition, int64_t now);

/* The scoreboard stands still. */
bool competition_is_frozen(const struct competition *competition, int64_t now);

/* It has ended, and may be played on. */
bool competition_is_practice(const struct competition *competition, int64_t now);

/* Fails with FORBIDDEN, saying when it begins or ended, unless it runs or may be practised. */
int competition_check_running(const struct competition *competition, int64_t now, struct err *e);

/*
 * A competition from its file (YAML or JSON). `path` names it in messages. Fails with INVALID (no
 * YAML) or VALIDATION (an unknown key, a wrong value), naming line and column.
 */
int competition_parse(struct arena *arena, const char *path, const char *text, size_t len,
		      struct competition *ret_competition, struct err *e);

/* Makes the store say what the file says; ret_created tells whether it is new. */
int competition_apply(struct db *db, const struct competition *competition, bool *ret_created,
		      struct err *e);

int competition_list(struct db *db, struct arena *arena, struct competitions *ret_competitions,
		     struct err *e);

/* [{key, from, to}], the caller's: what applying b after a changes. a NULL: there was none. */
int competition_diff(const struct competition *a, const struct competition *b, json_t **ret_changes,
		     struct err *e);

/* NULL: it isn't in it, or it is one of all and has no settings of its own. */
const struct competition_challenge *competition_challenge(const struct competition *competition,
							  const char *challenge_id);
bool competition_has(const struct competition *competition, const char *challenge_id);

/* The challenge as it is played here: its own copy in the arena, or itself. */
int competition_adapt(const struct competition *competition, struct arena *arena,
		      const struct challenge *challenge, const struct challenge **ret_challenge,
		      struct err *e);

/*
 * [words], the caller's: challenges that it names and that aren't there. What isn't there can't be
 * played; where it is required, nobody waits for it. NULL when out of memory.
 */
struct shelf;
json_t *competition_warnings(const struct competition *competition, const struct shelf *shelf);

bool competition_has_division(const struct competition *competition, const char *id);

#endif
