/* SPDX-License-Identifier: Apache-2.0 */
#include "base/field.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"

#include <string.h>

enum { DEPTH_MAX = 8 };

/* Where a value stands in the message: ["body", "endpoints", 0, "port"]. */
struct place {
	const struct place *in;
	const char *name; /* NULL: an element of a list */
	size_t index;
};

struct decoding {
	json_t *problems;
	bool out_of_memory;
};

static json_t *place_json(const struct place *place)
{
	json_t *loc;

	if (!place)
		return json_make("[s]", "body");
	loc = place_json(place->in);
	json_array_append_new(loc, place->name ? json_text(place->name)
					       : json_integer((json_int_t)place->index));
	return loc;
}

static void problem(struct decoding *d, const struct place *place, const char *type,
		    const char *msg)
{
	json_t *row =
		json_make("{s:o,s:s,s:s}", "loc", place_json(place), "msg", msg, "type", type);

	if (!d->problems)
		d->problems = json_array();
	if (json_array_append_new(d->problems, row) < 0)
		d->out_of_memory = true;
}

static void *member(const void *obj, size_t offset)
{
	return (char *)(uintptr_t)obj + offset;
}

static void decode_struct(struct decoding *d, const struct place *place, const struct field *fields,
			  const json_t *json, void *obj);

static void decode_string(struct decoding *d, const struct place *place, const json_t *json,
			  char **ret)
{
	if (!json_is_string(json)) {
		problem(d, place, "type_error.str", "str type expected");
		return;
	}
	if (strlen(json_string_value(json)) != json_string_length(json)) {
		problem(d, place, "value_error", "holds a NUL character");
		return;
	}
	*ret = strdup(json_string_value(json));
	if (!*ret)
		d->out_of_memory = true;
}

/* JSON has one kind of number: what a client's language wrote as 60.0 is 60. */
static bool integer_of(const json_t *json, int64_t *ret)
{
	static const double exact_max = 1LL << 53;
	double value = json_number_value(json);

	if (json_is_integer(json)) {
		*ret = json_integer_value(json);
		return true;
	}
	if (!json_is_real(json) || value < -exact_max || value > exact_max)
		return false;
	*ret = (int64_t)value;
	return (double)*ret == value;
}

static void decode_int(struct decoding *d, const struct place *place, const struct field *field,
		       const json_t *json, int64_t *ret)
{
	char msg[96];

	if (!integer_of(json, ret)) {
		problem(d, place, "type_error.integer", "value is not a valid integer");
		return;
	}
	if (field->max > field->min && (*ret < field->min || *ret > field->max)) {
		snprintf(msg, sizeof(msg), "ensure this value is between %lld and %lld",
			 (long long)field->min, (long long)field->max);
		problem(d, place, "value_error.number.range", msg);
	}
}

static void decode_time(struct decoding *d, const struct place *place, const json_t *json,
			int64_t *ret)
{
	if (!json_is_string(json) || !clock_parse(json_string_value(json), ret))
		problem(d, place, "value_error.datetime", "RFC 3339 date-time expected");
}

static void decode_string_map(struct decoding *d, const struct place *place, json_t *json,
			      json_t **ret)
{
	const char *name;
	json_t *value;

	if (!json_is_object(json)) {
		problem(d, place, "type_error.dict", "value is not a valid dict");
		return;
	}
	json_object_foreach (json, name, value) {
		struct place here = { place, name, 0 };

		if (!json_is_string(value))
			problem(d, &here, "type_error.str", "str type expected");
	}
	*ret = json_incref(json);
}

