#include "challenge/problem.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/yaml.h"

#include <stdarg.h>
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
