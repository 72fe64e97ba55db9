/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tap makes of streams, however they are cut. A script is what both sides say, in turns;
 * each is told whole, byte by byte, and in parts of random sizes, and must give the same flows.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "flow/lines.h"
#include "flow/merge.h"
#include "flow/reader.h"
#include "flow/tap.h"

#include "check.h"

#include <jansson.h>
#include <nghttp2/nghttp2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>

static char path[64];
static struct flow_options options = FLOW_OPTIONS_INIT;
static const struct tap_peers peers = { "192.0.2.1:5", "10.0.0.2:80", "port", "10.0.0.2:80" };

struct said {
	enum tap_side side;
	const char *bytes;
	size_t len; /* 0: up to its NUL */
};

#define C(text)                                    \
	{                                          \
		TAP_CLIENT, text, sizeof(text) - 1 \
	}
#define S(text)                                    \
	{                                          \
		TAP_SERVER, text, sizeof(text) - 1 \
	}
#define OK_2 S("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
#define HOST "Host: x\r\n"

static void make_path(void)
{
	int fd;

	snprintf(path, sizeof(path), "/tmp/ctfy-flow-XXXXXX");
	fd = mkstemp(path);
	CHECK(fd >= 0);
	close(fd);
}

static struct flow_writer *open_writer(void)
{
	struct flow_writer *writer = NULL;
	struct err e = ERR_INIT;

	CHECK_EQ(flow_writer_open(path, &options, &writer, &e), 0);
	return writer;
}

static json_t *read_flows(struct flow_reader_counts *ret_counts)
{
	AUTO(struct flow_reader *, flow_reader_closep) reader = NULL;
	json_t *flows = json_array(), *flow;
	struct err e = ERR_INIT;

	CHECK_EQ(flow_reader_open(path, &reader, &e), 0);
	while (flow_reader_next(reader, &flow, &e) > 0)
		json_array_append_new(flows, flow);
	if (ret_counts)
		*ret_counts = *flow_reader_counts(reader);
	return flows;
}

enum cut { WHOLE, BYTES, RANDOM };

/* Numbers in no order (Knuth's MMIX), the same in each run. */
static size_t draw(void)
{
	static uint64_t last = 1;

	last = last * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(last >> 33);
}

static void tell(struct tap *tap, const struct said *said, enum cut cut, int64_t *now)
{
	size_t len = said->len ? said->len : strlen(said->bytes), at = 0;

	while (at < len) {
		size_t part = cut == WHOLE   ? len
			      : cut == BYTES ? 1
					     : 1 + draw() % (1u << draw() % 8);
		char *copy; /* of just that size: who reads beyond it is caught */

		part = part < len - at ? part : len - at;
		copy = malloc(part);
		memcpy(copy, said->bytes + at, part);
		tap_bytes(tap, said->side, copy, part, *now);
		free(copy);
		at += part;
	}
	*now += 1000;
}

static void say(struct tap *tap, enum tap_side side, const char *text, int64_t now)
{
	tap_bytes(tap, side, text, strlen(text), now);
}

static json_t *flows_of(const struct said *said, size_t count, enum cut cut)
{
	struct flow_writer *writer;
	int64_t now = 1700000000000000;
	struct tap *tap;
	json_t *flows;

	make_path();
	writer = open_writer();
	tap = tap_open(writer, &peers, now);
	for (size_t i = 0; i < count; i++)
		tell(tap, &said[i], cut, &now);
	tap_end(tap, TAP_CLIENT, TAP_CLOSED, now);
	tap_end(tap, TAP_SERVER, TAP_CLOSED, now);
	tap_close(tap, now);
	flow_writer_close(writer);
	flows = read_flows(NULL);
	unlink(path);
	return flows;
}

/* Without what differs from run to run, and where raw bytes were cut. */
static char *essence(json_t *flows)
{
	json_t *copy = json_deep_copy(flows), *flow;
	char *text;
	size_t i;

	json_array_foreach (copy, i, flow) {
		json_object_del(flow, "id");
		json_object_del(flow, "connection");
		json_object_del(flow, "follows");
		json_object_del(json_object_get(flow, "raw"), "messages");
	}
	text = json_dumps(copy, JSON_SORT_KEYS | JSON_INDENT(1));
	json_decref(copy);
	return text;
}

static json_t *flows_in_all_cuts(const struct said *said, size_t count)
{
	json_t *flows = flows_of(said, count, WHOLE);
	AUTO(char *, freep) expected = essence(flows);

	for (int i = 0; i < 12; i++) {
		AUTO(json_t *, json_decrefp) others =
			flows_of(said, count, i == 0 ? BYTES : RANDOM);
		AUTO(char *, freep) found = essence(others);

		CHECK_STR(found, expected);
	}
	return flows;
}

#define FLOWS(name, ...)                                    \
	static const struct said said_[] = { __VA_ARGS__ }; \
	AUTO(json_t *, json_decrefp) name = flows_in_all_cuts(said_, ARRAY_SIZE(said_))

/* "request.method" of a flow; numbers are names of list members. */
static const json_t *at(const json_t *flows, size_t i, const char *where)
{
	const json_t *value = json_array_get(flows, i);

	while (value && *where) {
		size_t len = strcspn(where, ".");
		AUTO(char *, freep) name = strndup(where, len);

		value = json_is_array(value) ? json_array_get(value, (size_t)atoi(name))
					     : json_object_get(value, name);
		where += len + (where[len] == '.');
	}
	return value;
}

static const char *text_at(const json_t *flows, size_t i, const char *where)
{
	const char *text = json_string_value(at(flows, i, where));

	return text ? text : "(none)";
}

static json_int_t number_at(const json_t *flows, size_t i, const char *where)
{
	return json_integer_value(at(flows, i, where));
}

static size_t size_of(const json_t *flows)
{
	return json_array_size(flows);
}

/* --- HTTP/1 ------------------------------------------------------------------------------- */

