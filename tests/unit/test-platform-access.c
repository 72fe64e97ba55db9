/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "http/serve.h"
#include "platform/limit.h"
#include "platform/turn.h"
#include "platform/user.h"

#include "platform-world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Who may come in, as what, and what is written of it. */

static const json_t *entry(const struct reply *reply, size_t i)
{
	const json_t *found = json_array_get(json_object_get(reply->json, "entries"), i);

	if (!found)
		fail_msg("no entry %zu in %s", i, reply->body.data);
	return found;
}

static const char *entry_text(const struct reply *reply, size_t i, const char *name)
{
	return json_string_value(json_object_get(entry(reply, i), name));
}

/* The audit log */

TEST(no_byte_of_a_player_or_an_organiser_breaks_the_audit_log)
{
	AUTO(struct world, end_platform) w;
	struct buf note = BUF_INIT;
	const struct reply *reply;
	char path[128];

	begin_world(&w);
	EXPECT(call(&w, w.admin, "DELETE", "/admin/nodes/%ff%c3", NULL, NULL), 404);
	EXPECT(call(&w, w.admin, "GET", "/admin/instances/x/containers/%ff/shell", NULL, NULL),
	       404);
	snprintf(path, sizeof(path), "/admin/teams/%s",
		 text(call(&w, w.alice, "GET", "/team", NULL, NULL), "id"));
	buf_puts(&note, "{\"division\":\"");
	for (int i = 0; i < 400; i++)
		buf_puts(&note, i ? "\xc3\xa9" : "x"); /* 511 bytes end inside one */
	buf_puts(&note, "\"}");
	call(&w, w.admin, "PATCH", path, note.data, "X-Forwarded-For: \xff\xfe");
	buf_done(&note);
	reply = call(&w, w.admin, "GET", "/admin/audit", NULL, NULL);
	EXPECT(reply, 200);
	CHECK(json_array_size(json_object_get(reply->json, "entries")) > 0);
}

TEST(a_page_of_another_origin_does_nothing_with_a_cookie)
{
	static const char *const others[] = { "Sec-Fetch-Site: same-site",
					      "Sec-Fetch-Site: cross-site",
					      "Origin: http://127.0.0.1:1", "Origin: null" };
	AUTO(struct world, end_platform) w;
	char cookie[256], header[512];
	const struct reply *reply;

	begin_world(&w);
	reply = call(&w, NULL, "POST", "/sessions",
		     "{\"name\":\"alice\",\"password\":\"password\",\"cookie\":true}", NULL);
	EXPECT(reply, 201);
	CHECK(reply_header(reply, "Set-Cookie", cookie, sizeof(cookie)));
	cookie[strcspn(cookie, ";")] = '\0';
	snprintf(header, sizeof(header), "Cookie: %s\nSec-Fetch-Site: same-origin", cookie);
	EXPECT(call(&w, NULL, "GET", "/me", NULL, header), 200);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(header, sizeof(header), "Cookie: %s\n%s", cookie, others[i]);
		EXPECT(call(&w, NULL, "GET", "/me", NULL, header), 403);
	}
}

TEST(what_organisers_change_is_written_down_with_how_it_ended)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	EXPECT(call(&w, w.admin, "POST", "/admin/competitions", "id: ctf\n", NULL), 200);
	EXPECT(call(&w, w.admin, "DELETE", "/admin/nodes/none", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "DELETE", "/admin/nodes/none", NULL, NULL), 403);
	reply = call(&w, w.admin, "GET", "/admin/audit", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "entries")), 2);
	CHECK_STR(entry_text(reply, 0, "action"), "DELETE /api/v1/admin/nodes/{node}");
	CHECK_STR(entry_text(reply, 0, "object"), "/api/v1/admin/nodes/none");
	CHECK_STR(entry_text(reply, 0, "user"), "admin");
	CHECK_STR(entry_text(reply, 0, "peer"), "127.0.0.1");
	CHECK_EQ(json_integer_value(json_object_get(entry(reply, 0), "status")), 404);
	CHECK_EQ(json_integer_value(json_object_get(entry(reply, 1), "status")), 200);
}

