/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/user.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "platform/name.h"
#include "platform/page.h"
#include "platform/rows.h"
#include "platform/schema.h"

#include <string.h>

static const char *const role_words[] = { "player", "organiser", "admin" };

const char *role_word(enum role role)
{
	return role_words[role];
}

bool role_parse(const char *word, enum role *ret_role)
{
	for (int i = ROLE_PLAYER; i <= ROLE_ADMIN; i++) {
		if (strcmp(word, role_words[i]) != 0)
			continue;
		*ret_role = (enum role)i;
		return true;
	}
	return false;
}

const struct field user_fields[] = {
	FIELD(struct user, STRING, id, 0),       FIELD(struct user, STRING, name, 0),
	FIELD(struct user, STRING, role, 0),     FIELD(struct user, BOOL, disabled, FIELD_OPTIONAL),
	FIELD(struct user, TIME, created_at, 0), FIELDS_END,
};

const struct field users_fields[] = {
	FIELD_LIST_OF(struct users, users, user_count, struct user, user_fields, 0),
	FIELD(struct users, STRING, next_cursor, 0),
	FIELDS_END,
};

const struct field token_fields[] = {
	FIELD(struct token, STRING, id, 0),
	FIELD(struct token, STRING, name, 0),
	FIELD(struct token, STRING, scope, 0),
	FIELD(struct token, STRING, instance_id, 0),
	FIELD(struct token, TIME, created_at, 0),
	FIELD(struct token, TIME, expires_at, 0),
	FIELD(struct token, BOOL, current, FIELD_OPTIONAL),
	FIELDS_END,
};

const struct field tokens_fields[] = {
	FIELD_LIST_OF(struct tokens, tokens, token_count, struct token, token_fields, 0),
	FIELDS_END,
};

static int hash_password(const char *password, char hash[SECRET_PASSWORD_SIZE], struct err *e)
{
	size_t len = strlen(password);

	if (len < PASSWORD_MIN || len > PASSWORD_MAX)
		return err_set(e, ERR_VALIDATION, "a password has %d to %d bytes", PASSWORD_MIN,
			       PASSWORD_MAX);
	return password_hash(password, hash, e);
}

#define USER_COLUMNS "account.id, account.name, account.role, account.disabled, account.created_at"

static void read_user(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct user *user = ret_struct;

	*user = (struct user){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.name = arena_strdup(arena, db_get_text(rows, 1)),
		.role = arena_strdup(arena, db_get_text(rows, 2)),
		.disabled = db_get_int(rows, 3) != 0,
		.created_at = db_get_int(rows, 4),
	};
}

static int insert_user(struct db *db, struct arena *arena, int64_t now, const char *name,
		       const char *hash, enum role role, struct user *ret_user, struct err *e)
{
	char id[ROW_ID_SIZE];
	const char *shown, *key;
	int r;

	r = name_read(arena, "a name", name, &shown, &key, e);
	if (r < 0)
		return r;
	id_random(id, ROW_ID_SIZE - 1);
	r = db_run(db,
		   "INSERT INTO account (id, name, name_key, password, role, disabled, created_at)"
		   " VALUES (?, ?, ?, ?, ?, 0, ?)",
		   DB_ARGS(db_text(id), db_text(shown), db_text(key), db_text(hash),
			   db_text(role_word(role)), db_int(now)),
		   e);
	if (r == -ERR_CONFLICT)
		return err_set(e, ERR_CONFLICT, "the name '%s' is taken", shown);
	return r < 0 ? r : user_find(db, arena, id, ret_user, e);
}

int user_create(struct db *db, struct arena *arena, int64_t now, const char *name,
		const char *password, enum role role, struct user *ret_user, struct err *e)
{
	char hash[SECRET_PASSWORD_SIZE];
	const char *shown, *key;
	int r;

	r = name_read(arena, "a name", name, &shown, &key, e);
	if (r == 0)
		r = hash_password(password, hash, e);
	return r < 0 ? r : insert_user(db, arena, now, name, hash, role, ret_user, e);
}

