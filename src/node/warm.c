/* SPDX-License-Identifier: Apache-2.0 */
#include "node/warm.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "db/db.h"
#include "node/catalogue.h"
#include "node/credential.h"
#include "node/gate.h"
#include "node/image.h"
#include "node/node.h"
#include "node/warm-review.h"
#include "node/warm-store.h"
#include "node/warm-work.h"
#include "wire/node.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { KINDS = 2, SINGLES_AT_ONCE = 4, REFERENCE_SIZE = 512 };

static const char *const status_words[KINDS][5] = {
	{ "unbuilt", "building", "building", "built", "failed" },
	{ "unpulled", "pulling", "pulling", "pulled", "failed" },
};

/* What is worked at, and how far it is. */
struct job {
	struct job *next;
	struct warm *warm;
	enum warm_kind kind;
	char challenge_id[ID_SIZE];
	char image[REFERENCE_SIZE];
	struct image_progress progress; /* its reference is image */
};

struct warm {
	struct node *node;
	pthread_mutex_t lock; /* of what follows, and held while the store's states change */
	struct job *jobs;
	bool draining[KINDS]; /* a thread goes through the list */
	struct gate singles;
	atomic_bool stopping;
};

/* --- its life ----------------------------------------------------------------------------- */

/* A file that was named must be of use; the one that is merely looked for need not be there. */
static int check_docker_config(const char *file, struct err *e)
{
	AUTO(struct credential, credential_done) unused = { 0 };
	int r;

	if (!file)
		return 0;
	if (!file_exists(file))
		return err_set(e, ERR_INVALID, "--docker-config: there is no file '%s'", file);
	r = credential_find(file, "docker.io", &unused, e);
	return r == -ERR_INVALID ? r : 0;
}

int warm_new(struct node *node, struct warm **ret_warm, struct err *e)
{
	struct warm *warm;
	int r = check_docker_config(node->options->docker_config, e);

	if (r < 0)
		return r;
	warm = calloc(1, sizeof(*warm));
	if (!warm)
		return err_memory(e);
	warm->node = node;
	pthread_mutex_init(&warm->lock, NULL);
	gate_init(&warm->singles, SINGLES_AT_ONCE);
	*ret_warm = warm;
	return 0;
}

void warm_stop(struct warm *warm)
{
	if (warm)
		atomic_store(&warm->stopping, true);
}

void warm_free(struct warm *warm)
{
	if (!warm)
		return;
	gate_done(&warm->singles);
	pthread_mutex_destroy(&warm->lock);
	free(warm);
}

/* --- jobs --------------------------------------------------------------------------------- */

static struct job *find_job(const struct warm *warm, enum warm_kind kind, const char *challenge_id)
{
	struct job *job = warm->jobs;

	while (job && (job->kind != kind || strcmp(job->challenge_id, challenge_id) != 0))
		job = job->next;
	return job;
}

static void job_enter(struct job *job, struct warm *warm, enum warm_kind kind,
		      const char *challenge_id)
{
	*job = (struct job){ .warm = warm, .kind = kind, .next = warm->jobs };
	snprintf(job->challenge_id, sizeof(job->challenge_id), "%s", challenge_id);
	warm->jobs = job;
}

static void job_leave(struct job *job)
{
	struct job **at = &job->warm->jobs;

	while (*at != job)
		at = &(*at)->next;
	*at = job->next;
}

static void take_progress(void *cookie, const struct image_progress *progress)
{
	struct job *job = cookie;

	pthread_mutex_lock(&job->warm->lock);
	job->progress = *progress;
	snprintf(job->image, sizeof(job->image), "%s", progress->reference);
	pthread_mutex_unlock(&job->warm->lock);
}

static void job_work(struct job *job)
{
	const struct warm_work work = {
		.node = job->warm->node,
		.kind = job->kind,
		.challenge_id = job->challenge_id,
		.cancelled = &job->warm->stopping,
		.tell = take_progress,
		.cookie = job,
	};

	warm_work(&work);
}

/* --- singles ------------------------------------------------------------------------------ */

static void put_back(struct job *job)
{
	struct err e = ERR_INIT;

	if (warm_store_put_back(job->warm->node->db, warm_kind_names[job->kind], job->challenge_id,
				&e) < 0)
		log_error("%s of '%s': %s", warm_kind_names[job->kind], job->challenge_id, e.msg);
}

