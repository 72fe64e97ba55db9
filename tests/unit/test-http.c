/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "http/call.h"
#include "http/frame.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * A peer made of raw sockets, for what no well-behaved server does: each connection is given to
 * play(), one after the other, and closed after it.
 */
struct peer {
	void (*play)(struct peer *peer, int fd, int connection);
	int listen_fd;
	pthread_t thread;
	char url[128];
	pthread_mutex_t lock;
	struct buf request; /* the last one read; under lock, */
	int ended;          /* like the number of connections that are over */
	pthread_cond_t end;
	atomic_int connections;
	atomic_int requests;
};

static void *peer_run(void *cookie)
{
	struct peer *peer = cookie;
	int fd;

	while ((fd = accept(peer->listen_fd, NULL, NULL)) >= 0) {
		peer->play(peer, fd, atomic_fetch_add(&peer->connections, 1));
		close(fd);
		pthread_mutex_lock(&peer->lock);
		peer->ended++;
		pthread_cond_signal(&peer->end);
		pthread_mutex_unlock(&peer->lock);
	}
	return NULL;
}

static void peer_listen(struct peer *peer, const void *address, socklen_t len)
{
	const struct sockaddr *name = address;

	peer->listen_fd = socket(name->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK_EQ(bind(peer->listen_fd, name, len), 0);
	CHECK_EQ(listen(peer->listen_fd, 16), 0);
	CHECK_EQ(pthread_create(&peer->thread, NULL, peer_run, peer), 0);
}

static void peer_start(struct peer *peer, void (*play)(struct peer *, int, int))
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);

	*peer = (struct peer){ .play = play, .request = BUF_INIT };
	pthread_mutex_init(&peer->lock, NULL);
	pthread_cond_init(&peer->end, NULL);
	peer_listen(peer, &address, len);
	getsockname(peer->listen_fd, (struct sockaddr *)&address, &len);
	snprintf(peer->url, sizeof(peer->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
}

static void peer_start_unix(struct peer *peer, void (*play)(struct peer *, int, int))
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*peer = (struct peer){ .play = play, .request = BUF_INIT };
	pthread_mutex_init(&peer->lock, NULL);
	pthread_cond_init(&peer->end, NULL);
	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/test-http-%d.sock", getpid());
	unlink(address.sun_path);
	peer_listen(peer, &address, sizeof(address));
	snprintf(peer->url, sizeof(peer->url), "unix://%s", address.sun_path);
}

static void peer_stop(struct peer *peer)
{
	shutdown(peer->listen_fd, SHUT_RDWR);
	pthread_join(peer->thread, NULL);
	close(peer->listen_fd);
	pthread_cond_destroy(&peer->end);
	pthread_mutex_destroy(&peer->lock);
	buf_done(&peer->request);
}

static size_t whole_length(const char *request)
{
	const char *end = strstr(request, "\r\n\r\n");
	const char *length = strcasestr(request, "content-length:");

	if (!end)
		return SIZE_MAX;
	return (size_t)(end - request) + 4 + (length ? strtoul(length + 15, NULL, 10) : 0);
}

/* Reads one request's head, and as much of its body as Content-Length says. False: the end. */
static bool peer_read(struct peer *peer, int fd)
{
	AUTO(struct buf, buf_done) request = BUF_INIT;
	char bytes[4096];

	while (request.len < whole_length(request.data)) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n <= 0)
			return false;
		buf_put(&request, bytes, (size_t)n);
	}
	atomic_fetch_add(&peer->requests, 1);
	pthread_mutex_lock(&peer->lock);
	buf_clear(&peer->request);
	buf_put(&peer->request, request.data, request.len);
	pthread_mutex_unlock(&peer->lock);
	return true;
}

/* What the peer read last; a copy, since it may be reading again. */
static const char *asked(struct peer *peer)
{
	static char text[1 << 16];

	pthread_mutex_lock(&peer->lock);
	snprintf(text, sizeof(text), "%s", peer->request.data);
	pthread_mutex_unlock(&peer->lock);
	return text;
}

