/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/join-secret.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "platform/rows.h"
#include "platform/schema.h"

#include <string.h>

const struct field join_secret_fields[] = {
	FIELD(struct join_secret, STRING, id, 0),
	FIELD(struct join_secret, STRING, name, 0),
	FIELD(struct join_secret, BOOL, single_use, 0),
	FIELD(struct join_secret, TIME, created_at, 0),
	FIELD(struct join_secret, TIME, expires_at, 0),
	FIELD(struct join_secret, TIME, used_at, 0),
	FIELD(struct join_secret, STRING, used_by, 0),
	FIELD_STRINGS_OF(struct join_secret, nodes, node_count, 0),
	FIELDS_END,
};

const struct field join_secrets_fields[] = {
	FIELD_LIST_OF(struct join_secrets, join_secrets, join_secret_count, struct join_secret,
		      join_secret_fields, 0),
	FIELDS_END,
};

#define JOIN_SECRET_SELECT                                                                  \
	"SELECT id, name, single_use, created_at, expires_at, used_at, used_by, nodes FROM" \
	" join_secret"

/* As they are kept: with spaces between. */
static void split_nodes(struct arena *arena, const char *text, struct join_secret *secret)
{
	secret->nodes = arena_array(arena, JOIN_NODES_MAX, sizeof(char *));
	while (secret->nodes && text && *text && secret->node_count < JOIN_NODES_MAX) {
		size_t len = strcspn(text, " ");

		secret->nodes[secret->node_count++] = arena_strndup(arena, text, len);
		text += len + (text[len] == ' ');
	}
}

/* NULL: there are none, or out of memory. */
static const char *join_nodes(struct arena *arena, char *const *nodes, size_t count)
{
	const char *text = NULL;

	for (size_t i = 0; i < count; i++)
		text = text ? arena_printf(arena, "%s %s", text, nodes[i]) : nodes[i];
	return text;
}

static void read_secret(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct join_secret *secret = ret_struct;

	*secret = (struct join_secret){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.name = arena_strdup(arena, db_get_text(rows, 1)),
		.single_use = db_get_int(rows, 2) != 0,
		.created_at = db_get_int(rows, 3),
		.expires_at = db_get_int(rows, 4),
		.used_at = db_get_int(rows, 5),
		.used_by = arena_strdup(arena, db_get_text(rows, 6)),
	};
	split_nodes(arena, db_get_text(rows, 7), secret);
}

enum { DAY_MS = 24 * 60 * 60 * 1000 };

/* "rack-7", "rack-*", "*". */
static bool is_pattern(const char *node)
{
	size_t len = strlen(node);
	char name[64] = "";

	if (len == 0 || len >= sizeof(name))
		return false;
	memcpy(name, node, len - (node[len - 1] == '*'));
	return len == 1 ? *node == '*' || id_valid(node) : id_valid(name);
}

static int check_nodes(const struct join_wish *wish, struct err *e)
{
	if (wish->node_count > JOIN_NODES_MAX)
		return err_set(e, ERR_VALIDATION, "at most %d names of nodes", JOIN_NODES_MAX);
	for (size_t i = 0; i < wish->node_count; i++)
		if (!is_pattern(wish->nodes[i]))
			return err_set(e, ERR_VALIDATION,
				       "'%s' is no name of a node: letters, digits, '_', '.', '-', "
				       "and '*' at the end for any",
				       wish->nodes[i]);
	return 0;
}

int join_secret_make(struct db *db, struct arena *arena, int64_t now, const struct join_wish *wish,
		     struct join_secret *ret_made, char secret[SECRET_TOKEN_SIZE], struct err *e)
{
	const char *nodes = join_nodes(arena, wish->nodes, wish->node_count);
	char id[ROW_ID_SIZE], hash[SECRET_HASH_SIZE];
	int r = check_nodes(wish, e);

