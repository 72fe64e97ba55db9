/* SPDX-License-Identifier: Apache-2.0 */
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

static void check_made(json_t *made, json_t *wanted)
{
	CHECK(made && wanted);
	CHECK(json_equal(made, wanted));
	json_decref(made);
	json_decref(wanted);
}

/* The same formats and arguments, the same value. */
#define SAME(...) check_made(json_make(__VA_ARGS__), json_pack(__VA_ARGS__))

TEST(what_is_made_is_what_jansson_packs)
{
	AUTO(json_t *, json_decrefp) held = json_string("held");
	json_t *const none = NULL;
	const char *const null = NULL;

	SAME("{}");
	SAME("[]");
	SAME("s", "text");
	SAME("{s:s, s:s?, s:s?, s:s*}", "a", "x", "b", null, "c", "y", "d", null);
	SAME("{s:i, s:I, s:b, s:b, s:f, s:n}", "i", -7, "I", (json_int_t)1 << 40, "t", 1, "f", 0,
	     "r", 1.5, "n");
	SAME("{s:[i, s, [b], {}], s:{s:{s:s}}}", "list", 1, "two", 0, "deep", "a", "b", "c");
	SAME("{s:O, s:O?, s:O*, s:o?, s:o*}", "a", held, "b", none, "c", none, "d", none, "e",
	     none);
	SAME("{s%:s%, s:[s+, s#]}", "keys", (size_t)3, "values", (size_t)5, "l", "a", "b", "cd", 1);
	SAME("{s:[s++]}", "all", "a", "b", "c");
	SAME("{s:s,s:o}", "a", "b", "c", json_incref(held));
}

#define BAD "\xef\xbf\xbd" /* U+FFFD */

TEST(no_byte_makes_a_value_fail)
{
	AUTO(json_t *, json_decrefp) made = json_make("{s:s, s:s?, s:s%, s:{s:[s]}, s:s}", "a",
						      "\xff"
						      "b",
						      "c", "\xc3", "d", "e\xf0\x9f", (size_t)3, "f",
						      "\xe2\x82", "\x80", "g", (const char *)NULL);
	AUTO(json_t *, json_decrefp) printed = json_textf("%d\xff", 7);
	const char *key;
	json_t *value;

	CHECK(made);
	CHECK_STR(json_string_value(json_object_get(made, "a")), BAD "b");
	CHECK_STR(json_string_value(json_object_get(made, "c")), BAD);
	CHECK(json_is_null(json_object_get(made, "g")));
	json_object_foreach (json_object_get(made, "f"), key, value)
		CHECK_HAS(key, BAD);
	CHECK_STR(json_string_value(printed), "7" BAD);
	CHECK(!json_text(NULL));
}

TEST(what_was_given_away_is_ended_where_the_rest_fails)
{
	json_t *given = json_string("x");

	json_incref(given);
	CHECK(!json_make("{s:o, s:o}", "a", (json_t *)NULL, "b", given));
	CHECK_EQ(given->refcount, 1);
	json_decref(given);
	CHECK(!json_make("{s:x}", "a"));
	CHECK(!json_make("{s:i", "a", 1));
}

RUN_TESTS(T(what_is_made_is_what_jansson_packs), T(no_byte_makes_a_value_fail),
	  T(what_was_given_away_is_ended_where_the_rest_fails), T(nesting_is_read_up_to_its_limit),
	  T(brackets_in_strings_are_no_nesting), T(any_value_is_read_and_what_is_none_is_told),
	  T(text_of_any_bytes_becomes_a_string))
