/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plan's build context as a tar for the engine.
 */
#ifndef NODE_BUILD_CONTEXT_H
#define NODE_BUILD_CONTEXT_H

struct err;
struct plan_build;
struct build_context;

/*
 * Lists the files; they are read while the tar is. dockerfile: a text to be built instead of the
 * plan's Dockerfile, borrowed; NULL: that one. Fails with INVALID or NOT_FOUND.
 */
int build_context_open(const struct plan_build *build, const char *dockerfile,
		       struct build_context **ret_context, struct err *e);
void build_context_close(struct build_context *context);
static inline void build_context_closep(struct build_context **context)
{
	build_context_close(*context);
}

/* Where the Dockerfile is in the tar. */
const char *build_context_dockerfile(const struct build_context *context);

/* The tar, for tar_read(); borrowed. */
struct tar *build_context_tar(struct build_context *context);

#endif