TEST(a_cursor_goes_on_where_the_page_ended)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char path[160], first[64];

	begin_world(&w);
	for (int i = 0; i < 3; i++)
		EXPECT(call(&w, w.admin, "DELETE", "/admin/nodes/none", NULL, NULL), 404);
	reply = call(&w, w.admin, "GET", "/admin/audit?limit=2", NULL, NULL);
	snprintf(first, sizeof(first), "%s", entry_text(reply, 1, "id"));
	snprintf(path, sizeof(path), "/admin/audit?limit=2&cursor=%s", text(reply, "next_cursor"));
	EXPECT(call(&w, w.admin, "DELETE", "/admin/nodes/none", NULL, NULL), 404);
	reply = call(&w, w.admin, "GET", path, NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "entries")), 1);
	CHECK(strcmp(entry_text(reply, 0, "id"), first) != 0);
	CHECK(json_is_null(json_object_get(reply->json, "next_cursor")));
	EXPECT(call(&w, w.admin, "GET", "/admin/audit?cursor=x", NULL, NULL), 422);
}

/* Tokens with less power */

static void make_token(struct world *w, const char *master, const char *body,
		       char token[SECRET_TOKEN_SIZE])
{
	snprintf(token, SECRET_TOKEN_SIZE, "%s",
		 text(call(w, master, "POST", "/me/tokens", body, NULL), "token"));
}

TEST(a_token_may_no_more_than_its_scope_and_makes_none_that_may)
{
	AUTO(struct world, end_platform) w;
	char token[SECRET_TOKEN_SIZE];

	begin_world(&w);
	make_token(&w, w.admin, "{\"name\":\"t\",\"scope\":\"organiser\"}", token);
	EXPECT(call(&w, token, "GET", "/admin/teams", NULL, NULL), 200);
	EXPECT(call(&w, token, "DELETE", "/admin/nodes/none", NULL, NULL), 403);
	EXPECT(call(&w, token, "POST", "/me/tokens", "{\"name\":\"t\",\"scope\":\"admin\"}", NULL),
	       403);
	make_token(&w, token, "{\"name\":\"t\"}", token);
	EXPECT(call(&w, token, "DELETE", "/admin/nodes/none", NULL, NULL), 403);
	make_token(&w, token, "{\"name\":\"t\",\"scope\":\"player\"}", token);
	EXPECT(call(&w, token, "GET", "/admin/teams", NULL, NULL), 403);
	EXPECT(call(&w, token, "GET", "/challenges", NULL, NULL), 200);
	EXPECT(call(&w, w.alice, "POST", "/me/tokens", "{\"name\":\"t\",\"scope\":\"organiser\"}",
		    NULL),
	       403);
	EXPECT(call(&w, w.alice, "POST", "/me/tokens", "{\"name\":\"t\",\"scope\":\"god\"}", NULL),
	       422);
}

