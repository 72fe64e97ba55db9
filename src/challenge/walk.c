/* SPDX-License-Identifier: Apache-2.0 */
/* Finding challenges in a tree of folders. */
#include "challenge/challenge.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/yaml.h"
#include "challenge/compose.h"
#include "challenge/dialect.h"
#include "challenge/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_WALK_DEPTH = 24 };

struct tree_walk {
	int (*found)(void *cookie, const char *challenge_dir);
	void *cookie;
	size_t count; /* found so far */
	bool inside;  /* what is found are parts of what may be one challenge */
	struct err *e;
};

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int visible_dir(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN);
}

/* Symlinks are not followed: they lead out, and a tree that contains itself would never end. */
static bool is_symlink(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static int walk(struct tree_walk *w, const char *dir, unsigned depth);

static int walk_below(struct tree_walk *w, const char *dir, unsigned depth)
{
	struct dirent **entries = NULL;
	int count, r = 0;

	if (depth == MAX_WALK_DEPTH)
		return 0;
	count = scandir(dir, &entries, visible_dir, by_name);
	if (count < 0)
		return errno == ENOTDIR ? 0 : err_errno(w->e, ERR_INVALID, "read '%s'", dir);
	for (int i = 0; i < count; i++) {
		AUTO(char *, freep) below = strf("%s/%s", dir, entries[i]->d_name);

		if (r == 0 && !below)
			r = err_memory(w->e);
		if (r == 0 && !(entries[i]->d_type == DT_UNKNOWN && is_symlink(below)))
			r = walk(w, below, depth + 1);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* --- a compose file that is one level further down ---------------------------------------- */

static bool is_comment(const char *text, const char *at)
{
	while (at > text && at[-1] != '\n')
		at--;
	return at[strspn(at, " \t")] == '#';
}

/* Whether a compose file speaks of "..", what is beside its directory. */
static bool speaks_of_parent(const char *text)
{
	for (const char *at = text; (at = strstr(at, "..")); at += 2)
		if (at > text && strchr(" \t\"'/:=[,", at[-1]) &&
		    strchr("/ \t\r\n\"':,]}", at[2]) && !is_comment(text, at))
			return true;
	return false;
}

static bool needs_parent(const char *dir)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(char *, freep) real = realpath(dir, NULL); /* dir may be relative */
	const char *path = arena && real ? compose_find(arena, real, real) : NULL, *text;
	struct err e = ERR_INIT;
	size_t len;

	return path && folder_read(arena, real, path, YAML_MAX_FILE, &text, &len, &e) == 0 &&
	       speaks_of_parent(text);
}

struct others {
	const char *known;
	bool any;
};

static int note_other(void *cookie, const char *dir)
{
	struct others *others = cookie;

	others->any = others->any || (strcmp(dir, others->known) != 0 &&
				      (dialect_has_spec(dir) || compose_is_in(dir)));
	return others->any;
}

/*
 * "deploy/compose.yml" that builds from ".." has the folder above for its own: that one is the
 * challenge, unless there is another challenge in it, which is none of the file's business.
 */
static bool is_folder_of_parts(const struct tree_walk *w, const char *dir, unsigned depth)
{
	for (size_t i = 0; i < service_dir_count; i++) {
		AUTO(char *, freep) below = strf("%s/%s", dir, service_dirs[i]);
		struct others others = { below, false };
		struct tree_walk inner = {
			.found = note_other, .cookie = &others, .inside = true, .e = w->e
		};

		if (below && compose_is_in(below))
			return !dialect_has_spec(below) && needs_parent(below) &&
			       walk_below(&inner, dir, depth) == 0 && !others.any;
	}
	return false;
}

/*
 * A Dockerfile alone makes a challenge only where nothing below is one: at the top of a repository
 * it is a tool of the organisers.
 */
static int walk(struct tree_walk *w, const char *dir, unsigned depth)
{
	size_t before = w->count;
	int r;

	if (dialect_has_spec(dir) || compose_is_in(dir) ||
	    (!w->inside && is_folder_of_parts(w, dir, depth))) {
		w->count++;
		return w->found(w->cookie, dir);
	}
	r = walk_below(w, dir, depth);
	if (r != 0 || w->count > before || !dir_has_file(dir, "Dockerfile"))
		return r;
	w->count++;
	return w->found(w->cookie, dir);
}

int challenge_walk(const char *dir, int (*found)(void *cookie, const char *challenge_dir),
		   void *cookie, struct err *e)
{
	return walk(&(struct tree_walk){ .found = found, .cookie = cookie, .e = e }, dir, 0);
}
