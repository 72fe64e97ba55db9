/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON of others: read without trusting its depth, written whatever its bytes.
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;

/*
 * Deepest nesting read. jansson recurses, and to parse, copy and print its own limit of 2048 takes
 * more stack than our threads have.
 */
enum { JSON_DEPTH_MAX = 64 };

/* Whether a text, JSON or not, nests no deeper than that. */
bool json_is_shallow(const char *text, size_t len);

/* A new value, of any kind. Fails with INVALID ("not JSON: ..."). */
int json_parse(const void *bytes, size_t len, json_t **ret_json, struct err *e);

/*
 * A new string; bytes that aren't UTF-8 become U+FFFD. NULL when out of memory, and of NULL.
 * Nothing else makes strings here: what jansson makes of other bytes is nothing, and with it goes
 * the answer that it was a part of (tests/check/json-made.py).
 */
json_t *json_text(const char *s);
json_t *json_text_n(const char *bytes, size_t len);
__attribute__((format(printf, 1, 2))) json_t *json_textf(const char *format, ...);

/*
 * As json_pack(), with its formats, but that texts and keys become valid as above, and that of an
 * "s" without '?' a NULL is null. NULL when out of memory, or of a NULL for an 'o'; what was given
 * away with 'o' is ended then, too.
 */
json_t *json_make(const char *format, ...);

#endif
