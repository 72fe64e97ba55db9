/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets that nodes join with, besides the standing one of --join-secret-file: made by an
 * organiser, for as long as wanted, and for names: those that were said when it was made, else the
 * first it is used for. So one that gets about brings no rogue in under another name. Only their
 * hashes are kept.
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
	char **nodes;       /* names it is good for; a '*' at an end is any; none: not bound yet */
	size_t node_count;
};

struct join_secrets {
	struct join_secret *join_secrets;
	size_t join_secret_count;
};

extern const struct field join_secret_fields[];
extern const struct field join_secrets_fields[];

enum { JOIN_NODES_MAX = 64 };

/* What is asked for; strings are borrowed. */
struct join_wish {
	char *name;
	bool single_use;
	int64_t days; /* 0: it does not end */
	char **nodes; /* NULL: whoever comes first */
	size_t node_count;
};

/* Makes one; secret is told this once. Fails with VALIDATION (of the names of nodes). */
int join_secret_make(struct db *db, struct arena *arena, int64_t now, const struct join_wish *wish,
		     struct join_secret *ret_made, char secret[SECRET_TOKEN_SIZE], struct err *e);
int join_secret_list(struct db *db, struct arena *arena, struct join_secrets *ret_secrets,
		     struct err *e);
/* Fails with NOT_FOUND. */
int join_secret_remove(struct db *db, const char *id, struct err *e);

/*
 * Uses one for this node: for others, it is bound to this name from now on. Of two who come at once
 * with a new one one is refused. ret_before, the arena's, is what join_secret_give_back() makes of
 * it again where the node then could not join. Fails with FORBIDDEN.
 */
int join_secret_use(struct db *db, struct arena *arena, int64_t now, const char *secret,
		    const char *node, struct join_secret *ret_before, struct err *e);
int join_secret_give_back(struct db *db, struct arena *arena, const struct join_secret *before,
			  struct err *e);

#endif
