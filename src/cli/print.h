/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What commands print: tables, times, JSON.
 *
 * Texts come from strangers (team names, challenge names, engines): what would act on a terminal
 * is shown as what it is (base/plain.h). What the platform answers is made so when it is read
 * (api_call.exact), what else is printed goes through print_text() or a table.
 */
#ifndef CLI_PRINT_H
#define CLI_PRINT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Pretty JSON in ASCII, and a newline; steals nothing. */
void print_json(const json_t *json);

/* A text in which nothing acts but line ends and tabs. */
void print_text(const char *text);
void print_text_to(FILE *out, const char *text);

/* Lines of strangers, set apart from ours. */
void print_words(const char *words);

/* Rows of as many cells as there are headings; columns as wide as they need to be. */
struct table;

enum { TABLE_COLUMNS_MAX = 10 };

/* A NULL-terminated list of headings; one that begins with ">" is aligned to the right. */
struct table *table_new(const char *const *headings);
/* Copies; a NULL cell is empty. As many as there are headings. */
void table_add(struct table *table, ...);
/* Prints and frees; `empty` is said instead where there are no rows. */
void table_print(struct table *table, const char *empty);

/* Members of an object, for cells: "" where there is none. */
const char *text_of(const json_t *object, const char *name);
int64_t number_of(const json_t *object, const char *name);
bool is_true(const json_t *object, const char *name);

enum { SPAN_SIZE = 32 };

/* "in 57 min", "3 s ago", of a member that is an RFC 3339 time; "" for null. Into text. */
const char *span_of(const json_t *object, const char *name, char text[SPAN_SIZE]);

#endif
