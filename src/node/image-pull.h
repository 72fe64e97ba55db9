/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pulling: from a mirror where there is one, with the login for the registry, patiently.
 */
#ifndef NODE_IMAGE_PULL_H
#define NODE_IMAGE_PULL_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct image_job;

/*
 * Pulls an image, or waits for whoever is at it; one that the engine has only if `again`. Even then
 * one that came from no registry is this machine's own, and kept: a stranger may have pushed
 * another one of that name. Fails with NOT_FOUND, ENGINE or ABORTED.
 */
int image_pull(const struct image_job *job, const char *reference, const char *platform, bool again,
	       struct err *e);

/*
 * How long to wait after the so-manieth attempt (from 1) failed with these words of the engine's;
 * -1: trying again won't help. Only a registry that is busy (429) or broken (5xx) is asked again.
 */
int64_t pull_retry_pause_ms(const char *words, unsigned attempt);

#endif