int user_check_room(struct db *db, struct err *e)
{
	int64_t count;
	int r = rows_count(db, "SELECT COUNT(*) FROM account", NULL, &count, e);

	if (r == 0 && count >= ACCOUNTS_MAX)
		return err_set(e, ERR_CONFLICT,
			       "there are %lld accounts, and nobody makes another alone: ask an "
			       "organiser",
			       (long long)count);
	return r;
}

static int register_user(struct db *db, struct arena *arena, int64_t now, const char *name,
			 const char *hash, struct user *ret_user, struct err *e)
{
	int r = user_check_room(db, e);

	return r < 0 ? r : insert_user(db, arena, now, name, hash, ROLE_PLAYER, ret_user, e);
}

int user_register(struct db *db, struct arena *arena, int64_t now, const char *name,
		  const char *password, struct user *ret_user, struct err *e)
{
	char hash[SECRET_PASSWORD_SIZE];
	const char *shown, *key;
	int r;

	r = name_read(arena, "a name", name, &shown, &key, e);
	if (r == 0)
		r = hash_password(password, hash, e);
	if (r == 0)
		r = db_begin(db, e);
	if (r < 0)
		return r;
	return rows_end(db, register_user(db, arena, now, name, hash, ret_user, e), e);
}

/* Of no password: takes as long to refuse as a real one, so that a stranger can't probe names. */
static const char nobodys_hash[] = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
				   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

int user_create_without_password(struct db *db, struct arena *arena, int64_t now, const char *name,
				 enum role role, struct user *ret_user, struct err *e)
{
	return insert_user(db, arena, now, name, nobodys_hash, role, ret_user, e);
}

int user_name_is_free(struct db *db, struct arena *arena, const char *name, bool *ret_free,
		      struct err *e)
{
	const char *shown, *key;
	int64_t count;
	int r;

	r = name_read(arena, "a name", name, &shown, &key, e);
	if (r == 0)
		r = rows_count(db, "SELECT COUNT(*) FROM account WHERE name_key = ?",
			       DB_ARGS(db_text(key)), &count, e);
	if (r == 0)
		*ret_free = count == 0;
	return r;
}

struct login {
	struct user user;
	char *password;
};

static void read_login(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct login *login = ret_struct;

	read_user(rows, arena, &login->user);
	login->password = arena_strdup(arena, db_get_text(rows, 5));
}

int user_login(struct db *db, struct arena *arena, const char *name, const char *password,
	       struct user *ret_user, struct err *e)
{
	struct login login = { .password = NULL };
	const char *shown, *key;
	int r;

	r = name_read(arena, "a name", name, &shown, &key, e);
	if (r < 0)
		return r;
	r = rows_one(db, arena,
		     "SELECT " USER_COLUMNS ", account.password FROM account WHERE name_key = ?",
		     DB_ARGS(db_text(key)), read_login, &login, "account", e);
	if (r < 0 && r != -ERR_NOT_FOUND)
		return r;
	if (!password_verify(password, login.password ? login.password : nobodys_hash) ||
	    !login.password || login.user.disabled)
		return err_set(e, ERR_UNAUTHORIZED, "the name or the password is wrong");
	*ret_user = login.user;
	return 0;
}

/* The browsers that an account came in with last: those before are strangers again. */
enum { BROWSERS_MAX = 10 };

int user_knows_browser(struct db *db, const char *word, const char *name_key, bool *ret_known,
		       struct err *e)
{
	char hash[SECRET_HASH_SIZE];
	int64_t count;
	int r;

	secret_hash(word, hash);
	r = rows_count(db,
		       "SELECT COUNT(*) FROM known_browser JOIN account"
		       " ON account.id = known_browser.account_id"
		       " WHERE known_browser.hash = ? AND account.name_key = ?",
		       DB_ARGS(db_text(hash), db_text(name_key)), &count, e);
	if (r == 0)
		*ret_known = count > 0;
	return r;
}

int user_know_browser(struct db *db, const char *user_id, const char *word, int64_t now,
		      struct err *e)
{
	char hash[SECRET_HASH_SIZE];
	int r = db_begin(db, e);

