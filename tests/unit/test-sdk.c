/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "http/call.h"
#include "sdk/error.h"
#include "sdk/member.h"

#include "check.h"

#include <string.h>

static int put(void *cookie, const void *bytes, size_t len, struct err *e)
{
	buf_put(cookie, bytes, len);
	return buf_check(cookie, e);
}

/* Reads text in pieces of so many bytes. */
static int read_in_pieces(const char *text, size_t len, size_t piece, enum member_kind kind,
			  struct buf *ret_value)
{
	struct member m = { .name = "logs", .kind = kind, .sink = put, .cookie = ret_value };
	struct err e = ERR_INIT;
	int r = 0;

	for (size_t at = 0; at < len && r == 0; at += piece)
		r = member_read(&m, text + at, len - at < piece ? len - at : piece, &e);
	return r < 0 ? r : member_end(&m, &e);
}

/* However the text is cut, the outcome is the same. */
static void check_member(const char *text, enum member_kind kind, int outcome, const char *value,
			 size_t value_len)
{
	size_t len = strlen(text);

	for (size_t piece = 1; piece <= len + 1; piece++) {
		AUTO(struct buf, buf_done) found = BUF_INIT;

		CHECK_EQ(read_in_pieces(text, len, piece, kind, &found), outcome);
		if (outcome < 0)
			continue;
		CHECK_EQ(found.len, value_len);
		CHECK_EQ(memcmp(found.data, value, value_len), 0);
	}
}

static void check_string(const char *text, const char *value)
{
	check_member(text, MEMBER_STRING, 0, value, strlen(value));
}

static void check_other(const char *text, const char *value)
{
	check_member(text, MEMBER_OTHER, 0, value, strlen(value));
}

static void check_broken(const char *text)
{
	check_member(text, MEMBER_STRING, -ERR_PROTOCOL, NULL, 0);
}

TEST(a_string_member_is_found_wherever_it_stands)
{
	check_string("{\"logs\":\"a\"}", "a");
	check_string(
		" { \"x\" : [ 1 , { \"logs\" : \"no\" } , \"]}\\\"\" ] , \"logs\" : \"a\" } \n",
		"a");
	check_string("{\"logs\":\"a\",\"y\":{\"z\":\"}\"},\"w\":true}", "a");
	check_string("{\"log\":\"no\",\"logss\":\"no\",\"l\\u006fgs\":\"a\"}", "a");
	check_string("{\"logs and a name that is longer than any we could want\":\"no\"}", "");
}

TEST(a_string_member_may_be_empty_null_or_absent)
{
	check_string("{}", "");
	check_string("{\"x\":1}", "");
	check_string("{\"logs\":null}", "");
	check_string("{\"logs\":\"\"}", "");
}

TEST(escapes_are_decoded)
{
	check_string("{\"logs\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t");
	check_string("{\"logs\":\"\\u0041\\u00e9\\u20AC\\ud83d\\uDE00\"}",
		     "A\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80");
	check_member("{\"logs\":\"a\\u0000b\"}", MEMBER_STRING, 0, "a\0b", 3);
}

TEST(a_lone_surrogate_stands_for_nothing)
{
	check_string("{\"logs\":\"\\ud83d\"}", "\xEF\xBF\xBD");
	check_string("{\"logs\":\"\\ud83dx\"}", "\xEF\xBF\xBDx");
	check_string("{\"logs\":\"\\ud83d\\n\"}", "\xEF\xBF\xBD\n");
	check_string("{\"logs\":\"\\ud83d\\ud83d\\ude00\"}", "\xEF\xBF\xBD\xF0\x9F\x98\x80");
	check_string("{\"logs\":\"\\ude00\"}", "\xEF\xBF\xBD");
}

TEST(what_is_no_object_is_told)
{
	check_broken("<html>");
	check_broken("[]");
	check_broken("\"logs\"");
	check_broken("{\"logs\":\"a\"");
	check_broken("{\"logs\":\"a");
	check_broken("{\"logs\":\"a\"}}");
	check_broken("{\"logs\":\"a\"} x");
	check_broken("{\"logs\" \"a\"}");
	check_broken("{\"logs\":\"a\" \"b\":1}");
	check_broken("{\"logs\":\"a\",}");
	check_broken("{logs:\"a\"}");
	check_broken("{\"logs\":\"a\nb\"}");
	check_broken("{\"logs\":\"\\x\"}");
	check_broken("{\"logs\":\"\\u00g0\"}");
	check_broken("{\"logs\":7}");
	check_broken("{\"logs\":[\"a\"]}");
	CHECK_EQ(read_in_pieces("", 0, 1, MEMBER_STRING, NULL), -ERR_PROTOCOL);
}

