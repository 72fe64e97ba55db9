/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image-build.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/image-name.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "challenge/context.h"
#include "challenge/dockerfile.h"
#include "challenge/plan.h"
#include "engine/image.h"
#include "engine/tar.h"
#include "node/build-context.h"
#include "node/build-ground.h"
#include "node/compose.h"
#include "node/image-pull.h"
#include "node/image-steps.h"
#include "node/image-watch.h"
#include "node/image.h"
#include "node/node.h"
#include "node/own-image.h"

#include <jansson.h>
#include <string.h>

/* Not LABEL_NODE: that is for what goes with an instance. */
static const char label_maker[] = "ctfy.maker";

/* --- what it begins with ------------------------------------------------------------------ */

/* The builder would ask a registry for what we refuse to. */
static bool is_ours(const char *reference)
{
	AUTO(struct image_name, image_name_done) name = { 0 };
	struct err e = ERR_INIT;

	return image_name_parse(reference, &name, &e) < 0 ||
	       image_name_owner(&name) != IMAGE_ANYBODYS;
}

/* What a base image has for those who build on it may copy from another image. */
static int check_triggers(const struct image_job *job, const char *reference, struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	AUTO(json_t *, json_decrefp) image = NULL;
	struct buf text = BUF_INIT;
	struct dockerfile file;
	const json_t *trigger;
	const char *name = NULL, *fault = NULL;
	size_t i;
	int r = arena ? engine_image_inspect(job->node->engine, reference, &image, e)
		      : err_memory(e);

	if (r < 0)
		return r == -ERR_NOT_FOUND ? 0 : r; /* one that the build may not need */
	json_array_foreach (json_object_get(json_object_get(image, "Config"), "OnBuild"), i,
			    trigger)
		buf_printf(&text, "%s\n", json_string_value(trigger));
	if (text.len && dockerfile_read(arena, text.data, &file))
		fault = dockerfile_image_fault(arena, &file, NULL, &name);
	if (fault)
		r = err_set(e, ERR_INVALID, "base image '%s' copies from '%s', which %s", reference,
			    name, fault);
	else if (text.len && strcasestr(text.data, "ctfy-challenge/"))
		r = err_set(e, ERR_INVALID, "base image '%s' copies from a challenge's", reference);
	buf_done(&text);
	return r;
}

static int pull_base(const struct image_job *job, const struct plan_build *build,
		     const char *reference, struct err *e)
{
	struct err why = ERR_INIT;
	int r = image_pull(job, reference, build->platform, build->pull, &why);

	if (r == 0)
		return 0;
	if (r != -ERR_ABORTED && (build->target || build->needs_buildkit) && !is_ours(reference)) {
		log_warn("base image '%s': %s; the build may not need it", reference, why.msg);
		return 0;
	}
	return err_set(e, why.code, "base image '%s': %s", reference, why.msg);
}

/*
 * BuildKit reads a Dockerfile with the frontend that it names. Where that can't be had, the
 * engine's own will do for most: ret_text is then what to build, else NULL.
 */
static int pull_frontend(const struct image_job *job, const char *frontend, const char *text,
			 char **ret_text, struct err *e)
{
	struct err why = ERR_INIT;
	int r = image_pull(job, frontend, NULL, false, &why);

	if (r == 0)
		return 0;
	if (r == -ERR_ABORTED)
		return err_set(e, why.code, "%s", why.msg);
	log_warn("frontend '%s': %s; the engine's own reads the Dockerfile", frontend, why.msg);
	*ret_text = dockerfile_drop_frontend(text);
	return *ret_text ? 0 : err_memory(e);
}

