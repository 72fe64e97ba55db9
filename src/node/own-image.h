/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images that ctfy brings itself: built from its own folder of Dockerfiles (images/ in the source,
 * and src/relay/image/) when they are first needed, and again when that folder has changed.
 *
 * Their names are public, and any image can be given any name. So a node remembers the ids of what
 * it built, and runs those; no registry is ever asked.
 */
#ifndef NODE_OWN_IMAGE_H
#define NODE_OWN_IMAGE_H

#include <stdbool.h>

struct err;
struct image_job;
struct node;

#define IMAGE_CAPTURE  "ctfy/capture"
#define IMAGE_RECORDER "ctfy/recorder"
#define IMAGE_RELAY    "ctfy/relay"
#define IMAGE_OPENVPN  "ctfy/openvpn-base"
#define IMAGE_SOLVER   "ctfy/solver"
#define IMAGE_UPLINK   "ctfy/uplink"

/* Whether a reference means one of these, however it is written. */
bool image_is_own(const char *reference);

/*
 * Builds it unless it is there as the folder has it. Fails with NOT_FOUND (no such folder: its
 * message says where it was looked for), ENGINE or ABORTED.
 */
int own_image_ensure(const struct image_job *job, const char *reference, struct err *e);

/*
 * The id of what this node built under that name: what is to be run. *ret_id, the caller's, stays
 * as it is for an image that isn't one of ours. Fails with NOT_FOUND: it has not been built.
 */
int own_image_id(const struct node *node, const char *reference, char **ret_id, struct err *e);

/* The same of any image: one that isn't ours is pulled where it is not there. */
int image_have(const struct image_job *job, const char *reference, struct err *e);

#endif