	if (r < 0)
		return r;
	secret_hash(word, hash);
	r = db_run(db, "INSERT INTO known_browser (hash, account_id, seen_at) VALUES (?, ?, ?)",
		   DB_ARGS(db_text(hash), db_text(user_id), db_int(now)), e);
	if (r == 0)
		r = db_run(db,
			   "DELETE FROM known_browser WHERE account_id = ? AND hash NOT IN"
			   " (SELECT hash FROM known_browser WHERE account_id = ?"
			   " ORDER BY seen_at DESC, hash LIMIT ?)",
			   DB_ARGS(db_text(user_id), db_text(user_id), db_int(BROWSERS_MAX)), e);
	return rows_end(db, r, e);
}

int user_find(struct db *db, struct arena *arena, const char *id, struct user *ret_user,
	      struct err *e)
{
	return rows_one(db, arena, "SELECT " USER_COLUMNS " FROM account WHERE id = ?",
			DB_ARGS(db_text(id)), read_user, ret_user, "account", e);
}

int user_list(struct db *db, struct arena *arena, const struct page *page, struct users *ret_users,
	      struct err *e)
{
	const struct user *last;
	int r;

	r = rows_all(db, arena,
		     "SELECT " USER_COLUMNS " FROM account WHERE account.created_at <= ?"
		     " AND (account.created_at < ? OR account.id < ?)"
		     " ORDER BY account.created_at DESC, account.id DESC LIMIT ?",
		     DB_ARGS(db_int(page->at), db_int(page->at), db_text(page->id),
			     db_int(page->limit)),
		     read_user, sizeof(struct user), &ret_users->users, &ret_users->user_count, e);
	if (r < 0)
		return r;
	last = ret_users->user_count ? &ret_users->users[ret_users->user_count - 1] : NULL;
	return page_next(page, arena, ret_users->user_count, last ? last->created_at : 0,
			 last ? last->id : NULL, &ret_users->next_cursor, e);
}

int user_set_password(struct db *db, const char *id, const char *password, const char *keep,
		      struct err *e)
{
	char hash[SECRET_PASSWORD_SIZE];
	int r;

	r = hash_password(password, hash, e);
	if (r < 0)
		return r;
	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = db_run(db, "UPDATE account SET password = ? WHERE id = ?",
		   DB_ARGS(db_text(hash), db_text(id)), e);
	if (r == 0)
		r = db_run(db, "DELETE FROM token WHERE account_id = ? AND id <> ?",
			   DB_ARGS(db_text(id), db_text(keep ? keep : "")), e);
	if (r == 0)
		r = db_run(db, "DELETE FROM known_browser WHERE account_id = ?",
			   DB_ARGS(db_text(id)), e);
	return rows_end(db, r, e);
}

static int check_an_admin_remains(struct db *db, struct err *e)
{
	int64_t admins;
	int r;

	r = rows_count(db, "SELECT COUNT(*) FROM account WHERE role = 'admin' AND disabled = 0",
		       NULL, &admins, e);
	if (r == 0 && admins == 0)
		return err_set(e, ERR_CONFLICT, "somebody has to stay admin");
	return r;
}

int user_change(struct db *db, const char *id, const struct user_patch *patch, struct err *e)
{
	int64_t changed;
	int r;

	r = db_change(db,
		      "UPDATE account SET role = COALESCE(?, role),"
		      " disabled = COALESCE(?, disabled) WHERE id = ?",
		      DB_ARGS(db_text(patch->role ? role_word(*patch->role) : NULL),
			      patch->disabled ? db_int(*patch->disabled) : db_text(NULL),
			      db_text(id)),
		      &changed, e);
	if (r == 0 && changed == 0)
		r = err_set(e, ERR_NOT_FOUND, "there is no such account");
	return r < 0 ? r : check_an_admin_remains(db, e);
}

int user_set(struct db *db, const char *id, const struct user_patch *patch, struct err *e)
{
	int r = db_begin(db, e);

	return r < 0 ? r : rows_end(db, user_change(db, id, patch, e), e);
}

/* A token more than an account may have: a new session ends the oldest one. */
static int make_room_for_token(struct db *db, const struct token_wish *wish, bool is_session,
			       struct err *e)
{
	int64_t count;
	int r;

