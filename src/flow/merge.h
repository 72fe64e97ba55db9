/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flow's lines, made one flow.
 */
#ifndef FLOW_MERGE_H
#define FLOW_MERGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

enum { MERGE_BODY_MAX = 64 << 10 /* bytes of a body that is decoded, or of raw bytes as a body */ };

/* Objects are merged, lists go on, all else is the last that was said. */
void merge_line(json_t *flow, json_t *line);

/*
 * What a reader expects of a flow: parts of bodies are joined and, if that is wished, decoded;
 * compressed messages are inflated. The error is set unless it is NULL. -1: out of memory.
 */
int merge_end(json_t *flow, const char *error, bool decodes);

/*
 * Decodes gzip, deflate, br and zstd; at most so many bytes come out, whatever they would become.
 * NULL: it isn't that, or out of memory.
 */
char *content_decode(const char *coding, const void *bytes, size_t len, size_t max,
		     size_t *ret_len);

/* A stream of compressed messages (RFC 7692). */
struct inflation;
struct inflation *inflation_new(void);
void inflation_free(struct inflation *inflation);
/*
 * The message's text, the caller's; NULL: it can't be told, or all together would become more than
 * 32 MiB. `forgets`: the next stands for itself.
 */
char *inflation_message(struct inflation *inflation, const void *bytes, size_t len, size_t max,
			bool forgets, size_t *ret_len);

#endif