static void put(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

static struct http_client *client_of(const char *url)
{
	const struct http_client_options options = { .base_url = url,
						     .role = "node",
						     .bearer = "sesame" };
	struct http_client *client = NULL;
	struct err e = ERR_INIT;

	CHECK_EQ(http_client_new(&options, &client, &e), 0);
	return client;
}

static int call(struct http_client *client, const char *method, const char *path,
		struct http_reply *reply, struct err *e)
{
	return http_call(client,
			 &(struct http_call){ .method = method, .path = path, .timeout_ms = 5000 },
			 reply, e);
}

/* Asks a peer that behaves so for "/", once, and returns what came of it. */
static int ask(void (*play)(struct peer *, int, int), const struct http_call *like, struct err *e)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct http_call request = *like;
	struct peer peer;
	int r;

	peer_start(&peer, play);
	client = client_of(peer.url);
	request.method = like->method ? like->method : "GET";
	request.path = "/";
	if (!request.timeout_ms)
		request.timeout_ms = 5000;
	r = http_call(client, &request, &reply, e);
	http_client_free(TAKE(client));
	peer_stop(&peer);
	http_reply_done(&reply);
	return r;
}

static void answers_always(struct peer *peer, int fd, int connection)
{
	(void)connection;
	while (peer_read(peer, fd))
		put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Word:  a b \r\n\r\nhello");
}

TEST(a_call_sends_what_was_asked_and_keeps_its_connection)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct err e = ERR_INIT;
	struct peer peer;
	char value[8], small[3];

	peer_start(&peer, answers_always);
	client = client_of(peer.url);
	CHECK_EQ(call(client, "GET", "/a%20b?c=d", &reply, &e), 0);
	CHECK_EQ(reply.status, 200);
	CHECK_STR(reply.body.data, "hello");
	CHECK_STR(http_reply_header(&reply, "x-word", value, sizeof(value)), "a b");
	CHECK(!http_reply_header(&reply, "x-word", small, sizeof(small)));
	CHECK(!http_reply_header(&reply, "x-wor", value, sizeof(value)));
	CHECK_EQ(strncmp(asked(&peer), "GET /a%20b?c=d HTTP/1.1\r\n", 25), 0);
	CHECK_HAS(asked(&peer), "\r\nAuthorization: Bearer sesame\r\n");

	CHECK_EQ(call(client, "DELETE", "/x", &reply, &e), 0);
	CHECK_EQ(strncmp(asked(&peer), "DELETE /x HTTP/1.1\r\n", 20), 0);
	CHECK_EQ(call(client, "POST", "/x", &reply, &e), 0);
	CHECK_HAS(asked(&peer), "\r\nContent-Length: 0\r\n");
	CHECK(!strcasestr(asked(&peer), "content-type"));
	CHECK_EQ(call(client, "GET", "/y", &reply, &e), 0);
	CHECK(!strcasestr(asked(&peer), "content-length"));
	CHECK_EQ(peer.connections, 1);

	http_client_free(TAKE(client));
	peer_stop(&peer);
	http_reply_done(&reply);
}

TEST(a_body_goes_out_with_its_type)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	const char *const headers[] = { "Prefer: respond-async", NULL };
	struct http_call request = { .method = "POST", .path = "/", .body = "{}", .body_len = 2 };
	struct err e = ERR_INIT;
	struct peer peer;

	peer_start(&peer, answers_always);
	client = client_of(peer.url);
	CHECK_EQ(http_call(client, &request, &reply, &e), 0);
	CHECK_HAS(asked(&peer), "\r\nContent-Type: application/json\r\n");
	CHECK_HAS(asked(&peer), "\r\n\r\n{}");
	request.method = "PATCH";
	request.headers = headers;
	request.content_type = "text/plain";
	CHECK_EQ(http_call(client, &request, &reply, &e), 0);
	CHECK_EQ(strncmp(asked(&peer), "PATCH / ", 8), 0);
	CHECK_HAS(asked(&peer), "\r\nContent-Type: text/plain\r\n");
	CHECK(!strstr(asked(&peer), "application/json"));
	CHECK_HAS(asked(&peer), "\r\nPrefer: respond-async\r\n");
	CHECK_HAS(asked(&peer), "\r\nAuthorization: Bearer sesame\r\n");

	http_client_free(TAKE(client));
	peer_stop(&peer);
	http_reply_done(&reply);
}

