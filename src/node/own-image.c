/* SPDX-License-Identifier: Apache-2.0 */
#include "node/own-image.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/image-name.h"
#include "base/log.h"
#include "base/own.h"
#include "challenge/context.h"
#include "challenge/plan.h"
#include "engine/image.h"
#include "node/image-build.h"
#include "node/image-making.h"
#include "node/image-pull.h"
#include "node/image.h"
#include "node/node.h"
#include "node/store.h"

#include <jansson.h>
#include <limits.h>
#include <string.h>

static const char *const own_images[] = { IMAGE_CAPTURE, IMAGE_RECORDER, IMAGE_RELAY,
					  IMAGE_OPENVPN, IMAGE_SOLVER,   IMAGE_UPLINK };

/* Our name for what the reference means, however it is written; NULL: it isn't ours. */
static const char *own_name(const char *reference)
{
	AUTO(struct image_name, image_name_done) name = { 0 };
	struct err e = ERR_INIT;

	if (image_name_parse(reference, &name, &e) < 0 || image_name_owner(&name) != IMAGE_CTFYS ||
	    name.digest || strcmp(name.tag, "latest") != 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(own_images); i++)
		if (strcmp(name.path, own_images[i]) == 0)
			return own_images[i];
	return NULL;
}

bool image_is_own(const char *reference)
{
	return own_name(reference) != NULL;
}

/* Installed, they lie beside the program's bin/; else where the program was built from. */
static int find_folders(const struct node *node, char **ret_path, struct err *e)
{
	char program[PATH_MAX];
	AUTO(char *, freep) installed = NULL;
	ssize_t len;

	if (node->options->images) {
		*ret_path = strdup(node->options->images);
		return *ret_path ? 0 : err_memory(e);
	}
	len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	program[len > 0 ? len : 0] = '\0';
	*(len > 0 ? strrchr(program, '/') : program) = '\0';
	installed = strf("%s/../share/ctfy/images", program);
	if (!installed)
		return err_memory(e);
	*ret_path = file_exists(installed) ? TAKE(installed) : strdup(CTFY_IMAGES);
	return *ret_path ? 0 : err_memory(e);
}

/* NULL: there is none that an image could be made from. */
static char *own_folder(const char *path)
{
	AUTO(char *, freep) absolute = realpath(path, NULL);
	AUTO(char *, freep) dockerfile = absolute ? strf("%s/Dockerfile", absolute) : NULL;

	return dockerfile && file_exists(dockerfile) ? TAKE(absolute) : NULL;
}

static int find_folder(const struct node *node, const char *name, char **ret_folder, struct err *e)
{
	AUTO(char *, freep) folders = NULL;
	AUTO(char *, freep) folder = NULL;
	AUTO(char *, freep) absolute = NULL;
	int r = find_folders(node, &folders, e);

	if (r < 0)
		return r;
	folder = strf("%s%s", folders, strchr(name, '/'));
	absolute = folder ? own_folder(folder) : NULL;
	/* It has a program in it, so it is no part of the source. */
	if (!absolute && strcmp(name, IMAGE_RELAY) == 0)
		absolute = own_folder(CTFY_RELAY_IMAGE);
	if (!absolute)
		return err_set(e, ERR_NOT_FOUND,
			       "there is no Dockerfile of ctfy's own image '%s' in '%s': name the "
			       "directory of ctfy's images with --images",
			       name, folder ? folder : folders);
	*ret_folder = TAKE(absolute);
	return 0;
}

/* What others begin with by its name is what we built: a name can be given to anything. */
static int keep_name(const struct node *node, const char *name, const char *id, struct err *e)
{
	AUTO(json_t *, json_decrefp) named = NULL;
	int r = engine_image_inspect(node->engine, name, &named, e);
	const char *found = json_string_value(json_object_get(named, "Id"));

	if (r < 0 && r != -ERR_NOT_FOUND)
		return r;
	if (found && strcmp(found, id) == 0)
		return 0;
	log_warn("the name '%s' %s: it is our image's again", name,
		 found ? "was given to another image" : "was taken away");
	return engine_image_tag(node->engine, id, name, e);
}

