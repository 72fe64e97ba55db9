/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "http/call.h"
#include "platform/events.h"
#include "platform/main.h"

#include "platform-world.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* What is pushed, and to whom. */

enum { HEARING_PATIENCE_S = 60 };

/* Somebody who listens, on a thread of its own. */
struct ear {
	struct world *w;
	const char *token; /* NULL: nobody's */
	const char *path;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t heard_more;
	struct buf heard;
	atomic_bool enough;
	bool over;
};

static int hear(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct ear *ear = cookie;

	(void)e;
	pthread_mutex_lock(&ear->lock);
	buf_put(&ear->heard, bytes, len);
	pthread_cond_signal(&ear->heard_more);
	pthread_mutex_unlock(&ear->lock);
	return 0;
}

static void *listen_until_enough(void *cookie)
{
	struct ear *ear = cookie;
	char authorization[128];
	const char *const headers[] = { ear->token ? authorization : NULL, NULL };
	const struct http_call call = { .method = "GET",
					.path = ear->path,
					.headers = headers,
					.sink = hear,
					.sink_cookie = ear,
					.cancelled = &ear->enough };
	struct http_reply reply = HTTP_REPLY_INIT;

	if (ear->token)
		snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s",
			 ear->token);
	http_call(ear->w->http, &call, &reply, NULL);
	http_reply_done(&reply);
	pthread_mutex_lock(&ear->lock);
	ear->over = true;
	pthread_cond_signal(&ear->heard_more);
	pthread_mutex_unlock(&ear->lock);
	return NULL;
}

static void until_heard(struct ear *ear, const char *words)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += HEARING_PATIENCE_S;
	pthread_mutex_lock(&ear->lock);
	while (!strstr(ear->heard.data, words))
		if (ear->over || pthread_cond_timedwait(&ear->heard_more, &ear->lock, &until) != 0)
			fail_msg("'%s' is not in: %s", words, ear->heard.data);
	pthread_mutex_unlock(&ear->lock);
}

static bool has_heard(struct ear *ear, const char *words)
{
	bool has;

	pthread_mutex_lock(&ear->lock);
	has = strstr(ear->heard.data, words) != NULL;
	pthread_mutex_unlock(&ear->lock);
	return has;
}

static void begin_ear(struct ear *ear, struct world *w, const char *token)
{
	*ear = (struct ear){ .w = w, .token = token, .path = "/api/v1/events", .heard = BUF_INIT };
	pthread_mutex_init(&ear->lock, NULL);
	pthread_cond_init(&ear->heard_more, NULL);
	CHECK_EQ(pthread_create(&ear->thread, NULL, listen_until_enough, ear), 0);
	until_heard(ear, "event: hello");
}

static void end_ear(struct ear *ear)
{
	atomic_store(&ear->enough, true);
	pthread_join(ear->thread, NULL);
	buf_done(&ear->heard);
	pthread_cond_destroy(&ear->heard_more);
	pthread_mutex_destroy(&ear->lock);
}

/* Until its connection has ended. */
static void until_over(struct ear *ear)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += HEARING_PATIENCE_S;
	pthread_mutex_lock(&ear->lock);
	while (!ear->over)
		if (pthread_cond_timedwait(&ear->heard_more, &ear->lock, &until) != 0)
			fail_msg("it still hears");
	pthread_mutex_unlock(&ear->lock);
}

static void user_path(struct world *w, const char *token, char path[128])
{
	snprintf(path, 128, "/admin/users/%s",
		 text(call(w, token, "GET", "/me", NULL, NULL), "id"));
}

TEST(an_account_has_so_many_ears_and_no_more)
{
	static struct ear ears[EVENTS_OF_ACCOUNT], extra;
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	for (int i = 0; i < EVENTS_OF_ACCOUNT; i++)
		begin_ear(&ears[i], &w, w.alice);
	extra = (struct ear){
		.w = &w, .token = w.alice, .path = "/api/v1/events", .heard = BUF_INIT
	};
	pthread_mutex_init(&extra.lock, NULL);
	pthread_cond_init(&extra.heard_more, NULL);
	CHECK_EQ(pthread_create(&extra.thread, NULL, listen_until_enough, &extra), 0);
	until_over(&extra);
	CHECK(!has_heard(&extra, "hello"));
	EXPECT(call(&w, w.alice, "GET", "/events", NULL, NULL), 503);
	end_ear(&extra);
	begin_ear(&extra, &w, w.bob);
	end_ear(&extra);
	for (int i = 0; i < EVENTS_OF_ACCOUNT; i++)
		end_ear(&ears[i]);
}

