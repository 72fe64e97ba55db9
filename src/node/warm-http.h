/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors of warming: builds, and pulls, their twins.
 */
#ifndef NODE_WARM_HTTP_H
#define NODE_WARM_HTTP_H

#include "http/serve.h"

extern const struct http_route warm_routes[];

#endif
