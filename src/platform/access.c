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
	char *owner; /* the id of the user or node */
	char *token_id;
	bool is_node;
	enum role role;
	int64_t expires_at; /* 0: never */
};

struct keyring {
	struct db *db;
	pthread_mutex_t loading; /* so that what was read last is put last */
	pthread_rwlock_t lock;   /* of the buckets; never held over I/O */
	struct key *buckets[BUCKETS];
};

/* A token's row, as both queries give it. */
struct key_row {
	char *hash, *owner, *token_id, *role;
	int64_t expires_at;
};

#define USER_KEYS                                                                 \
	"SELECT token.hash, account.id, token.id, account.role, token.expires_at" \
	" FROM token JOIN account ON account.id = token.account_id"               \
	" WHERE account.disabled = 0"
#define NODE_KEYS "SELECT token_hash, id, id, 'node', 0 FROM node"

static void read_key(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct key_row *row = ret_struct;

	*row = (struct key_row){
		.hash = arena_strdup(arena, db_get_text(rows, 0)),
		.owner = arena_strdup(arena, db_get_text(rows, 1)),
		.token_id = arena_strdup(arena, db_get_text(rows, 2)),
		.role = arena_strdup(arena, db_get_text(rows, 3)),
		.expires_at = db_get_int(rows, 4),
	};
}

static void key_free(struct key *key)
{
	if (!key)
		return;
	free(key->owner);
	free(key->token_id);
	free(key);
}

static struct key *key_new(const struct key_row *row)
{
	struct key *key = calloc(1, sizeof(*key));

	if (!key)
		return NULL;
	memcpy(key->hash, row->hash, SECRET_HASH_SIZE);
	key->owner = strdup(row->owner);
	key->token_id = strdup(row->token_id);
	key->is_node = !role_parse(row->role, &key->role);
	key->expires_at = row->expires_at;
	if (!key->owner || !key->token_id) {
		key_free(key);
		return NULL;
	}
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

static void drop_keys_of(struct keyring *keyring, const char *owner)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		struct key **at = &keyring->buckets[i];

		while (*at) {
			struct key *key = *at;

			if (strcmp(key->owner, owner) != 0) {
				at = &key->next;
				continue;
			}
			*at = key->next;
			key_free(key);
		}
	}
}

/* Replaces the owner's keys (NULL: adds everybody's) by what the rows say. */
static int put_keys(struct keyring *keyring, const char *owner, const struct key_row *rows,
		    size_t count, struct err *e)
{
	int r = 0;

	pthread_rwlock_wrlock(&keyring->lock);
	if (owner)
		drop_keys_of(keyring, owner);
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
			key_free(key);
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

static void read_principal(const struct key *key, struct arena *arena, struct principal *principal)
{
	const char *owner = arena_strdup(arena, key->owner);

	*principal = (struct principal){ .role = key->role,
					 .user_id = key->is_node ? NULL : owner,
					 .node_id = key->is_node ? owner : NULL,
					 .token_id = arena_strdup(arena, key->token_id) };
}

int keyring_find(struct keyring *keyring, struct arena *arena, const char *token, int64_t now,
		 struct principal *ret_principal, struct err *e)
{
	char hash[SECRET_HASH_SIZE];
	bool found = false;

	secret_hash(token, hash);
	pthread_rwlock_rdlock(&keyring->lock);
	for (const struct key *key = *bucket(keyring, hash); key && !found; key = key->next) {
		found = strcmp(key->hash, hash) == 0 &&
			(key->expires_at == 0 || key->expires_at > now);
		if (found)
			read_principal(key, arena, ret_principal);
	}
	pthread_rwlock_unlock(&keyring->lock);
	if (!found)
		return err_set(e, ERR_UNAUTHORIZED, "the token is unknown or expired: log in");
	return arena_failed(arena) ? err_memory(e) : 0;
}

int access_check(const struct principal *principal, enum access access, struct err *e)
{
	bool is_user = principal->user_id != NULL;
	bool may = false;

	switch (access) {
	case ACCESS_USER: may = is_user; break;
	case ACCESS_ORGANISER: may = is_user && principal->role >= ROLE_ORGANISER; break;
	case ACCESS_ADMIN: may = is_user && principal->role == ROLE_ADMIN; break;
	case ACCESS_NODE: may = !is_user; break;
	}
	return may ? 0
		   : err_set(e, ERR_FORBIDDEN, "this is not open to the role '%s'",
			     is_user ? role_word(principal->role) : "node");
}
