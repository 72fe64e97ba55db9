/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of bytes on its way through zstd. Behind the last of it stands a checksum of them all,
 * so that whatever reads it notices any byte that was changed: libarchive's own zstd writes none.
 */
#ifndef NODE_SQUEEZE_H
#define NODE_SQUEEZE_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct squeeze;

/* Receives the compressed bytes. A failure ends the stream with that error. */
typedef int squeeze_sink(void *cookie, const void *bytes, size_t len, struct err *e);

/* *ret_squeeze: the caller's to squeeze_free(). */
int squeeze_new(squeeze_sink *sink, void *cookie, struct squeeze **ret_squeeze, struct err *e);

/* is_last: nothing comes after these; the checksum is written. */
int squeeze_put(struct squeeze *squeeze, const void *bytes, size_t len, bool is_last,
		struct err *e);

/* NULL is fine. What was not ended is cut short. */
void squeeze_free(struct squeeze *squeeze);

#endif
