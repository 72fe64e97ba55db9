/* SPDX-License-Identifier: Apache-2.0 */
#include "node/catalogue.h"

#include "base/err.h"
#include "base/own.h"
#include "challenge/challenge.h"
#include "challenge/folder.h"
#include "challenge/parcel.h"
#include "challenge/problem.h"
#include "node/folder-stamp.h"
#include "wire/node.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

struct challenge_ref {
	atomic_uint uses;
	struct challenge *challenge;
	char stamp[FOLDER_STAMP_SIZE]; /* of its folder, from before it was read */
	atomic_bool sized;             /* set after the two that follow */
	_Atomic int64_t memory, nano_cpus;
};

/* Challenges found by one scan, sorted by id. */
struct shelf {
	struct challenge_ref **refs;
	size_t count, capacity;
};

struct catalogue {
	char *dir;
	pthread_mutex_t lock;      /* of the shelf */
	pthread_mutex_t scan_lock; /* one scan at a time */
	struct shelf shelf;
};

const struct challenge *challenge_of(const struct challenge_ref *ref)
{
	return ref->challenge;
}

const char *challenge_stamp(const struct challenge_ref *ref)
{
	return ref->stamp;
}

bool challenge_size(struct challenge_ref *ref, struct challenge_size *ret_size)
{
	if (!atomic_load(&ref->sized))
		return false;
	*ret_size =
		(struct challenge_size){ atomic_load(&ref->memory), atomic_load(&ref->nano_cpus) };
	return true;
}

void challenge_set_size(struct challenge_ref *ref, const struct challenge_size *size)
{
	atomic_store(&ref->memory, size->memory);
	atomic_store(&ref->nano_cpus, size->nano_cpus);
	atomic_store(&ref->sized, true);
}

void challenge_unref(struct challenge_ref *ref)
{
	if (!ref || atomic_fetch_sub(&ref->uses, 1) != 1)
		return;
	challenge_free(ref->challenge);
	free(ref);
}

static void shelf_done(struct shelf *shelf)
{
	for (size_t i = 0; i < shelf->count; i++)
		challenge_unref(shelf->refs[i]);
	free(shelf->refs);
	*shelf = (struct shelf){ 0 };
}

