/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/buf.h"
#include "base/own.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * A value from a format, and the arguments that it takes. All of them are taken even where memory
 * is out: what was given away with 'o' is ours to end.
 */
struct maker {
	const char *at;
	va_list args;
	bool failed; /* out of memory, or the format is none */
};

static json_t *make_value(struct maker *m);

static char next(struct maker *m)
{
	m->at += strspn(m->at, " \t\n,:");
	return *m->at ? *m->at++ : '\0';
}

static bool take(struct maker *m, char suffix)
{
	bool is_there = *m->at == suffix;

	m->at += is_there;
	return is_there;
}

/* One part of a string; a '+' adds another. NULL: that is what was said. */
static const char *take_part(struct maker *m, size_t *ret_len)
{
	const char *text = va_arg(m->args, const char *);

	if (take(m, '%'))
		*ret_len = va_arg(m->args, size_t);
	else if (take(m, '#'))
		*ret_len = (size_t)va_arg(m->args, int);
	else
		*ret_len = text ? strlen(text) : 0;
	return text;
}

/* A text as it was said, in as many parts as it came. Returns whether there is one. */
static bool take_text(struct maker *m, struct buf *text)
{
	size_t len;
	const char *part = take_part(m, &len);
	bool is_there = part != NULL;

	if (part)
		buf_put(text, part, len);
	while (take(m, '+')) {
		part = take_part(m, &len);
		if (part)
			buf_put(text, part, len);
	}
	return is_there;
}

/* "s?" is null where there is no text, "s*" nothing at all; a plain "s" is null, too. */
static json_t *make_text(struct maker *m)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	bool is_there = take_text(m, &text);
	bool may_be_left_out;

	take(m, '?');
	may_be_left_out = take(m, '*');
	if (is_there && !buf_failed(&text))
		return json_text_n(text.len ? text.data : "", text.len);
	if (buf_failed(&text) || may_be_left_out)
		return NULL;
	return json_null();
}

static json_t *make_given(struct maker *m, bool held)
{
	json_t *value = va_arg(m->args, json_t *);
	bool may_be_null = take(m, '?'), may_be_left_out = take(m, '*');

	if (value)
		return held ? json_incref(value) : value;
	m->failed |= !may_be_null && !may_be_left_out;
	return may_be_null ? json_null() : NULL;
}

/* The key's length counts; what is no UTF-8 in it becomes U+FFFD. */
static void set_member(struct maker *m, json_t *object, const struct buf *key, json_t *value)
{
	AUTO(json_t *, json_decrefp) name =
		buf_failed(key) ? NULL : json_text_n(key->len ? key->data : "", key->len);

	if (!name || !object ||
	    json_object_setn_new_nocheck(object, json_string_value(name), json_string_length(name),
					 value) < 0) {
		if (!name || !object)
			json_decref(value);
		m->failed = true;
	}
}

static json_t *make_object(struct maker *m)
{
	json_t *object = json_object();
	char c;

	m->failed |= !object;
	while ((c = next(m)) == 's') {
		AUTO(struct buf, buf_done) key = BUF_INIT;
		json_t *value;

		m->failed |= !take_text(m, &key);
		value = make_value(m);
		if (value)
			set_member(m, object, &key, value);
	}
	m->failed |= c != '}';
	return object;
}

static json_t *make_array(struct maker *m)
{
	json_t *array = json_array();

	m->failed |= !array;
	for (;;) {
		const char *at = m->at;
		json_t *value;

		if (next(m) == ']')
			return array;
		m->at = at;
		if (!*at)
			break;
		value = make_value(m);
		if (value && json_array_append_new(array, value) < 0)
			m->failed = true;
	}
	m->failed = true;
	return array;
}

/* NULL: it is left out, or failed. */
static json_t *make_value(struct maker *m)
{
	char kind = next(m);
	json_t *value;

	switch (kind) {
	case '{': return make_object(m);
	case '[': return make_array(m);
	case 's': return make_text(m);
	case 'o': return make_given(m, false);
	case 'O': return make_given(m, true);
	case 'n': return json_null();
	case 'b': return json_boolean(va_arg(m->args, int));
	case 'i': value = json_integer(va_arg(m->args, int)); break;
	case 'I': value = json_integer(va_arg(m->args, json_int_t)); break;
	case 'f': value = json_real(va_arg(m->args, double)); break;
	default: value = NULL; break;
	}
	m->failed |= !value;
	return value;
}

json_t *json_make(const char *format, ...)
{
	struct maker m = { .at = format };
	json_t *made;

	va_start(m.args, format);
	made = make_value(&m);
	va_end(m.args);
	if (!m.failed && made)
		return made;
	json_decref(made);
	return NULL;
}

json_t *json_textf(const char *format, ...)
{
	AUTO(char *, freep) text = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0) {
		text = NULL;
		return NULL;
	}
	return json_text_n(text, (size_t)len);
}
