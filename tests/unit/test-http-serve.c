/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "http/call.h"
#include "http/peer.h"
#include "http/serve.h"

#include "check.h"
#include "http-world.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TEST(a_path_finds_its_most_literal_route)
{
	struct world w;

	world_start(&w);
	CHECK_EQ(get(&w, "/items/7"), 200);
	CHECK_STR(w.reply.body.data, "GET 7");
	CHECK_EQ(get(&w, "/items/special"), 200);
	CHECK_STR(w.reply.body.data, "special");
	CHECK_EQ(get(&w, "/items/special/8/deep"), 200);
	CHECK_STR(w.reply.body.data, "GET 8");
	CHECK_EQ(get(&w, "/items/special/shallow"), 200);
	CHECK_STR(w.reply.body.data, "GET special");
	CHECK_EQ(get(&w, "/files/a/b%20c/d"), 200);
	CHECK_STR(w.reply.body.data, "a/b c/d");
	CHECK_EQ(get(&w, "/files/"), 200);
	CHECK_STR(w.reply.body.data, "");
	CHECK_EQ(send_call(&w, "DELETE", "/items/9", NULL, NULL), 200);
	CHECK_STR(w.reply.body.data, "DELETE 9");
	world_end(&w);
}

TEST(an_unknown_path_is_404_and_an_unknown_method_405)
{
	static const char *const unknown[] = { "/",        "/item",     "/items",        "/items/",
					       "/items//", "/items/1/", "/items/1/deep", "/files",
					       "//quick",  "/quick/" };
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		CHECK_EQ(get(&w, unknown[i]), 404);
	CHECK_STR(detail(&w), "\"no such path\"");
	CHECK_EQ(send_call(&w, "PATCH", "/items/1", "{}", NULL), 405);
	CHECK_STR(header(&w, "Allow"), "GET, HEAD, DELETE");
	CHECK_STR(detail(&w), "\"method 'PATCH' is not allowed here\"");
	world_end(&w);
}

TEST(a_path_is_decoded_segment_by_segment)
{
	struct world w;

	world_start(&w);
	CHECK_EQ(get(&w, "/items/a%2Fb%25"), 200);
	CHECK_STR(w.reply.body.data, "GET a/b%");
	CHECK_EQ(get(&w, "/%69tems/..?x=y"), 200);
	CHECK_STR(w.reply.body.data, "GET ..");
	CHECK_EQ(get(&w, "/items/%00"), 400);
	CHECK_EQ(get(&w, "/items/%zz"), 400);
	CHECK_EQ(get(&w, "/items/%4"), 400);
	CHECK_EQ(get(&w, "/items/%"), 400);
	CHECK_EQ(get(&w, "/query?a=%00"), 400);
	CHECK_EQ(get(&w, "/query?a%=1"), 400);
	world_end(&w);
}

TEST(head_is_get_without_a_body)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	int fd;

	world_start(&w);
	CHECK_EQ(send_call(&w, "HEAD", "/quick", NULL, NULL), 200);
	CHECK_STR(header(&w, "Content-Length"), "5");
	CHECK_EQ(w.reply.body.len, 0);
	CHECK_EQ(send_call(&w, "HEAD", "/lines?n=1000", NULL, NULL), 200);
	CHECK_EQ(w.reply.body.len, 0);
	CHECK_EQ(send_call(&w, "HEAD", "/nowhere", NULL, NULL), 404);
	CHECK_EQ(get(&w, "/quick"), 200);
	fd = raw_open(&w);
	raw_put(fd, "HEAD /lines HTTP/1.1\r\n" HOST TOKEN "\r\n");
	raw_read(fd, &b, NULL);
	CHECK_STR(strstr(b.data, "\r\n\r\n"), "\r\n\r\n");
	close(fd);
	world_end(&w);
}

