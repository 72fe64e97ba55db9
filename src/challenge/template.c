/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/template.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

#include <ctype.h>
#include <sodium.h>
#include <string.h>

enum { MAX_OUTPUT = 16 << 20, MAX_DELIMITER = 8 };

struct renderer {
	struct arena *arena;
	const char *text;
	size_t len, at;
	char open[MAX_DELIMITER], close[MAX_DELIMITER];
	template_lookup *lookup;
	void *cookie;
	struct buf *out;
	struct err *e;
};

/* --- filters ------------------------------------------------------------------------------ */

static void filter_json(struct buf *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c == '\n')
			buf_puts(out, "\\n");
		else if (c < 0x20 || c == 0x7f)
			buf_printf(out, "\\u%04x", c);
		else
			buf_putc(out, *s);
	}
}

static void filter_html(struct buf *out, const char *s)
{
	for (; *s; s++) {
		switch (*s) {
		case '&': buf_puts(out, "&amp;"); break;
		case '<': buf_puts(out, "&lt;"); break;
		case '>': buf_puts(out, "&gt;"); break;
		case '"': buf_puts(out, "&quot;"); break;
		case '\'': buf_puts(out, "&#39;"); break;
		default: buf_putc(out, *s);
		}
	}
}

static void filter_shell(struct buf *out, const char *s)
{
	buf_putc(out, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_puts(out, "'\\''");
		else
			buf_putc(out, *s);
	}
	buf_putc(out, '\'');
}

static void filter_url(struct buf *out, const char *s)
{
	for (; *s; s++) {
		if (isalnum((unsigned char)*s) || strchr("-_.~", *s))
			buf_putc(out, *s);
		else
			buf_printf(out, "%%%02X", (unsigned char)*s);
	}
}

static void filter_hex(struct buf *out, const char *s)
{
	for (; *s; s++)
		buf_printf(out, "%02x", (unsigned char)*s);
}

static void filter_base64(struct buf *out, const char *s)
{
	size_t len = strlen(s);
	size_t size = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
	AUTO(char *, freep) text = malloc(size);

	if (!text)
		out->out_of_memory = true;
	else
		buf_puts(out, sodium_bin2base64(text, size, (const unsigned char *)s, len,
						sodium_base64_VARIANT_ORIGINAL));
}

static void filter_none(struct buf *out, const char *s)
{
	buf_puts(out, s);
}

static const struct {
	const char *name;
	void (*put)(struct buf *out, const char *s);
} filters[] = {
	{ "", filter_none },       { "json", filter_json }, { "html", filter_html },
	{ "shell", filter_shell }, { "url", filter_url },   { "base64", filter_base64 },
	{ "hex", filter_hex },
};

/* --- tags --------------------------------------------------------------------------------- */

static int fail(const struct renderer *in, size_t at, const char *reason, const char *what)
{
	unsigned line = 1;

	for (size_t i = 0; i < at; i++)
		line += in->text[i] == '\n';
	return err_set(in->e, ERR_INVALID, "line %u: %s '%s'", line, reason, what);
}

static char *trimmed(struct arena *arena, const char *s, size_t len)
{
	while (len && isspace((unsigned char)*s))
		s++, len--;
	while (len && isspace((unsigned char)s[len - 1]))
		len--;
	return arena_strndup(arena, s, len);
}

/* "=<% %>=" */
static int set_delimiters(struct renderer *in, const char *tag, size_t at)
{
	size_t open = strcspn(tag + 1, " ");
	const char *close = tag + 1 + open + strspn(tag + 1 + open, " ");
	size_t close_len = strcspn(close, " =");

	if (!open || !close_len || open >= MAX_DELIMITER || close_len >= MAX_DELIMITER)
		return fail(in, at, "these delimiters can't be used:", tag);
	memcpy(in->open, tag + 1, open);
	in->open[open] = '\0';
	memcpy(in->close, close, close_len);
	in->close[close_len] = '\0';
	return 0;
}

static int put_value(struct renderer *in, const char *tag, size_t at)
{
	size_t len = strcspn(tag, "|");
	char *name = trimmed(in->arena, tag, len);
	char *filter = tag[len] ? trimmed(in->arena, tag + len + 1, strlen(tag + len + 1)) : NULL;
	const char *value = name ? in->lookup(in->cookie, name) : NULL;

	if (!name || (tag[len] && !filter))
		return err_memory(in->e);
	if (!value)
		return fail(in, at, "there is no value named", name);
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		if (strcmp(filters[i].name, filter ? filter : "") == 0) {
			filters[i].put(in->out, value);
			return 0;
		}
	}
	return fail(in, at, "there is no filter named", filter);
}

static int render_tag(struct renderer *in)
{
	size_t start = in->at + strlen(in->open);
	const char *end = memmem(in->text + start, in->len - start, in->close, strlen(in->close));
	size_t at = in->at;
	char *tag;

	if (!end)
		return fail(in, at, "a tag is not closed:", in->open);
	tag = trimmed(in->arena, in->text + start, (size_t)(end - in->text) - start);
	if (!tag)
		return err_memory(in->e);
	in->at = (size_t)(end - in->text) + strlen(in->close);
	if (tag[0] == '!')
		return 0;
	if (tag[0] == '=')
		return set_delimiters(in, tag, at);
	if (tag[0] == '{' && in->at < in->len && in->text[in->at] == '}') {
		in->at++;
		tag++;
	}
	return put_value(in, tag, at);
}

static int render(struct renderer *in)
{
	int r = 0;

	while (r == 0 && in->at < in->len) {
		const char *from = in->text + in->at;
		const char *tag = memmem(from, in->len - in->at, in->open, strlen(in->open));
		size_t plain = tag ? (size_t)(tag - from) : in->len - in->at;

		buf_put(in->out, from, plain);
		in->at += plain;
		if (tag)
			r = render_tag(in);
	}
	return r == 0 ? buf_check(in->out, in->e) : r;
}

int template_render(struct arena *arena, const char *text, size_t len, template_lookup *lookup,
		    void *cookie, const void **ret_content, size_t *ret_size, struct err *e)
{
	struct buf out = BUF_LIMITED(MAX_OUTPUT);
	struct renderer in = { .arena = arena,
			       .text = text,
			       .len = len,
			       .open = "{{",
			       .close = "}}",
			       .lookup = lookup,
			       .cookie = cookie,
			       .out = &out,
			       .e = e };
	char *copy;
	int r = render(&in);

	if (r == 0) {
		copy = arena_strndup(arena, out.data, out.len);
		*ret_content = copy;
		*ret_size = out.len;
		r = copy ? 0 : err_memory(e);
	}
	buf_done(&out);
	return r;
}