TEST(an_agents_token_reads_and_answers_its_instance_and_nothing_else)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char agent[SECRET_TOKEN_SIZE], body[160];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	make_agent(&w, w.alice, "web", agent);
	reply = call(&w, agent, "GET", "/me", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(json_string_value(
			  json_object_get(json_object_get(reply->json, "token"), "challenge_id")),
		  "web");
	reply = call(&w, agent, "GET", "/challenges/web/instance", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(text(reply, "status"), "running");
	EXPECT(call(&w, agent, "POST", "/challenges/web/submissions", "{\"answer\":\"x\"}", NULL),
	       201);
	EXPECT(call(&w, agent, "POST", "/challenges/quiz/submissions", "{\"answer\":\"Paris\"}",
		    NULL),
	       403);
	EXPECT(call(&w, agent, "DELETE", "/challenges/web/instance", NULL, NULL), 403);
	EXPECT(call(&w, agent, "GET", "/team", NULL, NULL), 403);
	EXPECT(call(&w, agent, "POST", "/me/tokens", "{\"name\":\"t\"}", NULL), 403);

	/* Another team's instance is nobody's to give a token for. */
	reply = call(&w, w.alice, "GET", "/challenges/web/instance", NULL, NULL);
	snprintf(body, sizeof(body), "{\"name\":\"t\",\"instance_id\":\"%s\"}", text(reply, "id"));
	EXPECT(call(&w, w.bob, "POST", "/me/tokens", body, NULL), 404);

	/* The next instance is none of its business. */
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	EXPECT(call(&w, w.alice, "POST", "/me/tokens", body, NULL), 409);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	EXPECT(call(&w, agent, "GET", "/challenges/web/instance", NULL, NULL), 404);
	EXPECT(call(&w, agent, "GET", "/challenges/web/attachments", NULL, NULL), 404);

	/* Nor is its team when its account has left that. */
	EXPECT(call(&w, w.alice, "DELETE", "/team/members/me", NULL, NULL), 204);
	EXPECT(call(&w, w.alice, "POST", "/teams", "{\"name\":\"Green\"}", NULL), 201);
	EXPECT(call(&w, agent, "POST", "/challenges/web/submissions", "{\"answer\":\"x\"}", NULL),
	       403);
}

/* Browsers */

static void log_in(struct world *w, char cookie[256], char csrf[128])
{
	char set[256];
	const struct reply *reply =
		call(w, NULL, "POST", "/sessions",
		     "{\"name\":\"alice\",\"password\":\"password\",\"cookie\":true}", NULL);

	EXPECT(reply, 201);
	CHECK(!json_object_get(reply->json, "token"));
	CHECK(reply_header(reply, "Set-Cookie", set, sizeof(set)));
	CHECK_HAS(set, "; HttpOnly; SameSite=Strict");
	*strchr(set, ';') = '\0';
	snprintf(cookie, 256, "Cookie: theme=dark; %.200s", set);
	snprintf(csrf, 128, "X-CSRF-Token: %s", text(reply, "csrf_token"));
}

TEST(a_cookie_alone_reads_and_changes_nothing)
{
	AUTO(struct world, end_platform) w;
	char cookie[256], csrf[128], both[512];

	begin_world(&w);
	log_in(&w, cookie, csrf);
	EXPECT(call(&w, NULL, "GET", "/team", NULL, cookie), 200);
	EXPECT(call(&w, NULL, "DELETE", "/team/members/me", NULL, cookie), 403);
	EXPECT(call(&w, NULL, "DELETE", "/team/members/me", NULL, csrf), 401);
	snprintf(both, sizeof(both), "%s\n%s", cookie, "X-CSRF-Token: wrong");
	EXPECT(call(&w, NULL, "DELETE", "/team/members/me", NULL, both), 403);
	snprintf(both, sizeof(both), "%s\n%s", cookie, csrf);
	EXPECT(call(&w, NULL, "DELETE", "/team/members/me", NULL, both), 204);
	EXPECT(call(&w, NULL, "DELETE", "/sessions", NULL, both), 204);
	EXPECT(call(&w, NULL, "GET", "/me", NULL, cookie), 401);
}

/* However long the hashes take: the limit is reached at some time, and then the right one waits
 * too, wherever it is asked for and however the name is written. */
TEST(a_guesser_has_to_wait_and_delays_nobody_else)
{
	static const char wrong[] = "{\"name\":\"alice\",\"password\":\"guess-it\"}";
	static const char right[] = "{\"name\":\"ALICE\",\"password\":\"password\"}";
	static const char guess[] = "{\"old_password\":\"guess-it\",\"password\":\"new-pass\"}";
	AUTO(struct world, end_platform) w;
	const struct reply *reply = NULL;
	char after[16];

	begin_world(&w);
	for (int i = 0; i < 100 && (!reply || reply->status != 429); i++) {
		call(&w, NULL, "POST", "/sessions", wrong, NULL);
		reply = call(&w, NULL, "POST", "/sessions", right, NULL);
	}
	EXPECT(reply, 429);
	CHECK(reply_header(reply, "Retry-After", after, sizeof(after)));
	/* Her own token is none of the stranger's. */
	EXPECT(call(&w, w.alice, "PUT", "/me/password", guess, NULL), 403);
	EXPECT(call(&w, NULL, "POST", "/sessions", "{\"name\":\"bob\",\"password\":\"password\"}",
		    NULL),
	       201);
	EXPECT(call(&w, w.bob, "PUT", "/me/password", guess, NULL), 403);
	reply = NULL;
	for (int i = 0; i < 100 && (!reply || reply->status != 429); i++)
		reply = call(&w, w.bob, "PUT", "/me/password", guess, NULL);
	EXPECT(reply, 429);
}

/* The cookie of that name that an answer sets, as a header to send; false: it sets none. */
static bool kept_cookie(const struct reply *reply, const char *name, char *header, size_t size)
{
	const char *at = strstr(reply->headers.data, name);

	if (at)
		snprintf(header, size, "Cookie: %.*s", (int)strcspn(at, ";\r\n"), at);
	return at != NULL;
}

TEST(a_browser_that_is_known_comes_in_whatever_strangers_guess)
{
	static const char wrong[] = "{\"name\":\"alice\",\"password\":\"guess-it\"}";
	static const char right[] =
		"{\"name\":\"alice\",\"password\":\"password\",\"cookie\":true}";
	static const char bobs[] = "{\"name\":\"bob\",\"password\":\"password\"}";
	AUTO(struct world, end_platform) w;
	const struct reply *reply = NULL;
	char known[256], bearer[128];

	begin_world(&w);
	CHECK(kept_cookie(call(&w, NULL, "POST", "/sessions", right, NULL), "ctfy_known", known,
			  sizeof(known)));
	for (int i = 0; i < 50 && (!reply || reply->status != 429); i++)
		reply = call(&w, NULL, "POST", "/sessions", wrong, NULL);
	EXPECT(reply, 429);
	EXPECT(call(&w, NULL, "POST", "/sessions", right, NULL), 429);
	EXPECT(call(&w, NULL, "POST", "/sessions", right, known), 201);
	snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", w.alice);
	EXPECT(call(&w, NULL, "POST", "/sessions", right, bearer), 201);
	/* It is known for alice alone, and only as long as her password stays. */
	snprintf(bearer, sizeof(bearer), "Authorization: Bearer %s", w.bob);
	EXPECT(call(&w, NULL, "POST", "/sessions", right, bearer), 429);
	EXPECT(call(&w, NULL, "POST", "/sessions", bobs, known), 201);
	EXPECT(call(&w, w.alice, "PUT", "/me/password",
		    "{\"old_password\":\"password\",\"password\":\"password\"}", NULL),
	       204);
	EXPECT(call(&w, NULL, "POST", "/sessions", right, known), 429);
}

/* Clients of their own thread; they come by a proxy, which says from where. */
struct client {
	struct world *w;
	const char *body, *from;
	atomic_bool *over; /* goes on until it is; NULL: once */
	int statuses[600];
	int64_t slowest_ms;
};

static void *ask_to_come_in(void *cookie)
{
	struct client *client = cookie;

	do {
		int64_t begun = clock_monotonic_ms(), took;

		client->statuses[call(client->w, NULL, "POST", "/sessions", client->body,
				      client->from)
					 ->status]++;
		took = clock_monotonic_ms() - begun;
		if (took > client->slowest_ms)
			client->slowest_ms = took;
	} while (client->over && !atomic_load(client->over));
	forget_reply();
	return NULL;
}

TEST(of_guesses_at_once_no_more_are_looked_at_than_one_by_one)
{
	enum { AT_ONCE = 40 };
	AUTO(struct world, end_platform) w;
	static struct client clients[AT_ONCE];
	pthread_t threads[AT_ONCE];
	int looked_at = 0;

	begin_world(&w);
	for (int i = 0; i < AT_ONCE; i++) {
		clients[i] =
			(struct client){ .w = &w,
					 .body = "{\"name\":\"alice\",\"password\":\"guess-it\"}" };
		CHECK_EQ(pthread_create(&threads[i], NULL, ask_to_come_in, &clients[i]), 0);
	}
	for (int i = 0; i < AT_ONCE; i++) {
		pthread_join(threads[i], NULL);
		looked_at += clients[i].statuses[401];
	}
	/* One more for each ten seconds that it may have taken. */
	CHECK(looked_at >= 10 && looked_at <= 12);
}

TEST(a_flood_from_one_address_delays_logins_from_another_and_refuses_none)
{
	enum { FLOOD = 80, LOGINS = 5 };
	static const char right[] = "{\"name\":\"bob\",\"password\":\"password\"}";
	AUTO(struct world, end_platform) w;
	static struct client clients[FLOOD];
	static char bodies[FLOOD][64], from[FLOOD][64];
	pthread_t threads[FLOOD];
	atomic_bool over = false;
	struct client other = { .body = right, .from = "X-Forwarded-For: 192.0.2.1" };
	int flood = 0;

	prepare_world(&w);
	w.options.behind_proxy = true;
	begin_platform(&w);
	make_people(&w);
	other.w = &w;
	for (int i = 0; i < FLOOD; i++) {
		snprintf(bodies[i], sizeof(bodies[i]),
			 "{\"name\":\"nobody-%d\",\"password\":\"guess-it\"}", i);
		snprintf(from[i], sizeof(from[i]), "X-Forwarded-For: 2001:db8::%x", i + 1);
		clients[i] = (struct client){
			.w = &w, .body = bodies[i], .from = from[i], .over = &over
		};
		CHECK_EQ(pthread_create(&threads[i], NULL, ask_to_come_in, &clients[i]), 0);
	}
	for (int i = 0; i < LOGINS; i++)
		ask_to_come_in(&other);
	atomic_store(&over, true);
	for (int i = 0; i < FLOOD; i++) {
		pthread_join(threads[i], NULL);
		flood += clients[i].statuses[401];
	}
	print_message("slowest of %d logins: %lld ms, beside %d of the flood\n", LOGINS,
		      (long long)other.slowest_ms, flood);
	CHECK_EQ(other.statuses[201], LOGINS);
}

/* Turns */

struct asker {
	struct turns *turns;
	const char *source;
	atomic_int *served;
	int place; /* 0: was sent away */
};

static void *ask_for_turn(void *cookie)
{
	struct asker *asker = cookie;
	struct err e = ERR_INIT;

	if (turn_take(asker->turns, asker->source, "a", false, &e) < 0)
		return NULL;
	asker->place = atomic_fetch_add(asker->served, 1) + 1;
	turn_end(asker->turns);
	return NULL;
}

static void begin_asker(struct asker *asker, pthread_t *thread, unsigned waiting)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	CHECK_EQ(pthread_create(thread, NULL, ask_for_turn, asker), 0);
	while (turns_waiting(asker->turns) < waiting)
		nanosleep(&pause, NULL);
}

