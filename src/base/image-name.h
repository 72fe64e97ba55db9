/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to images, taken apart as engines and registries do: "busybox" is "latest" of
 * "library/busybox" at "docker.io". The only reader of them that there is.
 *
 * Two names are ours: what a node built, it named so, and no registry ever delivers. "ctfy/..." are
 * the images that ctfy brings, "ctfy-challenge/..." those of challenges, other challenges' answers
 * in them.
 */
#ifndef BASE_IMAGE_NAME_H
#define BASE_IMAGE_NAME_H

#include <stdbool.h>
#include <stddef.h>

struct err;

struct image_name {
	char *host;   /* "docker.io" where none is named, or by another name of its */
	char *path;   /* "library/busybox" */
	char *tag;    /* "latest" where neither tag nor digest is named; NULL: only a digest is */
	char *digest; /* "sha256:..."; NULL: none */
};

#define IMAGE_NAME_HUB "docker.io"

/* Takes any text apart. Fails with INVALID (no name). */
int image_name_parse(const char *text, struct image_name *ret_name, struct err *e);
void image_name_done(struct image_name *name);

/* Where the name ends, host included: at the tag or the digest. */
size_t image_name_length(const char *text);

enum image_owner {
	IMAGE_ANYBODYS,
	IMAGE_CTFYS,      /* "ctfy/..." */
	IMAGE_CHALLENGES, /* "ctfy-challenge/..." */
};

/* Podman puts "localhost/" before what it built: such a name is ours as well. */
enum image_owner image_name_owner(const struct image_name *name);

/*
 * What is wrong with a text as the name of an image that somebody else chose: NULL, or words to
 * follow the quoted text. Engines take the beginning of an id for a name, so that "a" may be any
 * image: what could be one is refused, and so is all that an engine might read otherwise than we.
 */
const char *image_name_fault(const char *text);

#endif
