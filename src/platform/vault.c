/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/vault.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/secret.h"
#include "platform/rows.h"

#include <stdio.h>
#include <string.h>

/* What is sealed in every database, to know its key by. */
static const char proof[] = "the answers of this database are sealed with this key";

static int write_key(const char *path, const unsigned char key[SECRET_KEY_SIZE], struct err *e)
{
	char text[SECRET_KEY_TEXT_SIZE], line[SECRET_KEY_TEXT_SIZE + 1];

	secret_key_write(key, text);
	snprintf(line, sizeof(line), "%s\n", text);
	return file_write(path, line, strlen(line), 0600, e);
}

static int read_key(const char *path, unsigned char key[SECRET_KEY_SIZE], struct err *e)
{
	AUTO(char *, freep) text = NULL;
	int r = secret_read_file(path, &text, e);

	if (r == 0 && !secret_key_read(text, key))
		return err_set(e, ERR_INVALID, "'%s' holds no key of 64 hexadecimal digits", path);
	return r;
}

static void read_proof(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	const char *text = db_get_secret(rows, 0);

	*(char **)ret_struct = arena_strdup(arena, text ? text : "");
}

static int check_key(struct db *db, const char *path, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	char *text;
	int r;

	if (!arena)
		return err_memory(e);
	r = rows_one(db, arena, "SELECT proof FROM vault", NULL, read_proof, &text, "proof", e);
	if (r == 0 && strcmp(text, proof) != 0)
		return err_set(e, ERR_INVALID,
			       "'%s' is not the key of this database: put back the file that was "
			       "beside it",
			       path);
	return r;
}

/* Sealing what is in clear */

struct clear_text {
	char *id, *part, *text;
};

static void read_clear(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	*(struct clear_text *)ret_struct = (struct clear_text){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.part = arena_strdup(arena, db_get_text(rows, 1)),
		.text = arena_strdup(arena, db_get_text(rows, 2)),
	};
}

#define CLEAR "NOT LIKE 'sealed:1:%' LIMIT 1000"

static const struct {
	const char *find, *put;
} places[] = {
	{ "SELECT instance_id, question_id, answer FROM answer WHERE answer " CLEAR,
	  "UPDATE answer SET answer = ? WHERE instance_id = ? AND question_id = ?" },
	{ "SELECT id, id, answer FROM submission WHERE answer " CLEAR,
	  "UPDATE submission SET answer = ? WHERE id = ? AND id = ?" },
	{ "SELECT id, id, token FROM node WHERE token " CLEAR,
	  "UPDATE node SET token = ? WHERE id = ? AND id = ?" },
};

static int seal_some(struct db *db, size_t place, size_t *ret_count, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct clear_text *texts;
	int r;

	if (!arena)
		return err_memory(e);
	r = db_begin(db, e);
	if (r < 0)
		return r;
	r = rows_all(db, arena, places[place].find, NULL, read_clear, sizeof(*texts), &texts,
		     ret_count, e);
	for (size_t i = 0; r == 0 && i < *ret_count; i++)
		r = db_run(db, places[place].put,
			   DB_ARGS(db_secret(texts[i].text), db_text(texts[i].id),
				   db_text(texts[i].part)),
			   e);
	return rows_end(db, r, e);
}

static int seal_all(struct db *db, struct err *e)
{
	for (size_t place = 0; place < ARRAY_SIZE(places); place++) {
		size_t count;

		do {
			int r = seal_some(db, place, &count, e);

			if (r < 0)
				return r;
		} while (count > 0);
	}
	return 0;
}

/* The proof is written last: a start that was cut short goes on with the key that is there. */
static int begin(struct db *db, const char *path, struct err *e)
{
	unsigned char key[SECRET_KEY_SIZE];
	int r;

	if (file_exists(path)) {
		r = read_key(path, key, e);
	} else {
		secret_key(key);
		r = write_key(path, key, e);
	}
	if (r < 0)
		return r;
	db_use_key(db, key);
	r = seal_all(db, e);
	if (r == 0)
		r = db_run(db, "INSERT INTO vault (proof) VALUES (?)", DB_ARGS(db_secret(proof)),
			   e);
	if (r == 0)
		log_info("answers are sealed with the key in '%s': keep it apart from backups",
			 path);
	return r;
}

int vault_open(struct db *db, const char *path, struct err *e)
{
	unsigned char key[SECRET_KEY_SIZE];
	int64_t sealed;
	int r;

	r = rows_count(db, "SELECT COUNT(*) FROM vault", NULL, &sealed, e);
	if (r < 0)
		return r;
	if (sealed == 0)
		return begin(db, path, e);
	if (!file_exists(path))
		return err_set(e, ERR_INVALID,
			       "the key '%s' is missing: without it no answer can be read", path);
	r = read_key(path, key, e);
	if (r < 0)
		return r;
	db_use_key(db, key);
	r = check_key(db, path, e);
	return r < 0 ? r : seal_all(db, e); /* what earlier versions kept in clear */
}
