/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/identity.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "platform/name.h"
#include "platform/rows.h"

#include <string.h>

/* What the claims say */

static const char *text_of(const json_t *claims, const char *name)
{
	return json_string_value(json_object_get(claims, name));
}

static bool is_listed(const char *list, const char *value)
{
	size_t len = strlen(value);

	for (const char *at = list; at && *at; at += strcspn(at, ",")) {
		at += strspn(at, ", ");
		if (len > 0 && strncmp(at, value, len) == 0 && strcspn(at, ",") == len)
			return true;
	}
	return false;
}

static bool is_or_has_listed(const json_t *claim, const char *list)
{
	const json_t *one;
	size_t i;

	if (json_is_string(claim))
		return is_listed(list, json_string_value(claim));
	json_array_foreach (claim, i, one)
		if (json_is_string(one) && is_listed(list, json_string_value(one)))
			return true;
	return false;
}

static enum role role_of(const struct identity_rules *rules, const json_t *claims)
{
	const json_t *claim = json_object_get(claims, rules->role_claim);

	if (is_or_has_listed(claim, rules->admins))
		return ROLE_ADMIN;
	return is_or_has_listed(claim, rules->organisers) ? ROLE_ORGANISER : ROLE_PLAYER;
}

/* Making an account */

enum { NAMES_TRIED = 1000, SUFFIX_MAX = 5 };

static bool is_name(struct arena *arena, const char *name)
{
	const char *shown, *key;

	return name && name_read(arena, "a name", name, &shown, &key, NULL) == 0;
}

/* The name, or the name and a number: "ann-2". No letter of it is cut in two. */
static const char *numbered(struct arena *arena, const char *name, int number)
{
	size_t len = strlen(name);

	if (number == 1)
		return name;
	if (len > NAME_MAX_BYTES - SUFFIX_MAX)
		len = NAME_MAX_BYTES - SUFFIX_MAX;
	while (len > 0 && ((unsigned char)name[len] & 0xc0) == 0x80)
		len--;
	return arena_printf(arena, "%.*s-%d", (int)len, name, number);
}

static int make_account(struct db *db, struct arena *arena, int64_t now, const char *wish,
			struct user *ret_user, struct err *e)
{
	const char *name = is_name(arena, wish) ? wish : "player", *free_name = NULL;

	for (int i = 1; i <= NAMES_TRIED && !free_name; i++) {
		const char *candidate = numbered(arena, name, i);
		bool is_free;
		int r;

		if (!candidate)
			return err_memory(e);
		r = user_name_is_free(db, arena, candidate, &is_free, e);
		if (r < 0)
			return r;
		if (is_free)
			free_name = candidate;
	}
	if (!free_name)
		return err_set(e, ERR_CONFLICT, "the name '%s' is taken, numbered or not", name);
	return user_create_without_password(db, arena, now, free_name, ROLE_PLAYER, ret_user, e);
}

/* Links */

static int insert_link(struct db *db, int64_t now, const struct identity_rules *rules,
		       const json_t *claims, const char *user_id, struct err *e)
{
	return db_run(db,
		      "INSERT INTO identity (issuer, subject, account_id, linked_at)"
		      " VALUES (?, ?, ?, ?)",
		      DB_ARGS(db_text(rules->issuer), db_text(text_of(claims, "sub")),
			      db_text(user_id), db_int(now)),
		      e);
}