TEST(a_url_that_cannot_serve_is_refused)
{
	static const char *const bad[] = {
		"",
		"node",
		"ftp://node/",
		"http://",
		"unix://rel",
		"http://user:pw@node/",
		"http://node/?a=b",
		"http://node/#a",
	};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const struct http_client_options options = { .base_url = bad[i] };
		struct http_client *client = NULL;

		CHECK_EQ(http_client_new(&options, &client, &e), -ERR_INVALID);
		CHECK(!client);
	}
	CHECK(!strstr(e.msg, "pw"));
}

TEST(a_path_or_header_cannot_smuggle_a_second_line)
{
	AUTO(struct http_client *, http_client_freep) client = client_of("http://127.0.0.1:1");
	struct http_reply reply = HTTP_REPLY_INIT;
	const char *const headers[] = { "A: b\r\nC: d", NULL };
	const struct http_call request = { .method = "GET", .path = "/", .headers = headers };
	struct err e = ERR_INIT;

	CHECK_EQ(call(client, "GET", "/ HTTP/1.1\r\nA: b", &reply, &e), -ERR_INVALID);
	CHECK_EQ(call(client, "GET", "@evil/", &reply, &e), -ERR_INVALID);
	CHECK_EQ(http_call(client, &request, &reply, &e), -ERR_INVALID);
}

TEST(nobody_listening_is_a_connect_failure_naming_the_peer)
{
	AUTO(struct http_client *, http_client_freep) client = client_of("http://127.0.0.1:1/");
	AUTO(struct http_client *, http_client_freep) socket_client =
		client_of("unix:///nowhere/x.sock");
	struct http_reply reply = HTTP_REPLY_INIT;
	struct err e = ERR_INIT;

	CHECK_EQ(call(client, "GET", "/", &reply, &e), -ERR_CONNECT);
	CHECK_STR(e.msg, "node 'http://127.0.0.1:1': Connection refused");
	CHECK_EQ(call(socket_client, "GET", "/", &reply, &e), -ERR_CONNECT);
	CHECK_STR(e.msg, "node 'unix:///nowhere/x.sock': No such file or directory");
}

static void never_answers(struct peer *peer, int fd, int connection)
{
	(void)connection;
	while (peer_read(peer, fd))
		;
}

TEST(no_answer_in_time_is_a_timeout)
{
	struct err e = ERR_INIT;

	CHECK_EQ(ask(never_answers, &(struct http_call){ .timeout_ms = 50 }, &e), -ERR_TIMEOUT);
	CHECK_EQ(ask(never_answers, &(struct http_call){ .idle_timeout_ms = 50 }, &e),
		 -ERR_TIMEOUT);
	CHECK_HAS(e.msg, "nothing came for 50 ms");
}

static atomic_bool given_up;

static void is_given_up(struct peer *peer, int fd, int connection)
{
	(void)connection;
	while (peer_read(peer, fd))
		atomic_store(&given_up, true);
}

TEST(a_call_is_given_up_while_nothing_comes)
{
	struct err e = ERR_INIT;

	CHECK_EQ(ask(is_given_up, &(struct http_call){ .cancelled = &given_up }, &e), -ERR_ABORTED);
	CHECK_HAS(e.msg, "the call was given up");
}

static void stops_short_of_its_length(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
}

static void stops_between_chunks(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
}

static void speaks_something_else(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "220 mail.example.org ESMTP\r\n");
}

static void hangs_up(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
}

static void resets(struct peer *peer, int fd, int connection)
{
	const struct linger now = { .l_onoff = 1 };

	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void has_endless_headers(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 100000; i++)
		put(fd, "X-Filler: 0123456789012345678901234567890123456789\r\n");
}