static size_t shelf_place(const struct shelf *shelf, const char *id, bool *ret_found)
{
	size_t low = 0, high = shelf->count;

	*ret_found = false;
	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(shelf->refs[middle]->challenge->id, id);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int shelf_insert(struct shelf *shelf, size_t at, struct challenge *challenge,
			const char *stamp)
{
	struct challenge_ref *ref = calloc(1, sizeof(*ref));

	if (shelf->count == shelf->capacity) {
		size_t capacity = shelf->capacity ? 2 * shelf->capacity : 64;
		struct challenge_ref **refs = realloc(shelf->refs, capacity * sizeof(*shelf->refs));

		if (refs) {
			shelf->refs = refs;
			shelf->capacity = capacity;
		}
	}
	if (!ref || shelf->count == shelf->capacity) {
		free(ref);
		return -1;
	}
	atomic_init(&ref->uses, 1);
	ref->challenge = challenge;
	memcpy(ref->stamp, stamp, sizeof(ref->stamp));
	memmove(&shelf->refs[at + 1], &shelf->refs[at], (shelf->count - at) * sizeof(ref));
	shelf->refs[at] = ref;
	shelf->count++;
	return 0;
}

static int append_string(char ***list, size_t *count, const char *text)
{
	char **grown = realloc(*list, (*count + 1) * sizeof(*grown));

	if (!grown)
		return -1;
	*list = grown;
	grown[*count] = strdup(text);
	return grown[*count] ? (int)(*count)++ : -1;
}

struct scan {
	struct shelf shelf;
	struct ctfy_rescan *result;
};

static int add_error(struct scan *scan, const char *path, const char *detail)
{
	struct ctfy_rescan *result = scan->result;
	struct ctfy_challenge_error *errors =
		realloc(result->errors, (result->error_count + 1) * sizeof(*errors));

	if (!errors)
		return -1;
	result->errors = errors;
	errors[result->error_count++] = (struct ctfy_challenge_error){
		.path = strdup(path),
		.detail = strdup(detail),
	};
	return 0;
}

static int scan_one(void *cookie, const char *dir)
{
	struct scan *scan = cookie;
	AUTO(struct challenge *, challenge_freep) challenge = NULL;
	struct problems problems = PROBLEMS_INIT;
	char stamp[FOLDER_STAMP_SIZE];
	struct err e = ERR_INIT;
	bool found;
	size_t at;
	int r;

	r = folder_stamp(dir, stamp, &e);
	if (r == 0)
		r = challenge_load(dir, &challenge, &problems, &e);
	problems_done(&problems);
	if (r == -ERR_MEMORY)
		return r;
	if (r != 0)
		return add_error(scan, dir, e.msg);

	at = shelf_place(&scan->shelf, challenge->id, &found);
	if (found) {
		err_set(&e, ERR_CONFLICT, "the id '%s' belongs to '%s' already", challenge->id,
			scan->shelf.refs[at]->challenge->dir);
		return add_error(scan, dir, e.msg);
	}
	if (shelf_insert(&scan->shelf, at, challenge, stamp) < 0)
		return -(int)ERR_MEMORY;
	challenge = NULL; /* the shelf's now */
	return 0;
}

/* Whom the new shelf has and the old one has not, or has otherwise, and the other way round. */
static int compare(const struct shelf *old, const struct shelf *new, struct ctfy_rescan *result)
{
	bool found;

	result->total = (int64_t) new->count;
	for (size_t i = 0; i < new->count; i++) {
		const struct challenge_ref *ref = new->refs[i];
		size_t at = shelf_place(old, ref->challenge->id, &found);

		if (!found &&
		    append_string(&result->added, &result->added_count, ref->challenge->id) < 0)
			return -1;
		if (found && strcmp(ref->stamp, old->refs[at]->stamp) != 0 &&
		    append_string(&result->changed, &result->changed_count, ref->challenge->id) < 0)
			return -1;
	}
	for (size_t i = 0; i < old->count; i++) {
		shelf_place(new, old->refs[i]->challenge->id, &found);
		if (!found && append_string(&result->removed, &result->removed_count,
					    old->refs[i]->challenge->id) < 0)
			return -1;
	}
	return 0;
}

static int rescan_locked(struct catalogue *catalogue, struct ctfy_rescan *result, struct err *e)
{
	struct scan scan = { .result = result };
	struct shelf old;
	int r;

	r = challenge_walk(catalogue->dir, scan_one, &scan, e);
	if (r == 0 && compare(&catalogue->shelf, &scan.shelf, result) < 0)
		r = err_memory(e);
	if (r < 0) {
		shelf_done(&scan.shelf);
		return r == -ERR_MEMORY ? err_memory(e) : r;
	}
	pthread_mutex_lock(&catalogue->lock);
	old = catalogue->shelf;
	catalogue->shelf = scan.shelf;
	pthread_mutex_unlock(&catalogue->lock);
	shelf_done(&old);
	return 0;
}

int catalogue_rescan(struct catalogue *catalogue, struct ctfy_rescan *ret_rescan, struct err *e)
{
	int r;

	pthread_mutex_lock(&catalogue->scan_lock);
	r = rescan_locked(catalogue, ret_rescan, e);
	pthread_mutex_unlock(&catalogue->scan_lock);
	return r;
}

static int put_locked(struct catalogue *catalogue, const char *challenge_id, const void *parcel,
		      size_t len, struct err *e)
{
	AUTO(struct challenge_ref *, challenge_unrefp) known = NULL;
	const char *at = NULL;

	if (catalogue_get(catalogue, challenge_id, &known, NULL) == 0 &&
	    path_is_dir(challenge_of(known)->dir))
		at = challenge_of(known)->dir;
	return parcel_put(catalogue->dir, challenge_id, at, parcel, len, e);
}

int catalogue_put(struct catalogue *catalogue, const char *challenge_id, const void *parcel,
		  size_t len, struct ctfy_rescan *ret_rescan, struct err *e)
{
	int r;

	pthread_mutex_lock(&catalogue->scan_lock);
	r = put_locked(catalogue, challenge_id, parcel, len, e);
	if (r == 0)
		r = rescan_locked(catalogue, ret_rescan, e);
	pthread_mutex_unlock(&catalogue->scan_lock);
	return r;
}

int catalogue_new(const char *challenges_dir, struct catalogue **ret_catalogue, struct err *e)
{
	struct catalogue *catalogue = calloc(1, sizeof(*catalogue));
	int r;

	if (!catalogue)
		return err_memory(e);
	pthread_mutex_init(&catalogue->lock, NULL);
	pthread_mutex_init(&catalogue->scan_lock, NULL);
	catalogue->dir = strdup(challenges_dir);
	r = catalogue->dir ? parcel_sweep(catalogue->dir, e) : err_memory(e);
	if (r < 0) {
		catalogue_free(catalogue);
		return r;
	}
	*ret_catalogue = catalogue;
	return 0;
}

void catalogue_free(struct catalogue *catalogue)
{
	if (!catalogue)
		return;
	shelf_done(&catalogue->shelf);
	pthread_mutex_destroy(&catalogue->scan_lock);
	pthread_mutex_destroy(&catalogue->lock);
	free(catalogue->dir);
	free(catalogue);
}

int catalogue_get(struct catalogue *catalogue, const char *challenge_id,
		  struct challenge_ref **ret_ref, struct err *e)
{
	bool found;
	size_t at;

	pthread_mutex_lock(&catalogue->lock);
	at = shelf_place(&catalogue->shelf, challenge_id, &found);
	if (found) {
		*ret_ref = catalogue->shelf.refs[at];
		atomic_fetch_add(&(*ret_ref)->uses, 1);
	}
	pthread_mutex_unlock(&catalogue->lock);
	return found ? 0
		     : err_set(e, ERR_NOT_FOUND, "there is no challenge '%s' on this node",
			       challenge_id);
}

int catalogue_ids(struct catalogue *catalogue, char ***ret_ids, size_t *ret_count, struct err *e)
{
	char **ids = NULL;
	size_t count = 0;
	bool failed = false;

	pthread_mutex_lock(&catalogue->lock);
	for (size_t i = 0; i < catalogue->shelf.count && !failed; i++)
		failed = append_string(&ids, &count, catalogue->shelf.refs[i]->challenge->id) < 0;
	pthread_mutex_unlock(&catalogue->lock);
	if (failed) {
		while (count > 0)
			free(ids[--count]);
		free(ids);
		return err_memory(e);
	}
	*ret_ids = ids;
	*ret_count = count;
	return 0;
}
