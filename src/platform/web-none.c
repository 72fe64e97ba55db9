/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/platform.h"

/* Built without the web interface: there is the API alone. */
const struct http_route platform_web_routes[] = {
	{ .method = NULL },
};