TEST(an_answer_cut_short_or_garbled_is_a_transport_failure)
{
	void (*const misdeeds[])(struct peer *, int, int) = {
		stops_short_of_its_length,
		stops_between_chunks,
		speaks_something_else,
		hangs_up,
		resets,
		has_endless_headers,
	};

	for (size_t i = 0; i < ARRAY_SIZE(misdeeds); i++) {
		struct err e = ERR_INIT;

		CHECK_EQ(ask(misdeeds[i], &(struct http_call){ 0 }, &e), -ERR_TRANSPORT);
		CHECK_EQ(strncmp(e.msg, "node 'http://127.0.0.1:", 23), 0);
	}
}

static void announces_too_much(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
	peer_read(peer, fd); /* until the client has had enough */
}

static void sends_too_much(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 200 OK\r\n\r\n");
	for (int i = 0; i < 1000; i++)
		put(fd, "0123456789012345678901234567890123456789");
}

static int gather(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct buf *b = cookie;

	if (b->limit && b->len + len > b->limit)
		return err_set(e, ERR_STORE, "disk full");
	buf_put(b, bytes, len);
	return 0;
}

TEST(a_body_beyond_the_limit_is_refused_early)
{
	struct buf sunk = BUF_INIT;
	struct err e = ERR_INIT;

	CHECK_EQ(ask(announces_too_much, &(struct http_call){ .max_body = 1000 }, &e),
		 -ERR_TOO_LARGE);
	CHECK_EQ(ask(sends_too_much, &(struct http_call){ .max_body = 1000 }, &e), -ERR_TOO_LARGE);
	CHECK_EQ(ask(sends_too_much, &(struct http_call){ .max_body = 40000 }, &e), 0);
	CHECK_EQ(ask(sends_too_much,
		     &(struct http_call){ .max_body = 1000, .sink = gather, .sink_cookie = &sunk },
		     &e),
		 -ERR_TOO_LARGE);
	CHECK(sunk.len <= 1000);
	buf_done(&sunk);
}

