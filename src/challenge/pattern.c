/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/pattern.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <pcre2.h>
#include <stdint.h>
#include <string.h>

enum {
	PATTERN_MAX = 4096,     /* bytes: an answer is no longer either */
	PATTERN_STEPS = 200000, /* of matching: 2 to 3 ms, measured with (a+)+$ */
	PATTERN_DEPTH = 1000,   /* of backtracking inside groups */
	PATTERN_HEAP = 4096,    /* KiB */
};

/* --- Python's syntax, in PCRE2's words ------------------------------------------------------ */

struct reader {
	const char *pattern, *at;
	const char *start; /* of what follows "(?i)" and its like: further such may stand here */
	struct buf *out;
	struct err *e;
};

/* What is wrong at the reader's place; -ERR_INVALID. */
static int refuse(const struct reader *in, const char *what)
{
	return err_set(in->e, ERR_INVALID, "'%s' is no regular expression of Python's: %s at %zu",
		       in->pattern, what, (size_t)(in->at - in->pattern) + 1);
}

/* \xHH, \uHHHH and \UHHHHHHHH are Python's; PCRE2 writes all three as \x{...}. */
static int read_code_point(struct reader *in, size_t digits)
{
	const char *hex = in->at + 2;

	for (size_t i = 0; i < digits; i++)
		if (!isxdigit((unsigned char)hex[i]))
			return refuse(in, "an escape with too few hexadecimal digits");
	buf_printf(in->out, "\\x{%.*s}", (int)digits, hex);
	in->at += 2 + digits;
	return 0;
}

/* An escape that both know by the same letter: class shorthands, \b and control characters. */
static bool is_common_escape(char c, bool in_class)
{
	return strchr(in_class ? "abdDfnrsStwW" : "abBdDfnrsStwWA", c) != NULL;
}

static int read_escape(struct reader *in, bool in_class)
{
	char c = in->at[1];

	if (c == '\0')
		return refuse(in, "a backslash with nothing behind it");
	if (c == 'x')
		return read_code_point(in, 2);
	if (c == 'u')
		return read_code_point(in, 4);
	if (c == 'U')
		return read_code_point(in, 8);
	if (c == 'v') /* the vertical tab; a class of its own in PCRE2 */
		buf_puts(in->out, "\\x0b");
	else if (c == 'Z' && !in_class) /* the very end */
		buf_puts(in->out, "\\z");
	else if (isalpha((unsigned char)c) && !is_common_escape(c, in_class))
		return refuse(in, "an escape that Python doesn't know");
	else
		buf_printf(in->out, "\\%c", c);
	in->at += 2;
	return 0;
}

/* Inside, a '[' is itself; PCRE2 would look for POSIX's "[:alpha:]". */
static int read_class(struct reader *in)
{
	buf_putc(in->out, *in->at++);
	if (*in->at == '^')
		buf_putc(in->out, *in->at++);
	if (*in->at == ']') {
		buf_puts(in->out, "\\]");
		in->at++;
	}
	while (*in->at != ']') {
		int r = 0;

		if (*in->at == '\0')
			return refuse(in, "a '[' without its ']'");
		if (*in->at == '\\')
			r = read_escape(in, true);
		else if (*in->at == '[')
			buf_printf(in->out, "\\%c", *in->at++);
		else
			buf_putc(in->out, *in->at++);
		if (r < 0)
			return r;
	}
	buf_putc(in->out, *in->at++);
	return 0;
}

/*
 * "(?i)" and its like, which Python takes at the very beginning, and "(?i:...)" anywhere. Returns
 * how many bytes the letters have; 0: these are none.
 */
static size_t flags_length(const char *at)
{
	size_t on = strspn(at, "imsx"), off = 0;

	if (at[on] == '-')
		off = 1 + strspn(at + on + 1, "imsx");
	return off == 1 ? 0 : on + off;
}

static int read_group(struct reader *in)
{
	static const char *const known[] = { "(?:", "(?=", "(?!",  "(?<=", "(?<!",
					     "(?#", "(?>", "(?P<", "(?P=", "(?(" };
	size_t flags;

	if (in->at[1] == '*')
		return refuse(in, "nothing to repeat");
	if (in->at[1] != '?') {
		buf_putc(in->out, *in->at++);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		size_t len = strlen(known[i]);

		if (strncmp(in->at, known[i], len) != 0)
			continue;
		if (strcmp(known[i], "(?(") == 0 && !isalnum((unsigned char)in->at[len]) &&
		    in->at[len] != '_')
			return refuse(in, "a condition that Python doesn't know");
		buf_put(in->out, in->at, len);
		in->at += len;
		return 0;
	}
	flags = flags_length(in->at + 2);
	if (flags == 0 || (in->at[2 + flags] != ')' && in->at[2 + flags] != ':'))
		return refuse(in, "a '(?' that Python doesn't know");
	if (in->at[2 + flags] == ')' && (in->at != in->start || memchr(in->at + 2, '-', flags)))
		return refuse(in, "flags that are not at the beginning");
	buf_put(in->out, in->at, flags + 3);
	if (in->at[2 + flags] == ')')
		in->start = in->at + flags + 3;
	in->at += flags + 3;
	return 0;
}

