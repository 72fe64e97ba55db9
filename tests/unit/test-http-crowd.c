/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"
#include "http/call.h"
#include "http/serve.h"

#include "check.h"
#include "http-world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_int failed_calls;

TEST(blocked_handlers_never_delay_a_quick_route)
{
	enum { WORKERS = 512, CLIENTS = 560 };
	static int fds[CLIENTS];
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = http_world_tables,
							    .authorize = http_world_authorize,
							    .workers = WORKERS });
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = raw_open(&w);
		raw_put(fds[i], "GET /blocked HTTP/1.1\r\n" HOST TOKEN "\r\n");
	}
	gate_await(WORKERS);
	for (int i = 0; i < 100; i++)
		CHECK_EQ(get(&w, "/quick"), 200);
	gate_set(true);
	for (int i = 0; i < CLIENTS; i++) {
		AUTO(struct buf, buf_done) b = BUF_INIT;

		raw_read(fds[i], &b, "went on");
		CHECK_HAS(b.data, "went on");
		close(fds[i]);
	}
	world_end(&w);
}

TEST(a_crowd_of_any_number_is_answered)
{
	enum { MOST = 257 };
	static int fds[MOST];
	struct world w;
	int blocked;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = http_world_tables,
							    .authorize = http_world_authorize,
							    .listeners = 1 });
	for (int count = 126; count <= MOST; count += count == 130 ? 124 : 1) {
		blocked = raw_open(&w);
		for (int i = 0; i < count; i++)
			fds[i] = raw_open(&w);
		ask_quick(fds[count - 1]); /* the last: all have come in */
		gate_set(false);
		raw_put(blocked, "GET /listener-blocked HTTP/1.1\r\n" HOST TOKEN "\r\n");
		gate_await(1);
		for (int i = 0; i < count; i++)
			raw_put(fds[i], QUICK);
		gate_set(true);
		for (int i = 0; i < count; i++) {
			read_quick(fds[i]);
			close(fds[i]);
		}
		close(blocked);
	}
	world_end(&w);
}

static const char *const hammer_requests[] = {
	"GET /quick HTTP/1.1\r\n" HOST TOKEN "\r\n",
	"GET /items/5 HTTP/1.1\r\n" HOST TOKEN "\r\n",
	"GET /quick HTTP/1.1\r\n" HOST "\r\n",
	"GET /lines?n=200 HTTP/1.1\r\n" HOST TOKEN "\r\n",
	"GET /lines?n=3&fail HTTP/1.1\r\n" HOST TOKEN "\r\n",
	"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 1000\r\n\r\nnever all of it",
	"POST /echo HTTP/1.1\r\n" HOST TOKEN "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	"POST /rows HTTP/1.1\r\n" HOST TOKEN "Content-Length: 2\r\n\r\n{}",
	"GET /failures/garbled HTTP/1.1\r\n" HOST TOKEN "\r\n",
	"GET /qui",
	"nonsense\r\n\r\n",
};

/* Asks for this and that, and hangs up at any point. */
static void *hammer(void *cookie)
{
	const struct world *w = cookie;
	unsigned seed = (unsigned)(uintptr_t)pthread_self();
	char bytes[2048];

	for (int i = 0; i < 150; i++) {
		int fd = raw_open(w);

		for (int n = rand_r(&seed) % 4; n >= 0; n--)
			raw_put(fd, hammer_requests[(size_t)rand_r(&seed) %
						    ARRAY_SIZE(hammer_requests)]);
		if (rand_r(&seed) % 2) {
			struct pollfd pollfd = { .fd = fd, .events = POLLIN };

			if (poll(&pollfd, 1, 20) == 1)
				(void)!recv(fd, bytes, sizeof(bytes), 0);
		}
		close(fd);
	}
	return NULL;
}

static void *call_often(void *cookie)
{
	struct world *w = cookie;
	struct http_reply reply = HTTP_REPLY_INIT;

	for (int i = 0; i < 200; i++) {
		static const char *const paths[] = { "/quick", "/items/1", "/lines?n=50" };
		const struct http_call call = { .method = "GET",
						.path = paths[i % 3],
						.timeout_ms = 30000 };

		if (http_call(w->client, &call, &reply, NULL) < 0 || reply.status != 200)
			atomic_fetch_add(&failed_calls, 1);
	}
	http_reply_done(&reply);
	return NULL;
}

TEST(many_clients_some_of_them_mad_are_served_at_once)
{
	enum { MAD = 6, SANE = 6 };
	pthread_t threads[MAD + SANE];
	struct world w;

	world_start(&w);
	atomic_store(&failed_calls, 0);
	for (int i = 0; i < MAD + SANE; i++)
		pthread_create(&threads[i], NULL, i < MAD ? hammer : call_often, &w);
	for (int i = 0; i < MAD + SANE; i++)
		pthread_join(threads[i], NULL);
	CHECK_EQ(failed_calls, 0);
	world_end(&w);
}

static void *free_server(void *cookie)
{
	struct world *w = cookie;

	http_server_free(w->server);
	return NULL;
}

TEST(a_client_that_never_gets_to_the_point_is_cut_off)
{
	static const char *const beginnings[] = {
		"GET /quick HTTP/1.1\r\nX-Long: ",
		"POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 100000\r\n\r\n",
	};
	struct world w;

	world_start_with(&w, &(struct http_server_options){ .listen = "127.0.0.1:0",
							    .tables = http_world_tables,
							    .authorize = http_world_authorize,
							    .patience_ms = 500 });
	for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
		int fd = raw_open(&w);
		struct pollfd pollfd = { .fd = fd, .events = POLLIN };

		raw_put(fd, beginnings[i]);
		do { /* one byte now and then is no idleness */
			raw_put(fd, "x");
		} while (poll(&pollfd, 1, 100) == 0);
		close(fd);
	}
	world_end(&w);
}

