/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/ignore.h"

#include "base/arena.h"
#include "challenge/folder.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

struct rule {
	const char *pattern;
	bool exception;
};

struct ignore {
	struct rule *rules;
	size_t count;
	bool has_exceptions;
};

/*
 * Patterns are rooted, and normal as paths are: "/a/./b//" means "a/b". One that climbs out of the
 * context stays as it is, and so matches nothing.
 */
static const char *normal(struct arena *arena, const char *s, size_t len)
{
	const char *pattern;

	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	pattern = arena_strndup(arena, s, len);
	if (!pattern || strncmp(pattern, "..", 2) == 0)
		return pattern;
	pattern = path_join(arena, "/", pattern);
	return pattern ? pattern + 1 : NULL;
}

static bool add_rule(struct arena *arena, struct ignore *ignore, const char *line, size_t len)
{
	struct rule *rule = &ignore->rules[ignore->count];

	while (len && isspace((unsigned char)*line))
		line++, len--;
	if (!len || *line == '#')
		return true;
	rule->exception = *line == '!';
	if (rule->exception)
		line++, len--;
	while (len && isspace((unsigned char)*line))
		line++, len--;
	rule->pattern = normal(arena, line, len);
	if (!rule->pattern)
		return false;
	if (!*rule->pattern)
		return true;
	ignore->has_exceptions = ignore->has_exceptions || rule->exception;
	ignore->count++;
	return true;
}

struct ignore *ignore_parse(struct arena *arena, const char *text)
{
	struct ignore *ignore = arena_alloc(arena, sizeof(*ignore));
	size_t lines = 1;

	if (!ignore || !text)
		return ignore;
	if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (const char *s = text; *s; s++)
		lines += *s == '\n';
	ignore->rules = arena_array(arena, lines, sizeof(*ignore->rules));
	if (!ignore->rules)
		return NULL;
	while (*text) {
		size_t len = strcspn(text, "\n");

		if (!add_rule(arena, ignore, text, len))
			return NULL;
		text += len + (text[len] == '\n');
	}
	return ignore;
}

/* "[a-z]", "[^x]": what follows the bracket, whether c is in it. NULL: not closed. */
static const char *match_class(const char *p, char c, bool *ret_in)
{
	bool negated = *p == '^';
	bool in = false;

	for (p += negated; *p && *p != ']'; p++) {
		char low, high;

		p += *p == '\\' && p[1];
		low = high = *p;
		if (p[1] == '-' && p[2] && p[2] != ']') {
			p += 2;
			p += *p == '\\' && p[1];
			high = *p;
		}
		in = in || (c >= low && c <= high);
	}
	*ret_in = in != negated;
	return *p ? p + 1 : NULL;
}

/*
 * Go's filepath.Match, and "**" for any number of directories. A star tries every length, so the
 * steps are counted: a pattern of many stars must not take for ever.
 */
static bool match(const char *p, const char *s, unsigned *steps)
{
	bool in;

	if (++*steps > 100000)
		return false;
	for (;; p++, s++) {
		if (p[0] == '*' && p[1] == '*') {
			p += strspn(p, "*");
			if (*p == '/' && match(p + 1, s, steps))
				return true;
			for (; *s; s++)
				if (match(p, s, steps))
					return true;
			return *p == '\0';
		}
		if (*p == '*') {
			for (;; s++) {
				if (match(p + 1, s, steps))
					return true;
				if (!*s || *s == '/')
					return false;
			}
		}
		if (!*p || !*s)
			return !*p && !*s;
		if (*p == '[') {
			p = match_class(p + 1, *s, &in);
			if (!p || !in || *s == '/')
				return false;
			p--;
		} else if (*p == '?') {
			if (*s == '/')
				return false;
		} else {
			p += *p == '\\' && p[1];
			if (*p != *s)
				return false;
		}
	}
}

/* A rule covers what it matches and all below: the path's parents are tried too. */
static bool covers(const char *pattern, const char *path)
{
	char parent[PATH_MAX];
	size_t len = strlen(path);
	unsigned steps = 0;

	if (len >= sizeof(parent))
		return false;
	memcpy(parent, path, len + 1);
	for (;;) {
		char *slash;

		if (match(pattern, parent, &steps))
			return true;
		slash = strrchr(parent, '/');
		if (!slash)
			return false;
		*slash = '\0';
	}
}

bool ignore_matches(const struct ignore *ignore, const char *path)
{
	bool ignored = false;

	for (size_t i = 0; i < ignore->count; i++)
		if (ignore->rules[i].exception == ignored && covers(ignore->rules[i].pattern, path))
			ignored = !ignored;
	return ignored;
}

bool ignore_has_exceptions(const struct ignore *ignore)
{
	return ignore->has_exceptions;
}