TEST(who_may_not_is_told_nothing_else)
{
	static const char *const paths[] = { "/quick", "/nowhere", "/items/%zz", "/secret" };
	struct http_client *nobody = NULL;
	char url[64];
	struct world w;

	world_start(&w);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", http_server_port(w.server));
	CHECK_EQ(http_client_new(&(struct http_client_options){ .base_url = url }, &nobody, &w.e),
		 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct http_call call = { .method = "GET", .path = paths[i] };

		CHECK_EQ(http_call(nobody, &call, &w.reply, &w.e), 0);
		CHECK_EQ(w.reply.status, 401);
		CHECK_STR(header(&w, "WWW-Authenticate"), "Bearer");
		CHECK_STR(detail(&w), "\"a token is needed\"");
	}
	for (size_t i = 0; i < 3; i++) {
		static const char *const methods[] = { "GET", "PUT", "DELETE" };
		static const int statuses[] = { 200, 401, 405 };
		const struct http_call call = { .method = methods[i], .path = "/open" };

		CHECK_EQ(http_call(nobody, &call, &w.reply, &w.e), 0);
		CHECK_EQ(w.reply.status, statuses[i]);
	}
	http_client_free(nobody);
	CHECK_EQ(get(&w, "/secret"), 403);
	CHECK_EQ(raw_status(&w, "GET /quick HTTP/1.1\r\n" HOST "Authorization: Bearer\r\n\r\n"),
		 401);
	CHECK_EQ(raw_status(&w,
			    "GET /quick HTTP/1.1\r\n" HOST "Authorization: bearer  sesame\r\n\r\n"),
		 200);
	CHECK_EQ(raw_status(&w,
			    "GET /quick HTTP/1.1\r\n" HOST "Authorization: Basic sesame\r\n\r\n"),
		 401);
	world_end(&w);
}

TEST(a_body_is_refused_before_it_is_sent)
{
	struct world w;

	world_start(&w);
	atomic_store(&http_world_handled, 0);
	CHECK_EQ(raw_status(&w, "POST /echo HTTP/1.1\r\n" HOST
				"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"),
		 401);
	CHECK_EQ(raw_status(&w, "POST /echo HTTP/1.1\r\n" HOST TOKEN
				"Expect: 100-continue\r\nContent-Length: 9999999\r\n\r\n"),
		 413);
	CHECK_EQ(raw_status(&w, "POST /echo HTTP/1.1\r\n" HOST TOKEN
				"Content-Length: 99999999999\r\n\r\n"),
		 413);
	CHECK_EQ(raw_status(&w, "POST /echo HTTP/1.1\r\n" HOST TOKEN
				"Expect: 100-continue\r\nContent-Length: 9\r\n\r\n"),
		 100);
	CHECK_EQ(http_world_handled, 0);
	world_end(&w);
}

static int more(void *cookie, void *bytes, size_t size, size_t *ret_len, struct err *e)
{
	size_t *left = cookie;

	(void)e;
	*ret_len = size < *left ? size : *left;
	memset(bytes, 'x', *ret_len);
	*left -= *ret_len;
	return 0;
}

TEST(a_body_may_fill_its_limit_and_no_more)
{
	enum { LIMIT = 1 << 20 };
	AUTO(char *, freep) body = malloc(LIMIT + 1);
	size_t left = LIMIT + 1;
	struct http_call call = { .method = "POST", .path = "/echo", .timeout_ms = 20000 };
	struct world w;

	memset(body, 'x', LIMIT + 1);
	world_start(&w);
	call.body = body;
	call.body_len = LIMIT;
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(w.reply.status, 200);
	CHECK_EQ(w.reply.body.len, LIMIT);

	call.body_len = LIMIT + 1;
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(w.reply.status, 413);
	CHECK_STR(detail(&w), "\"the body is larger than 1048576 bytes\"");

	call.body = NULL;
	call.source = more;
	call.source_cookie = &left;
	CHECK_EQ(http_call(w.client, &call, &w.reply, &w.e), 0);
	CHECK_EQ(w.reply.status, 413);
	CHECK_EQ(get(&w, "/quick"), 200);
	world_end(&w);
}