TEST(another_value_keeps_its_text_but_not_its_space)
{
	check_other("{ \"logs\" : [ 1.10 , { \"a b\" : \" \\\" ]\" } , -0e1 ] , \"x\" : 2 }",
		    "[1.10,{\"a b\":\" \\\" ]\"},-0e1]");
	check_other("{\"logs\": null }", "null");
	check_other("{\"logs\":12345678901234567890\n}", "12345678901234567890");
	check_other("{\"logs\":\"a string\"}", "");
}

TEST(a_sink_that_fails_ends_the_reading)
{
	struct buf tiny = BUF_LIMITED(2);

	CHECK_EQ(read_in_pieces("{\"logs\":\"abc\"}", 14, 14, MEMBER_STRING, &tiny),
		 -ERR_TOO_LARGE);
	buf_done(&tiny);
}

/* What becomes of a node's error answer. */
static void check_detail(const char *body, size_t len, const char *detail)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	struct ctfy_error error = CTFY_ERROR_INIT;

	reply.status = 500;
	buf_put(&reply.body, body, len);
	CHECK_EQ(sdk_fail_node(&error, &reply), -CTFY_ERROR_NODE);
	CHECK_EQ(error.kind, CTFY_ERROR_NODE);
	CHECK_EQ(error.status, 500);
	CHECK_STR(error.detail, detail);
	ctfy_error_done(&error);
	CHECK(!error.detail && error.kind == CTFY_ERROR_NONE);
}

#define CHECK_DETAIL(body, detail) check_detail(body, sizeof(body) - 1, detail)

TEST(a_detail_is_told_to_the_letter)
{
	CHECK_DETAIL("{\"detail\":\" a \\n\\u00e9 \"}", " a \n\xC3\xA9 ");
	CHECK_DETAIL("{\"detail\":\"\"}", "");
	CHECK_DETAIL("{\"detail\":\"a\\u0000b\"}", "a\xEF\xBF\xBD"
						   "b");
	CHECK_DETAIL("{\"x\":{\"detail\":\"no\"},\"detail\": { \"b\": 1.50, \"a\": [ ] } }",
		     "{\"b\":1.50,\"a\":[]}");
	CHECK_DETAIL("{\"detail\":null}", "null");
	CHECK_DETAIL("{\"detail\":false}", "false");
	CHECK_DETAIL("{\"detail\":123456789012345678901234567890}",
		     "123456789012345678901234567890");
}

TEST(without_a_detail_the_body_is_told_trimmed)
{
	CHECK_DETAIL("", "");
	CHECK_DETAIL(" \r\n\t", "");
	CHECK_DETAIL("\n <h1>no</h1>\r\n", "<h1>no</h1>");
	CHECK_DETAIL(" {\"error\": 1} ", "{\"error\": 1}");
	CHECK_DETAIL("{\"detail\":\"cut", "{\"detail\":\"cut");
	CHECK_DETAIL("{\"detail\":\"\\ud800\"}", "{\"detail\":\"\\ud800\"}");
	CHECK_DETAIL("[\"detail\"]", "[\"detail\"]");
	CHECK_DETAIL("a\0b", "a\xEF\xBF\xBD"
			     "b");
}

TEST(a_detail_nested_without_end_is_told_as_it_came)
{
	char body[4096] = "{\"detail\":";
	size_t len = strlen(body);

	memset(body + len, '[', sizeof(body) - len - 1);
	check_detail(body, strlen(body), body);
}

TEST(an_error_can_be_filled_again_and_need_not_be_asked_for)
{
	struct ctfy_error error = CTFY_ERROR_INIT;

	CHECK_EQ(sdk_refuse_argument(&error, "first"), -CTFY_ERROR_ARGUMENT);
	CHECK_EQ(sdk_refuse_argument(&error, "second"), -CTFY_ERROR_ARGUMENT);
	CHECK_STR(error.detail, "second");
	CHECK_EQ(sdk_refuse_argument(NULL, "nobody"), -CTFY_ERROR_ARGUMENT);
	ctfy_error_done(&error);
}

TEST(every_kind_has_a_word)
{
	for (int kind = CTFY_ERROR_NONE; kind <= CTFY_ERROR_MEMORY; kind++)
		CHECK(strcmp(ctfy_error_word((enum ctfy_error_kind)kind), "unknown") != 0);
	CHECK_STR(ctfy_error_word((enum ctfy_error_kind)99), "unknown");
}

RUN_TESTS(T(a_string_member_is_found_wherever_it_stands),
	  T(a_string_member_may_be_empty_null_or_absent), T(escapes_are_decoded),
	  T(a_lone_surrogate_stands_for_nothing), T(what_is_no_object_is_told),
	  T(another_value_keeps_its_text_but_not_its_space), T(a_sink_that_fails_ends_the_reading),
	  T(a_detail_is_told_to_the_letter), T(without_a_detail_the_body_is_told_trimmed),
	  T(a_detail_nested_without_end_is_told_as_it_came),
	  T(an_error_can_be_filled_again_and_need_not_be_asked_for), T(every_kind_has_a_word))