TEST(who_comes_late_is_behind_one_of_a_crowd_and_who_crowds_gives_way)
{
	enum { LATE = TURNS_WAITING_MAX - 1 };
	static struct asker askers[TURNS_WAITING_MAX + 1];
	pthread_t threads[TURNS_WAITING_MAX + 1];
	atomic_int served = 0;
	struct turns *turns;
	struct err e = ERR_INIT;

	CHECK_EQ(turns_new(1, &turns, &e), 0);
	CHECK_EQ(turn_take(turns, "crowd", "a", false, &e), 0);
	for (unsigned i = 0; i <= LATE; i++) {
		askers[i] = (struct asker){ .turns = turns,
					    .source = i == LATE ? "other" : "crowd",
					    .served = &served };
		begin_asker(&askers[i], &threads[i], i + 1);
	}
	askers[LATE + 1] = (struct asker){ .turns = turns, .source = "crowd", .served = &served };
	begin_asker(&askers[LATE + 1], &threads[LATE + 1], TURNS_WAITING_MAX);
	pthread_join(threads[LATE + 1], NULL); /* while nobody else has got a turn */
	CHECK_EQ(askers[LATE + 1].place, 0);
	turn_end(turns);
	for (unsigned i = 0; i <= LATE; i++)
		pthread_join(threads[i], NULL);
	CHECK(askers[LATE].place >= 1 && askers[LATE].place <= 2);
	CHECK_EQ(atomic_load(&served), TURNS_WAITING_MAX);
	turns_free(turns);
}

