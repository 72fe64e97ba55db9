/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the platform says its answers look like (/openapi.json), held against what it answers.
 */
#ifndef UNIT_PLATFORM_SCHEMA_H
#define UNIT_PLATFORM_SCHEMA_H

#include <jansson.h>

/*
 * Why an answer is not as the document has it, in static memory; NULL: it is. json NULL: it has no
 * JSON. Paths and statuses that the document doesn't know are a reason, too.
 */
const char *schema_fault(const json_t *document, const char *method, const char *path, int status,
			 const json_t *json);

#endif
