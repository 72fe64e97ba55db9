/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/problem.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/yaml.h"
#include "challenge/policy.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct problem *row_new(struct problems *problems)
{
	struct problem *rows;
	size_t capacity;

	if (problems->count == problems->capacity) {
		capacity = problems->capacity ? 2 * problems->capacity : 8;
		rows = realloc(problems->rows, capacity * sizeof(*rows));
		if (!rows)
			return NULL; /* still counted: by_kind decides, the rows explain */
		problems->rows = rows;
		problems->capacity = capacity;
	}
	return &problems->rows[problems->count++];
}

__attribute__((format(printf, 7, 0))) static struct problem *
add(struct problems *problems, enum problem_kind kind, const char *file, unsigned line,
    unsigned column, const char *key, const char *fmt, va_list ap)
{
	struct problem *row;

	problems->by_kind[kind]++;
	row = row_new(problems);
	if (!row)
		return NULL;
	*row = (struct problem){ .kind = kind, .line = line, .column = column };
	row->file = file ? strdup(file) : NULL;
	row->key = key ? strdup(key) : NULL;
	if (vasprintf(&row->message, fmt, ap) < 0)
		row->message = NULL;
	return row;
}

void problem_add(struct problems *problems, enum problem_kind kind, const char *file, unsigned line,
		 unsigned column, const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(problems, kind, file, line, column, key, fmt, ap);
	va_end(ap);
}

void problem_at(struct problems *problems, enum problem_kind kind, const struct yaml_node *node,
		const char *key, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(problems, kind, node ? node->file->path : NULL, node ? node->line : 0,
	    node ? node->column : 0, key, fmt, ap);
	va_end(ap);
}

void problem_policy(struct problems *problems, const char *opt_in, const struct yaml_node *node,
		    const char *key, const char *fmt, ...)
{
	struct problem *row;
	va_list ap;

	va_start(ap, fmt);
	row = add(problems, PROBLEM_POLICY, node ? node->file->path : NULL, node ? node->line : 0,
		  node ? node->column : 0, key, fmt, ap);
	va_end(ap);
	if (row)
		row->opt_in = strdup(opt_in);
}

const char *problem_kind_name(enum problem_kind kind)
{
	static const char *const names[] = {
		[PROBLEM_WARNING] = "warning",
		[PROBLEM_ERROR] = "error",
		[PROBLEM_POLICY] = "policy",
	};

	return names[kind];
}

char *problem_text(const struct problem *problem)
{
	struct buf b = BUF_INIT;

	if (problem->file)
		buf_puts(&b, problem->file);
	if (problem->line)
		buf_printf(&b, ":%u:%u", problem->line, problem->column);
	buf_printf(&b, "%s%s: ", b.len ? ": " : "", problem_kind_name(problem->kind));
	if (problem->key)
		buf_printf(&b, "%s: ", problem->key);
	buf_puts(&b, problem->message ? problem->message : "out of memory");
	if (problem->opt_in)
		buf_printf(&b, " (opt-in: %s)", problem->opt_in);
	return buf_take(&b);
}

static json_t *text_or_null(const char *text)
{
	return text ? json_text(text) : json_null();
}

static json_t *problem_json(const struct problem *problem)
{
	const char *allows = problem->opt_in ? policy_opt_in_meaning(problem->opt_in) : NULL;

	return json_make("{s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:s?}", "kind",
			 problem_kind_name(problem->kind), "file", text_or_null(problem->file),
			 "line", (json_int_t)problem->line, "column", (json_int_t)problem->column,
			 "key", text_or_null(problem->key), "message",
			 text_or_null(problem->message), "opt_in", text_or_null(problem->opt_in),
			 "allows", allows);
}

json_t *problems_json(const struct problems *problems)
{
	json_t *array = json_array();

	for (size_t i = 0; i < problems->count; i++)
		json_array_append_new(array, problem_json(&problems->rows[i]));
	return array;
}

static bool kind_of(const char *name, enum problem_kind *ret_kind)
{
	for (int kind = PROBLEM_WARNING; kind <= PROBLEM_POLICY; kind++)
		if (name && strcmp(name, problem_kind_name((enum problem_kind)kind)) == 0) {
			*ret_kind = (enum problem_kind)kind;
			return true;
		}
	return false;
}

void problems_from_json(const json_t *array, struct problems *problems)
{
	const json_t *row;
	size_t i;

	json_array_foreach (array, i, row) {
		const char *opt_in = json_string_value(json_object_get(row, "opt_in"));
		const char *message = json_string_value(json_object_get(row, "message"));
		enum problem_kind kind;
		size_t before = problems->count;

		if (!kind_of(json_string_value(json_object_get(row, "kind")), &kind))
			continue;
		problem_add(problems, kind, json_string_value(json_object_get(row, "file")),
			    (unsigned)json_integer_value(json_object_get(row, "line")),
			    (unsigned)json_integer_value(json_object_get(row, "column")),
			    json_string_value(json_object_get(row, "key")), "%s",
			    message ? message : "");
		if (opt_in && problems->count > before)
			problems->rows[before].opt_in = strdup(opt_in);
	}
}

int problems_error(const struct problems *problems, struct err *e)
{
	enum problem_kind kind = problems->by_kind[PROBLEM_ERROR] ? PROBLEM_ERROR : PROBLEM_POLICY;
	enum err_code code = kind == PROBLEM_ERROR ? ERR_INVALID : ERR_POLICY;

	for (size_t i = 0; i < problems->count; i++) {
		AUTO(char *, freep) text = NULL;

		if (problems->rows[i].kind != kind)
			continue;
		text = problem_text(&problems->rows[i]);
		return text ? err_set(e, code, "%s", text) : err_memory(e);
	}
	return err_memory(e);
}

void problems_move(struct problems *problems, struct problems *from)
{
	for (size_t i = 0; i < from->count; i++) {
		struct problem *row = row_new(problems);

		if (!row)
			break;
		*row = from->rows[i];
		from->rows[i] = (struct problem){ 0 };
	}
	for (size_t i = 0; i < ARRAY_SIZE(from->by_kind); i++)
		problems->by_kind[i] += from->by_kind[i];
	problems_done(from);
}

void problems_done(struct problems *problems)
{
	for (size_t i = 0; i < problems->count; i++) {
		free(problems->rows[i].file);
		free(problems->rows[i].key);
		free(problems->rows[i].message);
		free(problems->rows[i].opt_in);
	}
	free(problems->rows);
	*problems = (struct problems){ 0 };
}
