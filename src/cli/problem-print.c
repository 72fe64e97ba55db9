/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/problem-print.h"

#include "base/own.h"
#include "base/plain.h"
#include "challenge/problem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

static const char *colour(enum problem_kind kind)
{
	static const char *const colours[] = { [PROBLEM_WARNING] = "\x1b[33m",
					       [PROBLEM_ERROR] = "\x1b[31m",
					       [PROBLEM_POLICY] = "\x1b[35m" };

	return colours[kind];
}

static bool is_coloured(FILE *out)
{
	return isatty(fileno(out)) && !getenv("NO_COLOR");
}

/* File names and values come from strangers: nothing in them acts on a terminal. */
static void print_problem(const struct problem *problem, FILE *out)
{
	AUTO(char *, freep) said = problem_text(problem);
	AUTO(char *, freep) text = said ? plain_text(said, PLAIN_LINE) : NULL;
	bool coloured = is_coloured(out);

	fprintf(out, "%s%s%s\n", coloured ? colour(problem->kind) : "",
		text ? text : "out of memory", coloured ? "\x1b[0m" : "");
}

void print_problems(const struct problems *problems, FILE *out)
{
	for (size_t i = 0; i < problems->count; i++)
		print_problem(&problems->rows[i], out);
}

void print_json_line(json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(json);
}