/* Limits */

TEST(a_players_token_ends_no_organisers_session)
{
	AUTO(struct world, end_platform) w;
	char path[128], low[SECRET_TOKEN_SIZE], own[128];
	const struct reply *reply;
	size_t i;
	json_t *token;

	begin_world(&w);
	reply = call(&w, w.admin, "POST", "/me/tokens", "{\"name\":\"l\",\"scope\":\"player\"}",
		     NULL);
	snprintf(low, sizeof(low), "%s", text(reply, "token"));
	snprintf(own, sizeof(own), "/me/tokens/%s", text(reply, "id"));
	reply = call(&w, w.admin, "GET", "/me/tokens", NULL, NULL);
	json_array_foreach (json_object_get(reply->json, "tokens"), i, token)
		if (json_is_true(json_object_get(token, "current")))
			snprintf(path, sizeof(path), "/me/tokens/%s",
				 json_string_value(json_object_get(token, "id")));
	EXPECT(call(&w, low, "DELETE", path, NULL, NULL), 403);
	EXPECT(call(&w, w.admin, "GET", "/me", NULL, NULL), 200);
	EXPECT(call(&w, low, "DELETE", own, NULL, NULL), 204);
}

TEST(who_makes_one_team_after_the_other_has_to_wait_and_leaves_no_invite)
{
	AUTO(struct world, end_platform) w;
	char body[64], join[96];
	const struct reply *reply = NULL;

	begin_world(&w); /* alice has made one */
	snprintf(join, sizeof(join), "{\"invite\":\"%s\"}",
		 text(call(&w, w.alice, "GET", "/team", NULL, NULL), "invite"));
	for (int i = 0; i < 5; i++) {
		EXPECT(call(&w, w.alice, "DELETE", "/team/members/me", NULL, NULL), 204);
		snprintf(body, sizeof(body), "{\"name\":\"Team %d\"}", i);
		reply = call(&w, w.alice, "POST", "/teams", body, NULL);
		EXPECT(reply, i < 4 ? 201 : 429);
	}
	EXPECT(call(&w, w.alice, "POST", "/team/members", join, NULL), 404);
}

