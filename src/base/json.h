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

/* A new string; bytes that aren't UTF-8 become U+FFFD. NULL when out of memory. */
json_t *json_text(const char *s);
json_t *json_text_n(const char *bytes, size_t len);

#endif
