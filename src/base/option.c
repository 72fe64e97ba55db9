/* SPDX-License-Identifier: Apache-2.0 */
#include "base/option.h"

#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct unit {
	const char *name;
	int64_t factor;
};

static bool number_with_unit(const char *text, const struct unit *units, int64_t *ret_value)
{
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (end == text || errno || number < 0)
		return false;
	for (; units->name; units++)
		if (strcasecmp(end, units->name) == 0)
			return !__builtin_mul_overflow(number, units->factor, ret_value);
	return false;
}

bool option_duration(const char *text, int64_t *ret_ms)
{
	static const struct unit units[] = { { "", 1000 },   { "ms", 1 },      { "s", 1000 },
					     { "m", 60000 }, { "h", 3600000 }, { "d", 86400000 },
					     { NULL, 0 } };

	return number_with_unit(text, units, ret_ms);
}

bool option_size(const char *text, int64_t *ret_bytes)
{
	static const struct unit units[] = { { "", 1 },         { "k", 1 << 10 },
					     { "m", 1 << 20 },  { "g", 1 << 30 },
					     { "kb", 1 << 10 }, { "mb", 1 << 20 },
					     { "gb", 1 << 30 }, { NULL, 0 } };

	return number_with_unit(text, units, ret_bytes);
}

static bool is_named(const struct option_row *row, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len && row->name[i]; i++)
		if (name[i] != (row->name[i] == '_' ? '-' : row->name[i]))
			return false;
	return i == len && !row->name[i];
}

static int set(const struct option_row *row, void *options, const char *text, struct err *e)
{
	void *member = (char *)options + row->offset;
	static const struct unit plain[] = { { "", 1 }, { NULL, 0 } };
	bool fine = true;

	switch (row->kind) {
	case OPTION_STRING: *(const char **)member = text; break;
	case OPTION_FLAG: *(bool *)member = text != NULL; break;
	case OPTION_COUNT: fine = number_with_unit(text, plain, member); break;
	case OPTION_DURATION: fine = option_duration(text, member); break;
	case OPTION_SIZE: fine = option_size(text, member); break;
	case OPTION_END: break;
	}
	return fine ? 0
		    : err_set(e, ERR_INVALID, "'%s' is not a usable value for --%s (%s)", text,
			      row->name, row->value);
}

static int set_defaults(const struct option_row *rows, void *options, struct err *e)
{
	for (; rows->name; rows++) {
		int r = 0;

		if (rows->def || rows->kind == OPTION_STRING)
			r = set(rows, options, rows->def, e);
		else if (rows->kind == OPTION_FLAG)
			*(bool *)((char *)options + rows->offset) = false;
		else
			*(int64_t *)(void *)((char *)options + rows->offset) = 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* Reads the option at argv[*i], and its value; leaves *i at the last word it used. */
static int read_option(const struct option_row *rows, void *options, int argc, char **argv, int *i,
		       struct err *e)
{
	const char *name = argv[*i] + 2;
	const char *equals = strchr(name, '=');
	size_t len = equals ? (size_t)(equals - name) : strlen(name);

	for (; rows->name; rows++) {
		if (!is_named(rows, name, len))
			continue;
		if (rows->kind == OPTION_FLAG)
			return equals ? err_set(e, ERR_INVALID, "'%s' takes no value", argv[*i])
				      : set(rows, options, "", e);
		if (equals)
			return set(rows, options, equals + 1, e);
		if (*i + 1 >= argc)
			return err_set(e, ERR_INVALID, "'%s' needs a value (%s)", argv[*i],
				       rows->value);
		return set(rows, options, argv[++*i], e);
	}
	return err_set(e, ERR_INVALID, "there is no option '--%.*s'", (int)len, name);
}

static bool is_option(const char *word)
{
	return word[0] == '-' && word[1] == '-' && word[2];
}

int options_parse(const struct option_row *rows, void *options, int argc, char **argv,
		  int *ret_rest, struct err *e)
{
	int rest = 0, i, r;

	r = set_defaults(rows, options, e);
	if (r < 0)
		return r;
	for (i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0) {
			while (++i < argc)
				argv[1 + rest++] = argv[i];
			break;
		}
		if (!is_option(argv[i])) {
			argv[1 + rest++] = argv[i];
			continue;
		}
		r = read_option(rows, options, argc, argv, &i, e);
		if (r < 0)
			return r;
	}
	*ret_rest = rest;
	return 0;
}

void options_help(const struct option_row *rows, FILE *out)
{
	for (; rows->name; rows++) {
		char left[64];
		size_t len = (size_t)snprintf(left, sizeof(left), "--%s %s", rows->name,
					      rows->value ? rows->value : "");

		for (size_t i = 2; i < strlen(rows->name) + 2 && i < sizeof(left); i++)
			if (left[i] == '_')
				left[i] = '-';
		fprintf(out, "  %-28s%s%s", left,
			len > 27 ? "\n                              " : "", rows->help);
		if (rows->def && *rows->def)
			fprintf(out, " [%s]", rows->def);
		fputc('\n', out);
	}
}
