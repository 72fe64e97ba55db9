/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node API's door to the challenges themselves: what is wrong with them, and test runs.
 */
#ifndef NODE_CHALLENGE_HTTP_H
#define NODE_CHALLENGE_HTTP_H

#include "http/serve.h"

extern const struct http_route challenge_routes[];

#endif
