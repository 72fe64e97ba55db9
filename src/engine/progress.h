/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages that pulls and builds share. Used inside this room only.
 */
#ifndef ENGINE_PROGRESS_H
#define ENGINE_PROGRESS_H

#include "engine/image.h"

#include <jansson.h>

struct err;

/* A failure told inside a stream that had begun as a success. */
int progress_check(const json_t *message, struct err *e);

/* Tells the caller of a message like a pull's, where it wants to know. */
int progress_tell(engine_progress_fn *progress, void *cookie, const json_t *message, struct err *e);

#endif