TEST(a_json_body_fills_a_struct_or_tells_what_is_wrong)
{
	struct world w;
	struct buf deep = BUF_INIT;

	world_start(&w);
	CHECK_EQ(send_call(&w, "POST", "/rows", "{\"name\":\"a\",\"ttl\":7,\"more\":[1]}", NULL),
		 201);
	CHECK_STR(w.reply.body.data, "{\"name\":\"a\",\"ttl\":7}");
	CHECK_EQ(send_call(&w, "POST", "/rows", "{\"name\":", NULL), 422);
	CHECK_HAS(detail(&w), "[{\"loc\":[\"body\"],\"msg\":\"not JSON: line 1, column 8: ");
	CHECK_HAS(detail(&w), "\"type\":\"json_invalid\"}]");
	CHECK_EQ(send_call(&w, "POST", "/rows", "{\"ttl\":0}", NULL), 422);
	CHECK_HAS(detail(&w), "\"loc\":[\"body\",\"name\"]");
	CHECK_HAS(detail(&w), "\"loc\":[\"body\",\"ttl\"]");
	CHECK_EQ(send_call(&w, "POST", "/rows", NULL, NULL), 422);
	CHECK_HAS(detail(&w), "\"loc\":[\"body\",\"name\"]");
	CHECK_EQ(send_call(&w, "POST", "/rows", "[]", NULL), 422);
	CHECK_EQ(send_call(&w, "POST", "/rows", "{\"name\":\"taken\",\"ttl\":1}", NULL), 422);
	CHECK_STR(detail(&w),
		  "[{\"loc\":[\"body\",\"name\"],\"msg\":\"is taken\",\"type\":\"value_error\"}]");

	for (int i = 0; i < 100000; i++)
		buf_puts(&deep, "{\"a\":[");
	CHECK_EQ(send_call(&w, "POST", "/rows", deep.data, NULL), 422);
	CHECK_HAS(detail(&w), "nested deeper than 64");
	buf_done(&deep);
	world_end(&w);
}

TEST(a_query_is_decoded_and_its_numbers_checked)
{
	struct world w;

	world_start(&w);
	CHECK_EQ(get(&w, "/query"), 200);
	CHECK_STR(w.reply.body.data, "5 (none)");
	CHECK_EQ(get(&w, "/query?x&n=10&na+me=a%26b+%C3%A9&na%20me=second"), 200);
	CHECK_STR(w.reply.body.data, "10 a&b \xc3\xa9");
	CHECK_EQ(get(&w, "/query?na%20me"), 200);
	CHECK_STR(w.reply.body.data, "5 ");
	CHECK_EQ(get(&w, "/query?n=11"), 422);
	CHECK_STR(detail(&w), "[{\"loc\":[\"query\",\"n\"],\"msg\":\"an integer between 1 and 10 "
			      "expected\",\"type\":\"value_error.number\"}]");
	CHECK_EQ(get(&w, "/query?n="), 422);
	CHECK_EQ(get(&w, "/query?n=7x"), 422);
	CHECK_EQ(get(&w, "/query?n=99999999999999999999"), 422);
	world_end(&w);
}

TEST(an_error_becomes_a_status_and_a_detail)
{
	struct world w;

	world_start(&w);
	CHECK_EQ(get(&w, "/failures/later"), 503);
	CHECK_STR(header(&w, "Retry-After"), "7");
	CHECK_STR(detail(&w), "\"come back later\"");
	CHECK(!header(&w, "X-Promise"));
	CHECK_EQ(get(&w, "/failures/garbled"), 502);
	CHECK_STR(detail(&w),
		  "\"bytes \xef\xbf\xbd\xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd end\"");
	CHECK_EQ(get(&w, "/failures/speechless"), 500);
	CHECK_EQ(get(&w, "/failures/header"), 500);
	CHECK(!header(&w, "X-Worse"));
	CHECK_EQ(get(&w, "/failures/twice"), 500);
	CHECK_EQ(get(&w, "/failures/silent"), 500);
	CHECK_STR(detail(&w), "\"the handler gave no answer\"");
	world_end(&w);
}

TEST(a_request_carries_its_id_through)
{
	const char *const named[] = { "X-Request-Id: abc-123", NULL };
	const char *const spaced[] = { "X-Request-Id: a b", NULL };
	char first[64];
	struct world w;

	world_start(&w);
	CHECK_EQ(send_call(&w, "GET", "/quick", NULL, named), 200);
	CHECK_STR(header(&w, "X-Request-Id"), "abc-123");
	CHECK_EQ(send_call(&w, "GET", "/nowhere", NULL, named), 404);
	CHECK_STR(header(&w, "X-Request-Id"), "abc-123");
	CHECK_EQ(send_call(&w, "GET", "/quick", NULL, spaced), 200);
	snprintf(first, sizeof(first), "%s", header(&w, "X-Request-Id"));
	CHECK(strcmp(first, "a b") != 0);
	CHECK_EQ(get(&w, "/quick"), 200);
	CHECK(strcmp(first, header(&w, "X-Request-Id")) != 0);
	world_end(&w);
}