static void decode_list(struct decoding *d, const struct place *place, const struct field *field,
			const json_t *json, void *obj)
{
	size_t n = json_array_size(json);
	size_t size = field->kind == FIELD_LIST ? field->of_size : sizeof(char *);
	char *items;

	if (!json_is_array(json)) {
		problem(d, place, "type_error.list", "value is not a valid list");
		return;
	}
	items = calloc(n ? n : 1, size); /* empty is not NULL: that is absent */
	if (!items) {
		d->out_of_memory = true;
		return;
	}
	*(void **)member(obj, field->offset) = items;
	*(size_t *)member(obj, field->count) = n;
	for (size_t i = 0; i < n; i++) {
		struct place here = { place, NULL, i };
		json_t *item = json_array_get(json, i);

		if (field->kind == FIELD_LIST)
			decode_struct(d, &here, field->of, item, items + i * size);
		else
			decode_string(d, &here, item, (char **)(void *)items + i);
	}
}

static void decode_member(struct decoding *d, const struct place *place, const struct field *field,
			  json_t *json, void *obj)
{
	void *value = member(obj, field->offset);

	switch (field->kind) {
	case FIELD_STRING: decode_string(d, place, json, value); break;
	case FIELD_INT: decode_int(d, place, field, json, value); break;
	case FIELD_REAL:
		*(double *)value = json_number_value(json);
		if (!json_is_number(json))
			problem(d, place, "type_error.float", "value is not a valid float");
		break;
	case FIELD_BOOL:
		*(bool *)value = json_is_true(json);
		if (!json_is_boolean(json))
			problem(d, place, "type_error.bool",
				"value could not be parsed to a boolean");
		break;
	case FIELD_TIME: decode_time(d, place, json, value); break;
	case FIELD_JSON: *(json_t **)value = json_incref(json); break;
	case FIELD_OBJECT: decode_string_map(d, place, json, value); break;
	case FIELD_STRUCT: decode_struct(d, place, field->of, json, value); break;
	case FIELD_LIST:
	case FIELD_STRINGS: decode_list(d, place, field, json, obj); break;
	case FIELD_END: break;
	}
}

static bool is_of_kind(const struct field *field, const json_t *value)
{
	switch (field->kind) {
	case FIELD_STRING: return json_is_string(value);
	case FIELD_INT: return json_is_integer(value);
	case FIELD_STRINGS: return json_is_array(value);
	default: return true;
	}
}

static bool is_absent(const struct field *field, const json_t *value)
{
	return !value || json_is_null(value) ||
	       ((field->flags & FIELD_LOOSE) && !is_of_kind(field, value));
}

static void decode_struct(struct decoding *d, const struct place *place, const struct field *fields,
			  const json_t *json, void *obj)
{
	if (!json_is_object(json)) {
		problem(d, place, "type_error.dict", "value is not a valid dict");
		return;
	}
	for (; fields->kind != FIELD_END; fields++) {
		struct place here = { place, fields->name, 0 };
		json_t *value = json_object_get(json, fields->name);

		if (!is_absent(fields, value))
			decode_member(d, &here, fields, value, obj);
		else if (fields->flags & FIELD_REQUIRED)
			problem(d, &here,
				value ? "type_error.none.not_allowed" : "value_error.missing",
				value ? "none is not an allowed value" : "field required");
	}
}

/* "body.ttl: field required" */
static int describe_first(const json_t *problems, struct err *e)
{
	const json_t *first = json_array_get(problems, 0);
	char where[256] = "";
	size_t used = 0, i;
	json_t *part;

	json_array_foreach (json_object_get(first, "loc"), i, part) {
		const char *dot = i ? "." : "";
		int n = json_is_string(part)
				? snprintf(where + used, sizeof(where) - used, "%s%s", dot,
					   json_string_value(part))
				: snprintf(where + used, sizeof(where) - used, "%s%lld", dot,
					   (long long)json_integer_value(part));

		used += n > 0 ? (size_t)n : 0;
		if (used >= sizeof(where))
			break;
	}
	return err_set(e, ERR_VALIDATION, "%s: %s", where,
		       json_string_value(json_object_get(first, "msg")));
}

int fields_decode(const struct field *fields, const json_t *json, void *obj, json_t **ret_problems,
		  struct err *e)
{
	struct decoding d = { 0 };
	int r = 0;

