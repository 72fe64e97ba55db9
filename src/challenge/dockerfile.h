/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Dockerfile tells without being built.
 */
#ifndef CHALLENGE_DOCKERFILE_H
#define CHALLENGE_DOCKERFILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

struct dockerfile_port {
	uint16_t port;
	const char *protocol; /* "tcp" or "udp" */
};

struct dockerfile {
	bool needs_buildkit; /* COPY --chmod, RUN --mount, heredocs and their like */
	const char *buildkit_reason;
	unsigned buildkit_line;
	const char *frontend; /* the image of "# syntax=", which BuildKit would read the rest with;
				 NULL: none is named */
	const char *foreign_frontend;  /* one that is not docker/dockerfile; NULL: none */
	struct dockerfile_port *ports; /* EXPOSE of the last stage */
	size_t port_count;
	const char **args; /* names of every ARG */
	size_t arg_count;
	bool has_healthcheck;
	const char **globals; /* ARGs before the first FROM: "NAME" or "NAME=default" */
	size_t global_count;
	const char *base;    /* what the last stage stands on, by way of whatever others; NULL: no
				stage */
	const char **images; /* named by FROM and COPY --from, stages and scratch left out; as
				written */
	size_t image_count;
	/* The same of other ways to read the text: with the other escape, without heredocs. */
	struct dockerfile *otherwise;
	size_t otherwise_count;
};

/* Never fails but for memory (false): what it doesn't understand is the builder's to refuse. */
bool dockerfile_read(struct arena *arena, const char *text, struct dockerfile *ret_file);

/* The text without its "# syntax=" line; the caller's. NULL: out of memory. */
char *dockerfile_drop_frontend(const char *text);

/*
 * The port that the image of this reference exposes, for well-known ones whose heirs name none
 * themselves; 0: not known before it is there.
 */
uint16_t dockerfile_port_of_image(const char *reference);

bool dockerfile_has_arg(const struct dockerfile *file, const char *name);

/*
 * The references of the images that a build with these args ({name: value}; may be NULL) begins
 * with. One that can't be told is left out. False when out of memory.
 */
bool dockerfile_images(struct arena *arena, const struct dockerfile *file, const json_t *args,
		       const char ***ret_images, size_t *ret_count);

/*
 * What is wrong with one of its images, whose name goes to *ret_name, as image_name_fault() has it;
 * NULL: nothing. However a builder reads the text, it finds no challenge's image in it.
 */
const char *dockerfile_image_fault(struct arena *arena, const struct dockerfile *file,
				   const json_t *args, const char **ret_name);

#endif
