/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's own doors: the heartbeat, and what the platform's operator asks of a whole node.
 */
#ifndef NODE_NODE_HTTP_H
#define NODE_NODE_HTTP_H

#include "http/serve.h"

extern const struct http_route node_routes[];

/* Every call carries the node's token. */
int node_authorize(void *ctx, struct http_req *req, const struct http_route *route, struct err *e);

#endif
