/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A setting is a row: the struct's field, its parser and its line in --help all come from it.
 *
 *	#define NODE_OPTIONS(ROW) \
 *		ROW(listen, STRING, "ADDR", "127.0.0.1:7070", "Address the API answers on.") \
 *		ROW(capacity, COUNT, "N", "100", "Most instances at once.")
 *	struct node_options { NODE_OPTIONS(OPTION_MEMBER) };
 *	#define ROW(...) OPTION_ROW(struct node_options, __VA_ARGS__)
 *	static const struct option_row rows[] = { NODE_OPTIONS(ROW) { .name = NULL } };
 */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct err;

enum option_kind {
	OPTION_END,
	OPTION_STRING,   /* const char *, borrowed from the command line or the default */
	OPTION_COUNT,    /* int64_t, not negative */
	OPTION_FLAG,     /* bool: present or not */
	OPTION_DURATION, /* int64_t milliseconds: "90s", "15m", "2h", "1d", or plain seconds */
	OPTION_SIZE,     /* int64_t bytes: "512m", "2g", or plain bytes */
};

struct option_row {
	const char *name; /* as the struct's member: "public_host" is --public-host */
	enum option_kind kind;
	size_t offset;
	const char *value; /* what --help calls the value */
	const char *def;   /* NULL: unset, or zero */
	const char *help;
};

#define OPTION_TYPE_STRING   const char *
#define OPTION_TYPE_COUNT    int64_t
#define OPTION_TYPE_FLAG     bool
#define OPTION_TYPE_DURATION int64_t
#define OPTION_TYPE_SIZE     int64_t

/* A member of the options' struct, from its row. */
#define OPTION_MEMBER(name_, kind_, value_, def_, help_) OPTION_TYPE_##kind_ name_;

/* clang-format off */
/* A row of the parser's table; give the struct: #define ROW(...) OPTION_ROW(struct x, __VA_ARGS__) */
#define OPTION_ROW(type, name_, kind_, value_, def_, help_) \
	{ .name = #name_, .kind = OPTION_##kind_, .offset = offsetof(type, name_), \
	  .value = value_, .def = def_, .help = help_ },
/* clang-format on */

/*
 * Fills options from argv[1..]: defaults first, then --name VALUE or --name=VALUE. What isn't an
 * option (or stands after "--") is moved to the front of argv+1 in its order; ret_rest counts it.
 * Fails with INVALID, naming the option.
 */
int options_parse(const struct option_row *rows, void *options, int argc, char **argv,
		  int *ret_rest, struct err *e);

/* A line per row. */
void options_help(const struct option_row *rows, FILE *out);

bool option_duration(const char *text, int64_t *ret_ms);
bool option_size(const char *text, int64_t *ret_bytes);

#endif
