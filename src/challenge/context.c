/* SPDX-License-Identifier: Apache-2.0 */
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
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_IGNORE = 1 << 20, MAX_DOCKERFILE = 1 << 20, MAX_DEPTH = 128 };

struct walk {
	struct arena *arena;
	const struct plan_build *build;
	struct ignore *ignore;
	int (*found)(void *cookie, const struct context_entry *entry);
	void *cookie;
	unsigned depth;
	struct err *e;
	int64_t size; /* of all files, in bytes */
	size_t count;
};

/* One of ctfy's own images has no challenge: its context is all that it may read. */
static const char *folder_of(const struct plan_build *build)
{
	return build->folder ? build->folder : build->context;
}

static int read_text(struct arena *arena, const struct plan_build *build, const char *path,
		     size_t max, const char **ret_text, struct err *e)
{
	size_t len;
	int r = path ? folder_read(arena, folder_guard(folder_of(build), path), path, max, ret_text,
				   &len, e)
		     : err_memory(e);

	/* What stands behind one a builder reads, and we don't. */
	if (r == 0 && memchr(*ret_text, 0, len))
		return err_set(e, ERR_INVALID, "'%s' holds a NUL", path);
	return r;
}

int context_open(const struct plan_build *build, int *ret_dir, struct err *e)
{
	return plan_open(folder_of(build), build->context, O_RDONLY | O_DIRECTORY, ret_dir, e);
}

int context_dockerfile(struct arena *arena, const struct plan_build *build, const char **ret_text,
		       struct err *e)
{
	if (build->dockerfile_inline) {
		*ret_text = build->dockerfile_inline;
		return 0;
	}
	return read_text(arena, build, path_join(arena, build->context, build->dockerfile),
			 MAX_DOCKERFILE, ret_text, e);
}

/* The Dockerfile's own ignore file wins over the context's. */
static int read_ignore(struct walk *w)
{
	const char *dockerfile = w->build->dockerfile;
	const char *candidates[2] = { NULL,
				      path_join(w->arena, w->build->context, ".dockerignore") };
	const char *text = NULL;

	if (dockerfile)
		candidates[0] = path_join(w->arena, w->build->context,
					  arena_printf(w->arena, "%s.dockerignore", dockerfile));
	for (size_t i = 0; i < 2 && !text; i++) {
		int r = candidates[i] ? read_text(w->arena, w->build, candidates[i], MAX_IGNORE,
						  &text, w->e)
				      : 0;

		if (r < 0 && r != -ERR_NOT_FOUND)
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

static int walk_dir(struct walk *w, int dir, const char *name);

/*
 * A sparse file claims what no disk has, and all of it would be read, hashed and sent. The bound is
 * eight times what a challenge that is brought may come to.
 */
static const int64_t size_max = 4LL << 30;
enum { ENTRIES_MAX = 500000 };

static int count_entry(struct walk *w, const struct stat *st)
{
	w->count++;
	if (S_ISREG(st->st_mode))
		w->size += st->st_size;
	if (w->size <= size_max && w->count <= ENTRIES_MAX)
		return 0;
	return err_set(w->e, ERR_INVALID,
		       "the build's context '%s' has more than %lld MiB or %d files",
		       w->build->context, (long long)size_max >> 20, ENTRIES_MAX);
}

static int tell(struct walk *w, struct context_entry *entry)
{
	char target[PATH_MAX];
	ssize_t len;

	if (S_ISLNK(entry->st.st_mode)) {
		len = readlinkat(entry->dir, entry->base, target, sizeof(target) - 1);
		if (len < 0)
			return err_errno(w->e, ERR_INVALID, "read the link '%s'", entry->name);
		target[len] = '\0';
		entry->target = target;
	}
	return w->found(w->cookie, entry);
}

static int walk_below(struct walk *w, const struct context_entry *entry)
{
	AUTO(int, closep) dir =
		openat(entry->dir, entry->base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return dir < 0 ? err_errno(w->e, ERR_INVALID, "read '%s'", entry->name)
		       : walk_dir(w, dir, entry->name);
}

static int walk_entry(struct walk *w, int dir, const char *base, const char *name)
{
	struct context_entry entry = { .name = name, .dir = dir, .base = base };
	bool ignored = ignore_matches(w->ignore, name) && !is_kept_always(w, name);
	mode_t mode;
	int r = 0;

	if (fstatat(dir, base, &entry.st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(w->e, ERR_INVALID, "read '%s'", name);
	mode = entry.st.st_mode;
	if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
		return 0;
	if (!ignored)
		r = count_entry(w, &entry.st);
	if (r == 0 && !ignored)
		r = tell(w, &entry);
	if (r != 0 || !S_ISDIR(mode) || (ignored && !is_worth_a_look(w, name)))
		return r;
	return walk_below(w, &entry);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_dots(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int walk_dir(struct walk *w, int dir, const char *name)
{
	struct dirent **entries = NULL;
	int count, r = 0;

	if (++w->depth > MAX_DEPTH)
		return err_set(w->e, ERR_INVALID, "'%s' is nested too deeply", name);
	count = scandirat(dir, ".", &entries, not_dots, by_name);
	if (count < 0)
		return err_errno(w->e, ERR_INVALID, "read '%s'", *name ? name : w->build->context);
	for (int i = 0; i < count; i++) {
		const char *base = entries[i]->d_name;
		const char *child = *name ? arena_printf(w->arena, "%s/%s", name, base)
					  : arena_strdup(w->arena, base);

		if (r == 0)
			r = child ? walk_entry(w, dir, base, child) : err_memory(w->e);
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
	AUTO(int, closep) dir = -1;
	struct walk w = {
		.arena = arena, .build = build, .found = found, .cookie = cookie, .e = e
	};
	int r;

	if (!arena)
		return err_memory(e);
	r = context_open(build, &dir, e);
	if (r == 0)
		r = read_ignore(&w);
	return r < 0 ? r : walk_dir(&w, dir, "");
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

static int hash_file(struct hasher *h, const struct context_entry *entry)
{
	unsigned char digest[DIGEST_SIZE];
	int r = digest_file(entry->dir, entry->base, &entry->st, digest, h->e);

	if (r == 0)
		hash_bytes(h, digest, sizeof(digest));
	return r;
}

/* One outside the context is told by its content, not by where this machine has it. */
static int hash_outer_dockerfile(struct hasher *h, const struct plan_build *build)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const char *text;
	int r = arena ? context_dockerfile(arena, build, &text, h->e) : err_memory(h->e);

	if (r == 0)
		hash_text(h, text);
	return r;
}

static int hash_entry(void *cookie, const struct context_entry *entry)
{
	struct hasher *h = cookie;
	uint32_t mode = entry->st.st_mode & (S_IFMT | 07777);

	hash_text(h, entry->name);
	hash_bytes(h, &mode, sizeof(mode));
	hash_text(h, entry->target);
	return S_ISREG(entry->st.st_mode) ? hash_file(h, entry) : 0;
}

static int hash_settings(struct hasher *h, const struct plan_build *build)
{
	const json_t *settings[] = { build->args, build->labels, build->extra_hosts };
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
		r = hash_outer_dockerfile(&h, build);
	if (r == 0)
		r = context_walk(build, hash_entry, &h, e);
	if (r != 0)
		return r;
	crypto_hash_sha256_final(&h.state, digest);
	sodium_bin2hex(hash, CONTEXT_HASH_SIZE, digest, sizeof(digest));
	return 0;
}