static void is_missing(struct peer *peer, int fd, int connection)
{
	(void)connection;
	while (peer_read(peer, fd))
		put(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone");
}

TEST(a_sink_gets_a_success_and_the_reply_an_error)
{
	struct buf sunk = BUF_INIT;
	struct buf full = BUF_LIMITED(3);
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct http_call request = {
		.method = "GET", .path = "/", .sink = gather, .sink_cookie = &sunk
	};
	struct err e = ERR_INIT;
	struct peer peer;

	CHECK_EQ(ask(answers_always, &request, &e), 0);
	CHECK_STR(sunk.data, "hello");
	buf_clear(&sunk);

	peer_start(&peer, is_missing);
	client = client_of(peer.url);
	CHECK_EQ(http_call(client, &request, &reply, &e), 0);
	CHECK_EQ(reply.status, 404);
	CHECK_STR(reply.body.data, "gone");
	CHECK_EQ(sunk.len, 0);
	http_client_free(TAKE(client));
	peer_stop(&peer);

	request.sink_cookie = &full;
	CHECK_EQ(ask(answers_always, &request, &e), -ERR_STORE);
	CHECK_STR(e.msg, "disk full");
	buf_done(&sunk);
	buf_done(&full);
	http_reply_done(&reply);
}

struct feed {
	int parts;
	int fail_at;
};

static int feed(void *cookie, void *bytes, size_t size, size_t *ret_len, struct err *e)
{
	struct feed *f = cookie;

	if (f->fail_at && f->parts == f->fail_at)
		return err_set(e, ERR_STORE, "unreadable");
	*ret_len = f->parts-- > 0 && size >= 4 ? 4 : 0;
	memcpy(bytes, "part", *ret_len);
	return 0;
}

static void reads_chunks(struct peer *peer, int fd, int connection)
{
	char bytes[4096];
	bool whole = false;
	ssize_t n;

	(void)connection;
	while (!whole && (n = recv(fd, bytes, sizeof(bytes), 0)) > 0) {
		pthread_mutex_lock(&peer->lock);
		buf_put(&peer->request, bytes, (size_t)n);
		whole = strstr(peer->request.data, "\r\n0\r\n\r\n");
		pthread_mutex_unlock(&peer->lock);
	}
	put(fd, "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(a_source_is_sent_in_chunks)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct feed three = { .parts = 3 };
	struct feed broken = { .parts = 3, .fail_at = 1 };
	struct http_call request = {
		.method = "PUT", .path = "/", .source = feed, .source_cookie = &three
	};
	struct err e = ERR_INIT;
	struct peer peer;

	peer_start(&peer, reads_chunks);
	client = client_of(peer.url);
	CHECK_EQ(http_call(client, &request, &reply, &e), 0);
	CHECK_EQ(reply.status, 204);
	CHECK_HAS(asked(&peer), "\r\nTransfer-Encoding: chunked\r\n");
	CHECK_HAS(asked(&peer), "4\r\npart\r\n4\r\npart\r\n4\r\npart\r\n0\r\n");
	http_client_free(TAKE(client));
	peer_stop(&peer);
	http_reply_done(&reply);

	request.source_cookie = &broken;
	CHECK_EQ(ask(reads_chunks, &request, &e), -ERR_STORE);
	CHECK_STR(e.msg, "unreadable");
}

TEST(a_source_that_says_its_length_is_sent_as_it_is)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct feed three = { .parts = 3 };
	const struct http_call request = { .method = "PUT",
					   .path = "/",
					   .source = feed,
					   .source_cookie = &three,
					   .source_len = 12 };
	struct err e = ERR_INIT;
	struct peer peer;

	peer_start(&peer, answers_always);
	client = client_of(peer.url);
	CHECK_EQ(http_call(client, &request, &reply, &e), 0);
	CHECK_HAS(asked(&peer), "\r\nContent-Length: 12\r\n");
	CHECK_HAS(asked(&peer), "\r\n\r\npartpartpart");
	CHECK(!strstr(asked(&peer), "Transfer-Encoding"));
	http_client_free(TAKE(client));
	peer_stop(&peer);
	http_reply_done(&reply);
}

/* A source that has more only when the peer has answered and gone. */
struct late_feed {
	struct peer *peer;
	int parts;
};

static void peer_await_end(struct peer *peer, int connections);

static int feed_late(void *cookie, void *bytes, size_t size, size_t *ret_len, struct err *e)
{
	struct late_feed *late = cookie;

	(void)e;
	if (late->parts++ > 0)
		peer_await_end(late->peer, 1);
	memset(bytes, 'x', size);
	*ret_len = size;
	return 0;
}

static void refuses_early(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 507 Insufficient Storage\r\nContent-Length: 9\r\n\r\ndisk full");
}

TEST(who_refuses_a_body_and_hangs_up_is_heard)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct peer peer;
	struct late_feed late = { .peer = &peer };
	struct http_call request = { .method = "POST",
				     .path = "/build",
				     .source = feed_late,
				     .source_cookie = &late,
				     .timeout_ms = 20000 };
	struct err e = ERR_INIT;

	peer_start_unix(&peer, refuses_early);
	client = client_of(peer.url);
	CHECK_EQ(http_call(client, &request, &reply, &e), 0);
	CHECK_EQ(reply.status, 507);
	CHECK_STR(reply.body.data, "disk full");
	http_client_free(TAKE(client));
	peer_stop(&peer);
	http_reply_done(&reply);
}

/* The second request on the first connection is read, perhaps acted on, and never answered. */
static void dies_at_the_second_request(struct peer *peer, int fd, int connection)
{
	if (connection > 0) {
		answers_always(peer, fd, connection);
		return;
	}
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
	peer_read(peer, fd);
}

