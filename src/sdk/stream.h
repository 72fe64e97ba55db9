/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies that are not kept: they go on to the caller's sink or file as they come.
 */
#ifndef SDK_STREAM_H
#define SDK_STREAM_H

#include "sdk/client.h"

#include <stdbool.h>
#include <stdint.h>

/* Where a body goes: to a sink, or else to a file. The rest is the stream's own. */
struct target {
	const struct ctfy_sink *sink;
	int fd;
	uint64_t *ret_size; /* bytes gone there, whether all goes well or not; NULL: not asked */

	struct http_reply reply;
	uint64_t size;
	bool is_text; /* what goes there is not the body itself, but a text found in it */
	bool began;
};

/* Asks, and sends the body to the target. */
int sdk_stream(struct ctfy_node_client *client, const struct request *request,
	       struct target *target, const struct ctfy_call *call, struct ctfy_error *error);

/* Asks for a JSON object, and sends the characters of its string member to the target. */
int sdk_stream_text(struct ctfy_node_client *client, const struct request *request,
		    const char *name, struct target *target, const struct ctfy_call *call,
		    struct ctfy_error *error);

#endif
