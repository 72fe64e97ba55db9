/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the engine's JSON: what is absent, null or of another type reads as empty.
 */
#ifndef ENGINE_JSON_H
#define ENGINE_JSON_H

#include "base/json.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

static inline const char *json_get_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static inline int64_t json_get_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static inline bool json_get_bool(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

/* Sets a member, and leaves it out where value is NULL. */
static inline int json_set_text(json_t *object, const char *key, const char *value)
{
	return value ? json_object_set_new(object, key, json_text(value)) : 0;
}

static inline int json_set_value(json_t *object, const char *key, const json_t *value)
{
	/* jansson counts references to const values too, and has no way to say so. */
	return value ? json_object_set(object, key, (json_t *)(uintptr_t)value) : 0;
}

#endif