/* "{,3}" is from none to three; PCRE2 10.42 reads it as itself. */
static bool read_open_range(struct reader *in)
{
	size_t digits = in->at[1] == ',' ? strspn(in->at + 2, "0123456789") : 0;

	if (in->at[1] != ',' || in->at[2 + digits] != '}')
		return false;
	buf_printf(in->out, "{0,%.*s}", (int)digits, in->at + 2);
	in->at += 3 + digits;
	return true;
}

static int translate(struct reader *in)
{
	int r = 0;

	while (r == 0 && *in->at) {
		switch (*in->at) {
		case '\\': r = read_escape(in, false); break;
		case '[': r = read_class(in); break;
		case '(': r = read_group(in); break;
		case '{':
			if (read_open_range(in))
				break;
			/* fall through */
		default: buf_putc(in->out, *in->at++); break;
		}
	}
	return r < 0 ? r : buf_check(in->out, in->e);
}

/* --- PCRE2 ---------------------------------------------------------------------------------- */

static void code_freep(pcre2_code **code)
{
	pcre2_code_free(*code);
}

static void match_data_freep(pcre2_match_data **data)
{
	pcre2_match_data_free(*data);
}

static void match_context_freep(pcre2_match_context **context)
{
	pcre2_match_context_free(*context);
}

/* Python's patterns on text: Unicode everywhere, and '.' stops at a line feed alone. */
static int compile(const char *pattern, bool any_case, pcre2_code **ret_code, struct err *e)
{
	uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED | PCRE2_ENDANCHORED |
			   PCRE2_NEVER_BACKSLASH_C | (any_case ? PCRE2_CASELESS : 0);
	struct buf translated = BUF_LIMITED(6 * PATTERN_MAX);
	struct reader in = { pattern, pattern, pattern, &translated, e };
	unsigned char words[256];
	PCRE2_SIZE offset;
	int code, r;

	if (strlen(pattern) > PATTERN_MAX)
		return err_set(e, ERR_INVALID, "a regular expression of more than %d bytes",
			       PATTERN_MAX);
	r = translate(&in);
	if (r == 0) {
		*ret_code = pcre2_compile((PCRE2_SPTR)translated.data, PCRE2_ZERO_TERMINATED,
					  options, &code, &offset, NULL);
		if (!*ret_code) {
			pcre2_get_error_message(code, words, sizeof(words));
			r = err_set(e, ERR_INVALID, "'%s' is no regular expression: %s", pattern,
				    (const char *)words);
		}
	}
	buf_done(&translated);
	return r;
}

int pattern_check(const char *pattern, struct err *e)
{
	AUTO(pcre2_code *, code_freep) code = NULL;

	return compile(pattern, false, &code, e);
}

static int match(const pcre2_code *code, const char *answer, bool *ret_matches, struct err *e)
{
	AUTO(pcre2_match_data *, match_data_freep) data = pcre2_match_data_create(1, NULL);
	AUTO(pcre2_match_context *, match_context_freep) limits = pcre2_match_context_create(NULL);
	int found;

	if (!data || !limits)
		return err_memory(e);
	pcre2_set_match_limit(limits, PATTERN_STEPS);
	pcre2_set_depth_limit(limits, PATTERN_DEPTH);
	pcre2_set_heap_limit(limits, PATTERN_HEAP);
	found = pcre2_match(code, (PCRE2_SPTR)answer, strlen(answer), 0, 0, data, limits);
	switch (found) {
	case PCRE2_ERROR_NOMEMORY: return err_memory(e);
	case PCRE2_ERROR_MATCHLIMIT:
	case PCRE2_ERROR_DEPTHLIMIT:
	case PCRE2_ERROR_HEAPLIMIT:
		return err_set(e, ERR_TIMEOUT, "the pattern takes too long on this answer");
	default: *ret_matches = found >= 0; return 0; /* no match, or an answer that is no UTF-8 */
	}
}

int pattern_matches(const char *pattern, bool any_case, const char *answer, bool *ret_matches,
		    struct err *e)
{
	AUTO(pcre2_code *, code_freep) code = NULL;
	int r = compile(pattern, any_case, &code, e);

	return r < 0 ? r : match(code, answer, ret_matches, e);
}
