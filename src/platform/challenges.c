/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/challenges.h"

#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "challenge/folder.h"
#include "challenge/parcel.h"
#include "challenge/problem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct counted_shelf {
	struct shelf shelf; /* first: what others hold */
	size_t room;
	atomic_int holders;
};

struct challenges {
	char *dir;
	pthread_mutex_t lock; /* of `present` */
	pthread_mutex_t scan; /* one scan at a time */
	struct counted_shelf *present;
};

static struct counted_shelf *counted(const struct shelf *shelf)
{
	return (struct counted_shelf *)(uintptr_t)shelf;
}

void shelf_drop(const struct shelf *shelf)
{
	struct counted_shelf *mine = counted(shelf);

	if (!mine || atomic_fetch_sub(&mine->holders, 1) > 1)
		return;
	for (size_t i = 0; i < mine->shelf.count; i++)
		challenge_free(mine->shelf.challenges[i]);
	free(mine->shelf.challenges);
	json_decref(mine->shelf.errors);
	free(mine);
}

static void counted_dropp(struct counted_shelf **shelf)
{
	shelf_drop(*shelf ? &(*shelf)->shelf : NULL);
}

static int add_error(struct shelf *shelf, const char *path, const char *detail, struct err *e)
{
	json_t *row = json_make("{s:s, s:s}", "path", path, "detail", detail);

	return json_array_append_new(shelf->errors, row) < 0 ? err_memory(e) : 0;
}

static int put_on_shelf(struct counted_shelf *mine, struct challenge *challenge, struct err *e)
{
	struct shelf *shelf = &mine->shelf;
	size_t wanted = mine->room ? 2 * mine->room : 64;
	struct challenge **bigger;

	if (shelf->count == mine->room) {
		bigger = realloc(shelf->challenges, wanted * sizeof(*bigger));
		if (!bigger) {
			challenge_free(challenge);
			return err_memory(e);
		}
		shelf->challenges = bigger;
		mine->room = wanted;
	}
	shelf->challenges[shelf->count++] = challenge;
	return 0;
}

struct scan {
	struct counted_shelf *shelf;
	struct err *e;
};

static int load_one(void *cookie, const char *dir)
{
	struct scan *scan = cookie;
	struct problems problems = PROBLEMS_INIT;
	struct challenge *challenge = NULL;
	struct err why = ERR_INIT;
	int r;

	r = challenge_load(dir, &challenge, &problems, &why);
	problems_done(&problems);
	if (r < 0)
		return add_error(&scan->shelf->shelf, dir, why.msg, scan->e);
	return put_on_shelf(scan->shelf, challenge, scan->e);
}

static int by_id(const void *a, const void *b)
{
	const struct challenge *const *left = a, *const *right = b;
	int order = strcmp((*left)->id, (*right)->id);

	return order ? order : strcmp((*left)->dir, (*right)->dir);
}

/* Two folders with one id: the first of them, by path, has it. */
static int drop_doubles(struct shelf *shelf, struct err *e)
{
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < shelf->count; i++) {
		struct challenge *challenge = shelf->challenges[i];
		const struct challenge *before = kept ? shelf->challenges[kept - 1] : NULL;
		char words[ERR_MESSAGE_SIZE];

		if (!before || strcmp(before->id, challenge->id) != 0) {
			shelf->challenges[kept++] = challenge;
			continue;
		}
		snprintf(words, sizeof(words), "the id '%s' is taken by '%s'", challenge->id,
			 before->dir);
		if (r == 0)
			r = add_error(shelf, challenge->dir, words, e);
		challenge_free(challenge);
	}
	shelf->count = kept;
	return r;
}

static int scan(const char *dir, struct counted_shelf **ret_shelf, struct err *e)
{
	AUTO(struct counted_shelf *, counted_dropp) mine = calloc(1, sizeof(*mine));
	struct scan scan = { .shelf = mine, .e = e };
	int r;

	if (!mine)
		return err_memory(e);
	mine->holders = 1;
	mine->shelf.errors = json_array();
	r = challenge_walk(dir, load_one, &scan, e);
	if (r < 0)
		return r;
	if (mine->shelf.count > 0)
		qsort(mine->shelf.challenges, mine->shelf.count, sizeof(struct challenge *), by_id);
	r = drop_doubles(&mine->shelf, e);
	if (r < 0)
		return r;
	*ret_shelf = TAKE(mine);
	return 0;
}

