/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "http/call.h"
#include "http/serve.h"

#include "check.h"
#include "http-world.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct lines {
	size_t count;
	size_t len;
	bool wrong;
};

static int check_lines(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct lines *lines = cookie;

	(void)e;
	lines->len += len;
	for (const char *c = bytes; (c = memchr(c, '\n', len - (size_t)(c - (const char *)bytes)));
	     c++)
		lines->count++;
	return 0;
}

TEST(a_body_is_sent_while_it_is_made)
{
	const char *const headers[] = { "X-Agent: smith", NULL };
	struct lines lines = { 0 };
	struct http_call call = { .method = "GET",
				  .path = "/lines?n=50000",
				  .headers = headers,
				  .sink = check_lines,
				  .sink_cookie = &lines,
				  .timeout_ms = 30000 };
	struct world w;

	world_start(&w);
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(w.reply.status, 200);
	CHECK_EQ(lines.count, 50000);
	CHECK_EQ(lines.len, 50000 * 1024);
	call.sink = NULL;
	call.path = "/lines?n=2";
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(strncmp(w.reply.body.data, "smith 0", 8), 0);
	CHECK_STR(w.reply.body.data + 1024, "smith 1");
	call.path = "/lines?n=0";
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(w.reply.body.len, 0);
	CHECK_EQ(get(&w, "/quick/lines"), 500);
	world_end(&w);
}

TEST(a_body_that_fails_half_way_has_no_proper_end)
{
	struct http_call call = { .method = "GET",
				  .path = "/lines?fail&n=40",
				  .timeout_ms = 20000 };
	struct world w;

	world_start(&w);
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), -ERR_TRANSPORT);
	call.path = "/lines?fail&n=0";
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), -ERR_TRANSPORT);
	CHECK_EQ(get(&w, "/quick"), 200);
	world_end(&w);
}

TEST(a_writer_whose_client_went_away_is_told)
{
	struct world w;
	int fd;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = http_world_tables,
							    .authorize = http_world_authorize,
							    .spool_max = 1 });
	fd = raw_open(&w);
	raw_put(fd, "GET /lines?n=1000000 HTTP/1.1\r\n" HOST TOKEN "\r\n");
	{
		AUTO(struct buf, buf_done) b = BUF_INIT;

		raw_read(fd, &b, "\r\n\r\n");
	}
	close(fd);
	await_aborted();
	world_end(&w);
}

static int get_range(struct world *w, const char *range, const char *condition)
{
	const char *const headers[] = { range, condition, NULL };

	return send_call(w, "GET", "/file", NULL, headers);
}

TEST(a_file_is_sent_whole_or_in_part)
{
	static const struct {
		const char *range;
		int status;
		const char *body, *content_range;
	} cases[] = {
		{ "Range: bytes=0-3", 206, "0123", "bytes 0-3/10" },
		{ "Range: bytes=8-", 206, "89", "bytes 8-9/10" },
		{ "Range: bytes=-3", 206, "789", "bytes 7-9/10" },
		{ "Range: bytes=-30", 206, "0123456789", "bytes 0-9/10" },
		{ "Range: bytes=5-99", 206, "56789", "bytes 5-9/10" },
		{ "Range: bytes=9-18446744073709551615", 206, "9", "bytes 9-9/10" },
		{ "Range: bytes=3-2", 200, "0123456789", NULL },
		{ "Range: bytes=0-1,4-5", 200, "0123456789", NULL },
		{ "Range: bytes=x", 200, "0123456789", NULL },
		{ "Range: bytes=-", 200, "0123456789", NULL },
		{ "Range: lines=0-1", 200, "0123456789", NULL },
		{ "Range: bytes=10-", 416, NULL, "bytes */10" },
		{ "Range: bytes=-0", 416, NULL, "bytes */10" },
	};
	struct world w;

	file_make("0123456789");
	world_start(&w);
	CHECK_EQ(get(&w, "/file"), 200);
	CHECK_STR(w.reply.body.data, "0123456789");
	CHECK_STR(header(&w, "ETag"), "\"v1\"");
	CHECK_STR(header(&w, "Accept-Ranges"), "bytes");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CHECK_EQ(get_range(&w, cases[i].range, NULL), cases[i].status);
		if (cases[i].body)
			CHECK_STR(w.reply.body.data, cases[i].body);
		if (cases[i].content_range)
			CHECK_STR(header(&w, "Content-Range"), cases[i].content_range);
		else
			CHECK(!header(&w, "Content-Range"));
	}
	CHECK_EQ(get_range(&w, "Range: bytes=0-3", "If-Range: \"v1\""), 206);
	CHECK_EQ(get_range(&w, "Range: bytes=0-3", "If-Range: \"v0\""), 200);
	CHECK_EQ(send_call(&w, "HEAD", "/file", NULL, NULL), 200);
	CHECK_STR(header(&w, "Content-Length"), "10");
	world_end(&w);
	unlink(http_world_file);
}

