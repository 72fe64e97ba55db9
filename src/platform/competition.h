/*
 * A competition: when it runs, who may enter, which challenges it has.
 */
#ifndef PLATFORM_COMPETITION_H
#define PLATFORM_COMPETITION_H

#include "base/field.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct err;

struct competition {
	char *id;
	char *name;
	char *description;
	int64_t starts_at;     /* 0: it has always run */
	int64_t ends_at;       /* 0: it runs for ever */
	int64_t freeze_at;     /* the scoreboard stands still from here on; 0: never */
	char *registration;    /* "open", or "closed": no new teams */
	int64_t team_size;     /* most members; 0: no limit */
	int64_t instance_ttl;  /* seconds an instance lives, unless its challenge says otherwise */
	int64_t max_instances; /* of one team at once; 0: no limit */
	bool every_challenge;  /* all there are; otherwise: */
	char **challenges;
	size_t challenge_count;
};

struct competitions {
	struct competition *competitions;
	size_t competition_count;
};

extern const struct field competition_fields[];
extern const struct field competitions_fields[];

enum competition_phase { COMPETITION_BEFORE, COMPETITION_RUNNING, COMPETITION_ENDED };

enum competition_phase competition_phase(const struct competition *competition, int64_t now);

/* Fails with FORBIDDEN, saying when it begins or ended, unless it is running. */
int competition_check_running(const struct competition *competition, int64_t now, struct err *e);

/*
 * A competition from its file (YAML or JSON; docs/platform-api.md has the keys). `path` names it
 * in messages. Fails with INVALID (no YAML) or VALIDATION (an unknown key, a wrong value), naming
 * line and column.
 */
int competition_parse(struct arena *arena, const char *path, const char *text, size_t len,
		      struct competition *ret_competition, struct err *e);

/* Makes the store say what the file says; ret_created tells whether it is new. */
int competition_apply(struct db *db, const struct competition *competition, bool *ret_created,
		      struct err *e);

int competition_find(struct db *db, struct arena *arena, const char *id,
		     struct competition *ret_competition, struct err *e);
int competition_list(struct db *db, struct arena *arena, struct competitions *ret_competitions,
		     struct err *e);

/*
 * The one meant where none is named: the one that runs (the last begun), or else begins next, or
 * else ended last. Fails with NOT_FOUND where there is none at all.
 */
int competition_current(struct db *db, struct arena *arena, int64_t now,
			struct competition *ret_competition, struct err *e);

bool competition_has(const struct competition *competition, const char *challenge_id);

#endif