static void run_single(void *cookie)
{
	struct job *job = cookie;
	struct warm *warm = job->warm;

	if (gate_enter(&warm->singles, job, &warm->stopping)) {
		job_work(job);
		gate_leave(&warm->singles);
	} else {
		put_back(job);
	}
	pthread_mutex_lock(&warm->lock);
	job_leave(job);
	pthread_mutex_unlock(&warm->lock);
	free(job);
}

/* Out of the list, if it was there: somebody wants this one now. */
static int begin_single(struct warm *warm, enum warm_kind kind, const char *challenge_id,
			struct err *e)
{
	struct job *job = calloc(1, sizeof(*job));
	struct err unused = ERR_INIT;
	int r;

	if (!job)
		return err_memory(e);
	r = warm_store_work(warm->node->db, warm_kind_names[kind], challenge_id, e);
	if (r < 0) {
		free(job);
		return r;
	}
	job_enter(job, warm, kind, challenge_id);
	r = work_start(warm->node->work, run_single, job, e);
	if (r < 0) {
		job_leave(job);
		free(job);
		warm_store_failed(warm->node->db, warm_kind_names[kind], challenge_id, e->msg,
				  clock_now_ms(warm->node->clock), &unused);
	}
	return r;
}

int warm_ask(struct warm *warm, enum warm_kind kind, const char *challenge_id,
	     struct ctfy_image_row *ret_row, struct err *e)
{
	AUTO(struct challenge_ref *, challenge_unrefp) challenge = NULL;
	int r;

	r = catalogue_get(warm->node->catalogue, challenge_id, &challenge, e);
	if (r < 0)
		return r;
	pthread_mutex_lock(&warm->lock);
	if (!find_job(warm, kind, challenge_id))
		r = begin_single(warm, kind, challenge_id, e);
	pthread_mutex_unlock(&warm->lock);
	if (r < 0)
		return r;
	ret_row->challenge_id = strdup(challenge_id);
	ret_row->status = strdup(status_words[kind][WARM_WORKING]);
	return ret_row->challenge_id && ret_row->status ? 0 : err_memory(e);
}

/* --- the list ----------------------------------------------------------------------------- */

/* Enters the job for the list's first: 1; 0 when the list is empty, and then nobody drains it. */
static int next_listed(struct warm *warm, enum warm_kind kind, struct job *job, struct err *e)
{
	char challenge_id[ID_SIZE] = "";
	int r = 0;

	pthread_mutex_lock(&warm->lock);
	if (!atomic_load(&warm->stopping))
		r = warm_store_next(warm->node->db, warm_kind_names[kind], challenge_id, e);
	if (r > 0) {
		int begun = warm_store_work(warm->node->db, warm_kind_names[kind], challenge_id, e);

		if (begun < 0)
			r = begun;
		else
			job_enter(job, warm, kind, challenge_id);
	}
	if (r <= 0)
		warm->draining[kind] = false;
	pthread_mutex_unlock(&warm->lock);
	return r;
}

static void drain(struct warm *warm, enum warm_kind kind)
{
	struct err e = ERR_INIT;
	struct job job;
	int r;

	while ((r = next_listed(warm, kind, &job, &e)) > 0) {
		job_work(&job);
		pthread_mutex_lock(&warm->lock);
		job_leave(&job);
		pthread_mutex_unlock(&warm->lock);
	}
	if (r < 0)
		log_error("the list of %ss: %s", warm_kind_names[kind], e.msg);
}

static void drain_builds(void *cookie)
{
	drain(cookie, WARM_BUILD);
}

static void drain_pulls(void *cookie)
{
	drain(cookie, WARM_PULL);
}

/* The lock is held. */
static int begin_draining(struct warm *warm, enum warm_kind kind, struct err *e)
{
	int r;

	if (warm->draining[kind])
		return 0;
	r = work_start(warm->node->work, kind == WARM_BUILD ? drain_builds : drain_pulls, warm, e);
	warm->draining[kind] = r == 0;
	return r;
}

