/* Finding challenges in a tree of folders. */
#include "challenge/challenge.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/compose.h"
#include "challenge/dialect.h"
#include "challenge/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WALK_DEPTH = 24 };

struct tree_walk {
	int (*found)(void *cookie, const char *challenge_dir);
	void *cookie;
	size_t count; /* found so far */
	struct err *e;
};

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

/* Symlinks are not followed: a tree that contains itself would never end. */
static int visible_dir(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN);
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

		if (r == 0)
			r = below ? walk(w, below, depth + 1) : err_memory(w->e);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/*
 * A Dockerfile alone makes a challenge only where nothing below is one: at the top of a repository
 * it is a tool of the organisers.
 */
static int walk(struct tree_walk *w, const char *dir, unsigned depth)
{
	size_t before = w->count;
	int r;

	if (dialect_has_spec(dir) || compose_is_in(dir)) {
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