/* The builder would pull them too, but without logins, mirror, or patience. */
static int pull_bases(const struct image_job *job, const struct plan_build *build, char **ret_text,
		      struct err *e)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const char *text;
	struct dockerfile file;
	const char **references;
	size_t count;
	int r;

	r = arena ? context_dockerfile(arena, build, &text, e) : err_memory(e);
	if (r < 0)
		return r;
	if (!dockerfile_read(arena, text, &file) ||
	    !dockerfile_images(arena, &file, build->args, &references, &count))
		return err_memory(e);
	for (size_t i = 0; r == 0 && i < count; i++) {
		r = pull_base(job, build, references[i], e);
		if (r == 0)
			r = check_triggers(job, references[i], e);
	}
	if (r == 0 && build->needs_buildkit && file.frontend)
		r = pull_frontend(job, file.frontend, text, ret_text, e);
	return r;
}

/* --- the build itself --------------------------------------------------------------------- */

struct build {
	const struct image_job *job;
	const struct image_need *need;
	const char *dockerfile; /* what stands in for the Dockerfile's text; NULL: nothing */
	struct build_steps steps;
};

static int take_output(void *cookie, const struct engine_progress *progress, struct err *e)
{
	struct build *build = cookie;
	struct build_steps *steps = &build->steps;
	struct image_progress told = { .reference = build->need->reference };

	(void)e;
	build_steps_take(steps, progress->text);
	if (!steps->stepped)
		return 0;
	steps->stepped = false;
	told.step = steps->step;
	told.steps = steps->steps;
	log_info("build of '%s': step %lld of %lld: %s", build->job->challenge_id,
		 (long long)told.step, (long long)told.steps, steps->words);
	if (build->job->tell)
		build->job->tell(build->job->cookie, &told);
	return 0;
}

static json_t *build_labels(const struct image_job *job, const char *reference,
			    const struct plan_build *build)
{
	json_t *labels = build->labels ? json_deep_copy(build->labels) : json_object();

	json_object_set_new(labels, LABEL_CHALLENGE, json_text(job->challenge_id));
	if (!image_is_own(reference)) /* ours are the same whoever made them */
		json_object_set_new(labels, label_maker, json_text(job->node->id));
	if (build->per_instance && job->instance_id) { /* it goes with the instance */
		json_object_set_new(labels, LABEL_NODE, json_text(job->node->id));
		json_object_set_new(labels, LABEL_INSTANCE, json_text(job->instance_id));
	}
	return labels;
}

/* Within the limits of time, disk and whatever else the engine's builders keep to. */
static int run_held(const struct image_job *job, struct engine_build *request, char **ret_id,
		    struct err *e)
{
	struct build_ground *ground = job->node->build_ground;
	struct image_watch watch;
	struct build_stay stay;
	int r = build_ground_enter(ground, request, &stay, e);

	if (r < 0)
		return r;
	r = image_watch_begin(&watch, job, e);
	if (r == 0) {
		request->cancelled = &watch.stop;
		r = engine_image_build(job->node->engine, request, ret_id, e);
		r = image_watch_end(&watch, r, e);
	}
	build_ground_leave(ground, &stay);
	return r;
}

static int run_build(struct build *build, char **ret_id, struct err *e)
{
	const struct plan_build *plan = build->need->build;
	AUTO(struct build_context *, build_context_closep) context = NULL;
	AUTO(json_t *, json_decrefp) labels =
		build_labels(build->job, build->need->reference, plan);
	const json_t *own_args = build->steps.own_args;
	struct engine_build request = {
		.reference = build->need->reference,
		.target = plan->target,
		.network = plan->network,
		.platform = plan->platform,
		.args = plan->args,
		.labels = labels,
		.extra_hosts = plan->extra_hosts,
		.shm_size = plan->shm_size,
		.buildkit = plan->needs_buildkit,
		.context = tar_read,
		.progress = take_output,
		.cookie = build,
	};
	int r;

	build->steps = (struct build_steps){ .own_args = own_args };
	r = labels ? build_context_open(plan, build->dockerfile, &context, e) : err_memory(e);
	if (r < 0)
		return r;
	request.dockerfile = build_context_dockerfile(context);
	request.context_cookie = build_context_tar(context);
	return run_held(build->job, &request, ret_id, e);
}

/* --- layers ------------------------------------------------------------------------------- */

