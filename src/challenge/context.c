#include "challenge/context.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/digest.h"
#include "challenge/folder.h"
#include "challenge/ignore.h"
#include "challenge/plan.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_IGNORE = 1 << 20, MAX_DEPTH = 128 };

struct walk {
	struct arena *arena;
	const struct plan_build *build;
	struct ignore *ignore;
	int (*found)(void *cookie, const struct context_entry *entry);
	void *cookie;
	unsigned depth;
	struct err *e;
};

/* The Dockerfile's own ignore file wins over the context's. */
static int read_ignore(struct walk *w)
{
	const char *dockerfile = w->build->dockerfile;
	const char *candidates[2] = { NULL,
				      path_join(w->arena, w->build->context, ".dockerignore") };
	const char *text = NULL;
	size_t len;
	int r;

	if (dockerfile)
		candidates[0] = path_join(w->arena, w->build->context,
					  arena_printf(w->arena, "%s.dockerignore", dockerfile));
	for (size_t i = 0; i < 2 && !text; i++) {
		if (!candidates[i] || !path_exists(candidates[i]))
			continue;
		r = folder_read(w->arena, NULL, candidates[i], MAX_IGNORE, &text, &len, w->e);
		if (r < 0)
			return r;
	}
	w->ignore = ignore_parse(w->arena, text);
	return w->ignore ? 0 : err_memory(w->e);
}

static bool is_kept_always(const struct walk *w, const char *name)
{
	return strcmp(name, ".dockerignore") == 0 ||
	       (w->build->dockerfile && strcmp(name, w->build->dockerfile) == 0);
}

/* Whether something below an ignored directory may be wanted nevertheless. */
static bool is_worth_a_look(const struct walk *w, const char *name)
{
	return ignore_has_exceptions(w->ignore) ||
	       (w->build->dockerfile && path_is_below(w->build->dockerfile, name));
}

static int walk_dir(struct walk *w, const char *name);

static int tell(struct walk *w, const char *name, const char *path, const struct stat *st)
{
	struct context_entry entry = { .name = name, .path = path, .st = *st };
	char target[PATH_MAX];
	ssize_t len;

	if (S_ISLNK(st->st_mode)) {
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			return err_errno(w->e, ERR_INVALID, "read the link '%s'", path);
		target[len] = '\0';
		entry.target = target;
	}
	return w->found(w->cookie, &entry);
}

static int walk_entry(struct walk *w, const char *name)
{
	const char *path = path_join(w->arena, w->build->context, name);
	bool ignored = ignore_matches(w->ignore, name) && !is_kept_always(w, name);
	struct stat st;
	int r = 0;

	if (!path)
		return err_memory(w->e);
	if (lstat(path, &st) < 0)
		return err_errno(w->e, ERR_INVALID, "read '%s'", path);
	if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode))
		return 0;
	if (!ignored)
		r = tell(w, name, path, &st);
	if (r != 0 || !S_ISDIR(st.st_mode) || (ignored && !is_worth_a_look(w, name)))
		return r;
	return walk_dir(w, name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int walk_dir(struct walk *w, const char *name)
{
	const char *path = path_join(w->arena, w->build->context, name);
	struct dirent **entries = NULL;
	int count, r = 0;

	if (!path)
		return err_memory(w->e);
	if (++w->depth > MAX_DEPTH)
		return err_set(w->e, ERR_INVALID, "'%s' is nested too deeply", path);
	count = scandir(path, &entries, not_dots, by_name);
	if (count < 0)
		return err_errno(w->e, ERR_INVALID, "read '%s'", path);
	for (int i = 0; i < count; i++) {
		const char *child =
			*name ? arena_printf(w->arena, "%s/%s", name, entries[i]->d_name)
			      : arena_strdup(w->arena, entries[i]->d_name);

		if (r == 0)
			r = child ? walk_entry(w, child) : err_memory(w->e);
		free(entries[i]);
	}
	free(entries);
	w->depth--;
	return r;
}

int context_walk(const struct plan_build *build,
		 int (*found)(void *cookie, const struct context_entry *entry), void *cookie,
		 struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct walk w = {
		.arena = arena, .build = build, .found = found, .cookie = cookie, .e = e
	};
	int r;

	if (!arena)
		return err_memory(e);
	r = read_ignore(&w);
	return r < 0 ? r : walk_dir(&w, "");
}

/* --- hash --------------------------------------------------------------------------------- */

struct hasher {
	crypto_hash_sha256_state state;
	struct err *e;
};

/* Lengths keep one text's end from passing for another's beginning. */
static void hash_bytes(struct hasher *h, const void *bytes, uint64_t len)
{
	crypto_hash_sha256_update(&h->state, (const unsigned char *)&len, sizeof(len));
	crypto_hash_sha256_update(&h->state, bytes, len);
}

static void hash_text(struct hasher *h, const char *text)
{
	hash_bytes(h, text ? text : "", text ? strlen(text) + 1 : 0);
}

static int hash_file(struct hasher *h, const char *path, const struct stat *st)
{
	unsigned char digest[DIGEST_SIZE];
	int r = digest_file(path, st, digest, h->e);

	if (r == 0)
		hash_bytes(h, digest, sizeof(digest));
	return r;
}

static int hash_outer_dockerfile(struct hasher *h, const char *path)
{
	AUTO(char *, freep) real = realpath(path, NULL);
	struct stat st;

	if (!real || stat(real, &st) < 0)
		return err_errno(h->e, ERR_INVALID, "read '%s'", path);
	return hash_file(h, real, &st);
}

static int hash_entry(void *cookie, const struct context_entry *entry)
{
	struct hasher *h = cookie;
	uint32_t mode = entry->st.st_mode & (S_IFMT | 07777);

	hash_text(h, entry->name);
	hash_bytes(h, &mode, sizeof(mode));
	hash_text(h, entry->target);
	return S_ISREG(entry->st.st_mode) ? hash_file(h, entry->path, &entry->st) : 0;
}

static int hash_settings(struct hasher *h, const struct plan_build *build)
{
	const json_t *settings[] = { build->args, build->labels, build->extra_hosts };
	/* One outside the context is told by its content, not by where this machine has it. */
	const char *inside =
		build->dockerfile && build->dockerfile[0] != '/' ? build->dockerfile : NULL;
	const char *texts[] = { inside, build->dockerfile_inline, build->target, build->network,
				build->platform };

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		AUTO(char *, freep) text =
			settings[i] ? json_dumps(settings[i], JSON_SORT_KEYS | JSON_COMPACT) : NULL;

		if (settings[i] && !text)
			return err_memory(h->e);
		hash_text(h, text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		hash_text(h, texts[i]);
	return 0;
}

int context_hash(const struct plan_build *build, char hash[CONTEXT_HASH_SIZE], struct err *e)
{
	unsigned char digest[crypto_hash_sha256_BYTES];
	struct hasher h = { .e = e };
	int r;

	crypto_hash_sha256_init(&h.state);
	r = hash_settings(&h, build);
	if (r == 0 && build->dockerfile && build->dockerfile[0] == '/')
		r = hash_outer_dockerfile(&h, build->dockerfile);
	if (r == 0)
		r = context_walk(build, hash_entry, &h, e);
	if (r != 0)
		return r;
	crypto_hash_sha256_final(&h.state, digest);
	sodium_bin2hex(hash, CONTEXT_HASH_SIZE, digest, sizeof(digest));
	return 0;
}