static int second_call(const char *method, int *ret_requests, struct err *e)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct peer peer;
	int r;

	peer_start(&peer, dies_at_the_second_request);
	client = client_of(peer.url);
	CHECK_EQ(call(client, method, "/", &reply, e), 0);
	r = call(client, method, "/", &reply, e);
	http_client_free(TAKE(client));
	peer_stop(&peer);
	*ret_requests = peer.requests;
	http_reply_done(&reply);
	return r;
}

TEST(only_what_may_be_done_twice_is_repeated)
{
	struct err e = ERR_INIT;
	int requests;

	CHECK_EQ(second_call("GET", &requests, &e), 0);
	CHECK_EQ(requests, 3);
	CHECK_EQ(second_call("POST", &requests, &e), -ERR_TRANSPORT);
	CHECK_EQ(requests, 2);
	CHECK_HAS(e.msg, "may have been carried out");
}

static void peer_await_end(struct peer *peer, int connections)
{
	pthread_mutex_lock(&peer->lock);
	while (peer->ended < connections)
		pthread_cond_wait(&peer->end, &peer->lock);
	pthread_mutex_unlock(&peer->lock);
}

static void answers_once(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
}

TEST(a_kept_connection_that_ended_in_between_is_replaced)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct err e = ERR_INIT;
	struct peer peer;

	peer_start(&peer, answers_once);
	client = client_of(peer.url);
	for (int i = 0; i < 3; i++) {
		CHECK_EQ(call(client, "POST", "/", &reply, &e), 0);
		CHECK_EQ(peer.requests, i + 1);
		peer_await_end(&peer, i + 1);
	}
	http_client_free(TAKE(client));
	peer_stop(&peer);
	http_reply_done(&reply);
}

TEST(the_environment_has_no_say_in_where_calls_go)
{
	struct err e = ERR_INIT;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	CHECK_EQ(ask(answers_always, &(struct http_call){ 0 }, &e), 0);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
}

TEST(escaped_text_survives_as_one_segment)
{
	struct buf b = BUF_INIT;

	http_escape(&b, "a/b c?d=\xc3\xa9&e%-._~Z9");
	CHECK_STR(b.data, "a%2Fb%20c%3Fd%3D%C3%A9%26e%25-._~Z9");
	buf_done(&b);
}

static void upgrades_and_echoes(struct peer *peer, int fd, int connection)
{
	char bytes[4096];
	ssize_t n;

	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nfirst ");
	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		send(fd, bytes, (size_t)n, MSG_NOSIGNAL);
	put(fd, "bye");
}

static int open_tunnel(struct http_client *client, struct http_tunnel **ret_tunnel,
		       struct http_reply *reply, struct err *e)
{
	const struct http_call request = { .method = "POST",
					   .path = "/exec/1/start",
					   .body = "{}",
					   .body_len = 2,
					   .timeout_ms = 5000 };

	return http_tunnel_open(client, &request, "tcp", ret_tunnel, reply, e);
}

static void read_text(struct http_tunnel *tunnel, char *text, size_t len)
{
	while (len > 0) {
		size_t n = 0;

		CHECK_EQ(http_tunnel_read(tunnel, text, len, 5000, &n, NULL), 0);
		CHECK(n > 0);
		text += n;
		len -= n;
	}
	*text = '\0';
}