TEST(who_may_no_longer_hears_no_longer)
{
	AUTO(struct world, end_platform) w;
	struct ear alices, sessions, bobs;
	char path[128], token[SECRET_TOKEN_SIZE], other[SECRET_TOKEN_SIZE];
	static const char made[] = "{\"name\":\"t\",\"scope\":\"player\"}";

	begin_world(&w);
	begin_ear(&alices, &w, w.alice);
	begin_ear(&bobs, &w, w.bob);
	user_path(&w, w.alice, path);
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"disabled\":true}", NULL), 200);
	until_over(&alices);
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"disabled\":false}", NULL), 200);

	/* A token that is ended, by whoever may as much. */
	snprintf(token, sizeof(token), "%s",
		 text(call(&w, w.bob, "POST", "/me/tokens", made, NULL), "token"));
	begin_ear(&sessions, &w, token);
	snprintf(other, sizeof(other), "%s",
		 text(call(&w, w.bob, "POST", "/me/tokens", made, NULL), "id"));
	EXPECT(call(&w, token, "DELETE", "/sessions", NULL, NULL), 204);
	until_over(&sessions);
	snprintf(path, sizeof(path), "/me/tokens/%s", other);
	EXPECT(call(&w, w.bob, "DELETE", path, NULL, NULL), 204);

	/* Another role is another leave; the token that asks for it gets its answer. */
	CHECK(!bobs.over);
	user_path(&w, w.bob, path);
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"role\":\"organiser\"}", NULL), 200);
	until_over(&bobs);
	end_ear(&alices);
	end_ear(&sessions);
	end_ear(&bobs);
}

TEST(a_solve_is_pushed_as_the_lines_it_changes)
{
	AUTO(struct world, end_platform) w;
	AUTO(struct ear, end_ear) ear;

	begin_world(&w);
	begin_ear(&ear, &w, NULL);
	/* The first telling may also be of teams that have come since the last. */
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
	until_heard(&ear, "event: scoreboard");
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	until_heard(&ear, "\"team\":\"Red\",\"score\":50");
	until_heard(&ear, "{\"id\":\"quiz\",\"value\":50,\"solvers\":2}");
	until_heard(&ear, "\"previous\":");
}

TEST(a_notice_reaches_players_and_stays_readable)
{
	AUTO(struct world, end_platform) w;
	AUTO(struct ear, end_ear) player;
	AUTO(struct ear, end_ear) stranger;
	const struct reply *reply;

	begin_world(&w);
	begin_ear(&player, &w, w.bob);
	begin_ear(&stranger, &w, NULL);
	EXPECT(call(&w, w.admin, "POST", "/admin/notices", "{\"text\":\"Lunch.\"}", NULL), 201);
	until_heard(&player, "event: notice");
	until_heard(&player, "Lunch.");
	reply = call(&w, w.alice, "GET", "/notices", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_HAS(reply->body.data, "Lunch.");
	/* What both are told of comes after what only one was. */
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	until_heard(&stranger, "event: scoreboard");
	CHECK(!has_heard(&stranger, "Lunch."));
}

TEST(a_scoreboard_for_organisers_is_pushed_to_no_player)
{
	AUTO(struct world, end_platform) w;
	AUTO(struct ear, end_ear) player;
	AUTO(struct ear, end_ear) organiser;

	begin_world(&w);
	apply(&w, "id: ctf\nscoreboard: organisers\n");
	begin_ear(&player, &w, w.bob);
	begin_ear(&organiser, &w, w.admin);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	until_heard(&organiser, "event: scoreboard");
	EXPECT(call(&w, w.admin, "POST", "/admin/notices", "{\"text\":\"Lunch.\"}", NULL), 201);
	until_heard(&player, "Lunch.");
	CHECK(!has_heard(&player, "event: scoreboard"));
}

static bool is_for_red(struct ear *red, struct ear *blue, const char *words)
{
	return has_heard(red, words) && !has_heard(blue, words);
}

TEST(what_is_for_a_team_reaches_that_team)
{
	AUTO(struct world, end_platform) w;
	AUTO(struct ear, end_ear) red;
	AUTO(struct ear, end_ear) blue;
	AUTO(json_t *, json_decrefp) data = json_pack("{s:s}", "id", "inst");
	struct event_audience audience = { .competition_id = "ctf" };
	char team[64];

	begin_world(&w);
	snprintf(team, sizeof(team), "%s",
		 text(call(&w, w.alice, "GET", "/team", NULL, NULL), "id"));
	audience.team_id = team;
	begin_ear(&red, &w, w.alice);
	begin_ear(&blue, &w, w.bob);
	events_publish(platform_daemon_events(w.daemon), &audience, "instance", data);
	until_heard(&red, "event: instance");
	EXPECT(call(&w, w.admin, "POST", "/admin/notices", "{\"text\":\"Lunch.\"}", NULL), 201);
	until_heard(&blue, "Lunch.");
	CHECK(is_for_red(&red, &blue, "event: instance"));
}

TEST(a_team_is_told_when_an_organiser_sets_its_instances_end)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	AUTO(struct ear, end_ear) red;
	const struct reply *reply;
	char path[128];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	reply = call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 201);
	snprintf(path, sizeof(path), "/admin/instances/%s", text(reply, "id"));
	begin_ear(&red, &w, w.alice);
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"extend\":600}", NULL), 200);
	until_heard(&red, "an organiser has set its end: ");
}

