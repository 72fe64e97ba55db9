/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/member.h"

#include "base/err.h"

#include <string.h>

enum {
	BEFORE_OBJECT, /* must be 0: a struct member begins here */
	BEFORE_FIRST_KEY,
	BEFORE_KEY,
	IN_KEY,
	AFTER_KEY,
	BEFORE_VALUE,
	IN_STRING, /* the wanted one */
	IN_OTHER,  /* every other value, wanted or not */
	AFTER_VALUE,
	AFTER_OBJECT,
};

enum { REPLACEMENT = 0xFFFD };

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static int broken(struct err *e)
{
	return err_set(e, ERR_PROTOCOL, "the answer is not the JSON object it should be");
}

/* A piece of the string being decoded: of a key, or of the value. */
static int put(struct member *m, const char *bytes, size_t len, struct err *e)
{
	if (m->state != IN_KEY)
		return m->sink(m->cookie, bytes, len, e);
	for (size_t i = 0; i < len && m->key_len < sizeof(m->key); i++)
		m->key[m->key_len++] = bytes[i];
	return 0;
}

static int put_character(struct member *m, uint32_t c, struct err *e)
{
	char utf8[4];
	size_t len = 0;

	if (c < 0x80) {
		utf8[len++] = (char)c;
	} else if (c < 0x800) {
		utf8[len++] = (char)(0xC0 | c >> 6);
		utf8[len++] = (char)(0x80 | (c & 0x3F));
	} else if (c < 0x10000) {
		utf8[len++] = (char)(0xE0 | c >> 12);
		utf8[len++] = (char)(0x80 | (c >> 6 & 0x3F));
		utf8[len++] = (char)(0x80 | (c & 0x3F));
	} else {
		utf8[len++] = (char)(0xF0 | c >> 18);
		utf8[len++] = (char)(0x80 | (c >> 12 & 0x3F));
		utf8[len++] = (char)(0x80 | (c >> 6 & 0x3F));
		utf8[len++] = (char)(0x80 | (c & 0x3F));
	}
	return put(m, utf8, len, e);
}

/* A first surrogate whose second does not follow stands for nothing. */
static int put_lone_surrogate(struct member *m, struct err *e)
{
	if (!m->high)
		return 0;
	m->high = 0;
	return put_character(m, REPLACEMENT, e);
}

static int put_unit(struct member *m, struct err *e)
{
	uint32_t unit = m->unit, high = m->high;
	int r;

	if (unit >= 0xDC00 && unit <= 0xDFFF && high) {
		m->high = 0;
		return put_character(m, 0x10000 + ((high - 0xD800) << 10) + (unit - 0xDC00), e);
	}
	r = put_lone_surrogate(m, e);
	if (r < 0)
		return r;
	if (unit >= 0xD800 && unit <= 0xDBFF) {
		m->high = unit;
		return 0;
	}
	return put_character(m, unit >= 0xDC00 && unit <= 0xDFFF ? REPLACEMENT : unit, e);
}

static int read_digit(struct member *m, char c, struct err *e)
{
	static const char hex[] = "0123456789abcdefABCDEF";
	const char *at = c ? strchr(hex, c) : NULL;

	if (!at)
		return broken(e);
	m->unit = m->unit << 4 | (uint32_t)(at - hex < 16 ? at - hex : at - hex - 6);
	return --m->digits > 0 ? 0 : put_unit(m, e);
}

static int read_escape(struct member *m, char c, struct err *e)
{
	static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
	const char *at = c ? strchr(names, c) : NULL;
	int r;

	m->escaped = false;
	if (c == 'u') {
		m->digits = 4;
		m->unit = 0;
		return 0;
	}
	if (!at)
		return broken(e);
	r = put_lone_surrogate(m, e);
	return r < 0 ? r : put(m, values + (at - names), 1, e);
}

/* Reads from within a string that is decoded; ret_used is how much of the text that took. */
static int read_string(struct member *m, const char *text, size_t len, size_t *ret_used,
		       struct err *e)
{
	size_t plain = 0;
	int r;