	if (r < 0)
		return r;
	if (arena_failed(arena))
		return err_memory(e);
	id_random(id, ROW_ID_SIZE - 1);
	secret_token(secret);
	secret_hash(secret, hash);
	r = db_run(db,
		   "INSERT INTO join_secret (id, hash, name, single_use, created_at, expires_at,"
		   " used_at, nodes) VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
		   DB_ARGS(db_text(id), db_text(hash), db_text(wish->name ? wish->name : ""),
			   db_int(wish->single_use), db_int(now),
			   db_int(wish->days ? now + wish->days * DAY_MS : 0), db_text(nodes)),
		   e);
	if (r < 0)
		return r;
	return rows_one(db, arena, JOIN_SECRET_SELECT " WHERE id = ?", DB_ARGS(db_text(id)),
			read_secret, ret_made, "join secret", e);
}

int join_secret_list(struct db *db, struct arena *arena, struct join_secrets *ret_secrets,
		     struct err *e)
{
	return rows_all(db, arena, JOIN_SECRET_SELECT " ORDER BY created_at DESC, id", NULL,
			read_secret, sizeof(struct join_secret), &ret_secrets->join_secrets,
			&ret_secrets->join_secret_count, e);
}

int join_secret_remove(struct db *db, const char *id, struct err *e)
{
	int64_t changed;
	int r = db_change(db, "DELETE FROM join_secret WHERE id = ?", DB_ARGS(db_text(id)),
			  &changed, e);

	if (r == 0 && changed == 0)
		return err_set(e, ERR_NOT_FOUND, "there is no such join secret");
	return r;
}

static bool fits(const char *pattern, const char *node)
{
	size_t len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(pattern, node, len - 1) == 0;
	return strcmp(pattern, node) == 0;
}

static int check_use(const struct join_secret *secret, int64_t now, const char *node, struct err *e)
{
	bool fitting = secret->node_count == 0;

	if ((secret->single_use && secret->used_at) ||
	    (secret->expires_at && secret->expires_at <= now))
		return err_set(e, ERR_FORBIDDEN,
			       "the join secret is wrong, used up or out of date");
	for (size_t i = 0; i < secret->node_count && !fitting; i++)
		fitting = fits(secret->nodes[i], node);
	return fitting ? 0
		       : err_set(e, ERR_FORBIDDEN,
				 "the join secret is another node's: it is good for '%s'%s, not "
				 "for '%s'",
				 secret->nodes[0], secret->node_count > 1 ? " and others" : "",
				 node);
}

/* A part of a transaction. */
static int use(struct db *db, struct arena *arena, int64_t now, const char *secret,
	       const char *node, struct join_secret *ret_before, struct err *e)
{
	char hash[SECRET_HASH_SIZE];
	int r;

	secret_hash(secret, hash);
	r = rows_one(db, arena, JOIN_SECRET_SELECT " WHERE hash = ?", DB_ARGS(db_text(hash)),
		     read_secret, ret_before, "join secret", e);
	if (r == -ERR_NOT_FOUND)
		return err_set(e, ERR_FORBIDDEN,
			       "the join secret is wrong, used up or out of date");
	if (r == 0)
		r = check_use(ret_before, now, node, e);
	return r < 0 ? r
		     : db_run(db,
			      "UPDATE join_secret SET used_at = ?, used_by = ?,"
			      " nodes = COALESCE(nodes, ?) WHERE hash = ?",
			      DB_ARGS(db_int(now), db_text(node), db_text(node), db_text(hash)), e);
}

int join_secret_use(struct db *db, struct arena *arena, int64_t now, const char *secret,
		    const char *node, struct join_secret *ret_before, struct err *e)
{
	int r = db_begin(db, e);

	return r < 0 ? r : rows_end(db, use(db, arena, now, secret, node, ret_before, e), e);
}

int join_secret_give_back(struct db *db, struct arena *arena, const struct join_secret *before,
			  struct err *e)
{
	const char *nodes = join_nodes(arena, before->nodes, before->node_count);

	if (arena_failed(arena))
		return err_memory(e);
	return db_run(db, "UPDATE join_secret SET used_at = ?, used_by = ?, nodes = ? WHERE id = ?",
		      DB_ARGS(db_int(before->used_at), db_text(before->used_by), db_text(nodes),
			      db_text(before->id)),
		      e);
}