/* Only for an image that is some instance's: NULL otherwise, and when out of memory. */
static json_t *own_args(const struct plan *plan, const struct image_need *need)
{
	json_t *args;

	if (!need->build->per_instance)
		return NULL;
	args = json_object();
	for (size_t i = 0; i < plan->answer_use_count; i++) {
		const struct plan_answer_use *use = &plan->answer_uses[i];

		if (use->service && strcmp(use->service, need->service) == 0 &&
		    strcmp(use->way, "build-arg") == 0)
			json_object_set_new(args, use->where, json_true());
	}
	if (json_object_size(args) == 0) /* answers too short to be traced: any of them */
		json_object_update(args, need->build->args);
	return args;
}

/* What others use, or has gone, stays out of it. */
static void remove_unused(struct engine *engine, const char *image)
{
	struct err why = ERR_INIT;
	int r = engine_image_remove(engine, image, false, &why);

	if (r < 0 && r != -ERR_NOT_FOUND && r != -ERR_CONFLICT)
		log_warn("%s", why.msg);
}

static bool is_id(const char *id, const char *beginning)
{
	const char *hex = strncmp(id, "sha256:", 7) == 0 ? id + 7 : id;

	return *beginning && strncmp(hex, beginning, strlen(beginning)) == 0;
}

/* Makes the tag hold the layer, or (an empty one) nothing. What it held before may go. */
static int hold_layer(struct engine *engine, const char *tag, const char *layer, struct err *e)
{
	AUTO(json_t *, json_decrefp) held = NULL;
	const char *id;
	int r;

	r = engine_image_inspect(engine, tag, &held, e);
	if (r < 0 && r != -ERR_NOT_FOUND)
		return r;
	id = json_string_value(json_object_get(held, "Id"));
	if (id ? is_id(id, layer) : !*layer)
		return 0;
	if (!*layer) {
		remove_unused(engine, tag);
		return 0;
	}
	r = engine_image_tag(engine, layer, tag, e);
	if (r == 0 && id)
		remove_unused(engine, id);
	return r;
}