static void read_id(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

/* Fails with NOT_FOUND. */
static int find_link(struct db *db, struct arena *arena, const struct identity_rules *rules,
		     const json_t *claims, char **ret_user_id, struct err *e)
{
	return rows_one(db, arena,
			"SELECT account_id FROM identity WHERE issuer = ? AND subject = ?",
			DB_ARGS(db_text(rules->issuer), db_text(text_of(claims, "sub"))), read_id,
			ret_user_id, "link", e);
}

static int enter_new(struct db *db, struct arena *arena, int64_t now,
		     const struct identity_rules *rules, const json_t *claims, struct user *user,
		     struct err *e)
{
	int r;

	if (!rules->makes_accounts)
		return err_set(e, ERR_FORBIDDEN,
			       "there is no account of yours here: log in with your password and"
			       " link it, or ask an organiser for one");
	r = user_check_room(db, e);
	if (r == 0)
		r = make_account(db, arena, now, text_of(claims, rules->name_claim), user, e);
	if (r == 0)
		r = insert_link(db, now, rules, claims, user->id, e);
	if (r == 0)
		log_info("account '%s' is made for '%s' of '%s'", user->name,
			 text_of(claims, "sub"), rules->issuer);
	return r;
}

static int follow_role(struct db *db, const struct identity_rules *rules, const json_t *claims,
		       struct user *user, struct err *e)
{
	enum role role;

	if (!rules->role_claim)
		return 0;
	role = role_of(rules, claims);
	if (strcmp(role_word(role), user->role) == 0)
		return 0;
	log_info("account '%s' becomes %s: so says '%s'", user->name, role_word(role),
		 rules->issuer);
	return user_change(db, user->id, &(struct user_patch){ .role = &role }, e);
}

static int enter(struct db *db, struct arena *arena, int64_t now,
		 const struct identity_rules *rules, const json_t *claims, struct user *user,
		 struct err *e)
{
	char *id;
	int r = find_link(db, arena, rules, claims, &id, e);

	if (r == -ERR_NOT_FOUND)
		r = enter_new(db, arena, now, rules, claims, user, e);
	else if (r == 0)
		r = user_find(db, arena, id, user, e);
	if (r < 0)
		return r;
	if (user->disabled)
		return err_set(e, ERR_FORBIDDEN, "your account is locked: ask an organiser");
	r = follow_role(db, rules, claims, user, e);
	return r < 0 ? r : user_find(db, arena, user->id, user, e);
}

int identity_enter(struct db *db, struct arena *arena, int64_t now,
		   const struct identity_rules *rules, const json_t *claims, struct user *ret_user,
		   struct err *e)
{
	int r = db_begin(db, e);

	return r < 0 ? r : rows_end(db, enter(db, arena, now, rules, claims, ret_user, e), e);
}

static int add_link(struct db *db, int64_t now, const struct identity_rules *rules,
		    const json_t *claims, const char *user_id, struct err *e)
{
	int64_t count;
	int r = rows_count(db, "SELECT COUNT(*) FROM identity WHERE account_id = ?",
			   DB_ARGS(db_text(user_id)), &count, e);

	if (r == 0 && count >= LINKS_MAX)
		return err_set(e, ERR_CONFLICT, "an account has at most %d linked logins",
			       LINKS_MAX);
	return r < 0 ? r : insert_link(db, now, rules, claims, user_id, e);
}

static int link_to(struct db *db, struct arena *arena, int64_t now,
		   const struct identity_rules *rules, const json_t *claims, const char *user_id,
		   struct err *e)
{
	char *owner;
	int r = find_link(db, arena, rules, claims, &owner, e);

	if (r == -ERR_NOT_FOUND)
		return add_link(db, now, rules, claims, user_id, e);
	if (r == 0 && strcmp(owner, user_id) != 0)
		return err_set(e, ERR_CONFLICT, "this login belongs to another account");
	return r;
}

int identity_link(struct db *db, struct arena *arena, int64_t now,
		  const struct identity_rules *rules, const json_t *claims, const char *user_id,
		  struct err *e)
{
	int r = db_begin(db, e);

	return r < 0 ? r : rows_end(db, link_to(db, arena, now, rules, claims, user_id, e), e);
}

/* Attempts */

static int insert_attempt(struct db *db, int64_t now, const char *state,
			  const struct attempt *attempt, struct err *e)
{
	char hash[SECRET_HASH_SIZE];

	secret_hash(state, hash);
	return db_run(db,
		      "INSERT INTO login_attempt (state_hash, nonce, verifier, next, account_id,"
		      " expires_at) VALUES (?, ?, ?, ?, ?, ?)",
		      DB_ARGS(db_text(hash), db_secret(attempt->nonce),
			      db_secret(attempt->verifier), db_text(attempt->next),
			      db_text(attempt->user_id), db_int(now + 1000LL * ATTEMPT_S)),
		      e);
}

static int add_attempt(struct db *db, int64_t now, const char *state, const struct attempt *attempt,
		       struct err *e)
{
	int64_t count;
	int r;

	r = db_run(db, "DELETE FROM login_attempt WHERE expires_at <= ?", DB_ARGS(db_int(now)), e);
	if (r == 0)
		r = rows_count(db, "SELECT COUNT(*) FROM login_attempt", NULL, &count, e);
	if (r == 0 && count >= ATTEMPTS_MAX)
		return err_set(e, ERR_UNAVAILABLE,
			       "%d logins are under way: try again in a few minutes", ATTEMPTS_MAX);
	return r < 0 ? r : insert_attempt(db, now, state, attempt, e);
}

int attempt_begin(struct db *db, int64_t now, const char *state, const struct attempt *attempt,
		  struct err *e)
{
	int r = db_begin(db, e);

	return r < 0 ? r : rows_end(db, add_attempt(db, now, state, attempt, e), e);
}

static void read_attempt(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct attempt *attempt = ret_struct;

	*attempt = (struct attempt){
		.nonce = arena_strdup(arena, db_get_secret(rows, 0)),
		.verifier = arena_strdup(arena, db_get_secret(rows, 1)),
		.next = arena_strdup(arena, db_get_text(rows, 2)),
		.user_id = arena_strdup(arena, db_get_text(rows, 3)),
	};
}

int attempt_take(struct db *db, struct arena *arena, int64_t now, const char *state,
		 struct attempt *ret_attempt, struct err *e)
{
	char hash[SECRET_HASH_SIZE];
	struct attempt attempt;
	int64_t taken;
	int r;

	secret_hash(state, hash);
	r = rows_one(db, arena,
		     "SELECT nonce, verifier, next, account_id FROM login_attempt"
		     " WHERE state_hash = ? AND expires_at > ?",
		     DB_ARGS(db_text(hash), db_int(now)), read_attempt, &attempt, "login", e);
	if (r < 0)
		return r;
	r = db_change(db, "DELETE FROM login_attempt WHERE state_hash = ?", DB_ARGS(db_text(hash)),
		      &taken, e);
	if (r == 0 && (taken == 0 || !attempt.nonce || !attempt.verifier))
		return err_set(e, ERR_NOT_FOUND, "there is no such login");
	if (r == 0)
		*ret_attempt = attempt;
	return r;
}
