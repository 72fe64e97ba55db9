/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/access.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "platform/rows.h"

#include <pthread.h>
#include <string.h>

enum { BUCKETS = 16384 };

/* One token. */
struct key {
	struct key *next;
	char hash[SECRET_HASH_SIZE];
	const char *owner; /* the id of the user or node */
	const char *token_id;
	bool is_node;
	enum role role;
	bool is_agent;
	struct agent agent;
	const char *csrf_hash; /* NULL: it is no browser's */
	int64_t expires_at;    /* 0: never */
	char texts[];
};

struct keyring {
	struct db *db;
	pthread_mutex_t loading; /* so that what was read last is put last */
	pthread_rwlock_t lock;   /* of the buckets; never held over I/O */
	struct key *buckets[BUCKETS];
	void (*ended)(void *cookie, const char *token_id);
	void *cookie;
};

/* A token's row, as both queries give it. */
struct key_row {
	char *hash, *owner, *token_id, *role;
	int64_t expires_at;
	char *scope, *csrf_hash;
	struct agent agent;
};

#define USER_KEYS                                                                  \
	"SELECT token.hash, account.id, token.id, account.role, token.expires_at," \
	" token.scope, token.csrf_hash, instance.id, instance.competition_id,"     \
	" instance.challenge_id, instance.team_id"                                 \
	" FROM token JOIN account ON account.id = token.account_id"                \
	" LEFT JOIN instance ON instance.id = token.instance_id"                   \
	" WHERE account.disabled = 0"                                              \
	" AND (token.scope <> 'instance' OR instance.id IS NOT NULL)"
#define NODE_KEYS \
	"SELECT token_hash, id, id, 'node', 0, 'node', NULL, NULL, NULL, NULL, NULL FROM node"

static void read_key(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct key_row *row = ret_struct;

	*row = (struct key_row){
		.hash = arena_strdup(arena, db_get_text(rows, 0)),
		.owner = arena_strdup(arena, db_get_text(rows, 1)),
		.token_id = arena_strdup(arena, db_get_text(rows, 2)),
		.role = arena_strdup(arena, db_get_text(rows, 3)),
		.expires_at = db_get_int(rows, 4),
		.scope = arena_strdup(arena, db_get_text(rows, 5)),
		.csrf_hash = arena_strdup(arena, db_get_text(rows, 6)),
		.agent = { .instance_id = arena_strdup(arena, db_get_text(rows, 7)),
			   .competition_id = arena_strdup(arena, db_get_text(rows, 8)),
			   .challenge_id = arena_strdup(arena, db_get_text(rows, 9)),
			   .team_id = arena_strdup(arena, db_get_text(rows, 10)) },
	};
}

/* The account's role, or less where the token's scope is less. */
static void read_scope(const struct key_row *row, struct key *key)
{
	enum role most;

	key->is_node = !role_parse(row->role, &key->role);
	key->is_agent = row->agent.instance_id != NULL;
	if (key->is_node)
		return;
	if (!role_parse(row->scope, &most))
		most = ROLE_PLAYER;
	if (most < key->role)
		key->role = most;
}

/* What a key keeps of its row, one text after the other. */
enum { OWNER, TOKEN_ID, CSRF_HASH, INSTANCE, COMPETITION, CHALLENGE, TEAM, TEXTS };

static struct key *key_new(const struct key_row *row)
{
	const char *const texts[TEXTS] = {
		[OWNER] = row->owner,
		[TOKEN_ID] = row->token_id,
		[CSRF_HASH] = row->csrf_hash,
		[INSTANCE] = row->agent.instance_id,
		[COMPETITION] = row->agent.competition_id,
		[CHALLENGE] = row->agent.challenge_id,
		[TEAM] = row->agent.team_id,
	};
	const char *kept[TEXTS] = { NULL };
	struct key *key;
	size_t size = 0;
	char *at;

