/* SPDX-License-Identifier: Apache-2.0 */
#include "platform-schema.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static _Thread_local char fault[512];

__attribute__((format(printf, 1, 2))) static bool fails(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(fault, sizeof(fault), format, ap);
	va_end(ap);
	return false;
}

static const char *string(const json_t *json, const char *name)
{
	return json_string_value(json_object_get(json, name));
}

static bool is_of_type(const char *type, const json_t *value)
{
	return (strcmp(type, "string") == 0 && json_is_string(value)) ||
	       (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
	       (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
	       (strcmp(type, "object") == 0 && json_is_object(value)) ||
	       (strcmp(type, "array") == 0 && json_is_array(value)) ||
	       (strcmp(type, "null") == 0 && json_is_null(value));
}

static const json_t *resolve(const json_t *document, const json_t *schema)
{
	const char *ref = string(schema, "$ref");

	if (!ref)
		return schema;
	return json_object_get(json_object_get(json_object_get(document, "components"), "schemas"),
			       strrchr(ref, '/') + 1);
}

static bool fits(const json_t *document, const json_t *schema, const json_t *value,
		 const char *where);

static bool has_required(const json_t *schema, const json_t *value, const char *where)
{
	json_t *name;
	size_t i;

	json_array_foreach (json_object_get(schema, "required"), i, name)
		if (!json_object_get(value, json_string_value(name)))
			return fails("%s has no '%s'", where, json_string_value(name));
	return true;
}

static bool members_fit(const json_t *document, const json_t *schema, const json_t *value,
			const char *where)
{
	const json_t *properties = json_object_get(schema, "properties");
	json_t *copy = (json_t *)(uintptr_t)value, *member;
	const char *name;

	if (!properties)
		return true;
	json_object_foreach (copy, name, member) {
		const json_t *property = json_object_get(properties, name);

		if (!property)
			return fails("%s has '%s', which is not written down", where, name);
		if (!fits(document, property, member, name))
			return false;
	}
	return has_required(schema, value, where);
}

static bool fits_any(const json_t *document, const json_t *any, const json_t *value,
		     const char *where)
{
	json_t *schema;
	size_t i;

	json_array_foreach (any, i, schema)
		if (fits(document, schema, value, where))
			return true;
	return false;
}

static bool fits(const json_t *document, const json_t *schema_or_ref, const json_t *value,
		 const char *where)
{
	const json_t *schema = resolve(document, schema_or_ref);
	const char *type = string(schema, "type");
	json_t *item;
	size_t i;

	if (json_object_get(schema, "anyOf"))
		return fits_any(document, json_object_get(schema, "anyOf"), value, where);
	if (type && !is_of_type(type, value))
		return fails("%s is not of type %s", where, type);
	if (json_is_array(value))
		json_array_foreach (value, i, item)
			if (!fits(document, json_object_get(schema, "items"), item, where))
				return false;
	return !json_is_object(value) || members_fit(document, schema, value, where);
}

static bool is_path_of(const char *template_, const char *path)
{
	while (*template_ && *path) {
		if (*template_ == '{') {
			template_ = strchr(template_, '}') + 1;
			path += strcspn(path, "/?");
		} else if (*template_++ != *path++) {
			return false;
		}
	}
	return *template_ == '\0' && (*path == '\0' || *path == '?');
}

static const json_t *find_operation(const json_t *document, const char *method, const char *path)
{
	json_t *paths = json_object_get(document, "paths"), *methods, *best = NULL;
	char word[8] = "";
	const char *template_;
	size_t most_literal = 0;

	for (size_t i = 0; method[i] && i + 1 < sizeof(word); i++)
		word[i] = (char)(method[i] | 0x20);
	json_object_foreach (paths, template_, methods) {
		/* Of several that match, the one with the longest literal beginning. */
		size_t literal = strcspn(template_, "{");

		if (!is_path_of(template_, path) || (best && literal < most_literal))
			continue;
		best = methods;
		most_literal = literal;
	}
	return json_object_get(best, word);
}

const char *schema_fault(const json_t *document, const char *method, const char *path, int status,
			 const json_t *json)
{
	const json_t *operation = find_operation(document, method, path), *answer, *media;
	char word[16];

	snprintf(word, sizeof(word), "%d", status);
	answer = json_object_get(json_object_get(operation, "responses"),
				 status >= 400 ? "default" : word);
	if (!operation)
		return status == 404 || status == 405 || status == 401 ? NULL : "it is not there";
	if (!answer)
		return "the status is not written down";
	media = json_object_get(json_object_get(answer, "content"), "application/json");
	if (!media || !json_object_get(media, "schema"))
		return NULL;
	if (!json)
		return "it is no JSON";
	return fits(document, json_object_get(media, "schema"), json, "the answer") ? NULL : fault;
}
