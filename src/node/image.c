/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/work.h"
#include "challenge/plan.h"
#include "engine/image.h"
#include "node/image-build.h"
#include "node/image-making.h"
#include "node/image-pull.h"
#include "node/image-reference.h"
#include "node/node.h"
#include "node/own-image.h"

#include <jansson.h>
#include <string.h>

static void add_need(struct image_need *needs, size_t *count, const struct image_need *need)
{
	for (size_t i = 0; i < *count; i++) {
		if (strcmp(needs[i].reference, need->reference) != 0)
			continue;
		if (need->build && !needs[i].build)
			needs[i] = *need;
		return;
	}
	needs[(*count)++] = *need;
}

int images_needed(const struct plan *plan, struct image_need **ret_needs, size_t *ret_count,
		  struct err *e)
{
	struct image_need *needs =
		calloc(plan->service_count + plan->attachment_count + 1, sizeof(*needs));

	if (!needs)
		return err_memory(e);
	*ret_count = 0;
	for (size_t i = 0; i < plan->service_count; i++) {
		const struct plan_service *service = &plan->services[i];
		const struct image_need need = { service->image, service->name, service->build,
						 service->platform, service->pull_policy };

		if (!service->built_by)
			add_need(needs, ret_count, &need);
	}
	for (size_t i = 0; i < plan->attachment_count; i++) {
		const struct plan_attachment *attachment = &plan->attachments[i];
		const struct image_need need = { .reference = attachment->image,
						 .service = attachment->service,
						 .build = attachment->build };

		if (attachment->build)
			add_need(needs, ret_count, &need);
	}
	*ret_needs = needs;
	return 0;
}

static int check_present(struct node *node, const char *reference, struct err *e)
{
	int r = engine_image_exists(node->engine, reference, e);

	return r == 0 ? err_set(e, ERR_ENGINE,
				"image '%s' is not here, and its pull_policy is \"never\"",
				reference)
		      : r;
}

static bool has_policy(const struct image_need *need, const char *policy)
{
	return !need->build && strcmp(need->pull_policy, policy) == 0;
}

/* again: also when there is one. */
static int build_alone(const struct image_job *job, const struct plan *plan,
		       const struct image_need *need, bool again, struct err *e)
{
	struct making *making;
	int r = making_begin(job->node->images, need->reference, job->cancelled, &making, e);

	if (r <= 0)
		return r;
	r = again ? 0 : engine_image_exists(job->node->engine, need->reference, e);
	if (r == 0)
		r = image_build(job, plan, need, NULL, e);
	making_end(job->node->images, making, r, e);
	return r < 0 ? r : 0;
}

static int make(const struct image_job *job, const struct plan *plan, const struct image_need *need,
		bool again, struct err *e)
{
	int r;

	if (need->build)
		r = build_alone(job, plan, need, again, e);
	else if (has_policy(need, "never"))
		r = check_present(job->node, need->reference, e);
	else
		r = image_pull(job, need->reference, need->platform, again, e);
	return r < 0 ? err_wrap(e, "service '%s'", need->service) : 0;
}

int image_make(const struct image_job *job, const struct plan *plan, const struct image_need *need,
	       struct err *e)
{
	return make(job, plan, need, true, e);
}

struct task {
	const struct image_job *job;
	const struct plan *plan;
	const struct image_need *needs;
};

static int ensure_image(void *cookie, size_t i, struct err *e)
{
	const struct task *task = cookie;
	const struct image_need *need = &task->needs[i];
	bool again = has_policy(need, "always") || (!need->build && image_is_own(need->reference));
	int r = again ? 0 : engine_image_exists(task->job->node->engine, need->reference, e);

	if (r != 0)
		return r < 0 ? r : 0;
	return make(task->job, task->plan, need, again, e);
}

int images_ensure(struct node *node, const char *instance_id, const struct plan *plan,
		  const atomic_bool *cancelled, struct err *e)
{
	enum { AT_ONCE = 4 };
	AUTO(struct image_need *, freep) needs = NULL;
	const struct image_job job = {
		.node = node,
		.challenge_id = plan->challenge_id,
		.instance_id = instance_id,
		.cancelled = cancelled,
	};
	size_t count = 0;
	int r;

	r = images_needed(plan, &needs, &count, e);
	if (r == 0)
		r = work_each(count, AT_ONCE, ensure_image, &(struct task){ &job, plan, needs }, e);
	return r;
}

/* The digest that stands behind the repository's own name, where the engine knows one. */
static const char *content_of(const json_t *image, const char *reference)
{
	AUTO(char *, freep) repository = reference_repository(reference);
	const char *found = json_string_value(json_object_get(image, "Id"));
	const json_t *digest;
	size_t i;

	json_array_foreach (json_object_get(image, "RepoDigests"), i, digest) {
		AUTO(char *, freep) of = reference_repository(json_string_value(digest));
		const char *content = strchr(json_string_value(digest), '@');

		if (!content)
			continue;
		if (i == 0)
			found = content + 1;
		if (of && repository && strcmp(of, repository) == 0)
			return content + 1;
	}
	return found ? found : "";
}

int image_digest(struct node *node, const char *reference, char **ret_digest, struct err *e)
{
	AUTO(json_t *, json_decrefp) image = NULL;
	int r = engine_image_inspect(node->engine, reference, &image, e);

	if (r < 0)
		return r;
	*ret_digest = strf("%.*s@%s", (int)strcspn(reference, "@"), reference,
			   content_of(image, reference));
	return *ret_digest ? 0 : err_memory(e);
}