TEST(a_stranger_sends_little)
{
	AUTO(struct world, end_platform) w;
	AUTO(struct buf, buf_done) body = BUF_INIT;

	begin_world(&w);
	buf_puts(&body, "{\"name\":\"");
	while (body.len <= HTTP_OPEN_MAX)
		buf_puts(&body, "x");
	buf_puts(&body, "\",\"password\":\"password\"}");
	EXPECT(call(&w, NULL, "POST", "/sessions", body.data, NULL), 413);
	EXPECT(call(&w, NULL, "POST", "/users", body.data, NULL), 413);
}

TEST(an_account_has_so_many_tokens_and_no_more)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply = NULL;
	int made = 0;

	begin_world(&w);
	while (made <= 2 * TOKENS_MAX && (!reply || reply->status == 201)) {
		reply = call(&w, w.alice, "POST", "/me/tokens", "{\"name\":\"t\"}", NULL);
		made++;
	}
	EXPECT(reply, 409);
	CHECK_EQ(made, TOKENS_MAX); /* she has a session, too */
	reply = call(&w, NULL, "POST", "/sessions",
		     "{\"name\":\"alice\",\"password\":\"password\"}", NULL);
	EXPECT(reply, 201);
	EXPECT(call(&w, w.alice, "GET", "/me", NULL, NULL), 401);
}

