/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/print.h"

#include "base/clock.h"
#include "base/own.h"
#include "base/plain.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void print_json(const json_t *json)
{
	json_dumpf(json, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	putchar('\n');
}

void print_text_to(FILE *out, const char *text)
{
	AUTO(char *, freep) plain = plain_text(text, PLAIN_LINES);

	fputs(plain ? plain : "(out of memory)", out);
}

void print_text(const char *text)
{
	print_text_to(stdout, text);
}

void print_words(const char *words)
{
	AUTO(char *, freep) lines = strdup(words);
	char *rest = lines, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		fputs("  | ", stdout);
		print_text(line);
		putchar('\n');
	}
}

struct table {
	const char *const *headings;
	size_t columns;
	size_t widths[TABLE_COLUMNS_MAX];
	char **cells; /* row by row */
	size_t count, room;
};

static bool is_right(const char *heading)
{
	return *heading == '>';
}

static const char *heading_text(const char *heading)
{
	return heading + is_right(heading);
}

/* Characters of UTF-8: bytes that don't continue one. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

struct table *table_new(const char *const *headings)
{
	struct table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->headings = headings;
	for (; headings[table->columns] && table->columns < TABLE_COLUMNS_MAX; table->columns++)
		table->widths[table->columns] = width(heading_text(headings[table->columns]));
	return table;
}

static bool make_room(struct table *table)
{
	size_t wanted = table->room ? 2 * table->room : 64;
	char **bigger;

	if (table->count + table->columns <= table->room)
		return true;
	bigger = realloc(table->cells, wanted * sizeof(*bigger));
	if (!bigger)
		return false;
	table->cells = bigger;
	table->room = wanted;
	return true;
}

void table_add(struct table *table, ...)
{
	va_list ap;

	if (!table || !make_room(table))
		return;
	va_start(ap, table);
	for (size_t i = 0; i < table->columns; i++) {
		char *cell = plain_text(va_arg(ap, const char *), PLAIN_LINE);

		table->cells[table->count++] = cell;
		if (cell && width(cell) > table->widths[i])
			table->widths[i] = width(cell);
	}
	va_end(ap);
}

static void print_cell(const struct table *table, size_t column, const char *text)
{
	int pad = (int)(table->widths[column] - width(text));
	bool last = column + 1 == table->columns;

	if (is_right(table->headings[column]))
		printf("%*s%s", pad, "", text);
	else
		printf("%s%*s", text, last ? 0 : pad, "");
	fputs(last ? "\n" : "  ", stdout);
}

void table_print(struct table *table, const char *empty)
{
	if (!table)
		return;
	if (table->count == 0)
		puts(empty);
	for (size_t i = 0; table->count && i < table->columns; i++)
		print_cell(table, i, heading_text(table->headings[i]));
	for (size_t i = 0, column = 0; i < table->count; i++) {
		print_cell(table, column, table->cells[i] ? table->cells[i] : "");
		free(table->cells[i]);
		column = column + 1 < table->columns ? column + 1 : 0;
	}
	free(table->cells);
	free(table);
}

const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

int64_t number_of(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

bool is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static void describe_span(int64_t seconds, char text[SPAN_SIZE])
{
	static const struct {
		int64_t seconds;
		const char *name;
	} units[] = { { 86400, "days" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	int64_t size = seconds < 0 ? -seconds : seconds;
	size_t i = 0;

	/* Two of the smaller unit rather than one of the larger: "90 min", not "1 h". */
	while (units[i].seconds > 1 && size < 2 * units[i].seconds)
		i++;
	if (size == 0)
		snprintf(text, SPAN_SIZE, "now");
	else
		snprintf(text, SPAN_SIZE, seconds < 0 ? "%lld %s ago" : "in %lld %s",
			 (long long)((size + units[i].seconds / 2) / units[i].seconds),
			 units[i].name);
}

const char *span_of(const json_t *object, const char *name, char text[SPAN_SIZE])
{
	int64_t ms;

	if (!clock_parse(text_of(object, name), &ms))
		return "";
	describe_span((ms - clock_now_ms(&clock_real)) / 1000, text);
	return text;
}