TEST(a_team_is_told_when_an_instances_end_is_near)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	AUTO(struct ear, end_ear) red;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	begin_ear(&red, &w, w.alice);
	node.lifetime = 5 * 60 * 1000 + 2500;
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	until_heard(&red, "unless it is renewed");
}

TEST(many_listen_and_take_no_thread_and_a_stop_ends_them)
{
	enum { EARS = 40 };
	static struct ear ears[EARS];
	struct world w;

	begin_world(&w);
	for (size_t i = 0; i < EARS; i++)
		begin_ear(&ears[i], &w, NULL);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	for (size_t i = 0; i < EARS; i++)
		until_heard(&ears[i], "event: scoreboard");
	forget_reply();
	json_decref(w.document);
	platform_daemon_free(w.daemon);
	for (size_t i = 0; i < EARS; i++)
		end_ear(&ears[i]);
	http_client_free(w.http);
}

/* Many at once, on plain sockets: the test's process holds both ends, and has 1024 files. */

enum { HUNDREDS = 400, FLOOD_MAX = 20000, FLOOD_SIZE = 8192 };

static int connect_listener(struct world *w, const char *token, int receive_buffer)
{
	const struct timeval patience = { .tv_sec = HEARING_PATIENCE_S };
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons(platform_daemon_port(w->daemon)),
				       .sin_addr = { htonl(INADDR_LOOPBACK) } };
	AUTO(char *, freep) request = strf("GET /api/v1/events HTTP/1.1\r\nHost: x\r\n%s%s%s\r\n",
					   token ? "Authorization: Bearer " : "",
					   token ? token : "", token ? "\r\n" : "");
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	CHECK(fd >= 0 && request);
	if (receive_buffer)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	CHECK_EQ(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	CHECK_EQ(send(fd, request, strlen(request), 0), (ssize_t)strlen(request));
	return fd;
}

static void until_read(int fd, const char *words)
{
	AUTO(struct buf, buf_done) heard = BUF_INIT;
	char bytes[4096];

	while (!strstr(heard.data, words)) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n <= 0)
			fail_msg("'%s' is not in: %s", words, heard.data);
		buf_put(&heard, bytes, (size_t)n);
	}
}

/* Of alice's team alone. */
static void flood_red_until_one_leaves(struct world *w)
{
	struct events *events = platform_daemon_events(w->daemon);
	struct event_audience audience = { .competition_id = "ctf" };
	unsigned before = events_listeners(events);
	char flood[FLOOD_SIZE + 1], team[64];
	AUTO(json_t *, json_decrefp) data = NULL;

	memset(flood, 'x', FLOOD_SIZE);
	flood[FLOOD_SIZE] = '\0';
	data = json_pack("{s:s}", "id", flood);
	snprintf(team, sizeof(team), "%s",
		 text(call(w, w->alice, "GET", "/team", NULL, NULL), "id"));
	audience.team_id = team;
	for (int i = 0; i < FLOOD_MAX && events_listeners(events) == before; i++)
		events_publish(events, &audience, "instance", data);
	CHECK_EQ(events_listeners(events), before - 1);
}

TEST(hundreds_hear_and_one_who_never_reads_is_cut_off_and_keeps_nobody)
{
	AUTO(struct world, end_platform) w;
	int ears[HUNDREDS], stuck;

	begin_world(&w);
	stuck = connect_listener(&w, w.alice, 4096);
	until_read(stuck, "event: hello");
	for (size_t i = 0; i < HUNDREDS; i++)
		ears[i] = connect_listener(&w, NULL, 0);
	for (size_t i = 0; i < HUNDREDS; i++)
		until_read(ears[i], "event: hello");
	flood_red_until_one_leaves(&w);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	for (size_t i = 0; i < HUNDREDS; i++) {
		until_read(ears[i], "event: scoreboard");
		close(ears[i]);
	}
	close(stuck);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(who_may_no_longer_hears_no_longer),
		T(an_account_has_so_many_ears_and_no_more),
		T(a_solve_is_pushed_as_the_lines_it_changes),
		T(a_notice_reaches_players_and_stays_readable),
		T(a_scoreboard_for_organisers_is_pushed_to_no_player),
		T(what_is_for_a_team_reaches_that_team),
		T(a_team_is_told_when_an_instances_end_is_near),
		T(a_team_is_told_when_an_organiser_sets_its_instances_end),
		T(many_listen_and_take_no_thread_and_a_stop_ends_them),
		T(hundreds_hear_and_one_who_never_reads_is_cut_off_and_keeps_nobody),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
