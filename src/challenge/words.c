#include "challenge/words.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

#include <string.h>

static const char blanks[] = " \t\r\n";

/* One word, up to an unquoted blank. NULL: a quote or backslash is left open. */
static const char *read_word(const char *s, struct buf *word)
{
	char quote = '\0';

	for (; *s && (quote || !strchr(blanks, *s)); s++) {
		if (*s == quote) {
			quote = '\0';
		} else if (!quote && (*s == '\'' || *s == '"')) {
			quote = *s;
		} else if (*s == '\\' && quote != '\'') {
			if (!*++s)
				return NULL;
			buf_putc(word, *s);
		} else {
			buf_putc(word, *s);
		}
	}
	return quote ? NULL : s;
}

int words_split(const char *line, json_t **ret_words, struct err *e)
{
	AUTO(json_t *, json_decrefp) words = json_array();
	struct buf word = BUF_INIT;
	const char *s = line;
	int r = 0;

	while (r == 0 && *(s += strspn(s, blanks))) {
		buf_clear(&word);
		s = read_word(s, &word);
		if (!s)
			r = err_set(e, ERR_INVALID, "a quote is not closed in '%s'", line);
		else if (json_array_append_new(words, json_stringn(word.data, word.len)) < 0)
			r = err_memory(e);
		if (r < 0)
			break;
	}
	buf_done(&word);
	if (r < 0)
		return r;
	*ret_words = TAKE(words);
	return 0;
}
