/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the forms of an instance's traffic share: an answer that grows.
 */
#ifndef NODE_TRAFFIC_OUTPUT_H
#define NODE_TRAFFIC_OUTPUT_H

#include "base/buf.h"
#include "node/traffic.h"

#include <stddef.h>
#include <stdint.h>

struct err;
struct flow_reader;

struct output {
	struct buf part;
	uint64_t sent;
	traffic_sink *sink;
	void *cookie;
};

int output_flush(struct output *output, struct err *e);
/* Where it is worth it. */
int output_flush_large(struct output *output, struct err *e);

/* Borrowed. */
struct flow_reader *traffic_reader(struct traffic *traffic);

#endif
