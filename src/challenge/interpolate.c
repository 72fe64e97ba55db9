/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/interpolate.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "challenge/variables.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NESTING = 32, MAX_OUTPUT = 1 << 20 };

struct interpolation {
	const struct variables *variables;
	void (*unset)(void *cookie, const char *name);
	void *cookie;
	unsigned depth;
	struct err *e;
};

static int expand(struct interpolation *in, const char *text, size_t len, struct buf *out);

static size_t name_length(const char *s, const char *end)
{
	size_t len = 0;

	if (s < end && (isalpha((unsigned char)*s) || *s == '_'))
		while (s + len < end && (isalnum((unsigned char)s[len]) || s[len] == '_'))
			len++;
	return len;
}

/* The brace that closes one opened just before s; inner ${...} are skipped. NULL: none. */
static const char *closing_brace(const char *s, const char *end)
{
	unsigned depth = 1;

	for (; s < end; s++) {
		if (s[0] == '$' && s + 1 < end && s[1] == '$')
			s++;
		else if (s[0] == '$' && s + 1 < end && s[1] == '{')
			depth++, s++;
		else if (s[0] == '}' && --depth == 0)
			return s;
	}
	return NULL;
}

static void put_value(struct interpolation *in, const char *name, const char *value,
		      struct buf *out)
{
	if (value)
		buf_puts(out, value);
	else if (in->unset)
		in->unset(in->cookie, name);
}

static int fail_required(struct interpolation *in, const char *name, const char *message,
			 size_t len)
{
	struct buf text = BUF_LIMITED(MAX_OUTPUT);
	int r = expand(in, message, len, &text);

	if (r == 0)
		r = err_set(in->e, ERR_INVALID, "the variable '%s' is required%s%s", name,
			    text.len ? ": " : "", text.data);
	buf_done(&text);
	return r;
}

/* What follows the name within the braces: an operator and its operand. */
static int expand_operator(struct interpolation *in, const char *name, const char *operator,
			   const char * end, struct buf *out)
{
	const char *value = variables_get(in->variables, name);
	bool or_empty = operator[0] == ':';
	bool present = value && !(or_empty && !*value);
	const char *operand = operator+ or_empty + 1;
	size_t len = (size_t)(end - operand);

	switch (operator[or_empty]) {
	case '-':
		if (!present)
			return expand(in, operand, len, out);
		break;
	case '?':
		if (!present)
			return fail_required(in, name, operand, len);
		break;
	default: /* '+' */ return present ? expand(in, operand, len, out) : 0;
	}
	buf_puts(out, value);
	return 0;
}

static bool is_operator(const char *s, const char *end)
{
	s += *s == ':';
	return s < end && (*s == '-' || *s == '?' || *s == '+');
}

/* s stands after "${". Returns 0 and where to go on. */
static int expand_braced(struct interpolation *in, const char *s, const char *end, struct buf *out,
			 const char **ret_next)
{
	const char *close = closing_brace(s, end);
	size_t len = close ? name_length(s, close) : 0;
	AUTO(char *, freep) name = NULL;

	if (!len || (s + len != close && !is_operator(s + len, close)))
		return err_set(in->e, ERR_INVALID,
			       "invalid interpolation '${%.*s': write '$$' for a dollar sign",
			       (int)((close ? close + 1 : end) - s), s);
	*ret_next = close + 1;
	name = strndup(s, len);
	if (!name)
		return err_memory(in->e);
	if (s + len != close)
		return expand_operator(in, name, s + len, close, out);
	put_value(in, name, variables_get(in->variables, name), out);
	return 0;
}

/* s stands after a dollar sign that begins no brace. Returns where to go on. */
static int expand_plain(struct interpolation *in, const char *s, const char *end, struct buf *out,
			const char **ret_next)
{
	size_t len = name_length(s, end);
	AUTO(char *, freep) name = NULL;

	*ret_next = s + len;
	if (!len) {
		buf_putc(out, '$');
		*ret_next = s + (s < end && *s == '$');
		return 0;
	}
	name = strndup(s, len);
	if (!name)
		return err_memory(in->e);
	put_value(in, name, variables_get(in->variables, name), out);
	return 0;
}

static int expand_text(struct interpolation *in, const char *text, size_t len, struct buf *out)
{
	const char *s = text, *end = text + len;
	int r = 0;

	while (s < end && r == 0) {
		const char *dollar = memchr(s, '$', (size_t)(end - s));

		if (!dollar)
			dollar = end;
		buf_put(out, s, (size_t)(dollar - s));
		if (dollar == end)
			break;
		if (dollar + 1 < end && dollar[1] == '{')
			r = expand_braced(in, dollar + 2, end, out, &s);
		else
			r = expand_plain(in, dollar + 1, end, out, &s);
	}
	return r < 0 ? r : buf_check(out, in->e);
}

static int expand(struct interpolation *in, const char *text, size_t len, struct buf *out)
{
	int r;

	if (++in->depth > MAX_NESTING)
		return err_set(in->e, ERR_INVALID, "variables are nested too deeply");
	r = expand_text(in, text, len, out);
	in->depth--;
	return r;
}

int interpolate(const char *text, const struct variables *variables, struct buf *out,
		void (*unset)(void *cookie, const char *name), void *cookie, struct err *e)
{
	struct interpolation in = {
		.variables = variables, .unset = unset, .cookie = cookie, .e = e
	};

	return expand(&in, text, strlen(text), out);
}