static int hold_layers(const struct build *build, bool built, struct err *e)
{
	struct engine *engine = build->job->node->engine;
	const struct build_steps *steps = &build->steps;
	const char *image = build->need->reference, *target = build->need->build->target;
	int name_len = (int)(strrchr(image, ':') - image);

	for (size_t i = 0; i <= steps->stage_count; i++) {
		AUTO(char *, freep)
		tag = strf("%.*s:layers-%s%s%zu", name_len, image, target ? target : "",
			   target ? "-" : "", i);
		const struct build_stage *stage = &steps->stages[i];
		const char *layer = i == steps->stage_count ? ""
				    : stage->own            ? stage->shared
							    : stage->last;
		int r;

		if (!tag)
			return err_memory(e);
		if (built && i + 1 == steps->stage_count && !stage->own)
			layer = ""; /* the image has it */
		r = hold_layer(engine, tag, layer, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static void drop_own_layers(const struct build *build, bool built)
{
	const struct build_steps *steps = &build->steps;
	size_t count = steps->stage_count;

	if (built && count)
		count--; /* the last one is the image */
	for (size_t i = 0; i < count; i++)
		if (steps->stages[i].own &&
		    strcmp(steps->stages[i].last, steps->stages[i].shared) != 0)
			remove_unused(build->job->node->engine, steps->stages[i].last);
}

/* Failing at this costs the next build some time, and nothing else. */
static void settle_layers(const struct build *build, bool built)
{
	struct err why = ERR_INIT;

	if (build->steps.stage_count == 0)
		return;
	if (hold_layers(build, built, &why) < 0)
		log_warn("keep layers of image '%s': %s", build->need->reference, why.msg);
	drop_own_layers(build, built);
}

/* --- failing ------------------------------------------------------------------------------ */

/* A layer that was in the cache when the builder looked may be removed with another's image. */
static bool lost_a_layer(const struct err *e)
{
	return e->code == ERR_ENGINE && strstr(e->msg, "No such image");
}

static bool is_frontend_too_old(const struct build *build, const struct err *e)
{
	return build->need->build->needs_buildkit &&
	       (strstr(e->msg, "unknown instruction") || strstr(e->msg, "Unknown flag"));
}

/* "buildkit not supported by daemon" and the like. */
static bool is_without_buildkit(const struct build *build, const struct err *e)
{
	return build->need->build->needs_buildkit && strcasestr(e->msg, "buildkit") &&
	       (strstr(e->msg, "not supported") || strstr(e->msg, "not enabled"));
}

static int explain(const struct build *build, struct err *e)
{
	enum { WORDS = 600 };
	const struct image_output *output = &build->steps.output;
	struct err cause = *e;

	if (cause.code == ERR_TIMEOUT)
		return err_set(e, ERR_ENGINE, "the build of image '%s' did not end within %lld s",
			       build->need->reference,
			       (long long)build->job->node->options->build_time / 1000);
	if (is_frontend_too_old(build, &cause))
		return err_set(e, cause.code,
			       "%s (the Dockerfile needs a newer BuildKit than this engine has: "
			       "heredocs and --link came with Docker 23)",
			       cause.msg);
	if (is_without_buildkit(build, &cause))
		return err_set(
			e, cause.code,
			"%s (the Dockerfile needs BuildKit, which this engine does not offer)",
			cause.msg);
	if (output->len > 0 && !build->job->output)
		return err_set(e, cause.code, "%s\nIt ended with: %s", cause.msg,
			       image_output_end(output, WORDS));
	return -(int)cause.code;
}

int image_build(const struct image_job *job, const struct plan *plan, const struct image_need *need,
		char **ret_id, struct err *e)
{
	AUTO(json_t *, json_decrefp) args = own_args(plan, need);
	AUTO(char *, freep) dockerfile = NULL;
	struct build build = { .job = job, .need = need, .steps = { .own_args = args } };
	int64_t began = clock_monotonic_ms();
	int r;

	log_info("build of image '%s' for '%s'", need->reference, job->challenge_id);
	r = pull_bases(job, need->build, &dockerfile, e);
	if (r < 0)
		return r;
	build.dockerfile = dockerfile;
	r = run_build(&build, ret_id, e);
	if (r < 0 && lost_a_layer(e))
		r = run_build(&build, ret_id, e);
	settle_layers(&build, r == 0);
	if (job->output)
		*job->output = build.steps.output;
	if (r < 0)
		return explain(&build, e);
	log_info("build of image '%s' took %lld ms", need->reference,
		 (long long)(clock_monotonic_ms() - began));
	return 0;
}

/* --- earlier versions --------------------------------------------------------------------- */

/* In front of the names of what Podman built itself. */
static const char podman_local[] = "localhost/";

static bool is_kept(const struct engine_image *image, const json_t *keep)
{
	const json_t *reference;
	size_t i;

	json_array_foreach (image->references, i, reference) {
		const char *text = json_string_value(reference);

		if (text && strncmp(text, podman_local, sizeof(podman_local) - 1) == 0)
			text += sizeof(podman_local) - 1;
		if (text && (json_object_get(keep, text) || strstr(text, ":layers-")))
			return true;
	}
	return json_object_get(image->labels, LABEL_INSTANCE);
}

int image_remove_superseded(struct node *node, const char *challenge_id, const json_t *keep,
			    struct err *e)
{
	AUTO(char *, freep) challenge = strf("%s=%s", LABEL_CHALLENGE, challenge_id);
	AUTO(char *, freep) maker = strf("%s=%s", label_maker, node->id);
	const char *const labels[] = { challenge, maker, NULL };
	struct engine_image_list list = { 0 };
	int r;

	if (!challenge || !maker)
		return err_memory(e);
	r = engine_image_list(node->engine, labels, &list, e);
	for (size_t i = 0; r == 0 && i < list.count; i++)
		if (!is_kept(&list.items[i], keep))
			remove_unused(node->engine, list.items[i].id);
	engine_image_list_done(&list);
	return r;
}
