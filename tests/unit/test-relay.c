/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "relay/crowd.h"
#include "relay/relay.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

enum { PATIENCE_MS = 30 * 1000, LONG = 8 << 20 };

/* A relay before a service that is the test itself. */
struct stage {
	int service; /* listens */
	struct relay_target target;
	struct relay *relay;
	pthread_t thread;
	char flows[64];
};

static int listen_anywhere(uint16_t *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_EQ(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_EQ(listen(fd, 128), 0);
	CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static void *run(void *cookie)
{
	struct err e = ERR_INIT;

	return relay_run(cookie, &e) == 0 ? NULL : cookie;
}

static void stage_open(struct stage *stage, const char *flows, const struct relay_options *more)
{
	struct relay_options options = more ? *more : (struct relay_options){ 0 };
	struct err e = ERR_INIT;
	int fd;

	signal(SIGPIPE, SIG_IGN); /* as the program does */
	stage->service = listen_anywhere(&stage->target.host_port);
	stage->target.port = 0;
	stage->target.host = "127.0.0.1";
	stage->target.authority = "players.example:31000";
	stage->flows[0] = '\0';
	options.targets = &stage->target;
	options.target_count = 1;
	if (flows) {
		strcpy(stage->flows, "/tmp/ctfy-relay-XXXXXX");
		fd = mkstemp(stage->flows);
		CHECK(fd >= 0);
		close(fd);
		options.flows = stage->flows;
	}
	CHECK_EQ(relay_new(&options, &stage->relay, &e), 0);
	CHECK_EQ(pthread_create(&stage->thread, NULL, run, stage->relay), 0);
}

/* What was recorded, the caller's to free. */
static char *stage_close(struct stage *stage)
{
	struct err e = ERR_INIT;
	char *text = NULL;
	void *failure;
	size_t len;

	relay_stop(stage->relay);
	pthread_join(stage->thread, &failure);
	CHECK(!failure);
	relay_free(stage->relay);
	if (stage->service >= 0)
		close(stage->service);
	if (stage->flows[0]) {
		CHECK_EQ(file_read(stage->flows, 64 << 20, &text, &len, &e), 0);
		unlink(stage->flows);
	}
	return text;
}

static int dial(const struct stage *stage)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
				       .sin_port = htons(relay_port(stage->relay, 0)) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(fd >= 0);
	CHECK_EQ(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int answer(const struct stage *stage)
{
	struct pollfd poll_fd = { .fd = stage->service, .events = POLLIN };

	CHECK_EQ(poll(&poll_fd, 1, PATIENCE_MS), 1);
	return accept(stage->service, NULL, NULL);
}

/* recv(), or -1 with ETIMEDOUT where nothing comes. */
static ssize_t hear(int fd, void *bytes, size_t size)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (poll(&poll_fd, 1, PATIENCE_MS) != 1) {
		errno = ETIMEDOUT;
		return -1;
	}
	return recv(fd, bytes, size, 0);
}

static void hear_exactly(int fd, const char *text)
{
	char heard[256] = "";
	size_t len = 0;

	while (len < strlen(text)) {
		ssize_t more = hear(fd, heard + len, strlen(text) - len);

		CHECK(more > 0);
		len += (size_t)more;
	}
	CHECK_EQ(memcmp(heard, text, len), 0);
}

static void say(int fd, const char *text)
{
	CHECK_EQ(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void reset(int fd)
{
	const struct linger at_once = { .l_onoff = 1 };

	CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	close(fd);
}

static bool is_reset(int fd)
{
	char byte;

	return hear(fd, &byte, 1) < 0 && errno == ECONNRESET;
}

/* --- what is said ------------------------------------------------------------------------- */

struct talk {
	int fd;
	const char *bytes;
	size_t len;
};

static void *send_all(void *cookie)
{
	const struct talk *talk = cookie;

	for (size_t at = 0; at < talk->len;) {
		ssize_t sent = send(talk->fd, talk->bytes + at, talk->len - at, MSG_NOSIGNAL);

		if (sent < 0)
			return cookie;
		at += (size_t)sent;
	}
	return shutdown(talk->fd, SHUT_WR) < 0 ? cookie : NULL;
}

static void check_hears(int fd, const char *bytes, size_t len)
{
	AUTO(char *, freep) heard = malloc(len + 1);
	size_t at = 0;
	ssize_t more;

	CHECK(heard);
	while ((more = hear(fd, heard + at, len + 1 - at)) > 0)
		at += (size_t)more;
	CHECK_EQ(more, 0);
	CHECK_EQ(at, len);
	CHECK_EQ(memcmp(heard, bytes, len), 0);
}

static void check_passes(const struct stage *stage, const char *bytes, size_t len)
{
	int player = dial(stage), service = answer(stage);
	struct talk up = { player, bytes, len }, down = { service, bytes + 1, len - 1 };
	pthread_t threads[2];
	void *failures[2];

	CHECK_EQ(pthread_create(&threads[0], NULL, send_all, &up), 0);
	check_hears(service, bytes, len);
	CHECK_EQ(pthread_create(&threads[1], NULL, send_all, &down), 0);
	check_hears(player, bytes + 1, len - 1);
	for (size_t i = 0; i < 2; i++) {
		pthread_join(threads[i], &failures[i]);
		CHECK(!failures[i]);
	}
	close(player);
	close(service);
}

static char *noise(void)
{
	char *bytes = malloc(LONG);
	unsigned seed = 1;

	CHECK(bytes);
	for (size_t i = 0; i < LONG; i++)
		bytes[i] = (char)rand_r(&seed);
	return bytes;
}

TEST(bytes_of_any_kind_pass_both_ways_whether_recorded_or_not)
{
	static const char long_head[] =
		"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n";
	AUTO(char *, freep) bytes = noise();
	struct stage stage;

	for (int recorded = 0; recorded < 2; recorded++) {
		stage_open(&stage, recorded ? "flows" : NULL, NULL);
		check_passes(&stage, bytes, LONG);
		check_passes(&stage, bytes, 2);
		check_passes(&stage, bytes, 100000);
		memcpy(bytes, long_head, sizeof(long_head) - 1);
		check_passes(&stage, bytes, LONG);
		free(stage_close(&stage));
	}
}

TEST(what_is_said_arrives_before_anything_else_is_said)
{
	struct stage stage;
	int player, service;

	stage_open(&stage, "flows", NULL);
	player = dial(&stage);
	service = answer(&stage);
	say(service, "hello, who are you?");
	hear_exactly(player, "hello, who are you?");
	for (const char *c = "GET / HTTP/1.1\r\n"; *c; c++) {
		char letter[2] = { *c };

		say(player, letter);
		hear_exactly(service, letter);
	}
	close(player);
	close(service);
	free(stage_close(&stage));
}

TEST(who_has_said_all_still_hears)
{
	struct stage stage;
	int player, service;
	char byte;

	stage_open(&stage, NULL, NULL);
	player = dial(&stage);
	service = answer(&stage);
	say(player, "all");
	shutdown(player, SHUT_WR);
	hear_exactly(service, "all");
	CHECK_EQ(hear(service, &byte, 1), 0);
	say(service, "still");
	hear_exactly(player, "still");
	close(service);
	CHECK_EQ(hear(player, &byte, 1), 0);
	close(player);
	free(stage_close(&stage));
}

/* --- resets ------------------------------------------------------------------------------- */

TEST(a_reset_passes_on_behind_what_was_said_before)
{
	AUTO(char *, freep) bytes = noise();
	AUTO(char *, freep) heard = malloc(LONG);
	struct stage stage;
	int player, service;
	size_t at = 0;
	ssize_t more;

	stage_open(&stage, NULL, NULL);
	player = dial(&stage);
	service = answer(&stage);
	CHECK_EQ(send(service, bytes, 1 << 20, MSG_NOSIGNAL), 1 << 20);
	/* It has reached the relay, so the service's own reset can't take it back. */
	while (at < 1 << 20 && (more = hear(player, heard + at, LONG - at)) > 0)
		at += (size_t)more;
	CHECK_EQ(at, 1 << 20);
	say(service, "last words");
	hear_exactly(player, "last words");
	reset(service);
	CHECK(is_reset(player));
	close(player);

	player = dial(&stage);
	service = answer(&stage);
	reset(player);
	CHECK(is_reset(service));
	close(service);
	free(stage_close(&stage));
}

/* A service that says something meanwhile does not lose what it has yet to take. */
TEST(what_was_said_before_a_reset_is_taken_slowly)
{
	AUTO(char *, freep) bytes = noise();
	AUTO(char *, freep) heard = malloc(LONG);
	const int small = 4096, len = 200000;
	int player, service, unsent = 1, at = 0;
	struct stage stage;
	ssize_t more;

	stage_open(&stage, NULL, NULL);
	CHECK_EQ(setsockopt(stage.service, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
	player = dial(&stage);
	service = answer(&stage);
	CHECK_EQ(send(player, bytes, (size_t)len, MSG_NOSIGNAL), len);
	while (unsent > 0) { /* until it is the relay's */
		CHECK_EQ(ioctl(player, SIOCOUTQ, &unsent), 0);
		poll(NULL, 0, 1);
	}
	reset(player);
	while ((more = hear(service, heard + at, 1024)) > 0) {
		at += (int)more;
		send(service, "!", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	CHECK_EQ(at, len);
	CHECK_EQ(memcmp(heard, bytes, (size_t)len), 0);
	close(service);
	free(stage_close(&stage));
}

TEST(who_says_something_to_a_service_that_has_closed_is_reset)
{
	struct stage stage;
	int player, service;
	char byte;

	stage_open(&stage, NULL, NULL);
	player = dial(&stage);
	service = answer(&stage);
	close(service);
	CHECK_EQ(hear(player, &byte, 1), 0);
	say(player, "hello?");
	while (send(player, "?", 1, MSG_NOSIGNAL) == 1)
		poll(NULL, 0, 1);
	CHECK(errno == ECONNRESET || errno == EPIPE);
	close(player);
	free(stage_close(&stage));
}

TEST(where_nobody_listens_a_player_is_reset_and_that_is_a_flow)
{
	AUTO(char *, freep) flows = NULL;
	struct stage stage;
	int player;

	stage_open(&stage, "flows", NULL);
	close(stage.service);
	stage.service = -1;
	player = dial(&stage);
	CHECK(is_reset(player));
	close(player);
	flows = stage_close(&stage);
	CHECK_HAS(flows, "the service refused the connection");
}

/* --- flows -------------------------------------------------------------------------------- */

static char *flows_of_one(const struct relay_options *options)
{
	struct stage stage;
	int player, service;

	stage_open(&stage, "flows", options);
	player = dial(&stage);
	service = answer(&stage);
	say(player, "\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n");
	hear_exactly(service, "\r\nGET /hidden HTTP/1.1\r\nHost: x\r\n\r\n");
	say(service, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	hear_exactly(player, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
	close(player);
	close(service);
	return stage_close(&stage);
}

TEST(what_passed_is_in_the_flows_and_who_said_it)
{
	AUTO(char *, freep) flows = flows_of_one(NULL);

	CHECK_HAS(flows, "/hidden");
	CHECK_HAS(flows, "\"client\":\"127.0.0.1:");
	CHECK_HAS(flows, "\"via\":\"port\"");
}

TEST(who_comes_from_inside_is_marked_unless_it_is_the_gateway)
{
	struct relay_options options = { 0 };
	AUTO(char *, freep) inside = NULL;
	AUTO(char *, freep) outside = NULL;

	inet_pton(AF_INET, "127.0.0.0", &options.inside);
	inet_pton(AF_INET, "255.0.0.0", &options.inside_mask);
	inside = flows_of_one(&options);
	CHECK_HAS(inside, "\"via\":\"inside\"");
	inet_pton(AF_INET, "127.0.0.1", &options.gateway);
	outside = flows_of_one(&options);
	CHECK_HAS(outside, "\"via\":\"port\"");
}

TEST(who_says_nothing_leaves_no_flow)
{
	AUTO(char *, freep) flows = NULL;
	struct stage stage;
	int player, service;
	char byte;

	stage_open(&stage, "flows", NULL);
	player = dial(&stage);
	service = answer(&stage);
	close(player);
	CHECK_EQ(hear(service, &byte, 1), 0);
	close(service);
	flows = stage_close(&stage);
	CHECK(!strstr(flows, "\"client\""));
}

/* --- crowds ------------------------------------------------------------------------------- */

TEST(the_one_that_was_silent_for_longest_makes_room)
{
	const struct relay_options options = { .connections_max = 3 };
	struct stage stage;
	int players[4], services[4];

	stage_open(&stage, NULL, &options);
	for (size_t i = 0; i < 3; i++) {
		players[i] = dial(&stage);
		services[i] = answer(&stage);
	}
	say(players[0], "I am still here");
	hear_exactly(services[0], "I am still here");
	players[3] = dial(&stage);
	services[3] = answer(&stage);
	CHECK(is_reset(players[1]));
	CHECK(is_reset(services[1]));
	for (size_t i = 0; i < 4; i++) {
		if (i != 1) {
			say(players[i], "served");
			hear_exactly(services[i], "served");
		}
		close(players[i]);
		close(services[i]);
	}
	CHECK_EQ(relay_counts(stage.relay)->evicted, 1);
	free(stage_close(&stage));
}

TEST(the_largest_of_a_crowd_is_who_holds_most)
{
	struct crowd crowd = { 0 };
	struct in_addr few, many;
	struct origin *origins[6];

	inet_pton(AF_INET, "10.0.0.1", &few);
	inet_pton(AF_INET, "10.0.0.2", &many);
	CHECK(!crowd_largest(&crowd));
	for (size_t i = 0; i < 6; i++)
		origins[i] = crowd_enter(&crowd, i < 2 ? few : many);
	CHECK(origins[0] == origins[1] && origins[1] != origins[2]);
	CHECK(crowd_largest(&crowd) == origins[2]);
	for (size_t i = 2; i < 5; i++)
		crowd_leave(&crowd, origins[i]);
	CHECK(crowd_largest(&crowd) == origins[0]);
	crowd_leave(&crowd, origins[5]);
	crowd_leave(&crowd, origins[0]);
	crowd_leave(&crowd, origins[0]);
	CHECK(!crowd_largest(&crowd));
}

TEST(a_port_that_is_taken_is_said)
{
	struct relay_target target = { .host = "127.0.0.1", .host_port = 1 };
	const struct relay_options options = { .targets = &target, .target_count = 1 };
	struct relay *relay = NULL;
	struct err e = ERR_INIT;
	int fd = listen_anywhere(&target.port);
	char expected[64];

	snprintf(expected, sizeof(expected), "listen at port %u", target.port);
	CHECK_EQ(relay_new(&options, &relay, &e), -ERR_INTERNAL);
	CHECK_HAS(e.msg, expected);
	close(fd);
}

RUN_TESTS(T(bytes_of_any_kind_pass_both_ways_whether_recorded_or_not),
	  T(what_is_said_arrives_before_anything_else_is_said), T(who_has_said_all_still_hears),
	  T(a_reset_passes_on_behind_what_was_said_before),
	  T(what_was_said_before_a_reset_is_taken_slowly),
	  T(who_says_something_to_a_service_that_has_closed_is_reset),
	  T(where_nobody_listens_a_player_is_reset_and_that_is_a_flow),
	  T(what_passed_is_in_the_flows_and_who_said_it),
	  T(who_comes_from_inside_is_marked_unless_it_is_the_gateway),
	  T(who_says_nothing_leaves_no_flow), T(the_one_that_was_silent_for_longest_makes_room),
	  T(the_largest_of_a_crowd_is_who_holds_most), T(a_port_that_is_taken_is_said))
