/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine is made of, for this room only.
 */
#ifndef ENGINE_CLIENT_H
#define ENGINE_CLIENT_H

#include "engine/engine.h"

struct http_client;

enum { ENGINE_API_SIZE = 48 }; /* two longs and a dot */

struct engine {
	struct http_client *http;
	char *url;
	char *version;
	char api[ENGINE_API_SIZE]; /* "1.41"; empty until agreed on, and in no path then */
	bool podman;
	int64_t timeout_ms;
	void (*observe)(void *cookie, const char *method, const char *call, int64_t us,
			enum err_code outcome);
	void *cookie;
};

#endif