int challenges_new(const char *dir, struct challenges **ret_challenges, struct err *e)
{
	struct challenges *challenges = calloc(1, sizeof(*challenges));
	int r;

	if (!challenges)
		return err_memory(e);
	pthread_mutex_init(&challenges->lock, NULL);
	pthread_mutex_init(&challenges->scan, NULL);
	challenges->dir = strdup(dir);
	r = challenges->dir ? parcel_sweep(dir, e) : err_memory(e);
	if (r == 0)
		r = scan(dir, &challenges->present, e);
	if (r < 0) {
		challenges_free(challenges);
		return err_wrap(e, "challenges in '%s'", dir);
	}
	*ret_challenges = challenges;
	return 0;
}

void challenges_free(struct challenges *challenges)
{
	if (!challenges)
		return;
	counted_dropp(&challenges->present);
	pthread_mutex_destroy(&challenges->lock);
	pthread_mutex_destroy(&challenges->scan);
	free(challenges->dir);
	free(challenges);
}

const struct shelf *challenges_take(struct challenges *challenges)
{
	struct counted_shelf *present;

	pthread_mutex_lock(&challenges->lock);
	present = challenges->present;
	atomic_fetch_add(&present->holders, 1);
	pthread_mutex_unlock(&challenges->lock);
	return &present->shelf;
}

const struct challenge *shelf_find(const struct shelf *shelf, const char *id)
{
	size_t low = 0, high = shelf->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(id, shelf->challenges[middle]->id);

		if (order == 0)
			return shelf->challenges[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* The ids on one shelf that the other lacks. */
static json_t *ids_only_on(const struct shelf *shelf, const struct shelf *other)
{
	json_t *ids = json_array();

	for (size_t i = 0; i < shelf->count; i++)
		if (!shelf_find(other, shelf->challenges[i]->id))
			json_array_append_new(ids, json_text(shelf->challenges[i]->id));
	return ids;
}

static struct counted_shelf *exchange(struct challenges *challenges, struct counted_shelf *fresh)
{
	struct counted_shelf *old;

	pthread_mutex_lock(&challenges->lock);
	old = challenges->present;
	challenges->present = fresh;
	pthread_mutex_unlock(&challenges->lock);
	return old;
}

static int rescan_locked(struct challenges *challenges, json_t **ret_report, struct err *e)
{
	AUTO(struct counted_shelf *, counted_dropp) old = NULL;
	struct counted_shelf *fresh;
	int r = scan(challenges->dir, &fresh, e);

	if (r < 0)
		return err_wrap(e, "challenges in '%s'", challenges->dir);
	old = exchange(challenges, fresh);
	*ret_report =
		json_make("{s:I, s:o, s:o, s:O}", "total", (json_int_t)fresh->shelf.count, "added",
			  ids_only_on(&fresh->shelf, &old->shelf), "removed",
			  ids_only_on(&old->shelf, &fresh->shelf), "errors", fresh->shelf.errors);
	return *ret_report ? 0 : err_memory(e);
}

int challenges_rescan(struct challenges *challenges, json_t **ret_report, struct err *e)
{
	int r;

	pthread_mutex_lock(&challenges->scan);
	r = rescan_locked(challenges, ret_report, e);
	pthread_mutex_unlock(&challenges->scan);
	return r;
}

static int put_locked(struct challenges *challenges, const char *id, const void *parcel, size_t len,
		      struct err *e)
{
	AUTO(const struct shelf *, shelf_dropp) shelf = challenges_take(challenges);
	const struct challenge *known = shelf_find(shelf, id);

	return parcel_put(challenges->dir, id, known && path_is_dir(known->dir) ? known->dir : NULL,
			  parcel, len, e);
}

int challenges_put(struct challenges *challenges, const char *id, const void *parcel, size_t len,
		   json_t **ret_report, struct err *e)
{
	int r;

	pthread_mutex_lock(&challenges->scan);
	r = put_locked(challenges, id, parcel, len, e);
	if (r == 0)
		r = rescan_locked(challenges, ret_report, e);
	pthread_mutex_unlock(&challenges->scan);
	return r;
}
