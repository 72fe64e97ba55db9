/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/own.h"

#include "check.h"
#include "http-world.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TEST(malformed_requests_are_refused_and_the_server_goes_on)
{
	static const char *const bad[] = {
		"\r\n\r\n\r\ngarbage\r\n\r\n",
		"GET\r\n\r\n",
		"GET /quick\r\n\r\n",
		"GET /quick HTTP/9.9\r\n\r\n",
		"\x16\x03\x01\x02\x01\x01\xfc\x03\x03\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: -1\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 1x\r\n\r\nx",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN
		"Content-Length: 99999999999999999999999\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN
		"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN
		"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Transfer-Encoding: gzip, chunked\r\n\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN
		"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN "no colon\r\n\r\n",
	};
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int status = raw_status(&w, bad[i]);

		CHECK(status == 0 || status >= 400);
		CHECK_EQ(get(&w, "/quick"), 200);
	}
	world_end(&w);
}

TEST(headers_beyond_all_measure_are_refused)
{
	AUTO(struct buf, buf_done) request = BUF_INIT;
	struct world w;
	int status;

	world_start(&w);
	buf_puts(&request, "GET /quick HTTP/1.1\r\n" HOST TOKEN);
	for (int i = 0; i < 100; i++)
		buf_printf(&request, "X-Filler-%d: some text to fill up\r\n", i);
	buf_puts(&request, "\r\n");
	CHECK_EQ(raw_status(&w, request.data), 200); /* 4 KiB are nothing special */
	request.len -= strlen("\r\n");
	for (int i = 0; i < 5000; i++)
		buf_printf(&request, "X-Filler-%d: some text to fill up\r\n", i);
	status = raw_status(&w, request.data);
	CHECK(status == 0 || status >= 400);
	CHECK_EQ(get(&w, "/quick"), 200);
	world_end(&w);
}

TEST(pipelined_requests_are_answered_in_order)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	int fd;

	world_start(&w);
	fd = raw_open(&w);
	raw_put(fd, "GET /items/1 HTTP/1.1\r\n" HOST TOKEN "\r\n"
		    "POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 3\r\n\r\ntwo"
		    "POST /quick/echo HTTP/1.1\r\n" HOST TOKEN
		    "Transfer-Encoding: chunked\r\n\r\n2\r\nth\r\n3;a=b\r\nree\r\n0\r\n\r\n"
		    "GET /quick HTTP/1.1\r\n" HOST TOKEN "Connection: close\r\n\r\n");
	raw_read(fd, &b, NULL);
	close(fd);
	CHECK_HAS(b.data, "GET 1");
	CHECK_HAS(strstr(b.data, "GET 1"), "two");
	CHECK_HAS(strstr(b.data, "two"), "three");
	CHECK_HAS(strstr(b.data, "three"), "quick");
	world_end(&w);
}

TEST(a_proxy_may_name_the_whole_url)
{
	struct world w;

	world_start(&w);
	CHECK_EQ(raw_status(&w, "GET http://x/quick HTTP/1.1\r\n" HOST TOKEN "\r\n"), 200);
	CHECK_EQ(raw_status(&w, "GET http://x HTTP/1.1\r\n" HOST TOKEN "\r\n"), 404);
	CHECK_EQ(raw_status(&w, "OPTIONS * HTTP/1.1\r\n" HOST TOKEN "\r\n"), 404);
	world_end(&w);
}

/* Reading strictly */

TEST(a_request_that_two_readers_may_read_otherwise_is_refused)
{
	static const char *const malformed[] = {
		"GET /quick HTTP/1.1\r\nHost: a\r\nHost: b\r\n" TOKEN "\r\n",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length : 1\r\n\r\nx",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length\t: 1\r\n\r\nx",
		"GET /quick HTTP/1.1\r\n" HOST "X-A: b\r\n c\r\n" TOKEN "\r\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN "X-A: b\r\n\tc\r\n\r\n",
		"GET /quick HTTP/1.1\r\n" HOST "X-A: b\n" TOKEN "\r\n",
		"GET /quick HTTP/1.1\n" HOST TOKEN "\r\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN "X-A: b\n\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN "X A: b\r\n\r\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN ": b\r\n\r\n",
		"GET /quick HTTP/1.1\r\n" HOST TOKEN "X-A: b\x01\r\n\r\n",
		"GET /quick HTTP/1.1\r\n" TOKEN "\r\n", /* whose? */
	};
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++) {
		int status = raw_status(&w, malformed[i]);

		if (status != 400)
			fail_msg("%d to %s", status, malformed[i]);
	}
	CHECK_EQ(raw_status(&w, "GET /quick HTTP/1.1\r\nHost:x\r\n" TOKEN
				"X-A:  \tb c \r\nX-Empty:\r\n\r\n"),
		 200);
	CHECK_EQ(raw_status(&w, "GET /open HTTP/1.0\r\n\r\n"), 200);
	world_end(&w);
}

/* Its body passes for the rest of a CRLF CRLF that was none. */
TEST(a_bare_lf_at_the_end_is_refused_whatever_comes_behind)
{
	static const char request[] =
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 2\n\n\0\0";
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	int fd;

	world_start(&w);
	fd = raw_open(&w);
	CHECK_EQ(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
	raw_read(fd, &b, "\r\n");
	CHECK_HAS(b.data, "HTTP/1.1 400 ");
	close(fd);
	world_end(&w);
}

TEST(a_nul_in_a_request_is_refused)
{
	static const char request[] = "GET /quick HTTP/1.1\r\n" HOST TOKEN "X-A: b\0c\r\n\r\n";
	static const char named[] = "GET /quick HTTP/1.1\r\n" HOST TOKEN "X\0A: b\r\n\r\n";
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	int fd;

	world_start(&w);
	fd = raw_open(&w);
	CHECK_EQ(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL), sizeof(request) - 1);
	raw_read(fd, &b, "\r\n");
	CHECK_HAS(b.data, "HTTP/1.1 400 ");
	close(fd);
	buf_clear(&b);
	fd = raw_open(&w);
	CHECK_EQ(send(fd, named, sizeof(named) - 1, MSG_NOSIGNAL), sizeof(named) - 1);
	raw_read(fd, &b, "\r\n");
	CHECK_HAS(b.data, "HTTP/1.1 400 ");
	close(fd);
	world_end(&w);
}

RUN_TESTS(T(malformed_requests_are_refused_and_the_server_goes_on),
	  T(headers_beyond_all_measure_are_refused), T(pipelined_requests_are_answered_in_order),
	  T(a_proxy_may_name_the_whole_url),
	  T(a_request_that_two_readers_may_read_otherwise_is_refused),
	  T(a_bare_lf_at_the_end_is_refused_whatever_comes_behind),
	  T(a_nul_in_a_request_is_refused))