TEST(a_tunnel_carries_bytes_both_ways_until_each_side_ends)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct http_tunnel *tunnel = NULL;
	struct err e = ERR_INIT;
	struct peer peer;
	char text[64], value[8];
	size_t len;

	peer_start_unix(&peer, upgrades_and_echoes);
	client = client_of(peer.url);
	CHECK_EQ(open_tunnel(client, &tunnel, &reply, &e), 0);
	CHECK_EQ(reply.status, 101);
	CHECK_STR(http_reply_header(&reply, "upgrade", value, sizeof(value)), "tcp");
	CHECK_HAS(asked(&peer), "POST /exec/1/start HTTP/1.1\r\nHost: localhost\r\n");
	CHECK_HAS(asked(&peer), "\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n");
	CHECK_HAS(asked(&peer), "\r\nAuthorization: Bearer sesame\r\n");
	CHECK_HAS(asked(&peer), "\r\nContent-Length: 2\r\n\r\n{}");

	CHECK_EQ(http_tunnel_write(tunnel, "word", 4, &e), 0);
	read_text(tunnel, text, 10);
	CHECK_STR(text, "first word");
	CHECK_EQ(http_tunnel_read(tunnel, text, sizeof(text), 10, &len, &e), -ERR_TIMEOUT);
	CHECK_EQ(http_tunnel_end_write(tunnel, &e), 0);
	read_text(tunnel, text, 3);
	CHECK_STR(text, "bye");
	CHECK_EQ(http_tunnel_read(tunnel, text, sizeof(text), 5000, &len, &e), 0);
	CHECK_EQ(len, 0);

	http_tunnel_close(tunnel);
	http_client_free(TAKE(client));
	peer_stop(&peer);
	unlink(peer.url + strlen("unix://"));
	http_reply_done(&reply);
}

enum { FLOOD = 4 << 20 };

static void *write_flood(void *tunnel)
{
	AUTO(char *, freep) bytes = calloc(1, FLOOD);

	CHECK_EQ(http_tunnel_write(tunnel, bytes, FLOOD, NULL), 0);
	return NULL;
}

TEST(a_tunnel_is_read_while_it_is_written)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_reply reply = HTTP_REPLY_INIT;
	struct http_tunnel *tunnel = NULL;
	struct err e = ERR_INIT;
	struct peer peer;
	pthread_t writer;
	char bytes[4096];
	size_t len, total = 0;

	peer_start(&peer, upgrades_and_echoes);
	client = client_of(peer.url);
	CHECK_EQ(open_tunnel(client, &tunnel, &reply, &e), 0);
	read_text(tunnel, bytes, 6);
	pthread_create(&writer, NULL, write_flood, tunnel);
	for (; total < FLOOD; total += len)
		CHECK_EQ(http_tunnel_read(tunnel, bytes, sizeof(bytes), 5000, &len, &e), 0);
	pthread_join(writer, NULL);
	http_tunnel_stop(tunnel);
	CHECK_EQ(http_tunnel_read(tunnel, bytes, sizeof(bytes), 5000, &len, &e), 0);
	CHECK_EQ(len, 0);
	CHECK_EQ(http_tunnel_write(tunnel, "x", 1, &e), -ERR_TRANSPORT);

	http_tunnel_close(tunnel);
	http_client_free(TAKE(client));
	peer_stop(&peer);
	http_reply_done(&reply);
}

static void streams_without_a_length(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\nraw");
}

static void refuses_with_a_length(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\n\r\nno such exec");
	peer_read(peer, fd);
}

static void refuses_in_chunks(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n");
	put(fd, "8;x=y\r\nno such \r\n4\r\nexec\r\n0\r\n\r\n");
	peer_read(peer, fd);
}

static void refuses_until_the_end(struct peer *peer, int fd, int connection)
{
	(void)connection;
	peer_read(peer, fd);
	put(fd, "HTTP/1.1 500 Oh\r\n\r\nno such exec");
}

static int open_at(void (*play)(struct peer *, int, int), struct http_reply *reply, char *text,
		   struct err *e)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	struct http_tunnel *tunnel = NULL;
	struct peer peer;
	int r;

	peer_start(&peer, play);
	client = client_of(peer.url);
	r = open_tunnel(client, &tunnel, reply, e);
	if (r == 0)
		read_text(tunnel, text, 3);
	http_tunnel_close(tunnel);
	http_client_free(TAKE(client));
	peer_stop(&peer);
	return r;
}

