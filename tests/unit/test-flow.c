/*
 * What a tap makes of streams, however they are cut. A script is what both sides say, in turns;
 * each is told whole, byte by byte, and in parts of random sizes, and must give the same flows.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "flow/reader.h"
#include "flow/tap.h"

#include "check.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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

static void tell(struct tap *tap, const struct said *said, enum cut cut, int64_t *now)
{
	size_t len = said->len ? said->len : strlen(said->bytes), at = 0;

	while (at < len) {
		size_t part = cut == WHOLE   ? len
			      : cut == BYTES ? 1
					     : 1 + (size_t)rand() % (1u << (rand() % 8));
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

TEST(frames_that_make_no_sense_are_raw_from_there_on)
{
	FLOWS(flows, C(WS_REQUEST), S(WS_ANSWER "\r\n\x81\x03one\xb1\x01x"));

	CHECK_EQ(size_of(flows), 2);
	CHECK_STR(text_at(flows, 0, "websocket.messages.0.text"), "one");
	CHECK_STR(text_at(flows, 0, "error"), "what follows is no WebSocket");
	CHECK_STR(text_at(flows, 1, "response.body.base64"), "sQF4");
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
	  T(frames_that_make_no_sense_are_raw_from_there_on))