	*ret_used = 1;
	if (m->digits)
		return read_digit(m, *text, e);
	if (m->escaped)
		return read_escape(m, *text, e);
	if (*text == '\\') {
		m->escaped = true;
		return 0;
	}
	r = put_lone_surrogate(m, e);
	if (r < 0)
		return r;
	if (*text == '"') {
		m->state = m->state == IN_KEY ? AFTER_KEY : AFTER_VALUE;
		return 0;
	}
	while (plain < len && text[plain] != '"' && text[plain] != '\\')
		if ((unsigned char)text[plain++] < ' ')
			return broken(e);
	*ret_used = plain;
	return put(m, text, plain, e);
}

static bool ends_value(const struct member *m, char c)
{
	return m->depth == 0 && !m->in_text && (c == ',' || c == '}');
}

static void step_over(struct member *m, char c)
{
	if (m->escaped)
		m->escaped = false;
	else if (m->in_text && c == '\\')
		m->escaped = true;
	else if (c == '"')
		m->in_text = !m->in_text;
	else if (!m->in_text && (c == '[' || c == '{'))
		m->depth++;
	else if (!m->in_text && (c == ']' || c == '}') && m->depth > 0)
		m->depth--;
}

/* Reads from within any other value: to its end, to the end of the text, or to white space. */
static int read_other(struct member *m, const char *text, size_t len, size_t *ret_used,
		      struct err *e)
{
	size_t i = 0;

	if (!m->in_text && is_space(*text)) {
		*ret_used = 1;
		return 0;
	}
	for (; i < len && !ends_value(m, text[i]) && (m->in_text || !is_space(text[i])); i++)
		step_over(m, text[i]);
	*ret_used = i;
	if (i < len && ends_value(m, text[i]))
		m->state = AFTER_VALUE;
	return m->wanted && m->kind == MEMBER_OTHER ? m->sink(m->cookie, text, i, e) : 0;
}

static int begin_value(struct member *m, char c, size_t *ret_used, struct err *e)
{
	m->wanted = m->key_len == strlen(m->name) && memcmp(m->key, m->name, m->key_len) == 0;
	m->depth = 0;
	m->in_text = false;
	if (m->wanted && m->kind == MEMBER_STRING && c == '"') {
		m->state = IN_STRING;
		return 0;
	}
	if (m->wanted && m->kind == MEMBER_STRING && c != 'n')
		return err_set(e, ERR_PROTOCOL, "the answer's '%s' is not a string", m->name);
	if (m->wanted && m->kind == MEMBER_OTHER && c == '"')
		m->wanted = false;
	m->state = IN_OTHER;
	*ret_used = 0;
	return 0;
}

static int begin_key(struct member *m, char c, struct err *e)
{
	if (c == '}' && m->state == BEFORE_FIRST_KEY) {
		m->state = AFTER_OBJECT;
		return 0;
	}
	if (c != '"')
		return broken(e);
	m->state = IN_KEY;
	m->key_len = 0;
	return 0;
}

static int advance(struct member *m, char c, char expected, int state, struct err *e)
{
	if (c != expected)
		return broken(e);
	m->state = state;
	return 0;
}

/* What stands between keys and values. */
static int read_structure(struct member *m, char c, size_t *ret_used, struct err *e)
{
	*ret_used = 1;
	if (is_space(c))
		return 0;
	switch (m->state) {
	case BEFORE_OBJECT: return advance(m, c, '{', BEFORE_FIRST_KEY, e);
	case BEFORE_FIRST_KEY:
	case BEFORE_KEY: return begin_key(m, c, e);
	case AFTER_KEY: return advance(m, c, ':', BEFORE_VALUE, e);
	case BEFORE_VALUE: return begin_value(m, c, ret_used, e);
	case AFTER_VALUE:
		return c == ',' ? advance(m, c, ',', BEFORE_KEY, e)
				: advance(m, c, '}', AFTER_OBJECT, e);
	default: return broken(e);
	}
}

int member_read(struct member *m, const char *text, size_t len, struct err *e)
{
	size_t used;
	int r = 0;

	for (; len > 0 && r == 0; text += used, len -= used) {
		if (m->state == IN_KEY || m->state == IN_STRING)
			r = read_string(m, text, len, &used, e);
		else if (m->state == IN_OTHER)
			r = read_other(m, text, len, &used, e);
		else
			r = read_structure(m, *text, &used, e);
	}
	return r;
}

int member_end(const struct member *m, struct err *e)
{
	return m->state == AFTER_OBJECT ? 0 : broken(e);
}
