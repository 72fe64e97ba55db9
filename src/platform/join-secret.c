#include "platform/join-secret.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/id.h"
#include "platform/rows.h"
#include "platform/schema.h"

const struct field join_secret_fields[] = {
	FIELD(struct join_secret, STRING, id, 0),
	FIELD(struct join_secret, STRING, name, 0),
	FIELD(struct join_secret, BOOL, single_use, 0),
	FIELD(struct join_secret, TIME, created_at, 0),
	FIELD(struct join_secret, TIME, expires_at, 0),
	FIELD(struct join_secret, TIME, used_at, 0),
	FIELD(struct join_secret, STRING, used_by, 0),
	FIELDS_END,
};

const struct field join_secrets_fields[] = {
	FIELD_LIST_OF(struct join_secrets, join_secrets, join_secret_count, struct join_secret,
		      join_secret_fields, 0),
	FIELDS_END,
};

#define JOIN_SECRET_SELECT                                                           \
	"SELECT id, name, single_use, created_at, expires_at, used_at, used_by FROM" \
	" join_secret"

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
}

enum { DAY_MS = 24 * 60 * 60 * 1000 };

int join_secret_make(struct db *db, struct arena *arena, int64_t now, const char *name,
		     bool single_use, int64_t days, struct join_secret *ret_made,
		     char secret[SECRET_TOKEN_SIZE], struct err *e)
{
	char id[ROW_ID_SIZE], hash[SECRET_HASH_SIZE];
	int r;

	id_random(id, ROW_ID_SIZE - 1);
	secret_token(secret);
	secret_hash(secret, hash);
	r = db_run(db,
		   "INSERT INTO join_secret (id, hash, name, single_use, created_at, expires_at,"
		   " used_at) VALUES (?, ?, ?, ?, ?, ?, 0)",
		   DB_ARGS(db_text(id), db_text(hash), db_text(name), db_int(single_use),
			   db_int(now), db_int(days ? now + days * DAY_MS : 0)),
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

static void read_id(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(char **)ret_struct = arena_strdup(arena, db_get_text(rows, 0));
}

int join_secret_use(struct db *db, struct arena *arena, int64_t now, const char *secret,
		    const char *node, char **ret_id, struct err *e)
{
	char hash[SECRET_HASH_SIZE];
	int64_t changed;
	int r;

	secret_hash(secret, hash);
	r = db_change(db,
		      "UPDATE join_secret SET used_at = ?, used_by = ? WHERE hash = ?"
		      " AND (single_use = 0 OR used_at = 0)"
		      " AND (expires_at = 0 OR expires_at > ?)",
		      DB_ARGS(db_int(now), db_text(node), db_text(hash), db_int(now)), &changed, e);
	if (r == 0 && changed == 0)
		return err_set(e, ERR_FORBIDDEN,
			       "the join secret is wrong, used up or out of date");
	return r < 0 ? r
		     : rows_one(db, arena, "SELECT id FROM join_secret WHERE hash = ?",
				DB_ARGS(db_text(hash)), read_id, ret_id, "join secret", e);
}

int join_secret_give_back(struct db *db, const char *id, struct err *e)
{
	return db_run(db, "UPDATE join_secret SET used_at = 0, used_by = NULL WHERE id = ?",
		      DB_ARGS(db_text(id)), e);
}