TEST(a_handler_sees_headers_peer_and_user)
{
	const char *const headers[] = { "X-Agent: 47", NULL };
	struct world w;

	world_start(&w);
	CHECK_EQ(send_call(&w, "GET", "/headers", NULL, headers), 204);
	CHECK_STR(header(&w, "X-Agent"), "47");
	CHECK_STR(header(&w, "X-Peer"), "127.0.0.1");
	CHECK_STR(header(&w, "X-User"), "anna");
	world_end(&w);
}

TEST(a_server_that_cannot_be_had_says_why)
{
	static const struct http_route twice[] = {
		{ "GET", "/a/{x}", serve_quick, 0, 0 },
		{ "GET", "/a/{y}", serve_quick, 0, 0 },
		{ 0 },
	};
	static const struct http_route unclosed[] = { { "GET", "/a/{x", serve_quick, 0, 0 },
						      { 0 } };
	static const struct http_route goes_on[] = { { "GET", "/{x...}/a", serve_quick, 0, 0 },
						     { 0 } };
	static const struct http_route *const bad_tables[][2] = { { twice, NULL },
								  { unclosed, NULL },
								  { goes_on, NULL } };
	static const char *const bad[] = { "",
					   "7070",
					   "127.0.0.1",
					   "127.0.0.1:",
					   "127.0.0.1:99999",
					   "::1:7070",
					   "no such host.invalid:0" };
	struct http_server_options options = { .tables = http_world_tables };
	struct http_server *server = NULL;
	char taken[32];
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		options.listen = bad[i];
		CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_INVALID);
	}
	snprintf(taken, sizeof(taken), "127.0.0.1:%u", http_server_port(w.server));
	options.listen = taken;
	CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_CONNECT);
	CHECK_HAS(w.e.msg, "Address already in use");
	options.listen = "127.0.0.1:0";
	for (size_t i = 0; i < ARRAY_SIZE(bad_tables); i++) {
		options.tables = bad_tables[i];
		CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_INVALID);
	}
	CHECK(!server);
	world_end(&w);
}

TEST(any_address_serves_both_kinds_of_ip)
{
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = ":0",
							    .tables = http_world_tables });
	CHECK_EQ(get(&w, "/headers"), 500); /* no X-Agent was sent */
	CHECK_EQ(get(&w, "/quick"), 200);
	world_end(&w);
}

TEST(a_socket_in_the_file_system_serves_as_well)
{
	struct http_server_options options = { .tables = http_world_tables,
					       .authorize = http_world_authorize };
	struct http_client_options to = { .bearer = "sesame" };
	struct http_server *server = NULL;
	char listen[sizeof(http_world_file) + 16];
	struct world w;

	file_make("");
	snprintf(listen, sizeof(listen), "unix://%s", http_world_file);
	options.listen = listen;
	world_start(&w);
	CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_CONNECT);
	unlink(http_world_file);
	CHECK_EQ(http_serve(&options, &server, &w.e), 0);
	http_client_free(w.client);
	to.base_url = listen;
	CHECK_EQ(http_client_new(&to, &w.client, &w.e), 0);
	CHECK_EQ(get(&w, "/quick"), 200);
	CHECK_EQ(get(&w, "/lines?n=1000"), 200);
	CHECK_EQ(w.reply.body.len, 1000 * 1024);
	http_server_free(server);
	world_end(&w);
	unlink(http_world_file);
}

static const char pem[] = "-----BEGIN CERTIFICATE-----\n"
			  "MIIBZzCCAQ2gAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAljdGZ5IHRl\n"
			  "c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM\n"
			  "CWN0ZnkgdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABNJunR91kHyZ5Ysg\n"
			  "P299wQ+nJNz1QDOxXiAK6qNKjweI6SvwC6RL3G+qXW6YHsAh/fClfYdSeOn0qJ1G\n"
			  "dUu6+lijTjBMMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0\n"
			  "hwR/AAABMB0GA1UdDgQWBBQ8GN3sMitMc3daQTm8r76CuXCQdjAKBggqhkjOPQQD\n"
			  "AgNIADBFAiBf0dJK91XHMrKI3GmBBoycKHBTq46b9dpm0UQO+vETbwIhANil4fC9\n"
			  "/wpRv3CyebPx2h/Zh4byWtflbVryvcyIWG1w\n"
			  "-----END CERTIFICATE-----\n"
			  "-----BEGIN PRIVATE KEY-----\n"
			  "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgGi8CdKYiNgcw7Da5\n"
			  "VBVgyK+5RZhGFjwIfItSm+y5+26hRANCAATSbp0fdZB8meWLID9vfcEPpyTc9UAz\n"
			  "sV4gCuqjSo8HiOkr8AukS9xvql1umB7AIf3wpX2HUnjp9KidRnVLuvpY\n"
			  "-----END PRIVATE KEY-----\n";

