/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/first-boot.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/own.h"
#include "db/db.h"
#include "platform/competition.h"
#include "platform/options.h"
#include "platform/platform.h"
#include "platform/rows.h"
#include "platform/user.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static int state_path(const struct platform *platform, const char *name, char path[PATH_MAX],
		      struct err *e)
{
	if (snprintf(path, PATH_MAX, "%s/%s", platform->options->state, name) >= PATH_MAX)
		return err_set(e, ERR_INVALID, "'%s' is too long a path", platform->options->state);
	return 0;
}

static int write_secret(const struct platform *platform, const char *name, const char *secret,
			struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	char path[PATH_MAX];
	char *line;
	int r;

	r = state_path(platform, name, path, e);
	if (r < 0)
		return r;
	line = arena ? arena_printf(arena, "%s\n", secret) : NULL;
	return line ? file_write(path, line, strlen(line), 0600, e) : err_memory(e);
}

/* The admin */

enum { PASSWORD_LENGTH = 20 };

static int make_admin(struct platform *platform, struct arena *arena, struct err *e)
{
	int64_t now = clock_now_ms(platform->clock);
	char password[PASSWORD_LENGTH + 1], text[SECRET_TOKEN_SIZE];
	struct token_wish wish = { .name = "first start", .scope = role_word(ROLE_ADMIN) };
	struct token token;
	struct user user;
	int r;

	id_random(password, PASSWORD_LENGTH);
	r = user_create(platform->db, arena, now, "admin", password, ROLE_ADMIN, &user, e);
	if (r == 0)
		wish.user_id = user.id;
	if (r == 0)
		r = token_add(platform->db, arena, now, &wish, &token, text, e);
	/* Written before the commit: an admin without a way in would be worse than none. */
	if (r == 0)
		r = write_secret(platform, "admin-token", text, e);
	if (r == 0)
		r = write_secret(platform, "admin-password", password, e);
	return r;
}

int first_boot_admin(struct platform *platform, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	int64_t admins;
	int r;

	if (!arena)
		return err_memory(e);
	r = rows_count(platform->db, "SELECT COUNT(*) FROM account WHERE role = 'admin'", NULL,
		       &admins, e);
	if (r < 0 || admins > 0)
		return r;
	r = db_begin(platform->db, e);
	if (r < 0)
		return r;
	r = make_admin(platform, arena, e);
	r = rows_end(platform->db, r, e);
	if (r < 0)
		return err_wrap(e, "make the first admin");
	log_info("made the account 'admin': its token and password are in '%s' as admin-token and "
		 "admin-password",
		 platform->options->state);
	return 0;
}

/* The join secret */

int first_boot_join_secret(struct platform *platform, struct err *e)
{
	AUTO(char *, freep) secret = NULL;
	char path[PATH_MAX], fresh[SECRET_TOKEN_SIZE];
	int r;

	if (platform->options->join_secret_file) {
		r = secret_read_file(platform->options->join_secret_file, &secret, e);
	} else {
		r = state_path(platform, "join-secret", path, e);
		if (r == 0 && !file_exists(path)) {
			secret_token(fresh);
			r = write_secret(platform, "join-secret", fresh, e);
		}
		if (r == 0)
			r = secret_read_file(path, &secret, e);
	}
	if (r < 0)
		return err_wrap(e, "join secret");
	secret_hash(secret, platform->join_secret_hash);
	return 0;
}

/* The competition */

enum { COMPETITION_FILE_MAX = 1 << 20 };

static int apply_file(struct platform *platform, const char *path, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(char *, freep) text = NULL;
	struct competition competition;
	bool is_new;
	size_t len;
	int r;

	if (!arena)
		return err_memory(e);
	r = file_read(path, COMPETITION_FILE_MAX, &text, &len, e);
	if (r < 0)
		return r;
	r = competition_parse(arena, path, text, len, &competition, e);
	if (r < 0)
		return r;
	r = competition_apply(platform->db, &competition, &is_new, e);
	if (r < 0)
		return r;
	log_info("competition '%s' applied from '%s'", competition.id, path);
	return 0;
}

static bool is_yaml(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot && (strcmp(dot, ".yml") == 0 || strcmp(dot, ".yaml") == 0);
}

static int apply_directory(struct platform *platform, const char *path, struct err *e)
{
	AUTO(DIR *, closedirp) dir = opendir(path);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return err_errno(e, ERR_INVALID, "open '%s'", path);
	while (r == 0 && (entry = readdir(dir))) {
		char file[PATH_MAX];

		if (!is_yaml(entry->d_name))
			continue;
		if (snprintf(file, sizeof(file), "%s/%s", path, entry->d_name) >= PATH_MAX)
			return err_set(e, ERR_INVALID, "'%s' is too long a path", path);
		r = apply_file(platform, file, e);
	}
	return r;
}

static int apply_default(struct platform *platform, struct err *e)
{
	static const char text[] = "id: ctf\nname: CTF\n";
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct competition competition;
	int64_t known;
	bool is_new;
	int r;

	if (!arena)
		return err_memory(e);
	r = rows_count(platform->db, "SELECT COUNT(*) FROM competition", NULL, &known, e);
	if (r < 0 || known > 0)
		return r;
	r = competition_parse(arena, "default", text, sizeof(text) - 1, &competition, e);
	return r < 0 ? r : competition_apply(platform->db, &competition, &is_new, e);
}

int first_boot_competition(struct platform *platform, struct err *e)
{
	const char *path = platform->options->competition;
	struct stat st;

	if (!path)
		return apply_default(platform, e);
	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return apply_directory(platform, path, e);
	return apply_file(platform, path, e);
}