int warm_start(struct warm *warm, struct err *e)
{
	int r;

	r = warm_store_recover(warm->node->db, clock_now_ms(warm->node->clock), e);
	warm_review(warm);
	pthread_mutex_lock(&warm->lock);
	for (int kind = 0; r == 0 && kind < KINDS; kind++)
		r = begin_draining(warm, (enum warm_kind)kind, e);
	pthread_mutex_unlock(&warm->lock);
	return r;
}

static int append(char ***ids, size_t *count, const char *id)
{
	char **grown = realloc(*ids, (*count + 1) * sizeof(*grown));

	if (!grown)
		return -(int)ERR_MEMORY;
	*ids = grown;
	grown[*count] = strdup(id);
	if (!grown[*count])
		return -(int)ERR_MEMORY;
	++*count;
	return 0;
}

static int list_one(struct warm *warm, enum warm_kind kind, const char *challenge_id,
		    struct ctfy_bulk *bulk, struct err *e)
{
	enum warm_state state;
	int r;

	r = warm_store_state(warm->node->db, warm_kind_names[kind], challenge_id, &state, e);
	if (r < 0)
		return r;
	if (state == WARM_WAITING || state == WARM_WORKING)
		r = append(&bulk->skipped_in_progress, &bulk->skipped_in_progress_count,
			   challenge_id);
	else if (state == WARM_DONE && kind == WARM_BUILD)
		r = append(&bulk->skipped_built, &bulk->skipped_built_count, challenge_id);
	else if (state == WARM_DONE)
		r = append(&bulk->skipped_pulled, &bulk->skipped_pulled_count, challenge_id);
	else if (append(&bulk->queued, &bulk->queued_count, challenge_id) < 0)
		r = -(int)ERR_MEMORY;
	else
		return warm_store_wait(warm->node->db, warm_kind_names[kind], challenge_id, e);
	return r < 0 ? err_memory(e) : 0;
}

static bool is_repeated(const char *const *ids, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (strcmp(ids[j], ids[i]) == 0)
			return true;
	return false;
}

static int list_all(struct warm *warm, enum warm_kind kind, const char *const *ids, size_t count,
		    struct ctfy_bulk *bulk, struct err *e)
{
	int r = db_begin(warm->node->db, e);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < count; i++)
		if (!is_repeated(ids, i))
			r = list_one(warm, kind, ids[i], bulk, e);
	if (r < 0) {
		db_rollback(warm->node->db);
		return r;
	}
	return db_commit(warm->node->db, e);
}

static int check_known(struct warm *warm, const char *const *ids, size_t count, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		AUTO(struct challenge_ref *, challenge_unrefp) challenge = NULL;
		int r = catalogue_get(warm->node->catalogue, ids[i], &challenge, e);

		if (r < 0)
			return r;
	}
	return 0;
}

static int ask_known(struct warm *warm, enum warm_kind kind, const char *const *ids, size_t count,
		     struct ctfy_bulk *ret_bulk, struct err *e)
{
	int r;

	r = check_known(warm, ids, count, e);
	if (r == 0)
		r = warm_review_kind(warm->node, kind, e);
	if (r < 0)
		return r;
	pthread_mutex_lock(&warm->lock);
	r = list_all(warm, kind, ids, count, ret_bulk, e);
	if (r == 0 && ret_bulk->queued_count > 0)
		r = begin_draining(warm, kind, e);
	pthread_mutex_unlock(&warm->lock);
	return r;
}

static void free_ids(char **ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(ids[i]);
	free(ids);
}

int warm_ask_all(struct warm *warm, enum warm_kind kind, const char *const *ids, size_t count,
		 struct ctfy_bulk *ret_bulk, struct err *e)
{
	char **all = NULL;
	size_t all_count = 0;
	int r;

	if (ids)
		return ask_known(warm, kind, ids, count, ret_bulk, e);
	r = catalogue_ids(warm->node->catalogue, &all, &all_count, e);
	if (r == 0)
		r = ask_known(warm, kind, (const char *const *)all, all_count, ret_bulk, e);
	free_ids(all, all_count);
	return r;
}

/* --- rows --------------------------------------------------------------------------------- */

static int copy_digests(const json_t *images, struct ctfy_image_row *row)
{
	const char *reference;
	json_t *digest;

	json_object_foreach ((json_t *)(uintptr_t)images, reference, digest)
		if (append(&row->digests, &row->digest_count, json_string_value(digest)) < 0)
			return -(int)ERR_MEMORY;
	return 0;
}