TEST(tls_serves_who_trusts_it)
{
	struct http_server_options options = { .listen = "127.0.0.1:0",
					       .tables = http_world_tables,
					       .authorize = http_world_authorize };
	struct http_client *stranger = NULL;
	struct http_server *server = NULL;
	char cert[sizeof(http_world_file)], url[64];
	const struct http_call call = { .method = "GET", .path = "/quick", .timeout_ms = 20000 };
	struct world w;

	file_make(pem);
	snprintf(cert, sizeof(cert), "%s", http_world_file);
	options.cert_file = cert;
	options.key_file = cert;
	options.hsts_days = 2;
	world_start_with(&w, &options);
	CHECK_EQ(get(&w, "/quick"), 200);
	CHECK_STR(header(&w, "Strict-Transport-Security"), "max-age=172800");
	CHECK_EQ(get(&w, "/lines?n=1000"), 200);
	CHECK_EQ(w.reply.body.len, 1000 * 1024);
	snprintf(url, sizeof(url), "https://127.0.0.1:%u", http_server_port(w.server));
	CHECK_EQ(http_client_new(&(struct http_client_options){ .base_url = url }, &stranger, &w.e),
		 0);
	CHECK_EQ(http_call(stranger, &call, &w.reply, &w.e), -ERR_TLS);
	http_client_free(stranger);
	world_end(&w);
	unlink(cert);

	file_make("this is no certificate");
	options.cert_file = options.key_file = http_world_file;
	CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_INVALID);
	unlink(http_world_file);
	CHECK_EQ(http_serve(&options, &server, &w.e), -ERR_INVALID);
}

TEST(a_path_and_a_query_are_utf8)
{
	static const char *const nowhere[] = { "/items/%ff", "/items/a%c3", "/files/x/%ed%a0%80" };
	static const char *const broken[] = { "/query?n=1&x=%e2%82", "/query?%fe=1" };
	struct world w;

	world_start(&w);
	for (size_t i = 0; i < ARRAY_SIZE(nowhere); i++)
		CHECK_EQ(get(&w, nowhere[i]), 404);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		CHECK_EQ(get(&w, broken[i]), 400);
	CHECK_EQ(raw_status(&w, "GET /items/\xff HTTP/1.1\r\n" HOST TOKEN "\r\n"), 404);
	CHECK_EQ(get(&w, "/items/%e2%82%ac"), 200);
	CHECK_STR(w.reply.body.data, "GET \xe2\x82\xac");
	world_end(&w);
}

TEST(an_answer_is_nobody_elses_and_no_page)
{
	static const char *const paths[] = { "/quick", "/lines", "/nowhere", "/file" };
	struct world w;

	world_start(&w);
	file_make("text");
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		get(&w, paths[i]);
		CHECK_STR(header(&w, "Cache-Control"), "no-store");
		CHECK_STR(header(&w, "X-Content-Type-Options"), "nosniff");
		CHECK_HAS(header(&w, "Content-Security-Policy"), "sandbox;");
		CHECK(!header(&w, "Strict-Transport-Security"));
	}
	world_end(&w);
	unlink(http_world_file);
}

RUN_TESTS(T(a_path_finds_its_most_literal_route),
	  T(an_unknown_path_is_404_and_an_unknown_method_405),
	  T(a_path_is_decoded_segment_by_segment), T(head_is_get_without_a_body),
	  T(who_may_not_is_told_nothing_else), T(a_body_is_refused_before_it_is_sent),
	  T(a_body_may_fill_its_limit_and_no_more),
	  T(a_json_body_fills_a_struct_or_tells_what_is_wrong),
	  T(a_query_is_decoded_and_its_numbers_checked), T(an_error_becomes_a_status_and_a_detail),
	  T(a_request_carries_its_id_through), T(a_handler_sees_headers_peer_and_user),
	  T(a_server_that_cannot_be_had_says_why), T(any_address_serves_both_kinds_of_ip),
	  T(a_socket_in_the_file_system_serves_as_well), T(tls_serves_who_trusts_it),
	  T(a_path_and_a_query_are_utf8), T(an_answer_is_nobody_elses_and_no_page))
