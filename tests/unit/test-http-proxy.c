/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "http/peer.h"
#include "http/serve.h"

#include "check.h"
#include "http-world.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Proxies */

static void check_peer(struct world *w, const char *forwarded, const char *peer)
{
	const char *const headers[] = { "X-Agent: 47", forwarded, NULL };

	CHECK_EQ(send_call(w, "GET", "/headers", NULL, headers), 204);
	CHECK_STR(header(w, "X-Peer"), peer);
}

TEST(a_proxy_is_believed_by_its_address_and_by_its_last_word)
{
	struct http_server_options options = { .listen = "127.0.0.1:0",
					       .tables = http_world_tables,
					       .authorize = http_world_authorize,
					       .proxies = "127.0.0.0/8, ::1" };
	struct world w;

	world_start_with(&w, &options);
	check_peer(&w, "X-Forwarded-For: 192.0.2.7", "192.0.2.7");
	check_peer(&w, "X-Forwarded-For: 198.51.100.1, 192.0.2.8 ", "192.0.2.8");
	check_peer(&w, "X-Forwarded-For: [2001:db8::1]:443", "2001:db8::1");
	check_peer(&w, "X-Forwarded-For: 192.0.2.9:1234", "192.0.2.9");
	check_peer(&w, "X-Forwarded-For: ::ffff:192.0.2.10", "192.0.2.10");
	check_peer(&w, "X-Forwarded-For: \xff\xfe", "127.0.0.1");
	check_peer(&w, "X-Forwarded-For: unknown", "127.0.0.1");
	check_peer(&w, "X-Forwarded-For: 192.0.2.11,", "127.0.0.1");
	CHECK_EQ(send_call(&w, "GET", "/headers", NULL,
			   (const char *const[]){ "X-Agent: 47", "X-Forwarded-For: 203.0.113.1",
						  "X-Forwarded-For: 192.0.2.12", NULL }),
		 204);
	CHECK_STR(header(&w, "X-Peer"), "192.0.2.12");
	world_end(&w);

	options.proxies = "192.0.2.0/24";
	world_start_with(&w, &options);
	check_peer(&w, "X-Forwarded-For: 192.0.2.7", "127.0.0.1");
	world_end(&w);
	options.proxies = NULL;
	world_start_with(&w, &options);
	check_peer(&w, "X-Forwarded-For: 192.0.2.7", "127.0.0.1");
	world_end(&w);
}

TEST(networks_are_read_or_refused)
{
	static const char *const malformed[] = { "x",       "192.0.2.0/33", "192.0.2.0/",
						 "::1/129", "192.0.2.0/8x", "10.0.0.0/8,y" };
	struct networks networks;
	struct in6_addr peer;
	char text[PEER_TEXT_SIZE];
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(malformed); i++)
		CHECK_EQ(networks_parse(malformed[i], &networks, &e), -ERR_INVALID);
	CHECK_EQ(networks_parse("10.1.0.0/15,2001:db8::/33", &networks, &e), 0);
	CHECK(peer_parse("10.0.255.255", 12, &peer) && networks_have(&networks, &peer));
	CHECK(peer_parse("10.2.0.0", 8, &peer) && !networks_have(&networks, &peer));
	CHECK(peer_parse("2001:db8:7fff::1", 16, &peer) && networks_have(&networks, &peer));
	peer_source(&peer, text);
	CHECK_STR(text, "2001:db8:7fff::/64");
	CHECK(peer_parse("2001:db8:8000::", 15, &peer) && !networks_have(&networks, &peer));
}

/* Sends the header in two parts, then the request; the answer. */
static void ask_through_proxy(const struct world *w, const void *head, size_t len, struct buf *b)
{
	int fd = raw_open(w);

	CHECK(send(fd, head, len / 2, MSG_NOSIGNAL) >= 0 || errno == EPIPE || errno == ECONNRESET);
	/* Who is refused may have been left by now. */
	CHECK(send(fd, (const char *)head + len / 2, len - len / 2, MSG_NOSIGNAL) >= 0 ||
	      errno == EPIPE || errno == ECONNRESET);
	raw_put(fd, "GET /headers HTTP/1.1\r\n" HOST TOKEN
		    "X-Agent: 47\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n");
	raw_read(fd, b, "\r\n\r\n");
	close(fd);
}

#define PROXY_SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

TEST(a_proxy_header_says_whose_a_connection_is)
{
	static const char v4[] = PROXY_SIGNATURE "\x21\x11\0\x0c\xc0\0\2\7\x7f\0\0\1\0\1\0\2";
	static const char local[] = PROXY_SIGNATURE "\x20\0\0\0";
	static const char v6[] =
		PROXY_SIGNATURE "\x21\x21\0\x27\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
				"\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\1\0\2\4\0\0";
	static const char *const refused[] = { "PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n",
					       "GET /quick HTTP/1.1\r\n" HOST TOKEN "\r\n" };
	struct http_server_options options = { .listen = "127.0.0.1:0",
					       .tables = http_world_tables,
					       .authorize = http_world_authorize,
					       .proxies = "127.0.0.0/8",
					       .proxy_protocol = true };
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;

	world_start_with(&w, &options);
	ask_through_proxy(&w, v4, sizeof(v4) - 1, &b);
	CHECK_HAS(b.data, "X-Peer: 192.0.2.7\r\n");
	buf_clear(&b);
	ask_through_proxy(&w, v6, sizeof(v6) - 1, &b);
	CHECK_HAS(b.data, "X-Peer: 2001:db8::1\r\n");
	buf_clear(&b);
	ask_through_proxy(&w, local, sizeof(local) - 1, &b);
	CHECK_HAS(b.data, "X-Peer: 127.0.0.1\r\n");
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		CHECK_EQ(raw_status(&w, refused[i]), 0);
	world_end(&w);

	options.proxies = "192.0.2.0/24"; /* we are none */
	world_start_with(&w, &options);
	buf_clear(&b);
	ask_through_proxy(&w, v4, sizeof(v4) - 1, &b);
	CHECK_STR(b.data, "");
	world_end(&w);
}

RUN_TESTS(T(a_proxy_is_believed_by_its_address_and_by_its_last_word),
	  T(networks_are_read_or_refused), T(a_proxy_header_says_whose_a_connection_is))