TEST(who_stops_sending_is_answered_if_all_was_said)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	int whole, half;

	world_start(&w);
	whole = raw_open(&w);
	raw_put(whole, "GET /blocked HTTP/1.1\r\n" HOST TOKEN "\r\n");
	shutdown(whole, SHUT_WR);
	half = raw_open(&w);
	raw_put(half, "POST /echo HTTP/1.1\r\n" HOST TOKEN "Content-Length: 9\r\n\r\nhalf");
	shutdown(half, SHUT_WR);
	raw_read(half, &b, NULL);
	CHECK_EQ(b.len, 0);
	gate_set(true);
	raw_read(whole, &b, "went on");
	CHECK_HAS(b.data, "went on");
	close(whole);
	close(half);
	world_end(&w);
}

TEST(a_stopping_server_lets_handlers_finish)
{
	AUTO(struct buf, buf_done) b = BUF_INIT;
	struct world w;
	pthread_t stopper;
	int busy, idle, half, again;

	world_start(&w);
	idle = raw_open(&w);
	half = raw_open(&w);
	raw_put(half, "GET /qui");
	again = raw_open(&w);
	raw_put(again, "GET /quick HTTP/1.1\r\n" HOST TOKEN "\r\n");
	raw_read(again, &b, "quick");
	buf_clear(&b);
	busy = raw_open(&w);
	raw_put(busy, "GET /blocked HTTP/1.1\r\n" HOST TOKEN "\r\n");
	gate_await(1);

	pthread_create(&stopper, NULL, free_server, &w);
	do { /* until the server has heard of it */
		buf_clear(&b);
		raw_put(again, "GET /quick HTTP/1.1\r\n" HOST TOKEN "\r\n");
		raw_read(again, &b, "\r\n\r\n");
	} while (strstr(b.data, "HTTP/1.1 200"));
	if (b.len > 0) { /* who is idle is hung up on; who was asked just before is told */
		CHECK_HAS(b.data, "HTTP/1.1 503");
		CHECK_HAS(b.data, "Connection: close");
	}
	gate_set(true);
	buf_clear(&b);
	raw_read(busy, &b, NULL);
	CHECK_HAS(b.data, "went on");
	pthread_join(stopper, NULL);

	close(idle);
	close(half);
	close(again);
	close(busy);
	http_client_free(w.client);
	http_reply_done(&w.reply);
}

TEST(a_stopping_server_does_not_wait_for_who_never_reads)
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
	world_end(&w);
	await_aborted();
	close(fd);
}

TEST(one_address_has_half_of_the_connections_and_no_more)
{
	enum { FILES = 240, MOST = FILES / 4 };
	struct rlimit before, few;
	int64_t until;
	int fds[MOST];
	struct world w;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = FILES;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	world_start(&w);
	for (int i = 0; i < MOST; i++) {
		fds[i] = raw_open(&w);
		ask_quick(fds[i]);
	}
	CHECK_EQ(raw_status(&w, QUICK), 0);
	close(fds[0]);
	until = clock_monotonic_ms() + 20000;
	while (raw_status(&w, QUICK) != 200)
		CHECK(clock_monotonic_ms() < until);
	for (int i = 1; i < MOST; i++)
		close(fds[i]);
	world_end(&w);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* From 127.0.0.N, and has begun to speak. */
static int half_spoken(const struct world *w, unsigned n)
{
	struct sockaddr_in from = { .sin_family = AF_INET,
				    .sin_addr.s_addr = htonl(INADDR_LOOPBACK + n) };
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(http_server_port(w->server)),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, (const struct sockaddr *)&from, sizeof(from)), 0);
	CHECK_EQ(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	send(fd, "GET /qu", 7, MSG_NOSIGNAL); /* fails where it was not let in */
	return fd;
}

TEST(a_server_that_was_full_serves_again_when_it_is_not)
{
	enum { FILES = 64, CROWD = 2 * FILES, ADDRESSES = 8 };
	struct rlimit before, few;
	int64_t until;
	int fds[CROWD];
	struct world w;

	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = FILES;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
	world_start(&w); /* for FILES / 2 connections */
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (int round = 0; round < 3; round++) {
		for (unsigned i = 0; i < CROWD; i++)
			fds[i] = half_spoken(&w, i % ADDRESSES);
		CHECK_EQ(raw_status(&w, QUICK), 0);
		for (int i = 0; i < CROWD; i++)
			close(fds[i]);
		until = clock_monotonic_ms() + 20000;
		while (raw_status(&w, QUICK) != 200)
			CHECK(clock_monotonic_ms() < until);
	}
	world_end(&w);
}

RUN_TESTS(T(blocked_handlers_never_delay_a_quick_route), T(a_crowd_of_any_number_is_answered),
	  T(many_clients_some_of_them_mad_are_served_at_once),
	  T(a_client_that_never_gets_to_the_point_is_cut_off),
	  T(who_stops_sending_is_answered_if_all_was_said),
	  T(a_stopping_server_lets_handlers_finish),
	  T(a_stopping_server_does_not_wait_for_who_never_reads),
	  T(one_address_has_half_of_the_connections_and_no_more),
	  T(a_server_that_was_full_serves_again_when_it_is_not))
