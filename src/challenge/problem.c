#include "challenge/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void problem_add(struct problems *problems, enum problem_kind kind, const char *file, unsigned line,
		 unsigned column, const char *key, const char *fmt, ...)
{
	struct problem *row;
	va_list ap;

	problems->by_kind[kind]++;
	if (problems->count == problems->capacity) {
		size_t capacity = problems->capacity ? 2 * problems->capacity : 8;

		row = realloc(problems->rows, capacity * sizeof(*row));
		if (!row)
			return; /* still counted: by_kind decides, the rows explain */
		problems->rows = row;
		problems->capacity = capacity;
	}
	row = &problems->rows[problems->count++];
	*row = (struct problem){ .kind = kind, .line = line, .column = column };
	row->file = file ? strdup(file) : NULL;
	row->key = key ? strdup(key) : NULL;
	va_start(ap, fmt);
	if (vasprintf(&row->message, fmt, ap) < 0)
		row->message = NULL;
	va_end(ap);
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
