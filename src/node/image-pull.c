/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image-pull.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/image-name.h"
#include "base/log.h"
#include "base/own.h"
#include "engine/image.h"
#include "node/credential.h"
#include "node/image-making.h"
#include "node/image-reference.h"
#include "node/image-watch.h"
#include "node/image.h"
#include "node/node.h"
#include "node/own-image.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

enum { ATTEMPTS = 5, FIRST_PAUSE_MS = 1000, LOG_EVERY_MS = 10000 };

/* --- how it goes -------------------------------------------------------------------------- */

struct layer {
	char id[32];
	int64_t bytes, total;
};

struct pull {
	const struct image_job *job;
	const char *reference; /* as the challenge has it */
	struct layer *layers;
	size_t count;
	int64_t logged_at;
};

static void pull_done(struct pull *pull)
{
	free(pull->layers);
}

static struct layer *find_layer(struct pull *pull, const char *id)
{
	struct layer *layers;

	for (size_t i = 0; i < pull->count; i++)
		if (strncmp(pull->layers[i].id, id, sizeof(pull->layers[i].id) - 1) == 0)
			return &pull->layers[i];
	layers = realloc(pull->layers, (pull->count + 1) * sizeof(*layers));
	if (!layers)
		return NULL;
	pull->layers = layers;
	layers[pull->count] = (struct layer){ .bytes = 0 };
	strncpy(layers[pull->count].id, id, sizeof(layers->id) - 1);
	return &layers[pull->count++];
}

static void take_layer(struct layer *layer, const struct engine_progress *progress)
{
	if (strcmp(progress->text, "Downloading") == 0) {
		layer->bytes = progress->current;
		layer->total = progress->total;
	} else if (strcmp(progress->text, "Download complete") == 0 ||
		   strcmp(progress->text, "Extracting") == 0 ||
		   strcmp(progress->text, "Pull complete") == 0) {
		if (layer->total == 0) /* too small to have been told of on its way */
			layer->total = progress->total;
		layer->bytes = layer->total;
	}
}

static struct image_progress progress_of(const struct pull *pull)
{
	struct image_progress sum = { .reference = pull->reference };

	for (size_t i = 0; i < pull->count; i++) {
		sum.bytes += pull->layers[i].bytes;
		sum.bytes_total += pull->layers[i].total;
	}
	return sum;
}

static int take_progress(void *cookie, const struct engine_progress *progress, struct err *e)
{
	struct pull *pull = cookie;
	struct layer *layer;
	struct image_progress sum;

	if (!progress->layer)
		return 0;
	layer = find_layer(pull, progress->layer);
	if (!layer)
		return err_memory(e);
	take_layer(layer, progress);
	sum = progress_of(pull);
	if (sum.bytes_total > pull->job->node->options->image_max)
		return err_set(e, ERR_TOO_LARGE,
			       "it is of more than %lld MiB, which is the most (--image-max)",
			       (long long)pull->job->node->options->image_max >> 20);
	if (pull->job->tell)
		pull->job->tell(pull->job->cookie, &sum);
	if (clock_monotonic_ms() - pull->logged_at >= LOG_EVERY_MS) {
		pull->logged_at = clock_monotonic_ms();
		log_info("pull of image '%s': %lld of %lld bytes", pull->reference,
			 (long long)sum.bytes, (long long)sum.bytes_total);
	}
	return 0;
}

/* --- patience ----------------------------------------------------------------------------- */

/* "429" or "5xx" as a word of its own, shortly after "HTTP" or "status". */
static bool names_status(const char *words)
{
	enum { NEAR = 24 };
	char before[NEAR + 1];

	for (const char *at = words; (at = strpbrk(at, "45")); at++) {
		size_t back = (size_t)(at - words) < NEAR ? (size_t)(at - words) : NEAR;

		if ((strncmp(at, "429", 3) != 0 &&
		     !(at[0] == '5' && isdigit((unsigned char)at[1]) &&
		       isdigit((unsigned char)at[2]))) ||
		    isalnum((unsigned char)at[3]) || back == 0 || isalnum((unsigned char)at[-1]))
			continue;
		memcpy(before, at - back, back);
		before[back] = '\0';
		if (strstr(before, "HTTP") || strstr(before, "status"))
			return true;
	}
	return false;
}

