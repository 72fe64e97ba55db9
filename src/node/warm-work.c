/* SPDX-License-Identifier: Apache-2.0 */
#include "node/warm-work.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "challenge/plan.h"
#include "node/catalogue.h"
#include "node/image-build.h"
#include "node/image.h"
#include "node/node.h"
#include "node/warm-review.h"
#include "node/warm-store.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

static int make_image(const struct image_job *job, const struct plan *plan,
		      const struct image_need *need, json_t *images, struct err *e)
{
	AUTO(char *, freep) digest = NULL;
	int r;

	r = image_make(job, plan, need, e);
	if (r == 0)
		r = image_digest(job->node, need->reference, &digest, e);
	if (r == 0 && json_object_set_new(images, need->reference, json_text(digest)) < 0)
		r = err_memory(e);
	return r;
}

static int make_images(const struct warm_work *work, const struct challenge_ref *challenge,
		       json_t *images, struct image_output *output, struct err *e)
{
	AUTO(struct plan *, plan_freep) plan = NULL;
	AUTO(struct image_need *, freep) needs = NULL;
	const struct image_job job = {
		.node = work->node,
		.challenge_id = work->challenge_id,
		.cancelled = work->cancelled,
		.tell = work->tell,
		.cookie = work->cookie,
		.output = output,
	};
	size_t count = 0;
	int r;

	r = warm_plan(work->node, challenge_of(challenge), &plan, e);
	if (r == 0)
		r = warm_needs(plan, work->kind, &needs, &count, e);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = make_image(&job, plan, &needs[i], images, e);
	return r;
}

/* Room that isn't given back now is given back by the next build. */
static void remove_superseded(const struct warm_work *work, const json_t *images)
{
	struct err why = ERR_INIT;

	if (work->kind == WARM_BUILD &&
	    image_remove_superseded(work->node, work->challenge_id, images, &why) < 0)
		log_warn("remove earlier images of '%s': %s", work->challenge_id, why.msg);
}

static bool is_changed(const struct warm_work *work, const char *stamp,
		       struct challenge_ref **ret_now)
{
	return catalogue_get(work->node->catalogue, work->challenge_id, ret_now, NULL) == 0 &&
	       strcmp(challenge_stamp(*ret_now), stamp) != 0;
}

/* 1: the challenge's files were changed, and nobody has looked whether this is still of use. */
static int record_done(const struct warm_work *work, const struct challenge_ref *challenge,
		       json_t *images, struct err *e)
{
	const char *name = warm_kind_names[work->kind], *stamp = challenge_stamp(challenge);
	AUTO(struct challenge_ref *, challenge_unrefp) now = NULL;
	AUTO(struct challenge_ref *, challenge_unrefp) later = NULL;
	struct warm_record record = {
		.challenge_id = (char *)(uintptr_t)work->challenge_id,
		.ended_at = clock_now_ms(work->node->clock),
		.images = images,
	};
	int r;

	if (is_changed(work, stamp, &now)) {
		stamp = challenge_stamp(now);
		r = warm_needs_same(work->node, work->kind, challenge_of(now), images, e);
		if (r <= 0) {
			log_info("'%s' was changed during its %s", work->challenge_id, name);
			return warm_store_discard(work->node->db, name, work->challenge_id, e);
		}
	}
	record.stamp = (char *)(uintptr_t)stamp;
	r = warm_store_done(work->node->db, &record, name, e);
	return r < 0 ? r : is_changed(work, stamp, &later);
}

static int record_failed(const struct warm_work *work, const struct err *why,
			 const struct image_output *output, struct err *e)
{
	AUTO(char *, freep) text =
		output->len > 0 ? strf("%s\n%s", why->msg, output->text) : strdup(why->msg);
	/* What was cut may begin or end in the middle of a character. */
	AUTO(json_t *, json_decrefp) clean = text ? json_text(text) : NULL;

	if (!clean)
		return err_memory(e);
	return warm_store_failed(work->node->db, warm_kind_names[work->kind], work->challenge_id,
				 json_string_value(clean), clock_now_ms(work->node->clock), e);
}

static int do_work(const struct warm_work *work, json_t *images, struct image_output *output,
		   struct err *e)
{
	const char *name = warm_kind_names[work->kind];
	AUTO(struct challenge_ref *, challenge_unrefp) challenge = NULL;
	struct err why = ERR_INIT;
	int r;

	r = images ? catalogue_get(work->node->catalogue, work->challenge_id, &challenge, &why)
		   : err_memory(&why);
	if (r == 0)
		r = make_images(work, challenge, images, output, &why);
	if (r == 0) {
		remove_superseded(work, images);
		return record_done(work, challenge, images, e);
	}
	if (atomic_load(work->cancelled))
		return warm_store_put_back(work->node->db, name, work->challenge_id, e);
	log_warn("%s of '%s' failed: %s", name, work->challenge_id, why.msg);
	return record_failed(work, &why, output, e);
}

void warm_work(const struct warm_work *work)
{
	const char *name = warm_kind_names[work->kind];
	AUTO(json_t *, json_decrefp) images = json_object();
	struct image_output output = { .len = 0 };
	int64_t began = clock_monotonic_ms();
	struct err e = ERR_INIT;
	int r;

	log_info("%s of '%s' begins", name, work->challenge_id);
	r = do_work(work, images, &output, &e);
	if (r > 0)
		r = warm_review_kind(work->node, work->kind, &e);
	if (r < 0)
		log_error("%s of '%s': %s", name, work->challenge_id, e.msg);
	log_info("%s of '%s' ended after %lld ms", name, work->challenge_id,
		 (long long)(clock_monotonic_ms() - began));
}