TEST(a_plain_request_is_a_flow_with_both_heads_and_bodies)
{
	FLOWS(flows,
	      C("POST /a?b=c HTTP/1.1\r\n" HOST "X-oDD: 1\r\nContent-Length: 5\r\n\r\nhello"),
	      OK_2);

	CHECK_EQ(size_of(flows), 1);
	CHECK_STR(text_at(flows, 0, "request.method"), "POST");
	CHECK_STR(text_at(flows, 0, "request.url"), "http://x/a?b=c");
	CHECK_STR(text_at(flows, 0, "request.http_version"), "HTTP/1.1");
	CHECK_STR(text_at(flows, 0, "request.headers.1.name"), "X-oDD");
	CHECK_STR(text_at(flows, 0, "request.body.text"), "hello");
	CHECK_STR(text_at(flows, 0, "request.body.sha256"),
		  "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
	CHECK(!at(flows, 0, "request.raw_head"));
	CHECK_EQ(number_at(flows, 0, "response.status"), 200);
	CHECK_STR(text_at(flows, 0, "response.reason"), "OK");
	CHECK_STR(text_at(flows, 0, "response.body.text"), "ok");
	CHECK_STR(text_at(flows, 0, "client"), "192.0.2.1:5");
	CHECK_STR(text_at(flows, 0, "via"), "port");
	CHECK(json_is_null(at(flows, 0, "error")));
	CHECK(json_is_null(at(flows, 0, "websocket")));
	CHECK_STR(text_at(flows, 0, "started_at"), "2023-11-14T22:13:20.000Z");
}

TEST(pipelined_requests_are_paired_with_their_answers)
{
	FLOWS(flows,
	      C("GET /one HTTP/1.1\r\n" HOST "\r\nHEAD /two HTTP/1.1\r\n" HOST
		"\r\nGET /three HTTP/1.1\r\n" HOST "\r\n"),
	      S("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\noneHTTP/1.1 200 OK\r\nContent-Length: "
		"3\r\n\r\nHTTP/1.1 204 No\r\n\r\n"));

	CHECK_EQ(size_of(flows), 3);
	CHECK_STR(text_at(flows, 0, "response.body.text"), "one");
	CHECK_STR(text_at(flows, 1, "request.url"), "http://x/two");
	CHECK_EQ(number_at(flows, 1, "response.body.size"), 0);
	CHECK_EQ(number_at(flows, 2, "response.status"), 204);
}

TEST(a_leading_line_end_and_an_odd_verb_hide_nothing)
{
	FLOWS(flows, C("\r\n\r\nGET /hidden HTTP/1.1\r\n" HOST "\r\n"), OK_2,
	      C("FOO-BAR /odd HTTP/1.1\r\n" HOST "\r\nfoo /lower HTTP/1.1\r\n" HOST "\r\n"), OK_2,
	      OK_2);

	CHECK_EQ(size_of(flows), 3);
	CHECK_STR(text_at(flows, 0, "request.url"), "http://x/hidden");
	CHECK_STR(text_at(flows, 0, "request.raw_head"),
		  "DQoNCkdFVCAvaGlkZGVuIEhUVFAvMS4xDQpIb3N0OiB4DQoNCg==");
	CHECK_STR(text_at(flows, 1, "request.method"), "FOO-BAR");
	CHECK_STR(text_at(flows, 2, "request.method"), "foo");
}

TEST(chunks_are_joined_and_trailers_are_kept)
{
	FLOWS(flows,
	      C("POST / HTTP/1.1\r\n" HOST
		"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\n"
		"X-T: 1\r\n\r\nGET /next HTTP/1.1\r\n" HOST "\r\n"),
	      S("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"), OK_2);

	CHECK_EQ(size_of(flows), 2);
	CHECK_STR(text_at(flows, 0, "request.body.text"), "hello!");
	CHECK_STR(text_at(flows, 0, "request.trailers.0.name"), "X-T");
	CHECK_STR(text_at(flows, 0, "response.body.text"), "ok");
	CHECK(!at(flows, 0, "response.trailers"));
	CHECK_STR(text_at(flows, 1, "request.url"), "http://x/next");
}

TEST(interim_answers_are_kept_beside_the_last)
{
	FLOWS(flows,
	      C("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
	      S("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
	      C("hi"), OK_2);

	CHECK_EQ(size_of(flows), 1);
	CHECK_EQ(number_at(flows, 0, "interim.0.status"), 100);
	CHECK_STR(text_at(flows, 0, "interim.1.headers.0.value"), "</a>");
	CHECK_EQ(number_at(flows, 0, "response.status"), 200);
	CHECK_STR(text_at(flows, 0, "request.body.text"), "hi");
	CHECK(!at(flows, 0, "ambiguous"));
}

TEST(an_answer_may_last_until_the_connection_ends)
{
	FLOWS(flows, C("GET / HTTP/1.0\r\n\r\n"), S("HTTP/1.0 200 OK\r\n\r\nall"), S(" of it"));

	CHECK_EQ(size_of(flows), 1);
	CHECK_STR(text_at(flows, 0, "response.body.text"), "all of it");
	CHECK_STR(text_at(flows, 0, "request.url"), "http://10.0.0.2:80/");
	CHECK(json_is_null(at(flows, 0, "error")));
}

TEST(http_0_9_is_a_flow)
{
	FLOWS(flows, C("GET /old\r\n"), S("<p>old"));

	CHECK_EQ(size_of(flows), 1);
	CHECK_STR(text_at(flows, 0, "request.http_version"), "HTTP/0.9");
	CHECK_STR(text_at(flows, 0, "response.body.text"), "<p>old");
	CHECK_EQ(number_at(flows, 0, "response.status"), 0);
}

/* --- what may be read in more than one way -------------------------------------------------- */

/* The raw bytes begin with the head, or with the chunk that is in doubt. */
static void check_raw(const char *request, const char *why, const char *raw_from)
{
	const struct said said[] = { { TAP_CLIENT, request, 0 }, OK_2 };
	AUTO(json_t *, json_decrefp) flows = flows_in_all_cuts(said, 2);
	size_t raw = size_of(flows) - 1;

	CHECK(size_of(flows) >= 2);
	CHECK_STR(text_at(flows, 0, "ambiguous"), why);
	CHECK_EQ(number_at(flows, 0, "response.status"), 200);
	CHECK_STR(text_at(flows, raw, "protocol"), "raw");
	CHECK_STR(text_at(flows, raw, "follows"), text_at(flows, 0, "id"));
	CHECK_STR(text_at(flows, raw, "request.body.text"), strstr(request, raw_from));
}

static void check_doubt(const char *request, const char *why)
{
	check_raw(request, why, request);
}

TEST(an_ambiguous_request_is_a_flow_and_raw_bytes)
{
	check_doubt("POST / HTTP/1.1\r\n" HOST
		    "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
		    "both Content-Length and Transfer-Encoding");
	check_doubt("POST / HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\nhello",
		    "a Transfer-Encoding that is not 'chunked'");
	check_doubt("POST / HTTP/1.1\r\n" HOST
		    "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		    "a line that is no field");
	check_doubt("POST / HTTP/1.1\r\n" HOST
		    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
		    "two Transfer-Encodings");
	check_doubt("POST / HTTP/1.1\r\n" HOST
		    "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
		    "two Content-Lengths");
	check_doubt("POST / HTTP/1.1\r\n" HOST
		    "Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello",
		    "Content-Lengths that differ");
	check_doubt("POST / HTTP/1.1\r\n" HOST "Content-Length: +5\r\n\r\nhello",
		    "a Content-Length that is no number");
	check_doubt("GET / HTTP/1.1\nHost: x\n\n", "line ends that are not CRLF");
	check_doubt("GET / HTTP/1.1\r\n" HOST "X-A: 1\r\n 2\r\n\r\n", "a field over several lines");
	check_doubt("GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello",
		    "a body of a request that seldom has one");
	check_raw("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n",
		  "line ends of chunks that are not CRLF", "1\nx");
	check_raw("POST / HTTP/1.1\r\n" HOST
		  "Transfer-Encoding: chunked\r\n\r\n1 \r\nx\r\n0\r\n\r\n",
		  "a chunk's size with something behind it", "1 \r");
}

TEST(raw_bytes_of_a_chunk_begin_with_the_chunk)
{
	FLOWS(flows,
	      C("POST / HTTP/1.1\r\n" HOST
		"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\nzz\r\nGET /smuggled "
		"HTTP/1.1\r\n\r\n"),
	      OK_2);

	CHECK_EQ(size_of(flows), 2);
	CHECK_STR(text_at(flows, 0, "error"), "a chunk without a size");
	CHECK_STR(text_at(flows, 1, "protocol"), "raw");
	CHECK_STR(text_at(flows, 1, "request.body.text"), "zz\r\nGET /smuggled HTTP/1.1\r\n\r\n");
	CHECK_HAS(text_at(flows, 1, "response.body.text"), "200 OK");
}

/* --- what is no HTTP ------------------------------------------------------------------------ */

TEST(what_is_no_http_is_a_raw_flow)
{
	FLOWS(flows, C("hello\n"), S("\0\1"), C("\xff"));

	CHECK_EQ(size_of(flows), 1);
	CHECK_STR(text_at(flows, 0, "protocol"), "raw");
	CHECK_STR(text_at(flows, 0, "request.method"), "RAW");
	CHECK_STR(text_at(flows, 0, "request.url"), "tcp://10.0.0.2:80");
	CHECK_STR(text_at(flows, 0, "request.body.base64"), "aGVsbG8K/w==");
	CHECK_EQ(number_at(flows, 0, "raw.client.size"), 7);
	CHECK_EQ(number_at(flows, 0, "raw.server.size"), 2);
	CHECK_STR(text_at(flows, 0, "raw.messages.0.text"), "hello\n");
	CHECK_STR(text_at(flows, 0, "raw.messages.1.base64"), "AAE=");
	CHECK(json_is_false(at(flows, 0, "raw.messages.1.from_client")));
	CHECK_STR(text_at(flows, 0, "raw.server.sha256"),
		  "b413f47d13ee2fe6c845b2ee141af81de858df4ec549a58b7970bb96645bc8d2");
}

TEST(an_unfinished_head_is_a_raw_flow)
{
	FLOWS(flows, C("GET / HTTP/1.1\r\nHost: x\r\nX-A: "));

	CHECK_EQ(size_of(flows), 1);
	CHECK_STR(text_at(flows, 0, "request.body.text"), "GET / HTTP/1.1\r\nHost: x\r\nX-A: ");
	CHECK_STR(text_at(flows, 0, "reason"), "the connection ended within a head");
}

TEST(a_service_that_answers_half_a_head_is_in_a_raw_flow_with_it)
{
	FLOWS(flows, C("GET / HTTP/1.1\r\nHo"), S("HTTP/1.1 408 Timeout\r\n\r\n"));

	CHECK_EQ(size_of(flows), 1);
	CHECK_STR(text_at(flows, 0, "request.body.text"), "GET / HTTP/1.1\r\nHo");
	CHECK_STR(text_at(flows, 0, "response.body.text"), "HTTP/1.1 408 Timeout\r\n\r\n");
}

TEST(an_answer_that_is_no_http_is_kept)
{
	FLOWS(flows, C("GET / HTTP/1.1\r\n" HOST "\r\n"), S("SSH-2.0-x\r\n"));

	CHECK_EQ(size_of(flows), 2);
	CHECK_STR(text_at(flows, 0, "error"), "the answer is no HTTP");
	CHECK_STR(text_at(flows, 1, "response.body.text"), "SSH-2.0-x\r\n");
}

TEST(a_second_answer_nobody_asked_for_is_kept)
{
	FLOWS(flows, C("GET / HTTP/1.1\r\n" HOST "\r\n"), OK_2, OK_2);

	CHECK_EQ(size_of(flows), 2);
	CHECK_STR(text_at(flows, 0, "response.body.text"), "ok");
	CHECK_STR(text_at(flows, 1, "reason"), "the service spoke unasked");
}

TEST(a_head_beyond_the_bound_is_a_raw_flow)
{
	struct buf request = BUF_INIT;
	struct said said[] = { { TAP_CLIENT, NULL, 0 }, OK_2 };
	AUTO(json_t *, json_decrefp) flows = NULL;

	buf_puts(&request, "GET / HTTP/1.1\r\nX-L: ");
	for (int i = 0; i < 200000; i++)
		buf_putc(&request, 'l');
	buf_puts(&request, "\r\n\r\n");
	said[0].bytes = request.data;
	said[0].len = request.len;
	flows = flows_of(said, 2, RANDOM);
	CHECK_EQ(size_of(flows), 1);
	CHECK_STR(text_at(flows, 0, "reason"), "a head that is too long");
	CHECK_EQ(number_at(flows, 0, "raw.client.size"), (int)request.len);
	CHECK(json_is_false(at(flows, 0, "raw.client.truncated")));
	buf_done(&request);
}

TEST(a_connection_without_a_byte_is_no_flow)
{
	AUTO(json_t *, json_decrefp) flows = flows_of(NULL, 0, WHOLE);

	CHECK_EQ(size_of(flows), 0);
}

/* --- other protocols within HTTP ------------------------------------------------------------ */

TEST(connect_is_a_flow_and_what_is_in_the_tunnel_is_raw)
{
	FLOWS(flows, C("CONNECT y:22 HTTP/1.1\r\n" HOST "\r\nSSH-c"),
	      S("HTTP/1.1 200 Yes\r\n\r\nSSH-s"));

	CHECK_EQ(size_of(flows), 2);
	CHECK_STR(text_at(flows, 0, "request.url"), "y:22");
	CHECK_EQ(number_at(flows, 0, "response.status"), 200);
	CHECK_STR(text_at(flows, 1, "request.body.text"), "SSH-c");
	CHECK_STR(text_at(flows, 1, "response.body.text"), "SSH-s");
}

TEST(a_tunnel_that_is_refused_goes_on_as_http)
{
	FLOWS(flows, C("CONNECT y:22 HTTP/1.1\r\n" HOST "\r\nGET /next HTTP/1.1\r\n" HOST "\r\n"),
	      S("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), OK_2);

	CHECK_EQ(size_of(flows), 2);
	CHECK_STR(text_at(flows, 1, "request.url"), "http://x/next");
	CHECK_STR(text_at(flows, 1, "response.body.text"), "ok");
}

#define WS_REQUEST                                                                  \
	"GET /ws HTTP/1.1\r\n" HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
#define WS_ANSWER "HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"

TEST(a_websocket_is_one_flow_with_its_messages)
{
	FLOWS(flows, C(WS_REQUEST), S(WS_ANSWER "\r\n\x81\x03one"),
	      C("\x01\x82\1\2\3\4\x75\x75\x80\x82\1\2\3\4\x6e\x23"), C("\x89\x80\1\2\3\4"),
	      S("\x82\x02\0\xff"), C("\x88\x82\1\2\3\4\x02\xea"), S("\x88\x02\x03\xe8"));

	CHECK_EQ(size_of(flows), 1);
	CHECK_EQ(number_at(flows, 0, "response.status"), 101);
	CHECK_EQ(number_at(flows, 0, "websocket.message_count"), 3);
	CHECK_STR(text_at(flows, 0, "websocket.messages.0.text"), "one");
	CHECK_STR(text_at(flows, 0, "websocket.messages.1.text"), "two!");
	CHECK(json_is_true(at(flows, 0, "websocket.messages.1.from_client")));
	CHECK_STR(text_at(flows, 0, "websocket.messages.2.base64"), "AP8=");
	CHECK_EQ(number_at(flows, 0, "websocket.close_code"), 1000);
	CHECK(json_is_true(at(flows, 0, "websocket.closed_by_client")));
	CHECK(json_is_null(at(flows, 0, "error")));
}

TEST(compressed_messages_are_told_inflated)
{
	/* "Hello" twice with the context kept: the example of RFC 7692, 7.2.3.2. */
	FLOWS(flows, C(WS_REQUEST),
	      S(WS_ANSWER "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
	      S("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), S("\xc1\x05\xf2\x00\x11\x00\x00"));

	CHECK_STR(text_at(flows, 0, "websocket.messages.0.text"), "Hello");
	CHECK_STR(text_at(flows, 0, "websocket.messages.1.text"), "Hello");
	CHECK_EQ(number_at(flows, 0, "websocket.messages.0.size"), 7);
	CHECK(!at(flows, 0, "websocket.messages.0.compressed"));
}

/* A stream that says that it has ended (RFC 7692, 7.2.3.4), and goes on. */
TEST(messages_behind_the_end_of_their_stream_stay_as_they_were_sent)
{
	FLOWS(flows, C(WS_REQUEST),
	      S(WS_ANSWER "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"),
	      S("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
	      S("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"));

	CHECK_STR(text_at(flows, 0, "websocket.messages.0.base64"), "80jNyckHAAA=");
	CHECK(json_is_true(at(flows, 0, "websocket.messages.0.compressed")));
	CHECK_STR(text_at(flows, 0, "websocket.messages.1.base64"), "8kjNyckHAA==");
}

TEST(a_damaged_message_says_nothing_of_one_that_stands_for_itself)
{
	FLOWS(flows, C(WS_REQUEST),
	      S(WS_ANSWER "Sec-WebSocket-Extensions: permessage-deflate; "
			  "server_no_context_takeover\r\n\r\n"),
	      S("\xc1\x02\xff\xff"), S("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"));

	CHECK_STR(text_at(flows, 0, "websocket.messages.0.base64"), "//8=");
	CHECK_STR(text_at(flows, 0, "websocket.messages.1.text"), "Hello");
}

TEST(all_messages_together_are_inflated_up_to_a_bound)
{
	static char zeros[1 << 20];
	unsigned char packed[4096];
	z_stream stream = { .next_in = (Bytef *)zeros,
			    .avail_in = sizeof(zeros),
			    .next_out = packed,
			    .avail_out = sizeof(packed) };

	CHECK_EQ(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	CHECK_EQ(deflate(&stream, Z_SYNC_FLUSH), Z_OK);
	for (int forgets = 0; forgets < 2; forgets++) {
		struct inflation *inflation = inflation_new();
		size_t len = 1, told = 0;
		char *text;

		while (told < 100 &&
		       (text = inflation_message(inflation, packed, stream.total_out - 4, 1000,
						 forgets, &len))) {
			CHECK_EQ(len, 1000);
			free(text);
			told++;
		}
		CHECK_EQ(told, 31);
		CHECK(!inflation_message(inflation, "\xf2\x48\xcd\xc9\xc9\x07\x00", 7, 1000,
					 forgets, &len));
		inflation_free(inflation);
	}
	deflateEnd(&stream);
}

TEST(frames_that_make_no_sense_are_raw_from_there_on)
{
	FLOWS(flows, C(WS_REQUEST), S(WS_ANSWER "\r\n\x81\x03one\xb1\x01x"));

	CHECK_EQ(size_of(flows), 2);
	CHECK_STR(text_at(flows, 0, "websocket.messages.0.text"), "one");
	CHECK_STR(text_at(flows, 0, "error"), "what follows is no WebSocket");
	CHECK_STR(text_at(flows, 1, "response.body.base64"), "sQF4");
}

/* --- HTTP/2 ------------------------------------------------------------------------------- */

/* A client and a server of nghttp2's, whose bytes pass a tap on their way. */
struct pair {
	nghttp2_session *sessions[2]; /* by enum tap_side */
	struct buf out[2];
	bool answered;
};

static ssize_t take_out(nghttp2_session *session, const uint8_t *data, size_t len, int flags,
			void *cookie)
{
	struct pair *pair = cookie;

	(void)flags;
	buf_put(&pair->out[session == pair->sessions[TAP_SERVER]], data, len);
	return (ssize_t)len;
}

#define NV(name, value)                                                                    \
	{                                                                                  \
		(uint8_t *)(uintptr_t)(name), (uint8_t *)(uintptr_t)(value), strlen(name), \
			strlen(value), 0                                                   \
	}

static ssize_t give_body(nghttp2_session *session, int32_t stream, uint8_t *to, size_t size,
			 uint32_t *flags, nghttp2_data_source *source, void *cookie)
{
	const nghttp2_nv trailer = NV("x-t", "1");
	const char *text = source->ptr;

	(void)size;
	(void)cookie;
	/* NOLINTNEXTLINE(bugprone-not-null-terminated-result): a body is no string */
	memcpy(to, text, strlen(text));
	*flags = NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
	nghttp2_submit_trailer(session, stream, &trailer, 1);
	return (ssize_t)strlen(text);
}

static int answer(nghttp2_session *session, const nghttp2_frame *frame, void *cookie)
{
	struct pair *pair = cookie;
	const nghttp2_data_provider body = { { .ptr = (void *)(uintptr_t) "answer" }, give_body };
	const nghttp2_nv hint[] = { NV(":status", "103") };
	const nghttp2_nv head[] = { NV(":status", "200"), NV("server", "s") };

	if (session != pair->sessions[TAP_SERVER] || frame->hd.type > NGHTTP2_HEADERS ||
	    !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	nghttp2_submit_headers(session, 0, frame->hd.stream_id, NULL, hint, 1, NULL);
	return nghttp2_submit_response(session, frame->hd.stream_id, head, 2, &body);
}

static void pair_open(struct pair *pair, uint32_t table_size)
{
	const nghttp2_settings_entry setting = { NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, table_size };
	nghttp2_session_callbacks *callbacks;

	*pair = (struct pair){ .out = { BUF_INIT, BUF_INIT } };
	CHECK_EQ(nghttp2_session_callbacks_new(&callbacks), 0);
	nghttp2_session_callbacks_set_send_callback(callbacks, take_out);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, answer);
	CHECK_EQ(nghttp2_session_client_new(&pair->sessions[TAP_CLIENT], callbacks, pair), 0);
	CHECK_EQ(nghttp2_session_server_new(&pair->sessions[TAP_SERVER], callbacks, pair), 0);
	nghttp2_session_callbacks_del(callbacks);
	for (int side = 0; side < 2; side++)
		CHECK_EQ(nghttp2_submit_settings(pair->sessions[side], 0, &setting, 1), 0);
}

static void pair_talk(struct pair *pair, struct tap *tap, enum cut cut, int64_t *now)
{
	bool silent[2] = { false };

	for (int side = 0; !silent[0] || !silent[1]; side = !side) {
		struct buf *out = &pair->out[side];

		CHECK_EQ(nghttp2_session_send(pair->sessions[side]), 0);
		silent[side] = out->len == 0;
		if (out->len == 0)
			continue;
		tell(tap, &(struct said){ (enum tap_side)side, out->data, out->len }, cut, now);
		CHECK(nghttp2_session_mem_recv(pair->sessions[!side], (uint8_t *)out->data,
					       out->len) >= 0);
		buf_clear(out);
	}
}

static void ask(struct pair *pair, const char *path_and_more, const char *body)
{
	const nghttp2_data_provider source = { { .ptr = (void *)(uintptr_t)body }, give_body };
	const nghttp2_nv head[] = { NV(":method", body ? "POST" : "GET"), NV(":scheme", "http"),
				    NV(":authority", "h2.test"), NV(":path", path_and_more),
				    NV("x-long",
				       "the same again and again, so that it is indexed") };

	CHECK(nghttp2_submit_request(pair->sessions[TAP_CLIENT], NULL, head, 5,
				     body ? &source : NULL, NULL) > 0);
}

static json_t *http2_flows(enum cut cut, uint32_t table_size)
{
	int64_t now = 1700000000000000;
	struct flow_writer *writer;
	struct pair pair;
	struct tap *tap;
	json_t *flows;

	make_path();
	writer = open_writer();
	tap = tap_open(writer, &peers, now);
	pair_open(&pair, table_size);
	ask(&pair, "/one?a=b", NULL);
	ask(&pair, "/two", "question");
	pair_talk(&pair, tap, cut, &now);
	ask(&pair, "/three", NULL);
	pair_talk(&pair, tap, cut, &now);
	tap_close(tap, now);
	flow_writer_close(writer);
	for (int side = 0; side < 2; side++) {
		nghttp2_session_del(pair.sessions[side]);
		buf_done(&pair.out[side]);
	}
	flows = read_flows(NULL);
	unlink(path);
	return flows;
}

TEST(streams_of_http_2_are_flows)
{
	for (uint32_t table_size = 0; table_size <= 16384; table_size += 4096) {
		AUTO(json_t *, json_decrefp) flows = http2_flows(WHOLE, table_size);
		AUTO(json_t *, json_decrefp) others = http2_flows(BYTES, table_size);
		AUTO(char *, freep) expected = essence(flows);
		AUTO(char *, freep) found = essence(others);

		CHECK_STR(found, expected);
		CHECK_EQ(size_of(flows), 3);
		CHECK_STR(text_at(flows, 0, "protocol"), "http2");
		CHECK_STR(text_at(flows, 0, "request.url"), "http://h2.test/one?a=b");
		CHECK_STR(text_at(flows, 0, "request.http_version"), "HTTP/2.0");
		CHECK_STR(text_at(flows, 0, "request.headers.0.name"), "x-long");
		CHECK_EQ(number_at(flows, 0, "interim.0.status"), 103);
		CHECK_EQ(number_at(flows, 0, "response.status"), 200);
		CHECK_STR(text_at(flows, 0, "response.body.text"), "answer");
		CHECK_STR(text_at(flows, 0, "response.trailers.0.name"), "x-t");
		CHECK_STR(text_at(flows, 1, "request.method"), "POST");
		CHECK_STR(text_at(flows, 1, "request.body.text"), "question");
		CHECK_STR(text_at(flows, 2, "request.url"), "http://h2.test/three");
		CHECK(json_is_null(at(flows, 2, "error")));
	}
}

#define H2_SETTINGS "\0\0\0\4\0\0\0\0\0"

TEST(a_service_may_speak_http_2_before_it_is_spoken_to)
{
	FLOWS(flows, S(H2_SETTINGS),
	      C("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" H2_SETTINGS "\0\0\1\1\5\0\0\0\1\x82"),
	      S("\0\0\1\1\5\0\0\0\1\x88"));

	CHECK_EQ(size_of(flows), 1);
	CHECK_EQ(number_at(flows, 0, "response.status"), 200);
}

TEST(an_upgrade_to_http_2_goes_on_with_the_same_flow)
{
	FLOWS(flows,
	      C("GET /up HTTP/1.1\r\n" HOST
		"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
		"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n"),
	      S("HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n" H2_SETTINGS),
	      C("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" H2_SETTINGS),
	      S("\0\0\1\1\4\0\0\0\1\x88\0\0\2\0\1\0\0\0\1ok"));

	CHECK_EQ(size_of(flows), 1);
	CHECK_STR(text_at(flows, 0, "request.url"), "http://x/up");
	CHECK_EQ(number_at(flows, 0, "interim.0.status"), 101);
	CHECK_EQ(number_at(flows, 0, "response.status"), 200);
	CHECK_STR(text_at(flows, 0, "response.body.text"), "ok");
	CHECK(json_is_null(at(flows, 0, "error")));
}

TEST(fields_of_http_2_that_make_no_sense_are_raw_from_there_on)
{
	FLOWS(flows, C("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" H2_SETTINGS "\0\0\2\1\5\0\0\0\1\xff\xff"),
	      S("\0\0\1\7"));

	CHECK_EQ(size_of(flows), 1);
	CHECK_STR(text_at(flows, 0, "protocol"), "raw");
	CHECK_STR(text_at(flows, 0, "reason"), "fields of HTTP/2 that cannot be read");
	CHECK_EQ(number_at(flows, 0, "raw.server.size"), 4);
}

/* --- what is bounded ------------------------------------------------------------------------ */

/* A body of which so much is told, and the rest skipped where that may be. */
static json_t *long_body(const char *head, uint64_t size, bool skips)
{
	static char block[64 << 10];
	int64_t now = 1700000000000000;
	struct flow_writer *writer;
	struct tap *tap;
	json_t *flows;

	make_path();
	writer = open_writer();
	tap = tap_open(writer, &peers, now);
	say(tap, TAP_CLIENT, "GET / HTTP/1.1\r\n" HOST "\r\n", now);
	tap_bytes(tap, TAP_SERVER, head, strlen(head), now);
	while (size > 0) {
		uint64_t skippable = tap_skippable(tap, TAP_SERVER);
		size_t part = size < sizeof(block) ? (size_t)size : sizeof(block);

		if (skips && skippable > 0) {
			skippable = skippable < size ? skippable : size;
			tap_skip(tap, TAP_SERVER, skippable, now);
			size -= skippable;
		} else {
			tap_bytes(tap, TAP_SERVER, block, part, now);
			size -= part;
		}
	}
	tap_end(tap, TAP_SERVER, TAP_CLOSED, now);
	tap_close(tap, now);
	flow_writer_close(writer);
	flows = read_flows(NULL);
	unlink(path);
	return flows;
}

TEST(a_body_that_is_long_by_its_head_is_counted_and_not_looked_at)
{
	AUTO(json_t *, json_decrefp) flows =
		long_body("HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n", 5000000000,
			  true);

	CHECK_EQ(number_at(flows, 0, "response.body.size"), 5000000000);
	CHECK(json_is_true(at(flows, 0, "response.body.truncated")));
	CHECK(!at(flows, 0, "response.body.sha256"));
	CHECK(json_is_null(at(flows, 0, "error")));
	CHECK(!at(flows, 0, "lost"));
}

TEST(a_body_that_grows_long_is_skipped_from_there_on)
{
	AUTO(json_t *, json_decrefp) flows = long_body("HTTP/1.1 200 OK\r\n\r\n", 5000000000, true);

	CHECK_EQ(number_at(flows, 0, "response.body.size"), 5000000000);
	CHECK(json_is_null(at(flows, 0, "error")));
}

TEST(a_body_has_its_hash_where_it_is_not_too_long_for_that)
{
	AUTO(json_t *, json_decrefp) flows =
		long_body("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", 1000000, true);

	/* Of so many zeros, by sha256sum. */
	CHECK_STR(text_at(flows, 0, "response.body.sha256"),
		  "d29751f2649b32ff572b5e0a9f541ea660a50f94ff0beedfb0b692b924cc8025");
	CHECK_EQ(number_at(flows, 0, "response.body.size"), 1000000);
}

TEST(bytes_that_were_never_seen_are_told)
{
	int64_t now = 1;
	struct flow_writer *writer;
	struct tap *tap;

	make_path();
	writer = open_writer();
	tap = tap_open(writer, &peers, now);
	say(tap, TAP_CLIENT, "GET / HTTP/1.1\r\n", now);
	CHECK_EQ(tap_skippable(tap, TAP_CLIENT), 0);
	tap_skip(tap, TAP_CLIENT, 100, now);
	say(tap, TAP_CLIENT, "rest", now);
	tap_close(tap, now);
	flow_writer_close(writer);
	{
		AUTO(json_t *, json_decrefp) flows = read_flows(NULL);

		CHECK_EQ(size_of(flows), 1);
		CHECK_EQ(number_at(flows, 0, "lost"), 100);
		CHECK_STR(text_at(flows, 0, "request.body.text"), "GET / HTTP/1.1\r\nrest");
		CHECK_EQ(number_at(flows, 0, "raw.client.size"), 120);
	}
	unlink(path);
}

/* Each of many connections sends what takes the most memory, and none of them ends. */
TEST(memory_is_bounded_whatever_is_sent)
{
	enum { TAPS = 3000 };
	static char filler[60 << 10];
	struct tap **taps = calloc(TAPS, sizeof(*taps));
	struct flow_reader_counts counts;
	struct flow_writer *writer;
	uint64_t told = 0;

	memset(filler, 'a', sizeof(filler));
	make_path();
	writer = open_writer();
	for (int i = 0; i < TAPS; i++) {
		taps[i] = tap_open(writer, &peers, 1);
		say(taps[i], TAP_CLIENT, "GET / HTTP/1.1\r\nX: ", 1);
		tap_bytes(taps[i], TAP_CLIENT, filler, sizeof(filler), 1);
		CHECK(lines_ration(writer)->used <= options.memory_max);
	}
	for (int i = 0; i < TAPS; i++)
		tap_close(taps[i], 2);
	CHECK_EQ(lines_ration(writer)->used, 0);
	told = flow_writer_counts(writer)->lost_flows;
	flow_writer_close(writer);
	{
		AUTO(json_t *, json_decrefp) flows = read_flows(&counts);

		CHECK_EQ(size_of(flows) + told, TAPS);
		CHECK_EQ(counts.lost_flows, told);
		CHECK(size_of(flows) > TAPS / 3);
	}
	free(taps);
	unlink(path);
}

TEST(a_full_file_takes_heads_and_then_nothing_and_counts_it)
{
	const uint64_t file_max = options.file_max;
	struct flow_reader_counts counts;
	struct flow_writer *writer;

	options.file_max = 20000;
	make_path();
	writer = open_writer();
	for (int i = 0; i < 200; i++) {
		struct tap *tap = tap_open(writer, &peers, 1);

		say(tap, TAP_CLIENT, "GET / HTTP/1.1\r\n" HOST "\r\n", 1);
		say(tap, TAP_SERVER, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 2);
		tap_close(tap, 3);
	}
	flow_writer_close(writer);
	{
		AUTO(json_t *, json_decrefp) flows = read_flows(&counts);
		size_t last = size_of(flows) - 1;

		CHECK_STR(text_at(flows, 0, "response.body.text"), "ok");
		CHECK(!at(flows, last, "response.body.text"));
		CHECK_EQ(number_at(flows, last, "response.body.size"), 2);
		CHECK(json_is_true(at(flows, last, "response.body.truncated")));
		CHECK_EQ(size_of(flows) + counts.lost_flows, 200);
		CHECK(counts.lost_flows > 0);
	}
	options.file_max = file_max;
	unlink(path);
}

/* --- the file ------------------------------------------------------------------------------- */

static void one_flow(struct flow_writer *writer, const char *request)
{
	struct tap *tap = tap_open(writer, &peers, 1);

	tap_bytes(tap, TAP_CLIENT, request, strlen(request), 1);
	tap_close(tap, 2);
}

/* The file's size is limited, which ends a write in the midst of a line as a full disk does. */
TEST(a_full_disk_is_survived_and_told_when_there_is_room_again)
{
	struct rlimit old, tight;
	struct flow_reader_counts counts;
	struct flow_writer *writer;

	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	tight = (struct rlimit){ 2000, old.rlim_max };
	make_path();
	writer = open_writer();
	one_flow(writer, "GET /first HTTP/1.0\r\n\r\n");
	setrlimit(RLIMIT_FSIZE, &tight);
	for (int i = 0; i < 10; i++)
		one_flow(writer, "GET /lost HTTP/1.0\r\n\r\n");
	setrlimit(RLIMIT_FSIZE, &old);
	one_flow(writer, "GET /last HTTP/1.0\r\n\r\n");
	flow_writer_close(writer);
	{
		AUTO(json_t *, json_decrefp) flows = read_flows(&counts);

		CHECK_STR(text_at(flows, 0, "request.url"), "http://10.0.0.2:80/first");
		CHECK_STR(text_at(flows, size_of(flows) - 1, "request.url"),
			  "http://10.0.0.2:80/last");
		CHECK(counts.lost_flows > 0);
		CHECK_EQ(size_of(flows) + counts.lost_flows, 12);
		CHECK_EQ(counts.bad_lines, 1);
	}
	unlink(path);
}

static void append(const char *text)
{
	FILE *file = fopen(path, "a");

	CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

TEST(damaged_lines_are_passed_over_and_counted)
{
	struct flow_reader_counts counts;
	struct flow_writer *writer;

	make_path();
	writer = open_writer();
	one_flow(writer, "GET /a HTTP/1.0\r\n\r\n");
	append("{\"line\":\"end\",\"id\":\"x\",\"started\n{}\n[1]\n{\"id\":1}\nnonsense\n");
	append("{\"line\":\"end\",\"id\":\"x-1\",\"prev\":5}\n");
	one_flow(writer, "GET /b HTTP/1.0\r\n\r\n");
	flow_writer_close(writer);
	append("{\"line\":\"begin\",\"id\":\"half");
	{
		AUTO(json_t *, json_decrefp) flows = read_flows(&counts);

		CHECK_EQ(size_of(flows), 2);
		CHECK_STR(text_at(flows, 1, "request.url"), "http://10.0.0.2:80/b");
		CHECK_EQ(counts.bad_lines, 6);
	}
	/* Who writes on begins a line of their own. */
	writer = open_writer();
	one_flow(writer, "GET /c HTTP/1.0\r\n\r\n");
	flow_writer_close(writer);
	{
		AUTO(json_t *, json_decrefp) flows = read_flows(&counts);

		CHECK_EQ(size_of(flows), 3);
		CHECK_EQ(counts.bad_lines, 7);
	}
	unlink(path);
}

/* Nothing is flushed or ended, as after a kill: writers and their taps are just left alone. */
static struct flow_writer *left[8];
static struct tap *left_tap[8];
static size_t left_count;

static void leave_open(void)
{
	struct flow_writer *writer = open_writer();
	struct tap *tap = tap_open(writer, &peers, 1700000000000000);

	left[left_count] = writer;
	left_tap[left_count++] = tap;
	say(tap, TAP_CLIENT, "POST /kill HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\n12345",
	    1700000000000000);
}

TEST(a_killed_recorder_leaves_what_it_saw)
{
	struct err e = ERR_INIT;

	make_path();
	leave_open();
	{
		AUTO(json_t *, json_decrefp) flows = read_flows(NULL);

		CHECK_EQ(size_of(flows), 0);
	}
	CHECK_EQ(flow_file_end(path, &e), 0);
	CHECK_EQ(flow_file_end(path, &e), 0);
	leave_open();
	leave_open();
	{
		AUTO(json_t *, json_decrefp) flows = read_flows(NULL);

		CHECK_EQ(size_of(flows), 2);
		CHECK_STR(text_at(flows, 0, "error"), "the recorder ended before it");
		CHECK_STR(text_at(flows, 0, "request.url"), "http://x/kill");
		CHECK_STR(text_at(flows, 0, "request.body.text"), "12345");
		CHECK(json_is_true(at(flows, 0, "request.body.truncated")));
	}
	unlink(path);
}

TEST(flows_that_are_not_over_are_told_where_all_are_wanted)
{
	AUTO(struct flow_reader *, flow_reader_closep) reader = NULL;
	AUTO(json_t *, json_decrefp) flow = NULL;
	struct err e = ERR_INIT;

	make_path();
	leave_open();
	CHECK_EQ(flow_reader_open(path, &reader, &e), 0);
	CHECK_EQ(flow_reader_next_any(reader, &flow, &e), 1);
	CHECK_STR(json_string_value(json_object_get(flow, "error")), "it is not over yet");
	CHECK(json_is_null(json_object_get(flow, "response")));
	CHECK_EQ(flow_reader_next_any(reader, &flow, &e), 0);
	unlink(path);
}

TEST(reading_goes_on_anywhere)
{
	struct flow_writer *writer;
	struct err e = ERR_INIT;
	int64_t end;

	make_path();
	leave_open();
	writer = open_writer();
	for (int i = 0; i < 5; i++)
		one_flow(writer, "GET / HTTP/1.0\r\n\r\n");
	flow_writer_close(writer);
	CHECK_EQ(flow_file_end(path, &e), 0);
	{
		AUTO(struct flow_reader *, flow_reader_closep) reader = NULL;
		json_t *flow;
		int count = 0;

		CHECK_EQ(flow_reader_open(path, &reader, &e), 0);
		while (flow_reader_next(reader, &flow, &e) > 0) {
			json_decref(flow);
			count++;
		}
		CHECK_EQ(count, 6);
		end = flow_reader_at(reader);
	}
	for (int64_t from = 0; from <= end; from += 7) {
		AUTO(struct flow_reader *, flow_reader_closep) reader = NULL;
		json_t *flow;

		CHECK_EQ(flow_reader_open(path, &reader, &e), 0);
		CHECK_EQ(flow_reader_seek(reader, from, &e), 0);
		while (flow_reader_next(reader, &flow, &e) > 0)
			json_decref(flow);
		CHECK_EQ(flow_reader_at(reader), end);
		CHECK_EQ(flow_reader_counts(reader)->bad_lines, 0);
	}
	unlink(path);
}

TEST(bodies_are_decoded_when_they_are_read_up_to_a_bound)
{
	static char zeros[1 << 16];
	unsigned char packed[4096];
	size_t len, in_len;
	z_stream stream = { .next_out = packed, .avail_out = sizeof(packed) };
	char *text;

	CHECK_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	for (int i = 0; i < 40; i++) {
		stream.next_in = (Bytef *)zeros;
		stream.avail_in = sizeof(zeros);
		CHECK_EQ(deflate(&stream, i == 39 ? Z_FINISH : Z_NO_FLUSH),
			 i == 39 ? Z_STREAM_END : Z_OK);
	}
	in_len = stream.total_out;
	deflateEnd(&stream);
	text = content_decode("gzip", packed, in_len, 1000, &len);
	CHECK(text && len == 1000);
	free(text);
	CHECK(!content_decode("gzip", "nonsense", 8, 1000, &len));
	CHECK(!content_decode("br", "\xff\xff", 2, 1000, &len));
	CHECK(!content_decode("zstd", "nonsense", 8, 1000, &len));
}

RUN_TESTS(T(a_plain_request_is_a_flow_with_both_heads_and_bodies),
	  T(pipelined_requests_are_paired_with_their_answers),
	  T(a_leading_line_end_and_an_odd_verb_hide_nothing),
	  T(chunks_are_joined_and_trailers_are_kept), T(interim_answers_are_kept_beside_the_last),
	  T(an_answer_may_last_until_the_connection_ends), T(http_0_9_is_a_flow),
	  T(an_ambiguous_request_is_a_flow_and_raw_bytes),
	  T(raw_bytes_of_a_chunk_begin_with_the_chunk), T(what_is_no_http_is_a_raw_flow),
	  T(an_unfinished_head_is_a_raw_flow),
	  T(a_service_that_answers_half_a_head_is_in_a_raw_flow_with_it),
	  T(an_answer_that_is_no_http_is_kept), T(a_second_answer_nobody_asked_for_is_kept),
	  T(a_head_beyond_the_bound_is_a_raw_flow), T(a_connection_without_a_byte_is_no_flow),
	  T(connect_is_a_flow_and_what_is_in_the_tunnel_is_raw),
	  T(a_tunnel_that_is_refused_goes_on_as_http), T(a_websocket_is_one_flow_with_its_messages),
	  T(compressed_messages_are_told_inflated),
	  T(messages_behind_the_end_of_their_stream_stay_as_they_were_sent),
	  T(a_damaged_message_says_nothing_of_one_that_stands_for_itself),
	  T(all_messages_together_are_inflated_up_to_a_bound),
	  T(frames_that_make_no_sense_are_raw_from_there_on), T(streams_of_http_2_are_flows),
	  T(a_service_may_speak_http_2_before_it_is_spoken_to),
	  T(an_upgrade_to_http_2_goes_on_with_the_same_flow),
	  T(fields_of_http_2_that_make_no_sense_are_raw_from_there_on),
	  T(a_body_that_is_long_by_its_head_is_counted_and_not_looked_at),
	  T(a_body_that_grows_long_is_skipped_from_there_on),
	  T(a_body_has_its_hash_where_it_is_not_too_long_for_that),
	  T(bytes_that_were_never_seen_are_told), T(memory_is_bounded_whatever_is_sent),
	  T(a_full_file_takes_heads_and_then_nothing_and_counts_it),
	  T(a_full_disk_is_survived_and_told_when_there_is_room_again),
	  T(damaged_lines_are_passed_over_and_counted), T(a_killed_recorder_leaves_what_it_saw),
	  T(flows_that_are_not_over_are_told_where_all_are_wanted), T(reading_goes_on_anywhere),
	  T(bodies_are_decoded_when_they_are_read_up_to_a_bound))