int64_t pull_retry_pause_ms(const char *words, unsigned attempt)
{
	if (attempt >= ATTEMPTS || (!strstr(words, "toomanyrequests") && !names_status(words)))
		return -1;
	return (int64_t)FIRST_PAUSE_MS << (attempt - 1);
}

static int pause_ms(int64_t ms, const atomic_bool *cancelled, struct err *e)
{
	const struct timespec moment = { .tv_nsec = 100000000 };

	for (int64_t until = clock_monotonic_ms() + ms; clock_monotonic_ms() < until;) {
		if (cancelled && atomic_load(cancelled))
			return err_set(e, ERR_ABORTED, "no longer wanted");
		nanosleep(&moment, NULL);
	}
	return 0;
}

static int pull_patiently(struct engine *engine, const struct engine_pull *request, struct err *e)
{
	for (unsigned attempt = 1;; attempt++) {
		struct err why = ERR_INIT;
		int64_t pause;
		int r = engine_image_pull(engine, request, &why);

		pause = r < 0 ? pull_retry_pause_ms(why.msg, attempt) : -1;
		if (pause < 0) {
			if (r < 0)
				*e = why;
			return r;
		}
		log_warn("%s; trying again in %lld ms", why.msg, (long long)pause);
		r = pause_ms(pause, request->cancelled, e);
		if (r < 0)
			return r;
	}
}

/* --- from where --------------------------------------------------------------------------- */

/* A login that can't be had is no reason not to try: many images need none. */
static int find_login(const struct node *node, const char *reference,
		      struct credential *ret_credential, struct err *why)
{
	AUTO(char *, freep) file = credential_file(node->options->docker_config);
	AUTO(char *, freep) registry = reference_registry(reference);

	if (!file || !registry)
		return 0;
	return credential_find(file, registry, ret_credential, why);
}

static int pull_from(struct pull *pull, const char *reference, const char *platform, struct err *e)
{
	AUTO(struct credential, credential_done) login = { 0 };
	struct err no_login = ERR_INIT;
	int found = find_login(pull->job->node, reference, &login, &no_login);
	struct engine_credentials credentials = { .username = login.username,
						  .password = login.password };
	struct engine_pull request = {
		.reference = reference,
		.platform = platform,
		.credentials = found > 0 ? &credentials : NULL,
		.progress = take_progress,
		.cookie = pull,
	};
	struct image_watch watch;
	struct err why = ERR_INIT;
	int r;

	pull->count = 0;
	r = image_watch_begin(&watch, pull->job, e);
	if (r < 0)
		return r;
	request.cancelled = &watch.stop;
	r = pull_patiently(pull->job->node->engine, &request, &why);
	r = image_watch_end(&watch, r, &why);
	if (r == 0)
		return 0;
	if (found < 0)
		return err_set(e, why.code, "%s (without a login: %s)", why.msg, no_login.msg);
	*e = why;
	return r;
}

/*
 * The mirror's name of the image stays beside its own: it says where the image came from, and the
 * engine forgets the digest with the name.
 */
static int pull_mirrored(struct pull *pull, const char *mirrored, const char *platform,
			 struct err *e)
{
	int r = pull_from(pull, mirrored, platform, e);

	if (r == 0)
		r = engine_image_tag(pull->job->node->engine, mirrored, pull->reference, e);
	return r;
}