/* 1: this node built it of this, and it is still there; 0: not. */
static int is_current(const struct node *node, const char *name, const char *content, struct err *e)
{
	AUTO(char *, freep) of = NULL;
	AUTO(char *, freep) id = NULL;
	int r = store_get_own_image(node->db, name, &of, &id, e);

	if (r < 0)
		return r == -ERR_NOT_FOUND ? 0 : r;
	r = strcmp(of, content) == 0 ? engine_image_exists(node->engine, id, e) : 0;
	if (r <= 0)
		return r;
	r = keep_name(node, name, id, e);
	return r < 0 ? r : 1;
}

static int remember(const struct node *node, const char *name, const char *content,
		    const char *built, struct err *e)
{
	AUTO(json_t *, json_decrefp) image = NULL;
	int r = engine_image_inspect(node->engine, built, &image, e);
	const char *id = json_string_value(json_object_get(image, "Id"));

	if (r < 0)
		return r;
	return store_put_own_image(node->db, name, content, id ? id : built, e);
}

/* The version before: whoever runs on it keeps it. */
static void remove_former(const struct node *node, const char *id)
{
	struct err why = ERR_INIT;
	int r = engine_image_remove(node->engine, id, false, &why);

	if (r < 0 && r != -ERR_NOT_FOUND && r != -ERR_CONFLICT)
		log_warn("%s", why.msg);
}

static int build(const struct image_job *job, const char *name, struct plan_build *build,
		 const char *content, struct err *e)
{
	AUTO(char *, freep) reference = strf("%s:latest", name);
	const struct plan plan = { .challenge_id = name };
	const struct image_need need = { .reference = reference, .service = name, .build = build };
	struct image_job ours = *job; /* it is no challenge's: no rebuild of one may remove it */
	AUTO(char *, freep) former_content = NULL;
	AUTO(char *, freep) former = NULL;
	AUTO(char *, freep) id = NULL;
	struct err unknown = ERR_INIT;
	int r;

	if (!reference)
		return err_memory(e);
	ours.challenge_id = name;
	r = image_build(&ours, &plan, &need, &id, e);
	if (r < 0)
		return r;
	store_get_own_image(job->node->db, name, &former_content, &former, &unknown);
	r = remember(job->node, name, content, id, e);
	if (r == 0 && former && strcmp(former, id) != 0)
		remove_former(job->node, former);
	return r;
}

static int ensure(const struct image_job *job, const char *name, struct err *e)
{
	AUTO(char *, freep) folder = NULL;
	struct plan_build recipe = { .dockerfile = "Dockerfile" };
	char content[CONTEXT_HASH_SIZE];
	int r = find_folder(job->node, name, &folder, e);

	if (r < 0)
		return r;
	recipe.context = folder;
	r = context_hash(&recipe, content, e);
	if (r == 0)
		r = is_current(job->node, name, content, e);
	if (r == 0)
		r = build(job, name, &recipe, content, e);
	return r < 0 ? r : 0;
}

int own_image_id(const struct node *node, const char *reference, char **ret_id, struct err *e)
{
	AUTO(char *, freep) content = NULL;
	const char *name = own_name(reference);

	return name ? store_get_own_image(node->db, name, &content, ret_id, e) : 0;
}

int own_image_ensure(const struct image_job *job, const char *reference, struct err *e)
{
	const char *name = own_name(reference);
	struct making *making;
	int r = making_begin(job->node->images, name, job->cancelled, &making, e);

	if (r <= 0)
		return r;
	r = ensure(job, name, e);
	making_end(job->node->images, making, r, e);
	return r < 0 ? err_wrap(e, "image '%s'", name) : 0;
}

int image_have(const struct image_job *job, const char *reference, struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	int r;

	if (image_is_own(reference))
		return own_image_ensure(job, reference, e);
	r = engine_image_inspect(job->node->engine, reference, &inspected, e);
	return r == -ERR_NOT_FOUND ? image_pull(job, reference, NULL, false, e) : r;
}
