/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/answer-match.h"

#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "challenge/challenge.h"
#include "challenge/pattern.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

/* --- what is around an answer --------------------------------------------------------------- */

/* Unicode's white space, and what has no width: of two or three bytes each in UTF-8. */
static const char *const invisible[] = {
	"\xc2\x85",     /* next line */
	"\xc2\xa0",     /* no-break space */
	"\xe1\x9a\x80", /* Ogham space mark */
	"\xe1\xa0\x8e", /* Mongolian vowel separator */
	"\xe2\x80\x80", "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83",
	"\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87",
	"\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", /* spaces by their width */
	"\xe2\x80\x8b", "\xe2\x80\x8c", "\xe2\x80\x8d", /* zero-width space and joiners */
	"\xe2\x80\x8e", "\xe2\x80\x8f",                 /* marks of direction */
	"\xe2\x80\xa8", "\xe2\x80\xa9",                 /* line and paragraph separators */
	"\xe2\x80\xaf", "\xe2\x81\x9f",                 /* narrow and mathematical spaces */
	"\xe2\x81\xa0",                                 /* word joiner */
	"\xe3\x80\x80",                                 /* ideographic space */
	"\xef\xbb\xbf",                                 /* byte order mark */
};

static size_t leading_length(const char *text, size_t len)
{
	if (len > 0 && isspace((unsigned char)*text))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(invisible); i++) {
		size_t width = strlen(invisible[i]);

		if (len >= width && memcmp(text, invisible[i], width) == 0)
			return width;
	}
	return 0;
}

static size_t trailing_length(const char *text, size_t len)
{
	if (len > 0 && isspace((unsigned char)text[len - 1]))
		return 1;
	for (size_t i = 0; i < ARRAY_SIZE(invisible); i++) {
		size_t width = strlen(invisible[i]);

		if (len >= width && memcmp(text + len - width, invisible[i], width) == 0)
			return width;
	}
	return 0;
}

const char *answer_trim(const char *answer, size_t *ret_len)
{
	size_t len = strlen(answer), width;

	while ((width = leading_length(answer, len)) > 0) {
		answer += width;
		len -= width;
	}
	while ((width = trailing_length(answer, len)) > 0)
		len -= width;
	*ret_len = len;
	return answer;
}

/* The caller's to free(); NULL: out of memory. */
static char *trimmed(const char *answer)
{
	size_t len;
	const char *start = answer_trim(answer, &len);

	return strndup(start, len);
}

/* --- comparing ------------------------------------------------------------------------------ */

static void lower(char *text)
{
	for (; *text; text++)
		*text = (char)tolower((unsigned char)*text);
}

static int compare_text(const char *expected, bool any_case, const char *answer, bool *matches,
			struct err *e)
{
	AUTO(char *, freep) a = trimmed(expected);
	AUTO(char *, freep) b = strdup(answer);

	if (!a || !b)
		return err_memory(e);
	if (any_case) {
		lower(a);
		lower(b);
	}
	*matches |= secret_equal(a, b);
	return 0;
}

/* One that takes too long leaves its reason in e, and others their chance. */
struct attempt {
	const char *answer;
	bool matches, too_long;
	struct err *e;
};

static int try_pattern(struct attempt *in, const char *pattern, bool any_case)
{
	bool matches = false;
	int r = pattern_matches(pattern, any_case, in->answer, &matches, in->e);

	in->matches |= matches;
	in->too_long |= r == -ERR_TIMEOUT;
	return r == -ERR_TIMEOUT ? 0 : r;
}

static int try_answer(struct attempt *in, const char *text, bool is_pattern, bool any_case)
{
	return is_pattern ? try_pattern(in, text, any_case)
			  : compare_text(text, any_case, in->answer, &in->matches, in->e);
}

/* Every candidate is compared, also after one that matched. */
int answer_matches(const struct question *question, const char *const *own, size_t own_count,
		   const char *answer, bool *ret_matches, struct err *e)
{
	AUTO(char *, freep) given = trimmed(answer);
	struct attempt in = { .answer = given, .e = e };
	int r = given ? 0 : err_memory(e);

	if (r == 0 && question->kind != ANSWER_GENERATED)
		r = try_answer(&in, question->answer, question->kind == ANSWER_REGEX,
			       question->case_insensitive);
	for (size_t i = 0; r == 0 && question->kind == ANSWER_GENERATED && i < own_count; i++)
		r = try_answer(&in, own[i], false, question->case_insensitive);
	for (size_t i = 0; r == 0 && i < question->also_count; i++)
		r = try_answer(&in, question->also[i].text, question->also[i].is_pattern,
			       question->also[i].case_insensitive);
	*ret_matches = in.matches;
	return r == 0 && in.too_long && !in.matches ? -ERR_TIMEOUT : r;
}
