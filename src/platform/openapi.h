/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the API is, for programs (OpenAPI 3.1, /openapi.json) and for people (/docs).
 *
 * Paths, parameters and roles come from the route tables; words, queries, bodies and answers from
 * openapi-table.c, a row per route. A test holds the two together, and every answer of the test
 * suite against what is written there.
 */
#ifndef PLATFORM_OPENAPI_H
#define PLATFORM_OPENAPI_H

#include "http/serve.h"

#include <stddef.h>

struct err;

struct openapi {
	char *json;
	size_t json_len;
	char *page;
	size_t page_len;
};

/* Fails with INTERNAL: the table is at odds with itself. Routes it doesn't know are left out. */
int openapi_make(const struct http_route *const *tables, struct openapi *ret_openapi,
		 struct err *e);
void openapi_done(struct openapi *openapi);

/*
 * A schema in short: "name:type" for each member. Types are s (string), i (integer), b (boolean),
 * t (instant), o (any object), * (anything), a schema's name, or [TYPE]; a last ? allows null. A
 * member that begins with ~ may be absent; "+Name" has all members of another schema.
 */
struct openapi_schema {
	const char *name;
	const char *members;
};

struct openapi_route {
	const char *method, *path; /* below /api/v1 */
	const char *summary;
	const char *query;   /* "limit:i cursor:s", in short; NULL: none */
	const char *body;    /* a schema's name, or a content type; NULL: none */
	const char *answers; /* "201:Team 204": what succeeds; a schema's name or a content type */
};

/* Each ends with a row of NULLs. */
extern const struct openapi_schema openapi_schemas[];
extern const struct openapi_route openapi_routes[];

#endif
