/* SPDX-License-Identifier: Apache-2.0 */
/* The small readers: variables, env files, templates, words, amounts, patterns, Dockerfiles. */
#include "fuzz.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/dockerfile.h"
#include "challenge/folder.h"
#include "challenge/ignore.h"
#include "challenge/interpolate.h"
#include "challenge/template.h"
#include "challenge/unit.h"
#include "challenge/variables.h"
#include "challenge/words.h"

#include <assert.h>
#include <string.h>

static const char *look_up(void *cookie, const char *name)
{
	(void)cookie;
	return *name == 'f' ? "a'<&>\"b" : NULL;
}

static void try_variables(struct arena *arena, const char *text)
{
	AUTO(struct buf, buf_done) out = BUF_LIMITED(1 << 16);
	struct variables variables = { .arena = arena }, read = { .arena = arena };
	struct env_fault fault;
	struct err e = ERR_INIT;

	variables_add(&variables, "A", "value");
	variables_add(&variables, "E", "");
	interpolate(text, &variables, &out, NULL, NULL, &e);
	if (env_parse(text, false, &variables, &read, &fault, &e) < 0)
		assert(fault.line > 0);
	env_parse(text, true, &variables, &read, &fault, &e);
}

static void try_words(const char *text)
{
	AUTO(json_t *, json_decrefp) words = NULL;
	const char *rest;

	words_split(text, &words, &rest, NULL);
}

static void try_units(const char *text)
{
	int64_t number = 0;
	uint32_t mode;
	bool yes;

	if (unit_bytes(text, &number) || unit_duration(text, &number) || unit_cpus(text, &number))
		assert(number >= 0);
	unit_mode(text, &mode);
	unit_bool(text, &yes);
	unit_integer(text, INT64_MIN, INT64_MAX, &number);
}

/* The first line is a path, the rest rules. */
static void try_ignore(struct arena *arena, const char *text)
{
	char *path = arena_strndup(arena, text, strcspn(text, "\n"));
	struct ignore *ignore = ignore_parse(arena, text + strlen(path));

	ignore_matches(ignore, path);
	path_join(arena, "/a/b", path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const char *text = arena_strndup(arena, (const char *)data, size);
	struct dockerfile dockerfile;
	const void *content;
	size_t len;

	try_variables(arena, text);
	try_words(text);
	try_units(text);
	try_ignore(arena, text);
	template_render(arena, text, strlen(text), look_up, NULL, &content, &len, NULL);
	assert(dockerfile_read(arena, text, &dockerfile));
	return 0;
}