TEST(a_refused_tunnel_tells_why)
{
	void (*const refusals[])(struct peer *, int, int) = { refuses_with_a_length,
							      refuses_in_chunks,
							      refuses_until_the_end };
	struct http_reply reply = HTTP_REPLY_INIT;
	struct err e = ERR_INIT;
	char text[4];

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		CHECK_EQ(open_at(refusals[i], &reply, text, &e), -ERR_PROTOCOL);
		CHECK_STR(reply.body.data, "no such exec");
	}
	CHECK_EQ(open_at(streams_without_a_length, &reply, text, &e), 0);
	CHECK_STR(text, "raw");
	CHECK_EQ(open_at(hangs_up, &reply, text, &e), -ERR_TRANSPORT);
	CHECK_EQ(open_at(speaks_something_else, &reply, text, &e), -ERR_TRANSPORT);
	http_reply_done(&reply);
}

/* The examples of RFC 6455, 1.3 and 5.7, and every length's first and last value. */
TEST(frames_are_as_the_rfc_has_them)
{
	static const unsigned char hello[] = { 0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
					       0x7f, 0x9f, 0x4d, 0x51, 0x58 };
	char payload[] = "\x7f\x9f\x4d\x51\x58", proof[FRAME_PROOF_SIZE];
	struct frame frame;

	frame_proof("dGhlIHNhbXBsZSBub25jZQ==", proof);
	CHECK_STR(proof, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
	CHECK_EQ(frame_read_head(hello, sizeof(hello), &frame), 6);
	CHECK(frame.final && frame.masked && !frame.reserved);
	CHECK_EQ(frame.opcode, FRAME_TEXT);
	CHECK_EQ(frame.size, 5);
	frame_mask(frame.mask, 0, payload, 2); /* in two parts */
	frame_mask(frame.mask, 2, payload + 2, 3);
	CHECK_STR(payload, "Hello");
}

TEST(a_frames_head_is_read_as_it_was_put_and_not_before_all_is_there)
{
	static const uint64_t sizes[] = { 0, 1, 125, 126, 65535, 65536, 1 << 24, UINT64_MAX >> 1 };
	unsigned char head[FRAME_HEAD_MAX];
	struct frame read;

	for (size_t i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		const struct frame put = { .final = i & 1,
					   .masked = i >= ARRAY_SIZE(sizes),
					   .opcode = FRAME_BINARY,
					   .size = sizes[i % ARRAY_SIZE(sizes)],
					   .mask = { 1, 2, 3, 4 } };
		size_t len = frame_put_head(&put, head);

		for (size_t part = 0; part < len; part++)
			CHECK_EQ(frame_read_head(head, part, &read), 0);
		CHECK_EQ(frame_read_head(head, len, &read), len);
		CHECK_EQ(read.size, put.size);
		CHECK_EQ(read.final, put.final);
		CHECK_EQ(read.masked, put.masked);
		if (put.masked)
			CHECK_EQ(memcmp(read.mask, put.mask, sizeof(put.mask)), 0);
	}
}

RUN_TESTS(T(frames_are_as_the_rfc_has_them),
	  T(a_frames_head_is_read_as_it_was_put_and_not_before_all_is_there),
	  T(a_call_sends_what_was_asked_and_keeps_its_connection), T(a_body_goes_out_with_its_type),
	  T(a_url_that_cannot_serve_is_refused), T(a_path_or_header_cannot_smuggle_a_second_line),
	  T(nobody_listening_is_a_connect_failure_naming_the_peer),
	  T(no_answer_in_time_is_a_timeout), T(a_call_is_given_up_while_nothing_comes),
	  T(an_answer_cut_short_or_garbled_is_a_transport_failure),
	  T(a_body_beyond_the_limit_is_refused_early),
	  T(a_sink_gets_a_success_and_the_reply_an_error), T(a_source_is_sent_in_chunks),
	  T(a_source_that_says_its_length_is_sent_as_it_is),
	  T(who_refuses_a_body_and_hangs_up_is_heard), T(only_what_may_be_done_twice_is_repeated),
	  T(a_kept_connection_that_ended_in_between_is_replaced),
	  T(the_environment_has_no_say_in_where_calls_go), T(escaped_text_survives_as_one_segment),
	  T(a_tunnel_carries_bytes_both_ways_until_each_side_ends),
	  T(a_tunnel_is_read_while_it_is_written), T(a_refused_tunnel_tells_why))
