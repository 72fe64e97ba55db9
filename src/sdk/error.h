/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the rooms' errors and a node's refusals become the SDK's own.
 *
 * Each fills error, which may be NULL, and returns the negative kind.
 */
#ifndef SDK_ERROR_H
#define SDK_ERROR_H

#include <ctfy/error.h>

#include <jansson.h>
#include <stddef.h>

struct buf;
struct err;
struct http_reply;

/* Out of the rooms below. */
int sdk_fail(struct ctfy_error *error, const struct err *e);

int sdk_fail_memory(struct ctfy_error *error);

__attribute__((format(printf, 2, 3))) int sdk_refuse_argument(struct ctfy_error *error,
							      const char *fmt, ...);

/* A whole answer with a good status is not what the contract promises: e says why. */
int sdk_fail_protocol(struct ctfy_error *error, int status, const struct err *e);

/* The node request error of an answer that is not 2xx. */
int sdk_fail_node(struct ctfy_error *error, const struct http_reply *reply);

/* JSON of a node, which is a stranger: bounded in depth. NULL with PROTOCOL or MEMORY in e. */
json_t *sdk_load(const struct buf *body, size_t flags, struct err *e);

#endif
