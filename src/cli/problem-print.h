/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A challenge's problems on a terminal, and JSON for programs.
 */
#ifndef CLI_PROBLEM_PRINT_H
#define CLI_PROBLEM_PRINT_H

#include <jansson.h>
#include <stdio.h>

struct problems;

/* A line each, coloured on a terminal. */
void print_problems(const struct problems *problems, FILE *out);

/* Indented, with a newline; takes the object. */
void print_json_line(json_t *json);

#endif
