#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"

#include "check.h"

#include <string.h>

static int parse(const char *text, struct err *e)
{
	AUTO(json_t *, json_decrefp) json = NULL;

	return json_parse(text, strlen(text), &json, e);
}

static int parse_nested(int depth, struct err *e)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;

	for (int i = 0; i < depth; i++)
		buf_putc(&text, '[');
	for (int i = 0; i < depth; i++)
		buf_putc(&text, ']');
	return parse(text.data, e);
}

TEST(nesting_is_read_up_to_its_limit)
{
	struct err e = ERR_INIT;

	CHECK_EQ(parse_nested(JSON_DEPTH_MAX, &e), 0);
	CHECK_EQ(parse_nested(JSON_DEPTH_MAX + 1, &e), -ERR_INVALID);
	CHECK_STR(e.msg, "not JSON: nested deeper than 64");
	CHECK_EQ(parse_nested(1 << 20, &e), -ERR_INVALID);
}

TEST(brackets_in_strings_are_no_nesting)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	struct err e = ERR_INIT;

	buf_puts(&text, "[\"\\\"");
	for (int i = 0; i < 100; i++)
		buf_puts(&text, "[{\\\\");
	buf_puts(&text, "\", {}, {}, []]");
	CHECK_EQ(parse(text.data, &e), 0);
}

TEST(any_value_is_read_and_what_is_none_is_told)
{
	struct err e = ERR_INIT;

	CHECK_EQ(parse("7", &e), 0);
	CHECK_EQ(parse("\"x\"", &e), 0);
	CHECK_EQ(parse("", &e), -ERR_INVALID);
	CHECK_EQ(parse("{} x", &e), -ERR_INVALID);
	CHECK_EQ(parse("{\n\"a\":}", &e), -ERR_INVALID);
	CHECK_HAS(e.msg, "not JSON: line 2, column 5: ");
	CHECK_EQ(parse("\"\xff\"", &e), -ERR_INVALID);
}

TEST(text_of_any_bytes_becomes_a_string)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{ "", "" },
		{ "z\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
		  "z\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "a\xff"
		  "b",
		  "a\xef\xbf\xbd"
		  "b" },
		{ "\xc3", "\xef\xbf\xbd" },                                 /* cut off */
		{ "\xc0\x80", "\xef\xbf\xbd\xef\xbf\xbd" },                 /* too long a form */
		{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO(json_t *, json_decrefp) text = json_text(cases[i].bytes);
		AUTO(char *, freep) dump = json_dumps(text, JSON_ENCODE_ANY);

		CHECK_STR(json_string_value(text), cases[i].text);
		CHECK(dump);
	}
}

RUN_TESTS(T(nesting_is_read_up_to_its_limit), T(brackets_in_strings_are_no_nesting),
	  T(any_value_is_read_and_what_is_none_is_told), T(text_of_any_bytes_becomes_a_string))
