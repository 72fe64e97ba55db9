/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors of a node, as spec'd for the platform: tables of routes whose context is the node.
 */
#ifndef NODE_INSTANCE_HTTP_H
#define NODE_INSTANCE_HTTP_H

#include "http/serve.h"

extern const struct http_route instance_routes[];

#endif