static int pull_now(struct pull *pull, const char *platform, struct err *e)
{
	const char *mirror = pull->job->node->options->registry_mirror;
	AUTO(char *, freep) mirrored = NULL;
	struct err of_mirror = ERR_INIT, of_registry = ERR_INIT;
	int r;

	if (mirror && reference_mirrored(pull->reference, mirror, &mirrored) < 0)
		return err_memory(e);
	if (!mirrored)
		return pull_from(pull, pull->reference, platform, e);
	r = pull_mirrored(pull, mirrored, platform, &of_mirror);
	if (r == 0)
		return 0;
	if (r == -ERR_ABORTED)
		return err_set(e, ERR_ABORTED, "%s", of_mirror.msg);
	log_warn("%s; asking the registry itself", of_mirror.msg);
	r = pull_from(pull, pull->reference, platform, &of_registry);
	if (r == 0)
		return 0;
	return err_set(e, of_registry.code, "%s; and the mirror: %s", of_registry.msg,
		       of_mirror.msg);
}

/* --- whether ------------------------------------------------------------------------------ */

static bool is_of(const char *digest, const char *reference)
{
	AUTO(char *, freep) a = reference_repository(digest);
	AUTO(char *, freep) b = reference ? reference_repository(reference) : NULL;

	return a && b && strcmp(a, b) == 0;
}

/* 1: it is here, and no registry has delivered it or been given it. */
static int is_own(const struct node *node, const char *reference, struct err *e)
{
	const char *mirror = node->options->registry_mirror;
	AUTO(json_t *, json_decrefp) image = NULL;
	AUTO(char *, freep) mirrored = NULL;
	const json_t *digest;
	size_t i;
	int r;

	if (strchr(reference, '@'))
		return 0;
	if (mirror && reference_mirrored(reference, mirror, &mirrored) < 0)
		return err_memory(e);
	r = engine_image_inspect(node->engine, reference, &image, e);
	if (r < 0)
		return r == -ERR_NOT_FOUND ? 0 : r;
	json_array_foreach (json_object_get(image, "RepoDigests"), i, digest)
		if (is_of(json_string_value(digest), reference) ||
		    is_of(json_string_value(digest), mirrored))
			return 0;
	return 1;
}

static int pull_locked(const struct image_job *job, const char *reference, const char *platform,
		       struct err *e)
{
	AUTO(struct pull, pull_done)
	pull = { .job = job, .reference = reference, .logged_at = clock_monotonic_ms() };
	int64_t began = clock_monotonic_ms();
	int r = is_own(job->node, reference, e);

	if (r > 0)
		log_info("image '%s' is this machine's own: not pulled", reference);
	if (r != 0)
		return r < 0 ? r : 0;
	log_info("pull of image '%s' for '%s'", reference, job->challenge_id);
	r = pull_now(&pull, platform, e);
	if (r == 0)
		log_info("pull of image '%s' took %lld ms", reference,
			 (long long)(clock_monotonic_ms() - began));
	return r;
}

static bool is_reserved(const char *reference)
{
	AUTO(struct image_name, image_name_done) name = { 0 };
	struct err e = ERR_INIT;

	return image_name_parse(reference, &name, &e) == 0 &&
	       image_name_owner(&name) != IMAGE_ANYBODYS;
}

/* Such a name is this machine's: a registry would deliver what a stranger gave it to. */
static int check_reserved(const struct image_job *job, const char *reference, struct err *e)
{
	int r = engine_image_exists(job->node->engine, reference, e);

	return r == 0  ? err_set(e, ERR_NOT_FOUND,
				 "image '%s' is not here, and is never pulled: 'ctfy/' and "
				  "'ctfy-challenge/' are names of images that nodes build",
				 reference)
	       : r < 0 ? r
		       : 0;
}

int image_pull(const struct image_job *job, const char *reference, const char *platform, bool again,
	       struct err *e)
{
	struct making *making;
	int r;

	if (image_is_own(reference))
		return own_image_ensure(job, reference, e);
	if (is_reserved(reference))
		return check_reserved(job, reference, e);
	r = making_begin(job->node->images, reference, job->cancelled, &making, e);
	if (r <= 0)
		return r;
	r = again ? 0 : engine_image_exists(job->node->engine, reference, e);
	if (r == 0)
		r = pull_locked(job, reference, platform, e);
	making_end(job->node->images, making, r, e);
	return r < 0 ? r : 0;
}