	for (size_t i = 0; i < TEXTS; i++)
		size += texts[i] ? strlen(texts[i]) + 1 : 0;
	key = calloc(1, sizeof(*key) + size);
	if (!key)
		return NULL;
	at = key->texts;
	for (size_t i = 0; i < TEXTS; i++) {
		if (!texts[i])
			continue;
		kept[i] = at;
		at = stpcpy(at, texts[i]) + 1;
	}
	memcpy(key->hash, row->hash, SECRET_HASH_SIZE);
	key->owner = kept[OWNER];
	key->token_id = kept[TOKEN_ID];
	key->csrf_hash = kept[CSRF_HASH];
	key->agent =
		(struct agent){ kept[INSTANCE], kept[COMPETITION], kept[CHALLENGE], kept[TEAM] };
	key->expires_at = row->expires_at;
	read_scope(row, key);
	return key;
}

/* The hash is a random number already: its first digits choose the bucket. */
static struct key **bucket(struct keyring *keyring, const char *hash)
{
	char digits[5];

	memcpy(digits, hash, 4);
	digits[4] = '\0';
	return &keyring->buckets[strtoul(digits, NULL, 16) % BUCKETS];
}

/* Takes them out; the list of them is the caller's. */
static struct key *take_keys_of(struct keyring *keyring, const char *owner)
{
	struct key *taken = NULL;

	for (size_t i = 0; i < BUCKETS; i++) {
		struct key **at = &keyring->buckets[i];

		while (*at) {
			struct key *key = *at;

			if (strcmp(key->owner, owner) != 0) {
				at = &key->next;
				continue;
			}
			*at = key->next;
			key->next = taken;
			taken = key;
		}
	}
	return taken;
}

static const struct key *find_key(struct keyring *keyring, const char *hash)
{
	const struct key *key = *bucket(keyring, hash);

	while (key && strcmp(key->hash, hash) != 0)
		key = key->next;
	return key;
}

/* What was begun with a token ends with it. */
static void end_keys(struct keyring *keyring, struct key *old)
{
	while (old) {
		struct key *key = old;
		const struct key *now;
		void (*tell)(void *cookie, const char *token_id);
		void *cookie;
		bool ended;

		old = key->next;
		pthread_rwlock_rdlock(&keyring->lock);
		now = find_key(keyring, key->hash);
		ended = !now || now->role != key->role;
		tell = keyring->ended;
		cookie = keyring->cookie;
		pthread_rwlock_unlock(&keyring->lock);
		if (ended && tell)
			tell(cookie, key->token_id);
		free(key);
	}
}

void keyring_tell(struct keyring *keyring, void (*ended)(void *cookie, const char *token_id),
		  void *cookie)
{
	pthread_rwlock_wrlock(&keyring->lock);
	keyring->ended = ended;
	keyring->cookie = cookie;
	pthread_rwlock_unlock(&keyring->lock);
}

/* Replaces the owner's keys (NULL: adds everybody's) by what the rows say. */
static int put_keys(struct keyring *keyring, const char *owner, const struct key_row *rows,
		    size_t count, struct err *e)
{
	struct key *old = NULL;
	int r = 0;

	pthread_rwlock_wrlock(&keyring->lock);
	if (owner)
		old = take_keys_of(keyring, owner);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct key *key = key_new(&rows[i]);
		struct key **at = bucket(keyring, rows[i].hash);

		if (!key) {
			r = err_memory(e);
			break;
		}
		key->next = *at;
		*at = key;
	}
	pthread_rwlock_unlock(&keyring->lock);
	end_keys(keyring, old);
	return r;
}

static int load(struct keyring *keyring, const char *owner, const char *sql, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct key_row *rows;
	size_t count;
	int r;

	if (!arena)
		return err_memory(e);
	pthread_mutex_lock(&keyring->loading);
	r = rows_all(keyring->db, arena, sql, owner ? DB_ARGS(db_text(owner)) : NULL, read_key,
		     sizeof(*rows), &rows, &count, e);
	if (r == 0)
		r = put_keys(keyring, owner, rows, count, e);
	pthread_mutex_unlock(&keyring->loading);
	return r;
}

