/* SPDX-License-Identifier: Apache-2.0 */
/*
 * References to images, as registries and their mirrors understand them.
 *
 * All results are the caller's to free(); NULL means that memory ended, unless said otherwise.
 */
#ifndef NODE_IMAGE_REFERENCE_H
#define NODE_IMAGE_REFERENCE_H

/* Spelled out: "busybox" is "docker.io/library/busybox:latest". */
char *reference_full(const char *reference);

/* Without tag and digest: "docker.io/library/busybox". */
char *reference_repository(const char *reference);

/* The host that serves it: "docker.io", "registry.example:5000". */
char *reference_registry(const char *reference);

/*
 * What a mirror of docker.io calls it: "busybox" at "http://cache:5000" is
 * "cache:5000/library/busybox:latest". *ret_mirrored is NULL for an image of another registry, and
 * for one named by digest: that name can't be given to what a mirror delivers.
 */
int reference_mirrored(const char *reference, const char *mirror, char **ret_mirrored);

#endif
