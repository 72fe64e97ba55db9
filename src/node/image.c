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

size_t images_makers(const struct plan *plan, const struct plan_service **ret_makers)
{
	size_t count = 0;

	for (size_t i = 0; i < plan->service_count; i++) {
		const struct plan_service *service = &plan->services[i];
		size_t j;

		if (service->built_by)
			continue;
		for (j = 0; j < count; j++)
			if (strcmp(ret_makers[j]->image, service->image) == 0)
				break;
		if (j == count)
			ret_makers[count++] = service;
		else if (service->build && !ret_makers[j]->build)
			ret_makers[j] = service;
	}
	return count;
}

static int check_present(struct node *node, const struct plan_service *service, struct err *e)
{
	int r = engine_image_exists(node->engine, service->image, e);

	return r == 0 ? err_set(e, ERR_ENGINE,
				"image '%s' is not here, and its pull_policy is \"never\"",
				service->image)
		      : r;
}

static bool is_never_pulled(const struct plan_service *service)
{
	return strcmp(service->pull_policy, "never") == 0;
}

/* again: also when there is one. */
static int build_alone(const struct image_job *job, const struct plan *plan,
		       const struct plan_service *service, bool again, struct err *e)
{
	struct making *making;
	int r = making_begin(job->node->images, service->image, job->cancelled, &making, e);

	if (r <= 0)
		return r;
	r = again ? 0 : engine_image_exists(job->node->engine, service->image, e);
	if (r == 0)
		r = image_build(job, plan, service, e);
	making_end(job->node->images, making, r, e);
	return r < 0 ? r : 0;
}

static int make(const struct image_job *job, const struct plan *plan,
		const struct plan_service *service, bool again, struct err *e)
{
	int r;

	if (service->build)
		r = build_alone(job, plan, service, again, e);
	else if (is_never_pulled(service))
		r = check_present(job->node, service, e);
	else
		r = image_pull(job, service->image, service->platform, again, e);
	return r < 0 ? err_wrap(e, "service '%s'", service->name) : 0;
}

int image_make(const struct image_job *job, const struct plan *plan,
	       const struct plan_service *service, struct err *e)
{
	return make(job, plan, service, true, e);
}

struct task {
	const struct image_job *job;
	const struct plan *plan;
	const struct plan_service **makers;
};

static int ensure_image(void *cookie, size_t i, struct err *e)
{
	const struct task *task = cookie;
	const struct plan_service *service = task->makers[i];
	bool again = !service->build &&
		     (strcmp(service->pull_policy, "always") == 0 || image_is_own(service->image));
	int r = again ? 0 : engine_image_exists(task->job->node->engine, service->image, e);

	if (r != 0)
		return r < 0 ? r : 0;
	return make(task->job, task->plan, service, again, e);
}

int images_ensure(struct node *node, const char *instance_id, const struct plan *plan,
		  const atomic_bool *cancelled, struct err *e)
{
	enum { AT_ONCE = 4 };
	AUTO(const struct plan_service **, freep) makers =
		calloc(plan->service_count + 1, sizeof(*makers));
	const struct image_job job = {
		.node = node,
		.challenge_id = plan->challenge_id,
		.instance_id = instance_id,
		.cancelled = cancelled,
	};
	struct task task = { .job = &job, .plan = plan, .makers = makers };

	if (!makers)
		return err_memory(e);
	return work_each(images_makers(plan, makers), AT_ONCE, ensure_image, &task, e);
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