int keyring_new(struct db *db, struct keyring **ret_keyring, struct err *e)
{
	struct keyring *keyring = calloc(1, sizeof(*keyring));
	int r;

	if (!keyring)
		return err_memory(e);
	keyring->db = db;
	pthread_rwlock_init(&keyring->lock, NULL);
	pthread_mutex_init(&keyring->loading, NULL);
	r = load(keyring, NULL, USER_KEYS, e);
	if (r == 0)
		r = load(keyring, NULL, NODE_KEYS, e);
	if (r < 0) {
		keyring_free(keyring);
		return r;
	}
	*ret_keyring = keyring;
	return 0;
}

void keyring_free(struct keyring *keyring)
{
	if (!keyring)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while (keyring->buckets[i]) {
			struct key *key = keyring->buckets[i];

			keyring->buckets[i] = key->next;
			free(key);
		}
	}
	pthread_rwlock_destroy(&keyring->lock);
	pthread_mutex_destroy(&keyring->loading);
	free(keyring);
}

int keyring_refresh_user(struct keyring *keyring, const char *user_id, struct err *e)
{
	return load(keyring, user_id, USER_KEYS " AND account.id = ?", e);
}

int keyring_refresh_node(struct keyring *keyring, const char *node_id, struct err *e)
{
	return load(keyring, node_id, NODE_KEYS " WHERE id = ?", e);
}

static int read_principal(const struct key *key, struct arena *arena, struct principal *principal)
{
	const char *owner = arena_strdup(arena, key->owner);
	struct agent *agent = NULL;

	if (key->is_agent) {
		agent = arena_alloc(arena, sizeof(*agent));
		if (!agent)
			return -ERR_MEMORY;
		*agent = (struct agent){
			.instance_id = arena_strdup(arena, key->agent.instance_id),
			.competition_id = arena_strdup(arena, key->agent.competition_id),
			.challenge_id = arena_strdup(arena, key->agent.challenge_id),
			.team_id = arena_strdup(arena, key->agent.team_id),
		};
	}
	*principal = (struct principal){ .role = key->role,
					 .user_id = key->is_node ? NULL : owner,
					 .node_id = key->is_node ? owner : NULL,
					 .token_id = arena_strdup(arena, key->token_id),
					 .csrf_hash = arena_strdup(arena, key->csrf_hash),
					 .agent = agent };
	return arena_failed(arena) ? -ERR_MEMORY : 0;
}

int keyring_find(struct keyring *keyring, struct arena *arena, const char *token, int64_t now,
		 struct principal *ret_principal, struct err *e)
{
	char hash[SECRET_HASH_SIZE];
	bool found = false;
	int r = 0;

	secret_hash(token, hash);
	pthread_rwlock_rdlock(&keyring->lock);
	for (const struct key *key = *bucket(keyring, hash); key && !found; key = key->next) {
		found = strcmp(key->hash, hash) == 0 &&
			(key->expires_at == 0 || key->expires_at > now);
		if (found)
			r = read_principal(key, arena, ret_principal);
	}
	pthread_rwlock_unlock(&keyring->lock);
	if (!found)
		return err_set(e, ERR_UNAUTHORIZED, "the token is unknown or expired: log in");
	return r < 0 ? err_memory(e) : 0;
}

static int check_agent(const struct agent *agent, enum access access, const char *challenge_id,
		       struct err *e)
{
	if (access == ACCESS_AGENT &&
	    (!challenge_id || strcmp(challenge_id, agent->challenge_id) == 0))
		return 0;
	return err_set(e, ERR_FORBIDDEN,
		       "this token is good for the instance '%s' of '%s', and for nothing else",
		       agent->instance_id, agent->challenge_id);
}

int access_check(const struct principal *principal, enum access access, const char *challenge_id,
		 struct err *e)
{
	bool is_user = principal->user_id != NULL;
	bool may = false;

	if (principal->agent)
		return check_agent(principal->agent, access, challenge_id, e);

	switch (access) {
	case ACCESS_USER:
	case ACCESS_AGENT: may = is_user; break;
	case ACCESS_ORGANISER: may = is_user && principal->role >= ROLE_ORGANISER; break;
	case ACCESS_ADMIN: may = is_user && principal->role == ROLE_ADMIN; break;
	case ACCESS_NODE: may = !is_user; break;
	}
	return may ? 0
		   : err_set(e, ERR_FORBIDDEN, "this is not open to the role '%s'",
			     is_user ? role_word(principal->role) : "node");
}
