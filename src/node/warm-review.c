/* SPDX-License-Identifier: Apache-2.0 */
#include "node/warm-review.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "challenge/plan.h"
#include "engine/image.h"
#include "node/catalogue.h"
#include "node/image-reference.h"
#include "node/image.h"
#include "node/node.h"
#include "node/warm-store.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

/* --- what the engine has ------------------------------------------------------------------ */

/* One key for all ways to write a reference: "repository:tag", or "repository@digest". */
static char *key_of(const char *reference)
{
	const char *digest = strchr(reference, '@');
	AUTO(char *, freep) repository = NULL;

	if (!digest)
		return reference_full(reference);
	repository = reference_repository(reference);
	return repository ? strf("%s%s", repository, digest) : NULL;
}

static int add_keys(json_t *present, const json_t *references)
{
	const json_t *reference;
	size_t i;

	json_array_foreach (references, i, reference) {
		const char *text = json_string_value(reference);
		AUTO(char *, freep) key = text ? key_of(text) : NULL;

		if (text && (!key || json_object_set_new(present, key, json_true()) < 0))
			return -1;
	}
	return 0;
}

/* Every reference that the engine knows, as {key: true}. */
static int list_present(struct node *node, json_t **ret_present, struct err *e)
{
	AUTO(json_t *, json_decrefp) present = json_object();
	struct engine_image_list list = { 0 };
	const json_t *image;
	size_t i;
	int r;

	r = present ? engine_image_list(node->engine, NULL, &list, e) : err_memory(e);
	json_array_foreach (list.json, i, image)
		if (add_keys(present, json_object_get(image, "RepoTags")) < 0 ||
		    add_keys(present, json_object_get(image, "RepoDigests")) < 0)
			r = err_memory(e);
	engine_image_list_done(&list);
	if (r == 0)
		*ret_present = TAKE(present);
	return r;
}

/* Podman calls what it built itself "localhost/...". */
static bool is_present(const json_t *present, const char *reference)
{
	AUTO(char *, freep) key = key_of(reference);
	AUTO(char *, freep) local = strf("localhost/%s", reference);

	return !key || !local || json_object_get(present, key) || json_object_get(present, local);
}

static const char *find_absent(const json_t *present, const json_t *images)
{
	const char *reference;
	json_t *unused;

	json_object_foreach ((json_t *)(uintptr_t)images, reference, unused)
		if (!is_present(present, reference))
			return reference;
	return NULL;
}

/* --- what the challenge needs ------------------------------------------------------------- */

int warm_needs_same(struct node *node, enum warm_kind kind, const struct challenge *challenge,
		    const json_t *images, struct err *e)
{
	AUTO(struct plan *, plan_freep) plan = NULL;
	AUTO(struct image_need *, freep) needs = NULL;
	size_t count = 0;
	int r;

	r = warm_plan(node, challenge, &plan, e);
	if (r == 0)
		r = warm_needs(plan, kind, &needs, &count, e);
	if (r < 0)
		return r;
	if (count != json_object_size(images))
		return 0;
	for (size_t i = 0; i < count; i++)
		if (!json_object_get(images, needs[i].reference))
			return 0;
	return 1;
}

/* --- the review --------------------------------------------------------------------------- */

struct review {
	struct node *node;
	enum warm_kind kind;
	json_t *present; /* NULL: not known */
};

static int forget(const struct review *review, const struct warm_record *record, const char *why,
		  struct err *e)
{
	log_info("'%s' is no longer %s: %s", record->challenge_id,
		 review->kind == WARM_BUILD ? "built" : "pulled", why);
	return warm_store_forget(review->node->db, warm_kind_names[review->kind],
				 record->challenge_id, e);
}

static int review_files(const struct review *review, const struct warm_record *record,
			const struct challenge_ref *challenge, struct err *e)
{
	struct err why = ERR_INIT;
	int r;

	if (record->stamp && strcmp(record->stamp, challenge_stamp(challenge)) == 0)
		return 1;
	r = warm_needs_same(review->node, review->kind, challenge_of(challenge), record->images,
			    &why);
	if (r < 0)
		return forget(review, record, why.msg, e);
	if (r == 0)
		return forget(review, record, "its files were changed", e);
	r = warm_store_set_stamp(review->node->db, warm_kind_names[review->kind],
				 record->challenge_id, challenge_stamp(challenge), e);
	return r < 0 ? r : 1;
}

static int review_record(const struct review *review, const struct warm_record *record,
			 struct err *e)
{
	AUTO(struct challenge_ref *, challenge_unrefp) challenge = NULL;
	AUTO(char *, freep) why = NULL;
	const char *absent;
	int r;

	if (record->state != WARM_DONE ||
	    catalogue_get(review->node->catalogue, record->challenge_id, &challenge, NULL) < 0)
		return 0;
	r = review_files(review, record, challenge, e);
	if (r <= 0)
		return r;
	absent = review->present ? find_absent(review->present, record->images) : NULL;
	if (!absent)
		return 0;
	why = strf("the engine has no image '%s'", absent);
	return why ? forget(review, record, why, e) : err_memory(e);
}

int warm_review_kind(struct node *node, enum warm_kind kind, struct err *e)
{
	AUTO(json_t *, json_decrefp) present = NULL;
	struct review review = { .node = node, .kind = kind };
	struct warm_records records = { 0 };
	struct err why = ERR_INIT;
	int r;

	r = warm_store_records(node->db, warm_kind_names[kind], &records, e);
	if (r == 0 && records.count > 0 && list_present(node, &present, &why) < 0)
		log_warn("which images are there is not known: %s", why.msg);
	review.present = present;
	for (size_t i = 0; r == 0 && i < records.count; i++)
		r = review_record(&review, &records.items[i], e);
	warm_records_done(&records);
	return r;
}
