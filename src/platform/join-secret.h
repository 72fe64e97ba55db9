/*
 * Secrets that nodes join with, besides the standing one of --join-secret-file: made by an
 * organiser, for one node or any number, for as long as wanted. Only their hashes are kept.
 */
#ifndef PLATFORM_JOIN_SECRET_H
#define PLATFORM_JOIN_SECRET_H

#include "base/field.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct db;
struct err;

struct join_secret {
	char *id;
	char *name;
	bool single_use;
	int64_t created_at;
	int64_t expires_at; /* 0: never */
	int64_t used_at;    /* the last time */
	char *used_by;      /* the node's name then */
};

struct join_secrets {
	struct join_secret *join_secrets;
	size_t join_secret_count;
};

extern const struct field join_secret_fields[];
extern const struct field join_secrets_fields[];

/* Makes one; secret is told this once. days 0: it does not end. */
int join_secret_make(struct db *db, struct arena *arena, int64_t now, const char *name,
		     bool single_use, int64_t days, struct join_secret *ret_made,
		     char secret[SECRET_TOKEN_SIZE], struct err *e);
int join_secret_list(struct db *db, struct arena *arena, struct join_secrets *ret_secrets,
		     struct err *e);
/* Fails with NOT_FOUND. */
int join_secret_remove(struct db *db, const char *id, struct err *e);

/*
 * Uses one up for this node, if it is for one; of two who come at once one is refused. ret_id, the
 * arena's, is for join_secret_give_back() where the node then could not join. Fails with FORBIDDEN.
 */
int join_secret_use(struct db *db, struct arena *arena, int64_t now, const char *secret,
		    const char *node, char **ret_id, struct err *e);
int join_secret_give_back(struct db *db, const char *id, struct err *e);

#endif
