#include "challenge/answer-match.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "challenge/challenge.h"

#include <ctype.h>
#include <regex.h>
#include <string.h>

/* In ASCII; NULL when out of memory. */
static char *lower(const char *text)
{
	char *copy = strdup(text);

	for (char *c = copy; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

static int is_equal(const struct question *question, const char *expected, const char *answer,
		    bool *ret_equal, struct err *e)
{
	AUTO(char *, freep) a = NULL;
	AUTO(char *, freep) b = NULL;

	if (!question->case_insensitive) {
		*ret_equal = secret_equal(expected, answer);
		return 0;
	}
	a = lower(expected);
	b = lower(answer);
	if (!a || !b)
		return err_memory(e);
	*ret_equal = secret_equal(a, b);
	return 0;
}

/* Authors write Perl's \d and \D; regcomp() knows them not. */
static char *without_digit_escapes(const char *pattern)
{
	struct buf b = BUF_INIT;

	for (const char *c = pattern; *c; c++) {
		if (*c != '\\' || !c[1]) {
			buf_putc(&b, *c);
			continue;
		}
		c++;
		if (*c == 'd')
			buf_puts(&b, "[0-9]");
		else if (*c == 'D')
			buf_puts(&b, "[^0-9]");
		else
			buf_printf(&b, "\\%c", *c);
	}
	return buf_take(&b);
}

/* The pattern has to match the whole answer. */
static int matches_pattern(const struct question *question, const char *answer, bool *ret_matches,
			   struct err *e)
{
	int flags = REG_EXTENDED | (question->case_insensitive ? REG_ICASE : 0);
	AUTO(char *, freep) pattern = without_digit_escapes(question->answer);
	regmatch_t whole;
	char words[256];
	regex_t regex;
	int r;

	if (!pattern)
		return err_memory(e);
	r = regcomp(&regex, pattern, flags);
	if (r != 0) {
		regerror(r, &regex, words, sizeof(words));
		return err_set(e, ERR_INVALID, "question '%s': '%s' is no regular expression: %s",
			       question->id, question->answer, words);
	}
	*ret_matches = regexec(&regex, answer, 1, &whole, 0) == 0 && whole.rm_so == 0 &&
		       (size_t)whole.rm_eo == strlen(answer);
	regfree(&regex);
	return 0;
}

/* Every candidate is compared, also after one that matched. */
static int matches_any(const struct question *question, const char *const *candidates, size_t count,
		       const char *answer, bool *matches, struct err *e)
{
	for (size_t i = 0; i < count; i++) {
		bool equal = false;
		int r = is_equal(question, candidates[i], answer, &equal, e);

		if (r < 0)
			return r;
		*matches |= equal;
	}
	return 0;
}

int answer_matches(const struct question *question, const char *const *own, size_t own_count,
		   const char *answer, bool *ret_matches, struct err *e)
{
	bool matches = false;
	int r = 0;

	switch (question->kind) {
	case ANSWER_STATIC:
		r = matches_any(question, &question->answer, 1, answer, &matches, e);
		break;
	case ANSWER_REGEX: r = matches_pattern(question, answer, &matches, e); break;
	case ANSWER_GENERATED:
		r = matches_any(question, own, own_count, answer, &matches, e);
		break;
	}
	if (r == 0)
		r = matches_any(question, question->also, question->also_count, answer, &matches,
				e);
	*ret_matches = matches;
	return r;
}
