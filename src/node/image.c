#include "node/image.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/work.h"
#include "challenge/plan.h"
#include "engine/image.h"
#include "engine/tar.h"
#include "node/build-context.h"
#include "node/compose.h"
#include "node/node.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* An image being made; those who want the same one wait. */
struct making {
	struct making *next;
	const char *reference;
};

struct images {
	pthread_mutex_t lock;
	pthread_cond_t made;
	struct making *making;
};

int images_new(struct images **ret_images, struct err *e)
{
	struct images *images = calloc(1, sizeof(*images));

	if (!images)
		return err_memory(e);
	pthread_mutex_init(&images->lock, NULL);
	pthread_cond_init(&images->made, NULL);
	*ret_images = images;
	return 0;
}

void images_free(struct images *images)
{
	if (!images)
		return;
	pthread_cond_destroy(&images->made);
	pthread_mutex_destroy(&images->lock);
	free(images);
}

static bool is_being_made(const struct images *images, const char *reference)
{
	for (const struct making *m = images->making; m; m = m->next)
		if (strcmp(m->reference, reference) == 0)
			return true;
	return false;
}

static void making_begin(struct images *images, struct making *making)
{
	pthread_mutex_lock(&images->lock);
	while (is_being_made(images, making->reference))
		pthread_cond_wait(&images->made, &images->lock);
	making->next = images->making;
	images->making = making;
	pthread_mutex_unlock(&images->lock);
}

static void making_end(struct images *images, const struct making *making)
{
	struct making **m = &images->making;

	pthread_mutex_lock(&images->lock);
	while (*m != making)
		m = &(*m)->next;
	*m = making->next;
	pthread_cond_broadcast(&images->made);
	pthread_mutex_unlock(&images->lock);
}

/* What is being made, for whom, and the last words of a build: its error says more with them. */
struct task {
	struct node *node;
	const char *instance_id;
	const struct plan *plan;
	const struct plan_service **services; /* one per image that is missing */
	size_t count;
};

enum { BUILD_WORDS = 600 };

struct build_words {
	char text[BUILD_WORDS];
	size_t len;
};

static int keep_words(void *cookie, const struct engine_progress *progress, struct err *e)
{
	struct build_words *words = cookie;
	size_t len = strlen(progress->text);
	const char *text = progress->text;

	(void)e;
	if (len > BUILD_WORDS - 1) {
		text += len - (BUILD_WORDS - 1);
		len = BUILD_WORDS - 1;
	}
	if (words->len + len > BUILD_WORDS - 1) {
		size_t drop = words->len + len - (BUILD_WORDS - 1);

		memmove(words->text, words->text + drop, words->len - drop);
		words->len -= drop;
	}
	memcpy(words->text + words->len, text, len);
	words->len += len;
	words->text[words->len] = '\0';
	return 0;
}

static json_t *build_labels(const struct task *task, const struct plan_build *build)
{
	json_t *labels = build->labels ? json_deep_copy(build->labels) : json_object();

	json_object_set_new(labels, LABEL_CHALLENGE, json_string(task->plan->challenge_id));
	if (build->per_instance) { /* it goes with the instance */
		json_object_set_new(labels, LABEL_NODE, json_string(task->node->id));
		json_object_set_new(labels, LABEL_INSTANCE, json_string(task->instance_id));
	}
	return labels;
}

static int build_image(const struct task *task, const struct plan_service *service, struct err *e)
{
	const struct plan_build *build = service->build;
	AUTO(struct build_context *, build_context_closep) context = NULL;
	AUTO(json_t *, json_decrefp) labels = build_labels(task, build);
	struct build_words words = { .len = 0 };
	struct engine_build request = {
		.reference = service->image,
		.target = build->target,
		.network = build->network,
		.platform = build->platform,
		.args = build->args,
		.labels = labels,
		.extra_hosts = build->extra_hosts,
		.shm_size = build->shm_size,
		.buildkit = build->needs_buildkit,
		.context = tar_read,
		.progress = keep_words,
		.cookie = &words,
	};
	int r;

	r = labels ? build_context_open(build, &context, e) : err_memory(e);
	if (r < 0)
		return r;
	request.dockerfile = build_context_dockerfile(context);
	request.context_cookie = build_context_tar(context);
	r = engine_image_build(task->node->engine, &request, NULL, e);
	if (r < 0 && words.len > 0) {
		struct err cause = *e;

		err_set(e, cause.code, "%s; it ended with: %s", cause.msg, words.text);
	}
	return r;
}

static int pull_image(const struct task *task, const struct plan_service *service, struct err *e)
{
	struct engine_pull pull = { .reference = service->image, .platform = service->platform };

	return engine_image_pull(task->node->engine, &pull, e);
}

static int make_image(const struct task *task, const struct plan_service *service, struct err *e)
{
	int64_t began = clock_monotonic_ms();
	const char *way = service->build ? "build" : "pull";
	int r;

	log_info("%s image '%s' of '%s'", way, service->image, task->plan->challenge_id);
	r = service->build ? build_image(task, service, e) : pull_image(task, service, e);
	if (r < 0)
		return err_wrap(e, "%s image '%s'", way, service->image);
	log_info("%s of image '%s' took %lld ms", way, service->image,
		 (long long)(clock_monotonic_ms() - began));
	return 0;
}

/* Whether the image must be made now: 1 or 0, or a failure. */
static int is_missing(const struct task *task, const struct plan_service *service, struct err *e)
{
	int r;

	if (!service->build && strcmp(service->pull_policy, "always") == 0)
		return 1;
	r = engine_image_exists(task->node->engine, service->image, e);
	if (r != 0)
		return r < 0 ? r : 0;
	if (!service->build && strcmp(service->pull_policy, "never") == 0)
		return err_set(e, ERR_ENGINE,
			       "image '%s' is not here, and its pull_policy is never",
			       service->image);
	return 1;
}

static int ensure_image(void *cookie, size_t i, struct err *e)
{
	const struct task *task = cookie;
	const struct plan_service *service = task->services[i];
	struct making making = { .reference = service->image };
	int r;

	r = is_missing(task, service, e);
	if (r <= 0)
		return r;
	making_begin(task->node->images, &making);
	r = is_missing(task, service, e); /* another one may have made it while we waited */
	if (r > 0)
		r = make_image(task, service, e);
	making_end(task->node->images, &making);
	return r < 0 ? r : 0;
}

/* The services whose images are made here: one per reference, the one that builds it first. */
static void choose_makers(struct task *task)
{
	for (size_t i = 0; i < task->plan->service_count; i++) {
		const struct plan_service *service = &task->plan->services[i];
		size_t j;

		if (service->built_by)
			continue;
		for (j = 0; j < task->count; j++)
			if (strcmp(task->services[j]->image, service->image) == 0)
				break;
		if (j == task->count)
			task->services[task->count++] = service;
		else if (service->build && !task->services[j]->build)
			task->services[j] = service;
	}
}

int images_ensure(struct node *node, const char *instance_id, const struct plan *plan,
		  struct err *e)
{
	enum { AT_ONCE = 4 };
	AUTO(const struct plan_service **, freep) services =
		calloc(plan->service_count + 1, sizeof(struct plan_service *));
	struct task task = { node, instance_id, plan, services, 0 };

	if (!services)
		return err_memory(e);
	choose_makers(&task);
	return work_each(task.count, AT_ONCE, ensure_image, &task, e);
}
