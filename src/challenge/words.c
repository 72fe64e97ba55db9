/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/words.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static const char blanks[] = " \t\r\n", ends[] = ";&|<>";

static char unescaped(char c)
{
	return c == 't' ? '\t' : c == 'n' ? '\n' : c;
}

static bool ends_with_dollar(const struct buf *word)
{
	return word->len && word->data[word->len - 1] == '$';
}

/*
 * One word. quote is what ends the part at hand: a quote, which goes, or a backquote or ")" of what
 * is kept whole. NULL: it is left open.
 */
static const char *read_word(const char *s, struct buf *word)
{
	char quote = '\0';

	for (; *s; s++) {
		bool kept = quote == '`' || quote == ')';

		if (*s == '\\' && quote != '\'') {
			if (!*++s)
				return NULL;
			if (kept)
				buf_putc(word, '\\');
			buf_putc(word, kept ? *s : unescaped(*s));
		} else if (*s == quote) {
			quote = '\0';
			if (kept)
				buf_putc(word, *s);
		} else if (quote) {
			buf_putc(word, *s);
		} else if (strchr(blanks, *s) || strchr(ends, *s)) {
			break;
		} else if (*s == '\'' || *s == '"') {
			quote = *s;
		} else {
			if (*s == '`')
				quote = '`';
			else if (*s == '(' && ends_with_dollar(word))
				quote = ')';
			buf_putc(word, *s);
		}
	}
	return quote ? NULL : s;
}

/* In "2>file" the number is no word. */
static bool is_number(const struct buf *word)
{
	for (size_t i = 0; i < word->len; i++)
		if (!isdigit((unsigned char)word->data[i]))
			return false;
	return word->len > 0;
}

static bool append(json_t *words, const struct buf *word)
{
	return !buf_failed(word) &&
	       json_array_append_new(words, json_text_n(word->data, word->len)) == 0;
}

int words_split(const char *line, json_t **ret_words, const char **ret_rest, struct err *e)
{
	AUTO(json_t *, json_decrefp) words = json_array();
	const char *s = line + strspn(line, blanks);
	struct buf word = BUF_INIT;
	int r = words ? 0 : err_memory(e);

	while (r == 0 && *s && !strchr(ends, *s)) {
		buf_clear(&word);
		s = read_word(s, &word);
		if (!s)
			r = err_set(e, ERR_INVALID, "a quote is not closed in '%s'", line);
		else if (!(*s == '>' && is_number(&word)) && !append(words, &word))
			r = err_memory(e);
		if (r == 0)
			s += strspn(s, blanks);
	}
	buf_done(&word);
	if (r < 0)
		return r;
	*ret_words = TAKE(words);
	*ret_rest = s;
	return 0;
}
