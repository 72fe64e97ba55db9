/*
 * A challenge's problems, told to people and to programs.
 */
#ifndef CLI_PROBLEM_PRINT_H
#define CLI_PROBLEM_PRINT_H

#include <jansson.h>
#include <stdio.h>

struct problems;

/* A line each, coloured on a terminal. */
void print_problems(const struct problems *problems, FILE *out);

/* An array of objects; the caller's. */
json_t *problems_json(const struct problems *problems);

/* A string, whatever bytes it is of, or null for NULL. */
json_t *text_json(const char *text);

/* Indented, with a newline; takes the object. */
void print_json_line(json_t *json);

#endif