/* However many keys somebody makes up, what comes is counted. */
TEST(a_limiter_that_is_full_still_limits)
{
	const struct rate rate = { .burst = 2, .period_ms = 1000000 };
	struct limiter *limiter;
	struct err e = ERR_INIT;
	char key[32];

	CHECK_EQ(limiter_new(&limiter, &e), 0);
	for (int i = 0; i < LIMIT_KEYS_MAX + 5000; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		limiter_count(limiter, key, &rate, i);
	}
	CHECK_EQ(limiter_take(limiter, "late", &rate, 200000), 0);
	CHECK_EQ(limiter_take(limiter, "late", &rate, 200000), 0);
	CHECK(limiter_take(limiter, "late", &rate, 200000) > 0);
	limiter_free(limiter);
}

TEST(a_limit_lets_a_burst_through_and_then_one_per_period)
{
	static const struct rate rate = { .burst = 3, .period_ms = 10 };
	struct limiter *limiter;
	struct err e = ERR_INIT;

	CHECK_EQ(limiter_new(&limiter, &e), 0);
	for (int i = 0; i < 3; i++)
		CHECK_EQ(limiter_take(limiter, "a", &rate, 100), 0);
	CHECK_EQ(limiter_take(limiter, "a", &rate, 100), 10);
	CHECK_EQ(limiter_take(limiter, "a", &rate, 104), 6);
	CHECK_EQ(limiter_take(limiter, "b", &rate, 104), 0);
	CHECK_EQ(limiter_take(limiter, "a", &rate, 110), 0);
	CHECK_EQ(limiter_wait(limiter, "a", &rate, 110), 10);
	CHECK_EQ(limiter_wait(limiter, "a", &rate, 1000), 0);
	for (int i = 0; i < 5000; i++) {
		char key[16];

		snprintf(key, sizeof(key), "%d", i);
		CHECK_EQ(limiter_take(limiter, key, &rate, 1000), 0);
	}
	limiter_free(limiter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(no_byte_of_a_player_or_an_organiser_breaks_the_audit_log),
		T(a_page_of_another_origin_does_nothing_with_a_cookie),
		T(a_token_may_no_more_than_its_scope_and_makes_none_that_may),
		T(an_agents_token_reads_and_answers_its_instance_and_nothing_else),
		T(a_cookie_alone_reads_and_changes_nothing),
		T(a_guesser_has_to_wait_and_delays_nobody_else),
		T(a_browser_that_is_known_comes_in_whatever_strangers_guess),
		T(of_guesses_at_once_no_more_are_looked_at_than_one_by_one),
		T(a_flood_from_one_address_delays_logins_from_another_and_refuses_none),
		T(who_comes_late_is_behind_one_of_a_crowd_and_who_crowds_gives_way),
		T(a_players_token_ends_no_organisers_session),
		T(who_makes_one_team_after_the_other_has_to_wait_and_leaves_no_invite),
		T(a_stranger_sends_little),
		T(an_account_has_so_many_tokens_and_no_more),
		T(a_limiter_that_is_full_still_limits),
		T(a_limit_lets_a_burst_through_and_then_one_per_period),
		T(what_organisers_change_is_written_down_with_how_it_ended),
		T(a_cursor_goes_on_where_the_page_ended),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
