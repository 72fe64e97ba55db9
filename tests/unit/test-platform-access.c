#include "base/err.h"
#include "base/own.h"
#include "platform/limit.h"

#include "platform-world.h"

#include <stdio.h>
#include <string.h>

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
	EXPECT(call(&w, w.admin, "DELETE", "/admin/nodes/%ff%c3", NULL, NULL), 400);
	EXPECT(call(&w, w.admin, "GET", "/admin/instances/x/containers/%ff/shell", NULL, NULL),
	       400);
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
	EXPECT(call(&w, w.alice, "PUT", "/me/password", guess, NULL), 429);
	EXPECT(call(&w, NULL, "POST", "/sessions", "{\"name\":\"bob\",\"password\":\"password\"}",
		    NULL),
	       201);
	EXPECT(call(&w, w.bob, "PUT", "/me/password", guess, NULL), 403);
	reply = NULL;
	for (int i = 0; i < 100 && (!reply || reply->status != 429); i++)
		reply = call(&w, w.bob, "PUT", "/me/password", guess, NULL);
	EXPECT(reply, 429);
}

/* Limits */

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
		T(a_limit_lets_a_burst_through_and_then_one_per_period),
		T(what_organisers_change_is_written_down_with_how_it_ended),
		T(a_cursor_goes_on_where_the_page_ended),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