	decode_struct(&d, NULL, fields, json, obj);
	if (d.out_of_memory)
		r = err_memory(e);
	else if (d.problems)
		r = describe_first(d.problems, e);
	if (r == -ERR_VALIDATION && ret_problems)
		*ret_problems = TAKE(d.problems);
	json_decref(d.problems);
	return r;
}

static json_t *encode_time(int64_t ms)
{
	char text[CLOCK_TEXT_SIZE];

	return ms ? json_text(clock_format(ms, text)) : json_null();
}

static json_t *encode_list(const struct field *field, const void *obj)
{
	const char *items = *(char *const *)member(obj, field->offset);
	size_t n = *(const size_t *)member(obj, field->count);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *item = field->kind == FIELD_LIST
				       ? fields_encode(field->of, items + i * field->of_size)
				       : json_text(((const char *const *)(const void *)items)[i]);

		if (json_array_append_new(list, item) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *encode_member(const struct field *field, const void *obj)
{
	const void *value = member(obj, field->offset);
	const char *text;
	json_t *json;

	switch (field->kind) {
	case FIELD_STRING:
		text = *(char *const *)value;
		return text ? json_text(text) : json_null();
	case FIELD_INT: return json_integer(*(const int64_t *)value);
	case FIELD_REAL: return json_real(*(const double *)value);
	case FIELD_BOOL: return json_boolean(*(const bool *)value);
	case FIELD_TIME: return encode_time(*(const int64_t *)value);
	case FIELD_JSON:
	case FIELD_OBJECT:
		json = *(json_t *const *)value;
		return json ? json_incref(json) : json_null();
	case FIELD_STRUCT: return fields_encode(field->of, value);
	case FIELD_LIST:
	case FIELD_STRINGS: return encode_list(field, obj);
	case FIELD_END: break;
	}
	return NULL;
}

static bool is_empty(const json_t *json)
{
	return json_is_null(json) || json_is_false(json) ||
	       (json_is_integer(json) && json_integer_value(json) == 0) ||
	       (json_is_array(json) && json_array_size(json) == 0);
}

json_t *fields_encode(const struct field *fields, const void *obj)
{
	json_t *json = json_object();

	for (; fields->kind != FIELD_END; fields++) {
		json_t *value = encode_member(fields, obj);

		if ((fields->flags & FIELD_OPTIONAL) && is_empty(value)) {
			json_decref(value);
		} else if (json_object_set_new_nocheck(json, fields->name, value) < 0) {
			json_decref(json);
			return NULL;
		}
	}
	return json;
}

static void list_done(const struct field *field, void *obj)
{
	char **items = member(obj, field->offset);
	size_t *n = member(obj, field->count);

	for (size_t i = 0; *items && i < *n; i++) {
		if (field->kind == FIELD_LIST)
			fields_done(field->of, *items + i * field->of_size);
		else
			free(((char **)(void *)*items)[i]);
	}
	free(*items);
	*items = NULL;
	*n = 0;
}

void fields_done(const struct field *fields, void *obj)
{
	for (; fields->kind != FIELD_END; fields++) {
		void *value = member(obj, fields->offset);

		switch (fields->kind) {
		case FIELD_STRING:
			free(*(char **)value);
			*(char **)value = NULL;
			break;
		case FIELD_JSON:
		case FIELD_OBJECT:
			json_decref(*(json_t **)value);
			*(json_t **)value = NULL;
			break;
		case FIELD_STRUCT: fields_done(fields->of, value); break;
		case FIELD_LIST:
		case FIELD_STRINGS: list_done(fields, obj); break;
		case FIELD_INT:
		case FIELD_TIME: *(int64_t *)value = 0; break;
		case FIELD_REAL: *(double *)value = 0; break;
		case FIELD_BOOL: *(bool *)value = false; break;
		case FIELD_END: break;
		}
	}
}
