/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accounts, and the tokens that speak for them.
 *
 * Passwords are kept as argon2id, tokens as SHA-256. Results live in the arena they are asked into.
 */
#ifndef PLATFORM_USER_H
#define PLATFORM_USER_H

#include "base/field.h"
#include "base/secret.h"

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct db;
struct err;
struct page;

/* Each may do what those before it may. */
enum role { ROLE_PLAYER, ROLE_ORGANISER, ROLE_ADMIN };

/* "player", "organiser", "admin". */
const char *role_word(enum role role);
bool role_parse(const char *word, enum role *ret_role);

struct user {
	char *id;
	char *name;
	char *role;
	bool disabled;
	int64_t created_at;
};

struct users {
	struct user *users;
	size_t user_count;
	char *next_cursor; /* NULL: the list has ended */
};

extern const struct field user_fields[];
extern const struct field users_fields[];

enum { PASSWORD_MIN = 8, PASSWORD_MAX = 1024 }; /* bytes */

/* Fails with VALIDATION (name, password) or CONFLICT (the name is taken). */
int user_create(struct db *db, struct arena *arena, int64_t now, const char *name,
		const char *password, enum role role, struct user *ret_user, struct err *e);
/* By whoever wants one. Fails with CONFLICT too where there are ACCOUNTS_MAX. */
enum { ACCOUNTS_MAX = 100000 };

int user_register(struct db *db, struct arena *arena, int64_t now, const char *name,
		  const char *password, struct user *ret_user, struct err *e);
/* As a part of the transaction that makes one. */
int user_check_room(struct db *db, struct err *e);

/* One that no password opens, for those who come in by other ways. */
int user_create_without_password(struct db *db, struct arena *arena, int64_t now, const char *name,
				 enum role role, struct user *ret_user, struct err *e);
int user_name_is_free(struct db *db, struct arena *arena, const char *name, bool *ret_free,
		      struct err *e);

/* Who has this name and password. Fails with UNAUTHORIZED, the same for every reason. */
int user_login(struct db *db, struct arena *arena, const char *name, const char *password,
	       struct user *ret_user, struct err *e);

/*
 * A browser that an account has come in with keeps a word that says so: it is known, whatever
 * strangers try with the account's name. A new password makes strangers of all.
 */
int user_knows_browser(struct db *db, const char *word, const char *name_key, bool *ret_known,
		       struct err *e);
int user_know_browser(struct db *db, const char *user_id, const char *word, int64_t now,
		      struct err *e);

int user_find(struct db *db, struct arena *arena, const char *id, struct user *ret_user,
	      struct err *e);
int user_list(struct db *db, struct arena *arena, const struct page *page, struct users *ret_users,
	      struct err *e);

/* Ends all its tokens but the one with the id `keep` (may be NULL). */
int user_set_password(struct db *db, const char *id, const char *password, const char *keep,
		      struct err *e);
/* What changes; NULL: it stays as it is then, whatever it was when somebody looked. */
struct user_patch {
	const enum role *role;
	const bool *disabled;
};

/* A disabled account's tokens speak for nobody. The last admin stays one: CONFLICT. */
int user_set(struct db *db, const char *id, const struct user_patch *patch, struct err *e);
/* As user_set(), as a part of a transaction. */
int user_change(struct db *db, const char *id, const struct user_patch *patch, struct err *e);

struct token {
	char *id;
	char *name;
	char *scope;       /* a role's word: no more than that role may; or "instance" */
	char *instance_id; /* the one it is for; NULL: for no one alone */
	int64_t created_at;
	int64_t expires_at; /* 0: never */
	bool current;       /* the one that the list was asked for with */
};

struct tokens {
	struct token *tokens;
	size_t token_count;
};

extern const struct field token_fields[];
extern const struct field tokens_fields[];

/* What is asked for; strings are borrowed. */
struct token_wish {
	const char *user_id;
	const char *name;
	const char *scope;       /* of struct token */
	const char *instance_id; /* with the scope "instance" */
	const char *csrf;        /* what a browser says beside its cookie; NULL: it is no cookie */
	int64_t expires_at;      /* 0: never */
};

enum { TOKENS_MAX = 200 };

/*
 * A new token; its text is told once and never again. Fails with VALIDATION (the name), or with
 * CONFLICT: the account has TOKENS_MAX. A session, which has that name, ends the oldest one
 * instead.
 */
int token_create(struct db *db, struct arena *arena, int64_t now, const struct token_wish *wish,
		 struct token *ret_token, char text[SECRET_TOKEN_SIZE], struct err *e);

/* As token_create(), as a part of a transaction. */
int token_add(struct db *db, struct arena *arena, int64_t now, const struct token_wish *wish,
	      struct token *ret_token, char text[SECRET_TOKEN_SIZE], struct err *e);
int token_list(struct db *db, struct arena *arena, const char *user_id, int64_t now,
	       struct tokens *ret_tokens, struct err *e);
/* Fails with NOT_FOUND. */
int token_revoke(struct db *db, const char *user_id, const char *token_id, struct err *e);

#endif