	r = rows_count(db, "SELECT COUNT(*) FROM token WHERE account_id = ?",
		       DB_ARGS(db_text(wish->user_id)), &count, e);
	if (r < 0 || count < TOKENS_MAX)
		return r;
	if (!is_session)
		return err_set(e, ERR_CONFLICT,
			       "an account has at most %d tokens and sessions: end some first",
			       TOKENS_MAX);
	return db_run(db,
		      "DELETE FROM token WHERE account_id = ? AND id = (SELECT id FROM token"
		      " WHERE account_id = ? ORDER BY CASE WHEN name = 'session' THEN 0 ELSE 1 END,"
		      " created_at, id LIMIT 1)",
		      DB_ARGS(db_text(wish->user_id), db_text(wish->user_id)), e);
}

int token_add(struct db *db, struct arena *arena, int64_t now, const struct token_wish *wish,
	      struct token *ret_token, char text[SECRET_TOKEN_SIZE], struct err *e)
{
	char id[ROW_ID_SIZE], hash[SECRET_HASH_SIZE], csrf_hash[SECRET_HASH_SIZE];
	const char *shown, *key;
	int r;

	r = name_read(arena, "a token's name", wish->name, &shown, &key, e);
	if (r < 0)
		return r;
	r = db_run(db,
		   "DELETE FROM token WHERE account_id = ? AND expires_at > 0 AND expires_at <= ?",
		   DB_ARGS(db_text(wish->user_id), db_int(now)), e);
	if (r == 0)
		r = make_room_for_token(db, wish, strcmp(shown, "session") == 0, e);
	if (r < 0)
		return r;
	secret_token(text);
	secret_hash(text, hash);
	if (wish->csrf)
		secret_hash(wish->csrf, csrf_hash);
	id_random(id, ROW_ID_SIZE - 1);
	r = db_run(db,
		   "INSERT INTO token (hash, id, account_id, name, scope, instance_id, csrf_hash,"
		   " created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
		   DB_ARGS(db_text(hash), db_text(id), db_text(wish->user_id), db_text(shown),
			   db_text(wish->scope), db_text(wish->instance_id),
			   db_text(wish->csrf ? csrf_hash : NULL), db_int(now),
			   db_int(wish->expires_at)),
		   e);
	if (r < 0)
		return r;
	*ret_token = (struct token){ .id = arena_strdup(arena, id),
				     .name = arena_strdup(arena, shown),
				     .scope = arena_strdup(arena, wish->scope),
				     .instance_id = arena_strdup(arena, wish->instance_id),
				     .created_at = now,
				     .expires_at = wish->expires_at };
	return arena_failed(arena) ? err_memory(e) : 0;
}

int token_create(struct db *db, struct arena *arena, int64_t now, const struct token_wish *wish,
		 struct token *ret_token, char text[SECRET_TOKEN_SIZE], struct err *e)
{
	int r = db_begin(db, e);

	return r < 0 ? r : rows_end(db, token_add(db, arena, now, wish, ret_token, text, e), e);
}

static void read_token(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct token *token = ret_struct;

	*token = (struct token){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.name = arena_strdup(arena, db_get_text(rows, 1)),
		.scope = arena_strdup(arena, db_get_text(rows, 2)),
		.instance_id = arena_strdup(arena, db_get_text(rows, 3)),
		.created_at = db_get_int(rows, 4),
		.expires_at = db_get_int(rows, 5),
	};
}

int token_list(struct db *db, struct arena *arena, const char *user_id, int64_t now,
	       struct tokens *ret_tokens, struct err *e)
{
	return rows_all(db, arena,
			"SELECT id, name, scope, instance_id, created_at, expires_at FROM token"
			" WHERE account_id = ?"
			" AND (expires_at = 0 OR expires_at > ?) ORDER BY created_at",
			DB_ARGS(db_text(user_id), db_int(now)), read_token, sizeof(struct token),
			&ret_tokens->tokens, &ret_tokens->token_count, e);
}

int token_revoke(struct db *db, const char *user_id, const char *token_id, struct err *e)
{
	int64_t changed;
	int r;

	r = db_change(db, "DELETE FROM token WHERE account_id = ? AND id = ?",
		      DB_ARGS(db_text(user_id), db_text(token_id)), &changed, e);
	if (r == 0 && changed == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such token");
	return r;
}