TEST(a_file_the_client_has_is_not_sent_again)
{
	static const char *const same[] = { "If-None-Match: \"v1\"", "If-None-Match: *",
					    "If-None-Match: \"v0\", W/\"v1\"",
					    "If-None-Match: \"v1\",\"v2\"" };
	static const char *const other[] = { "If-None-Match: \"v0\"", "If-None-Match: \"xv1\"",
					     "If-None-Match: v1" };
	struct world w;

	file_make("");
	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
		CHECK_EQ(get_range(&w, same[i], NULL), 304);
		CHECK_STR(header(&w, "ETag"), "\"v1\"");
	}
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		CHECK_EQ(get_range(&w, other[i], NULL), 200);
	CHECK_EQ(w.reply.body.len, 0);
	CHECK_EQ(get_range(&w, "Range: bytes=0-", NULL), 416);
	unlink(http_world_file);
	CHECK_EQ(get(&w, "/file"), 500);
	world_end(&w);
}

/* Slow readers */

TEST(clients_that_do_not_read_hold_no_worker)
{
	enum { WORKERS = 4, READERS = 40, LINES = 4096 };
	static int fds[READERS];
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = http_world_tables,
							    .authorize = http_world_authorize,
							    .workers = WORKERS });
	for (int i = 0; i < READERS; i++) {
		fds[i] = raw_open(&w);
		raw_put(fds[i], "GET /lines?n=4096 HTTP/1.1\r\n" HOST TOKEN
				"X-Agent: smith\r\nConnection: close\r\n\r\n");
	}
	for (int i = 0; i < 20; i++)
		CHECK_EQ(get(&w, "/items/7"), 200);
	for (int i = 0; i < READERS; i++) {
		AUTO(struct buf, buf_done) b = BUF_INIT;
		AUTO(struct buf, buf_done) body = BUF_INIT;

		raw_read(fds[i], &b, NULL);
		raw_body(&b, &body);
		CHECK_EQ(body.len, LINES * 1024);
		CHECK_EQ(memcmp(body.data + 4094 * 1024, "smith 4094", 10), 0);
		CHECK_EQ(memcmp(body.data + 4095 * 1024, "smith 4095", 10), 0);
		close(fds[i]);
	}
	world_end(&w);
}

TEST(beyond_the_spool_few_writers_wait_and_the_rest_are_cut_off)
{
	enum { WORKERS = 64, READERS = 60 };
	static int fds[READERS];
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = http_world_tables,
							    .authorize = http_world_authorize,
							    .spool_max = 1,
							    .workers = WORKERS });
	for (int i = 0; i < READERS; i++) {
		fds[i] = raw_open(&w);
		raw_put(fds[i],
			"GET /lines?n=8192 HTTP/1.1\r\n" HOST TOKEN "X-Agent: smith\r\n\r\n");
	}
	await_aborted();
	for (int i = 0; i < 20; i++)
		CHECK_EQ(get(&w, "/items/7"), 200);
	for (int i = 0; i < READERS; i++)
		close(fds[i]);
	world_end(&w);
}

RUN_TESTS(T(a_body_is_sent_while_it_is_made), T(a_body_that_fails_half_way_has_no_proper_end),
	  T(a_writer_whose_client_went_away_is_told), T(a_file_is_sent_whole_or_in_part),
	  T(a_file_the_client_has_is_not_sent_again), T(clients_that_do_not_read_hold_no_worker),
	  T(beyond_the_spool_few_writers_wait_and_the_rest_are_cut_off))
