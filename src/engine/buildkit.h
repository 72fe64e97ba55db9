/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BuildKit tells its progress in protobuf (moby.buildkit.v1.StatusResponse) rather than in text.
 * Used inside this room only.
 */
#ifndef ENGINE_BUILDKIT_H
#define ENGINE_BUILDKIT_H

#include <stddef.h>

struct buf;

/*
 * Appends what a status says as text: the names of steps that begin ("[2/3] RUN make") and the
 * output of commands. What can't be decoded is left out: it is for people's eyes only.
 */
void buildkit_text(const unsigned char *status, size_t len, struct buf *text);

#endif
