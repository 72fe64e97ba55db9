/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a .env file or env_file. */
#include "challenge/variables.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/interpolate.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_VALUE = 1 << 20 };

struct env_reader {
	const char *s;
	unsigned line;
	bool raw;
	const struct variables *outer;
	struct variables *variables;
	struct err *e;
};

static const char blanks[] = " \t\r\v\f";

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("_.-[]", c));
}

static void skip_line(struct env_reader *in)
{
	in->s += strcspn(in->s, "\n");
}

/* The outer variables win over the file's earlier lines, as in Compose. */
static int expand_value(struct env_reader *in, const char *value, struct buf *out)
{
	struct variables seen = { .arena = in->variables->arena };

	if (!strchr(value, '$')) {
		buf_puts(out, value);
		return buf_check(out, in->e);
	}
	if (in->outer)
		variables_add_all(&seen, in->outer);
	variables_add_all(&seen, in->variables);
	return interpolate(value, &seen, out, NULL, NULL, in->e);
}

static void read_single_quoted(struct env_reader *in, struct buf *value)
{
	for (; *in->s && *in->s != '\''; in->s++) {
		in->line += *in->s == '\n';
		if (in->s[0] == '\\' && in->s[1] == '\\')
			buf_putc(value, *in->s++);
		else if (in->s[0] == '\\' && in->s[1] == '\'')
			in->s++;
		buf_putc(value, *in->s);
	}
}

static char unescape(char c)
{
	switch (c) {
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	default: return c;
	}
}

static void read_double_quoted(struct env_reader *in, struct buf *value)
{
	for (; *in->s && *in->s != '"'; in->s++) {
		in->line += *in->s == '\n';
		if (*in->s != '\\' || !in->s[1]) {
			buf_putc(value, *in->s);
		} else if (*++in->s == '$') {
			buf_puts(value, "$$");
		} else if (strchr("nrt\"\\", *in->s)) {
			buf_putc(value, unescape(*in->s));
		} else {
			buf_putc(value, '\\');
			buf_putc(value, *in->s);
		}
	}
}

static int read_quoted(struct env_reader *in, char quote, struct buf *value)
{
	unsigned line = in->line;

	in->s++;
	if (quote == '\'')
		read_single_quoted(in, value);
	else
		read_double_quoted(in, value);
	if (*in->s != quote) {
		in->line = line;
		return err_set(in->e, ERR_INVALID, "a quote is not closed");
	}
	in->s++;
	skip_line(in);
	return 0;
}

static void read_unquoted(struct env_reader *in, struct buf *value)
{
	const char *start = in->s, *end;

	skip_line(in);
	end = in->s;
	for (const char *s = start; s < end && !in->raw; s++)
		if (*s == '#' && s > start && strchr(blanks, s[-1]))
			end = s;
	while (end > start && strchr(blanks, end[-1]) && (!in->raw || end[-1] == '\r'))
		end--;
	buf_put(value, start, (size_t)(end - start));
}

static int read_value(struct env_reader *in, struct buf *value)
{
	AUTO(char *, freep) written = NULL;
	char quote;
	int r = 0;

	if (in->raw) {
		read_unquoted(in, value);
		return buf_check(value, in->e);
	}
	in->s += strspn(in->s, blanks);
	quote = *in->s;
	if (quote == '\'' || quote == '"')
		r = read_quoted(in, quote, value);
	else
		read_unquoted(in, value);
	if (r < 0 || quote == '\'')
		return r;
	written = buf_take(value);
	return written ? expand_value(in, written, value) : err_memory(in->e);
}

static int read_assignment(struct env_reader *in)
{
	struct buf value = BUF_LIMITED(MAX_VALUE);
	AUTO(char *, freep) name = NULL;
	size_t len = 0;
	int r;

	if (strncmp(in->s, "export", 6) == 0 && in->s[6] && strchr(blanks, in->s[6]))
		in->s += 6 + strspn(in->s + 6, blanks);
	while (is_name_char(in->s[len]))
		len++;
	name = strndup(in->s, len);
	if (!name)
		return err_memory(in->e);
	in->s += len + strspn(in->s + len, blanks);
	if (!len || (*in->s && !strchr("=:\n", *in->s)))
		return err_set(in->e, ERR_INVALID, "expected NAME=value");
	if (*in->s != '=' && *in->s != ':') {
		const char *inherited = in->outer ? variables_get(in->outer, name) : NULL;

		variables_set(in->variables, name, inherited);
		return 0;
	}
	in->s++;
	r = read_value(in, &value);
	if (r == 0)
		variables_set(in->variables, name, value.data);
	buf_done(&value);
	return r;
}

int env_parse(const char *text, bool raw, const struct variables *outer,
	      struct variables *variables, struct env_fault *ret_fault, struct err *e)
{
	struct env_reader in = {
		.s = text, .line = 1, .raw = raw, .outer = outer, .variables = variables, .e = e
	};
	int r;

	if (strncmp(in.s, "\xef\xbb\xbf", 3) == 0)
		in.s += 3;
	for (;;) {
		in.s += strspn(in.s, blanks);
		if (*in.s == '#')
			skip_line(&in);
		if (*in.s == '\n') {
			in.line++;
			in.s++;
			continue;
		}
		if (!*in.s)
			return 0;
		r = read_assignment(&in);
		if (r < 0) {
			ret_fault->line = in.line;
			return r;
		}
	}
}
