/* SPDX-License-Identifier: Apache-2.0 */
#include "node/build-context.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/context.h"
#include "challenge/plan.h"
#include "engine/tar.h"

#include <string.h>

/* A Dockerfile that is not a file of the context goes in under a name of ours. */
static const char own_dockerfile[] = ".ctfy.Dockerfile";

struct build_context {
	struct arena *arena; /* of the names */
	struct tar_entry *entries;
	size_t count, capacity, next;
	const char *dockerfile;
	int dir; /* the context's, which the entries are below */
	struct tar *tar;
};

static struct tar_entry *add_entry(struct build_context *context)
{
	if (context->count == context->capacity) {
		size_t capacity = context->capacity ? 2 * context->capacity : 64;
		struct tar_entry *entries = realloc(context->entries, capacity * sizeof(*entries));

		if (!entries)
			return NULL;
		context->entries = entries;
		context->capacity = capacity;
	}
	context->entries[context->count] = (struct tar_entry){ 0 };
	return &context->entries[context->count++];
}

static int add_found(void *cookie, const struct context_entry *found)
{
	struct build_context *context = cookie;
	struct tar_entry *entry = add_entry(context);

	if (!entry)
		return -(int)ERR_MEMORY;
	*entry = (struct tar_entry){
		.name = arena_strdup(context->arena, found->name),
		.mode = found->st.st_mode,
		.mtime = found->st.st_mtime,
		.link = arena_strdup(context->arena, found->target),
	};
	if (S_ISREG(found->st.st_mode))
		entry->path = entry->name;
	entry->dir = context->dir;
	return 0;
}

static int add_own_dockerfile(struct build_context *context, const struct plan_build *build,
			      const char *text, struct err *e)
{
	struct tar_entry *entry;
	int r = text ? 0 : context_dockerfile(context->arena, build, &text, e);

	if (r < 0)
		return r;
	entry = add_entry(context);
	if (!entry)
		return err_memory(e);
	*entry = (struct tar_entry){
		.name = own_dockerfile, .mode = S_IFREG | 0644, .bytes = text, .size = strlen(text)
	};
	context->dockerfile = own_dockerfile;
	return 0;
}

static int next_entry(void *cookie, struct tar_entry *ret_entry, struct err *e)
{
	struct build_context *context = cookie;

	(void)e;
	if (context->next == context->count)
		return 0;
	*ret_entry = context->entries[context->next++];
	return 1;
}

int build_context_open(const struct plan_build *build, const char *dockerfile,
		       struct build_context **ret_context, struct err *e)
{
	AUTO(struct build_context *, build_context_closep) context = calloc(1, sizeof(*context));
	int r;

	if (context) {
		context->dir = -1;
		context->arena = arena_new();
	}
	if (!context || !context->arena)
		return err_memory(e);
	context->dockerfile = build->dockerfile;
	r = context_open(build, &context->dir, e);
	if (r == 0)
		r = context_walk(build, add_found, context, e);
	if (!dockerfile)
		dockerfile = build->dockerfile_inline;
	if (r == 0 && (dockerfile || build->dockerfile[0] == '/'))
		r = add_own_dockerfile(context, build, dockerfile, e);
	if (r == -ERR_MEMORY || arena_failed(context->arena))
		return err_memory(e);
	if (r == 0)
		r = tar_new(next_entry, context, &context->tar, e);
	if (r == 0)
		*ret_context = TAKE(context);
	return r;
}

void build_context_close(struct build_context *context)
{
	if (!context)
		return;
	tar_free(context->tar);
	closep(&context->dir);
	arena_free(context->arena);
	free(context->entries);
	free(context);
}

const char *build_context_dockerfile(const struct build_context *context)
{
	return context->dockerfile;
}

struct tar *build_context_tar(struct build_context *context)
{
	return context->tar;
}