static int copy_progress(const struct job *job, struct ctfy_image_row *row)
{
	row->step = job->progress.step;
	row->steps = job->progress.steps;
	row->bytes = job->progress.bytes;
	row->bytes_total = job->progress.bytes_total;
	row->image = job->image[0] ? strdup(job->image) : NULL;
	return job->image[0] && !row->image ? -(int)ERR_MEMORY : 0;
}

/* record NULL: never asked. */
static int fill_row(struct warm *warm, enum warm_kind kind, const char *challenge_id,
		    const struct warm_record *record, struct ctfy_image_row *row)
{
	enum warm_state state = record ? record->state : WARM_UNASKED;
	const struct job *job = state == WARM_WORKING ? find_job(warm, kind, challenge_id) : NULL;
	int64_t done_at = state == WARM_DONE ? record->ended_at : 0;

	row->challenge_id = strdup(challenge_id);
	row->status = strdup(status_words[kind][state]);
	row->position = record ? record->position : 0;
	if (kind == WARM_BUILD)
		row->built_at = done_at;
	else
		row->pulled_at = done_at;
	if (state == WARM_FAILED)
		row->error = strdup(record->error ? record->error : "");
	if (!row->challenge_id || !row->status || (state == WARM_FAILED && !row->error))
		return -(int)ERR_MEMORY;
	if (job && copy_progress(job, row) < 0)
		return -(int)ERR_MEMORY;
	return state == WARM_DONE ? copy_digests(record->images, row) : 0;
}

static int compare_id(const void *challenge_id, const void *record)
{
	return strcmp(challenge_id, ((const struct warm_record *)record)->challenge_id);
}

static int fill_rows(struct warm *warm, enum warm_kind kind, char *const *ids,
		     const struct warm_records *records, struct ctfy_image_rows *rows)
{
	for (size_t i = 0; i < rows->row_count; i++) {
		const struct warm_record *record =
			records->count ? bsearch(ids[i], records->items, records->count,
						 sizeof(*records->items), compare_id)
				       : NULL;

		if (fill_row(warm, kind, ids[i], record, &rows->rows[i]) < 0)
			return -(int)ERR_MEMORY;
	}
	return 0;
}

/* Worked out once a scan. A challenge that can't be planned has no size: it can't be started. */
static void fill_size(struct warm *warm, struct ctfy_image_row *row)
{
	AUTO(struct challenge_ref *, challenge_unrefp) challenge = NULL;
	struct challenge_size size = { 0 };

	if (catalogue_get(warm->node->catalogue, row->challenge_id, &challenge, NULL) < 0)
		return;
	if (!challenge_size(challenge, &size)) {
		warm_size(warm->node, challenge_of(challenge), &size, NULL);
		challenge_set_size(challenge, &size);
	}
	row->memory = size.memory;
	row->nano_cpus = size.nano_cpus;
}

int warm_rows(struct warm *warm, enum warm_kind kind, struct ctfy_image_rows *ret_rows,
	      struct err *e)
{
	struct warm_records records = { 0 };
	char **ids = NULL;
	int r;

	r = catalogue_ids(warm->node->catalogue, &ids, &ret_rows->row_count, e);
	if (r < 0)
		return r;
	ret_rows->rows = calloc(ret_rows->row_count + 1, sizeof(*ret_rows->rows));
	pthread_mutex_lock(&warm->lock);
	r = warm_store_records(warm->node->db, warm_kind_names[kind], &records, e);
	if (r == 0 && (!ret_rows->rows || fill_rows(warm, kind, ids, &records, ret_rows) < 0))
		r = err_memory(e);
	pthread_mutex_unlock(&warm->lock);
	for (size_t i = 0; r == 0 && kind == WARM_BUILD && i < ret_rows->row_count; i++)
		fill_size(warm, &ret_rows->rows[i]);
	free_ids(ids, ret_rows->row_count);
	warm_records_done(&records);
	return r;
}

void warm_review(struct warm *warm)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct err e = ERR_INIT;

		if (warm_review_kind(warm->node, (enum warm_kind)kind, &e) < 0)
			log_error("review of %ss: %s", warm_kind_names[kind], e.msg);
	}
}
