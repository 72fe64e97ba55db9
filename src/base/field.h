/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message is a struct and a table: one row per JSON member, saying where in the struct it lives.
 *
 * The same table decodes a request, encodes a response and frees what decoding allocated, so both
 * ends of a wire agree by construction. Decoding ignores unknown members and reports every wrong
 * one, in the FastAPI shape: {"loc": ["body", "ttl"], "msg": "...", "type": "..."}.
 */
#ifndef BASE_FIELD_H
#define BASE_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum field_kind {
	FIELD_END,
	FIELD_STRING,  /* char *: the struct's own copy; JSON null: NULL */
	FIELD_INT,     /* int64_t, within min..max where max > min */
	FIELD_REAL,    /* double */
	FIELD_BOOL,    /* bool */
	FIELD_TIME,    /* int64_t Unix milliseconds; RFC 3339 UTC on the wire; 0: null */
	FIELD_JSON,    /* json_t *: any value; NULL: null */
	FIELD_OBJECT,  /* json_t *: an object whose values are all strings */
	FIELD_STRUCT,  /* an embedded struct, described by `of` */
	FIELD_LIST,    /* pointer to an array of structs described by `of`; its length at `count`;
			  decoded, NULL where absent and not NULL where empty */
	FIELD_STRINGS, /* char **, its length at `count`; NULL likewise */
};

enum {
	FIELD_REQUIRED = 1, /* absent or null is an error when decoding */
	FIELD_OPTIONAL = 2, /* left out of what is encoded when empty, zero or false */
	FIELD_LOOSE = 4,    /* STRING, INT, STRINGS: a value of another kind is as good as absent */
};

struct field {
	const char *name;
	enum field_kind kind;
	unsigned flags;
	size_t offset; /* of the value in its struct */
	size_t count;  /* LIST, STRINGS: offset of the size_t length */
	const struct field *of;
	size_t of_size;
	int64_t min, max;
};

/* clang-format off */
#define FIELD(type, kind_, member, flags_) \
	{ .name = #member, .kind = FIELD_##kind_, .flags = (flags_), \
	  .offset = offsetof(type, member) }
#define FIELD_RANGE(type, member, flags_, min_, max_) \
	{ .name = #member, .kind = FIELD_INT, .flags = (flags_), \
	  .offset = offsetof(type, member), .min = (min_), .max = (max_) }
#define FIELD_STRUCT_OF(type, member, item_fields) \
	{ .name = #member, .kind = FIELD_STRUCT, .offset = offsetof(type, member), \
	  .of = (item_fields) }
#define FIELD_LIST_OF(type, member, count_member, item_type, item_fields, flags_) \
	{ .name = #member, .kind = FIELD_LIST, .flags = (flags_), \
	  .offset = offsetof(type, member), .count = offsetof(type, count_member), \
	  .of = (item_fields), .of_size = sizeof(item_type) }
#define FIELD_STRINGS_OF(type, member, count_member, flags_) \
	{ .name = #member, .kind = FIELD_STRINGS, .flags = (flags_), \
	  .offset = offsetof(type, member), .count = offsetof(type, count_member) }
#define FIELDS_END { .kind = FIELD_END }
/* clang-format on */

/*
 * Fills the zeroed struct obj from a JSON object. Fails with VALIDATION; ret_problems, unless NULL,
 * then holds the list (the caller's). Whatever the outcome, fields_done() frees obj's members.
 */
int fields_decode(const struct field *fields, const json_t *json, void *obj, json_t **ret_problems,
		  struct err *e);

/* A new JSON object; NULL when out of memory. */
json_t *fields_encode(const struct field *fields, const void *obj);

/* Frees the members' memory, not obj, and zeroes them. */
void fields_done(const struct field *fields, void *obj);

#endif
