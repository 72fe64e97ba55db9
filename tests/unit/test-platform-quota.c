/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "db/db.h"
#include "platform/competition.h"
#include "platform/rows.h"
#include "platform/schema.h"
#include "platform/submission.h"
#include "platform/team.h"
#include "platform/user.h"

#include "platform-world.h"

#include <stdio.h>
#include <string.h>

/* What counts for an account, whichever team it is in; and how teams end. */

static void leave(struct world *w, const char *token)
{
	EXPECT(call(w, token, "DELETE", "/team/members/me", NULL, NULL), 204);
}

static void found(struct world *w, const char *token, const char *name)
{
	char body[64];

	snprintf(body, sizeof(body), "{\"name\":\"%s\"}", name);
	EXPECT(call(w, token, "POST", "/teams", body, NULL), 201);
}

/* The joiner comes into the team of the other. */
static void join(struct world *w, const char *token, const char *of)
{
	char body[96];

	snprintf(body, sizeof(body), "{\"invite\":\"%s\"}",
		 text(call(w, of, "GET", "/team", NULL, NULL), "invite"));
	EXPECT(call(w, token, "POST", "/team/members", body, NULL), 200);
}

static const struct reply *start(struct world *w, const char *token, const char *challenge)
{
	char path[64];

	snprintf(path, sizeof(path), "/challenges/%s/instance", challenge);
	return call(w, token, "POST", path, NULL, WAIT);
}

/* What the last answer says is wrong. */
static const char *last_detail(const struct reply *reply)
{
	return json_string_value(json_object_get(reply->json, "detail"));
}

static bool is_listed(struct world *w, const char *path, const char *list, const char *member,
		      const char *name)
{
	const struct reply *reply = call(w, w->admin, "GET", path, NULL, NULL);
	json_t *row;
	size_t i;

	EXPECT(reply, 200);
	json_array_foreach (json_object_get(reply->json, list), i, row)
		if (strcmp(json_string_value(json_object_get(row, member)), name) == 0)
			return true;
	return false;
}

static bool is_team(struct world *w, const char *name)
{
	bool listed = is_listed(w, "/admin/teams", "teams", "name", name);

	CHECK_EQ(is_listed(w, "/scoreboard", "teams", "team", name), listed);
	return listed;
}

static void wait_for_none(struct fake_node *node)
{
	while (count_live(node) > 0)
		wait_for_more(node, &node->beats, 1);
}

TEST(an_account_has_its_instances_whichever_team_it_is_in)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char carol[SECRET_TOKEN_SIZE];

	begin_node(&node);
	begin_world(&w);
	apply(&w, "id: ctf\nmax_instances: 2\n");
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	make_player(&w, "carol", NULL, carol);
	join(&w, carol, w.alice);
	EXPECT(start(&w, w.alice, "web"), 201);
	EXPECT(start(&w, w.alice, "pwn"), 201);
	leave(&w, w.alice);
	found(&w, w.alice, "Green");
	reply = start(&w, w.alice, "web");
	EXPECT(reply, 429);
	CHECK_HAS(last_detail(reply), "(max_instances: 2)");
	EXPECT(call(&w, carol, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	EXPECT(start(&w, w.alice, "web"), 201);
}

TEST(an_account_has_its_attempts_whichever_team_it_is_in)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	apply(&w, "id: ctf\nchallenges: [{id: quiz, attempts: 2}]\n");
	EXPECT(answer(&w, w.alice, "quiz", "Rome"), 201);
	EXPECT(answer(&w, w.alice, "quiz", "Oslo"), 201);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 403);
	leave(&w, w.alice);
	found(&w, w.alice, "Green");
	reply = answer(&w, w.alice, "quiz", "Paris");
	EXPECT(reply, 403);
	CHECK_HAS(last_detail(reply), "all your 2 attempts");
	leave(&w, w.alice);
	join(&w, w.alice, w.bob);
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
}

TEST(an_account_has_its_rate_whichever_team_it_is_in)
{
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	apply(&w, "id: ctf\nanswer_rate: 2/1h\n");
	EXPECT(answer(&w, w.alice, "quiz", "Rome"), 201);
	EXPECT(answer(&w, w.alice, "quiz", "Oslo"), 201);
	leave(&w, w.alice);
	found(&w, w.alice, "Green");
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 429);
	leave(&w, w.alice);
	join(&w, w.alice, w.bob);
	EXPECT(answer(&w, w.bob, "quiz", "Rome"), 201);
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
}

TEST(points_of_a_team_that_was_left_buy_nothing_for_the_next)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	write_file("steep/challenge.yml",
		   "name: Steep\nflags: [s]\nvalue: 100\n"
		   "hints: [{content: a, cost: 80}, {content: b, cost: 80}]\n");
	begin_world(&w);
	apply(&w, "id: ctf\nchallenges: [steep]\n");
	EXPECT(answer(&w, w.alice, "steep", "s"), 201);
	EXPECT(call(&w, w.alice, "POST", "/challenges/steep/hints/0", NULL, NULL), 200);
	leave(&w, w.alice);
	found(&w, w.alice, "Green");
	EXPECT(answer(&w, w.alice, "steep", "s"), 201);
	reply = call(&w, w.alice, "POST", "/challenges/steep/hints/1", NULL, NULL);
	EXPECT(reply, 409);
	CHECK_HAS(last_detail(reply), "you have 20 to spend");
}

TEST(an_emptied_team_goes_with_its_instances_and_invite)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char body[96];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	snprintf(body, sizeof(body), "{\"invite\":\"%s\"}",
		 text(call(&w, w.alice, "GET", "/team", NULL, NULL), "invite"));
	EXPECT(start(&w, w.alice, "web"), 201);
	EXPECT(answer(&w, w.alice, "quiz", "Rome"), 201);
	leave(&w, w.alice);
	wait_for_none(&node);
	CHECK(!is_team(&w, "Red"));
	EXPECT(call(&w, w.alice, "POST", "/team/members", body, NULL), 404);

	/* What it did is on record, and its name is free. */
	CHECK(is_listed(&w, "/admin/submissions", "submissions", "team", "Red"));
	CHECK(is_listed(&w, "/admin/instances?all=true", "instances", "team", "Red"));
	found(&w, w.alice, "red");
	CHECK(is_team(&w, "red"));
	EXPECT(start(&w, w.alice, "web"), 201);
}

TEST(an_emptied_team_that_solved_something_stays_and_runs_nothing)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	char body[96];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	snprintf(body, sizeof(body), "{\"invite\":\"%s\"}",
		 text(call(&w, w.alice, "GET", "/team", NULL, NULL), "invite"));
	EXPECT(start(&w, w.alice, "web"), 201);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	leave(&w, w.alice);
	wait_for_none(&node);
	CHECK(is_team(&w, "Red"));
	EXPECT(call(&w, w.alice, "POST", "/team/members", body, NULL), 404);
	EXPECT(call(&w, w.alice, "POST", "/teams", "{\"name\":\"Red\"}", NULL), 409);
}

/* A start that is under way when its team ends is called off. */
TEST(what_an_emptied_team_was_starting_is_stopped)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	tell(&node, &node.hold_starts, true);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 202);
	wait_for_count(&node, &node.starts, 1);
	leave(&w, w.alice);
	tell(&node, &node.hold_starts, false);
	wait_for_count(&node, &node.stops, 1);
	wait_for_none(&node);
	while (is_listed(&w, "/admin/instances", "instances", "challenge_id", "web"))
		wait_for_more(&node, &node.beats, 1);
}

static void set_stopping(struct world *w)
{
	AUTO(struct db *, db_closep) db = NULL;
	char path[200];
	struct err e = ERR_INIT;

	snprintf(path, sizeof(path), "%s/platform.db", w->state);
	CHECK_EQ(schema_open(path, &db, &e), 0);
	CHECK_EQ(db_run(db,
			"UPDATE instance SET status = 'stopping', ends_as = 'stopped'"
			" WHERE node_id = ''",
			NULL, &e),
		 0);
}

/* As a platform leaves it that is killed when the stop is written down. */
TEST(what_waited_for_a_node_and_was_to_stop_ends_after_a_restart)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;

	begin_node(&node);
	node.capacity = 1;
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(start(&w, w.bob, "web"), 201);
	EXPECT(call(&w, w.alice, "POST", "/challenges/pwn/instance", NULL, NULL), 202);
	end_platform(&w);
	w.document = NULL;
	set_stopping(&w);
	begin_platform(&w);
	while (is_listed(&w, "/admin/instances", "instances", "challenge_id", "pwn"))
		wait_for_more(&node, &node.beats, 1);
}

TEST(starts_come_at_a_rate)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	int started = 0;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(start(&w, w.alice, "web"), 201);
	for (int i = 0; i < 150; i++)
		EXPECT(start(&w, w.alice, "web"), 200); /* there already */
	while (started < 150 && start(&w, w.alice, "web")->status < 300) {
		EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
		started++;
	}
	CHECK(started >= 100 && started < 120);
	EXPECT(start(&w, w.bob, "web"), 201);
}

/* Guesses */

static int audited(struct world *w, const char *action)
{
	const struct reply *reply = call(w, w->admin, "GET", "/admin/audit?limit=1000", NULL, NULL);
	int found = 0;
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(reply->json, "entries"), i, row)
		found += strcmp(json_string_value(json_object_get(row, "action")), action) == 0;
	return found;
}

TEST(an_organisers_code_and_a_teams_invite_are_guessed_so_often_and_no_more)
{
	AUTO(struct world, end_platform) w;
	char carol[SECRET_TOKEN_SIZE];
	int guesses = 0;

	begin_world(&w);
	make_player(&w, "carol", NULL, carol);
	apply(&w, "id: ctf\nregistration: invite\ninvite: sesame\n");
	EXPECT(call(&w, carol, "POST", "/teams", "{\"name\":\"Green\"}", NULL), 403);
	while (guesses < 100 &&
	       call(&w, carol, "POST", "/teams", "{\"name\":\"Green\",\"code\":\"barley\"}", NULL)
			       ->status == 403)
		guesses++;
	CHECK_EQ(guesses, 10);
	EXPECT(call(&w, carol, "POST", "/teams", "{\"name\":\"Green\",\"code\":\"sesame\"}", NULL),
	       429);

	/* An invite is another secret, and somebody else another guesser. */
	for (guesses = 0; guesses < 100; guesses++)
		if (call(&w, carol, "POST", "/team/members", "{\"invite\":\"x\"}", NULL)->status !=
		    404)
			break;
	CHECK_EQ(guesses, 10);
	leave(&w, w.bob);
	join(&w, w.bob, w.alice);
}

TEST(who_guesses_join_secrets_fills_no_audit_log)
{
	AUTO(struct world, end_platform) w;
	static const char body[] = "{\"join_secret\":\"x\",\"name\":\"n\",\"url\":\"http://n\"}";
	int guesses = 0;

	begin_world(&w);
	while (guesses < 1000 &&
	       call(&w, NULL, "POST", "/nodes/register", body, NULL)->status == 403)
		guesses++;
	CHECK(guesses >= 200 && guesses < 300);
	EXPECT(call(&w, NULL, "POST", "/nodes/register", body, NULL), 429);
	CHECK_EQ(audited(&w, "node registration"), guesses);
}

/* Many at once */

static const struct reply *bulk(struct world *w, const char *what, const char *act,
				const char *filter, int expected)
{
	char path[64], body[256], last[32] = "";

	snprintf(path, sizeof(path), "/admin/%s/bulk", what);
	if (expected >= 0)
		snprintf(last, sizeof(last), ",\"expected\":%d", expected);
	snprintf(body, sizeof(body), "{\"act\":\"%s\",\"filter\":%s%s}", act, filter, last);
	return call(w, w->admin, "POST", path, body, NULL);
}

static const char *outcome_of(const struct reply *reply, const char *list, const char *name)
{
	json_t *row;
	size_t i;

	json_array_foreach (json_object_get(reply->json, list), i, row)
		if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
			return json_string_value(json_object_get(row, "outcome"));
	return "";
}

static int64_t number(const struct reply *reply, const char *name)
{
	return json_integer_value(json_object_get(reply->json, name));
}

TEST(many_accounts_are_disabled_or_deleted_at_once_as_the_preview_said)
{
	AUTO(struct world, end_platform) w;
	char tokens[3][SECRET_TOKEN_SIZE], name[16];
	const struct reply *reply;

	begin_world(&w);
	for (int i = 0; i < 3; i++) {
		snprintf(name, sizeof(name), "Spam_%d", i);
		make_player(&w, name, i ? name : NULL, tokens[i]);
	}
	EXPECT(answer(&w, tokens[2], "quiz", "Rome"), 201);

	EXPECT(bulk(&w, "users", "disable", "{}", -1), 422);
	EXPECT(bulk(&w, "users", "maim", "{\"name\":\"*\"}", -1), 422);
	EXPECT(call(&w, w.alice, "POST", "/admin/users/bulk",
		    "{\"act\":\"disable\",\"filter\":{\"name\":\"*\"}}", NULL),
	       403);

	/* '_' is no wildcard; who isn't a player is never met. */
	CHECK_EQ(number(bulk(&w, "users", "delete", "{\"name\":\"*\"}", -1), "count"), 5);
	reply = bulk(&w, "users", "delete", "{\"name\":\"SPAM_*\"}", -1);
	EXPECT(reply, 200);
	CHECK_EQ(number(reply, "count"), 3);
	CHECK(json_is_false(json_object_get(reply->json, "done")));
	CHECK_STR(outcome_of(reply, "users", "Spam_1"), "deleted");
	CHECK_STR(outcome_of(reply, "users", "Spam_2"), "disabled");
	EXPECT(call(&w, tokens[1], "GET", "/team", NULL, NULL), 200);
	CHECK_EQ(audited(&w, "delete account, as one of 3"), 0);

	EXPECT(bulk(&w, "users", "delete", "{\"name\":\"spam_*\"}", 2), 409);
	reply = bulk(&w, "users", "delete", "{\"name\":\"spam_*\"}", 3);
	EXPECT(reply, 200);
	CHECK(json_is_true(json_object_get(reply->json, "done")));
	CHECK_STR(outcome_of(reply, "users", "Spam_0"), "deleted");
	CHECK_STR(outcome_of(reply, "users", "Spam_2"), "disabled");
	CHECK_EQ(audited(&w, "delete account, as one of 3"), 3);
	for (int i = 0; i < 3; i++)
		EXPECT(call(&w, tokens[i], "GET", "/me", NULL, NULL), 401);
	CHECK(!is_team(&w, "Spam_1"));
	CHECK(!is_team(&w, "Spam_2"));
	CHECK(!is_listed(&w, "/admin/users", "users", "name", "Spam_1"));
	CHECK(is_listed(&w, "/admin/submissions", "submissions", "team", "Spam_2"));

	/* And back. */
	reply = bulk(&w, "users", "enable", "{\"name\":\"*\"}", 1);
	EXPECT(reply, 200);
	CHECK_STR(outcome_of(reply, "users", "Spam_2"), "enabled");
	EXPECT(call(&w, tokens[2], "GET", "/me", NULL, NULL), 200);
}

TEST(many_teams_are_hidden_stopped_or_removed_at_once)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char filter[64];

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	EXPECT(start(&w, w.alice, "web"), 201);
	EXPECT(start(&w, w.bob, "web"), 201);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);

	reply = bulk(&w, "teams", "hide", "{\"unsolved\":true}", 1);
	EXPECT(reply, 200);
	CHECK_STR(outcome_of(reply, "teams", "Blue"), "hidden");
	CHECK(!is_listed(&w, "/scoreboard", "teams", "team", "Blue"));
	EXPECT(bulk(&w, "teams", "show", "{\"name\":\"b*\"}", 1), 200);
	CHECK(is_team(&w, "Blue"));

	reply = bulk(&w, "teams", "stop", "{\"name\":\"Blue\"}", 1);
	EXPECT(reply, 200);
	CHECK_EQ(json_integer_value(
			 json_object_get(json_array_get(json_object_get(reply->json, "teams"), 0),
					 "instances")),
		 1);
	while (count_live(&node) > 1)
		wait_for_more(&node, &node.beats, 1);

	snprintf(filter, sizeof(filter), "{\"ids\":[\"%s\"]}",
		 text(call(&w, w.alice, "GET", "/team", NULL, NULL), "id"));
	EXPECT(bulk(&w, "teams", "delete", filter, -1), 200);
	CHECK(is_team(&w, "Red"));
	EXPECT(bulk(&w, "teams", "delete", filter, 1), 200);
	wait_for_none(&node);
	CHECK(!is_team(&w, "Red"));
	EXPECT(call(&w, w.alice, "GET", "/team", NULL, NULL), 409);
	CHECK(is_listed(&w, "/admin/submissions", "submissions", "team", "Red"));
	CHECK_EQ(audited(&w, "delete team, as one of 1"), 1);
	EXPECT(bulk(&w, "teams", "delete", "{\"alone\":true}", 0), 200);
}

/* In the store */

struct store {
	struct arena *arena;
	struct db *db;
	struct competition competition;
	struct user alice;
};

static void end_store(struct store *s)
{
	db_close(s->db);
	arena_free(s->arena);
}

static void begin_store(struct store *s, const char *name)
{
	static const char file[] = "id: ctf\n";
	struct err e = ERR_INIT;
	char path[160];
	bool created;

	*s = (struct store){ .arena = arena_new() };
	store_path(name, path, sizeof(path));
	CHECK_EQ(schema_open(path, &s->db, &e), 0);
	CHECK_EQ(competition_parse(s->arena, "ctf", file, strlen(file), &s->competition, &e), 0);
	CHECK_EQ(competition_apply(s->db, &s->competition, &created, &e), 0);
	CHECK_EQ(user_create(s->db, s->arena, 1, "alice", "password", ROLE_PLAYER, &s->alice, &e),
		 0);
}

static int64_t count(struct store *s, const char *sql)
{
	struct err e = ERR_INIT;
	int64_t rows = -1;

	CHECK_EQ(rows_count(s->db, sql, NULL, &rows, &e), 0);
	return rows;
}

static int found_in(struct store *s, char *name, struct team *ret_team, struct err *e)
{
	const struct team_wish wish = { .name = name };

	return team_create(s->db, s->arena, 1, &s->competition, s->alice.id, &wish, ret_team, e);
}

static void leave_in(struct store *s)
{
	struct err e = ERR_INIT;
	bool emptied = false;
	char *id;

	CHECK_EQ(team_leave(s->db, s->arena, 2, "ctf", s->alice.id, &id, &emptied, &e), 0);
	CHECK(emptied);
}

TEST(an_account_makes_so_many_teams_and_those_that_left_nothing_are_forgotten)
{
	AUTO(struct store, end_store) s;
	struct team team;
	struct err e = ERR_INIT;

	begin_store(&s, "founding");
	for (int i = 0; i < TEAMS_FOUNDED_MAX; i++) {
		CHECK_EQ(found_in(&s, (char[]){ 'A' + (char)i, '\0' }, &team, &e), 0);
		leave_in(&s);
	}
	CHECK_EQ(count(&s, "SELECT COUNT(*) FROM team"), 0);
	CHECK_EQ(found_in(&s, (char[]){ "One more" }, &team, &e), -ERR_CONFLICT);
	CHECK_HAS(e.msg, "you have made 20 teams");
}

/* What was let in while the asker was a member is asked again when it is kept. */
TEST(who_has_left_a_team_hands_in_nothing_for_it)
{
	AUTO(struct store, end_store) s;
	static const struct question questions[] = {
		{ .id = "city", .kind = ANSWER_STATIC, .answer = "Paris" },
	};
	static const struct challenge quiz = { .id = "quiz",
					       .questions = (struct question *)(uintptr_t)questions,
					       .question_count = 1 };
	struct attempt attempt = { .competition_id = "ctf", .challenge = &quiz, .answer = "Paris" };
	struct submission made;
	struct team team;
	struct err e = ERR_INIT;

	begin_store(&s, "leaver");
	CHECK_EQ(found_in(&s, (char[]){ "Red" }, &team, &e), 0);
	leave_in(&s);
	attempt.team_id = team.id;
	attempt.user_id = s.alice.id;
	CHECK_EQ(submission_make(s.db, s.arena, 3, &attempt, &made, &e), -ERR_CONFLICT);
	CHECK_HAS(e.msg, "no longer in that team");
	CHECK_EQ(count(&s, "SELECT COUNT(*) FROM submission"), 0);
}

static void fill(struct store *s, const char *sql)
{
	struct err e = ERR_INIT;

	CHECK_EQ(db_run(s->db, sql, NULL, &e), 0);
}

#define UP_TO(n) "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " #n ")"

TEST(so_many_make_an_account_for_themselves)
{
	AUTO(struct store, end_store) s;
	struct user user;
	struct err e = ERR_INIT;

	begin_store(&s, "strangers");
	fill(&s,
	     UP_TO(99999) " INSERT INTO account (id, name, name_key, password, role, created_at)"
			  " SELECT i, i, i, '', 'player', 0 FROM n");
	CHECK_EQ(user_register(s.db, s.arena, 1, "bob", "password", &user, &e), -ERR_CONFLICT);
	CHECK_HAS(e.msg, "ask an organiser");
	CHECK_EQ(user_create(s.db, s.arena, 1, "bob", "password", ROLE_PLAYER, &user, &e), 0);
}

struct maker {
	struct store *store;
	bool made;
};

static void *make_tokens(void *cookie)
{
	struct maker *maker = cookie;
	const struct token_wish wish = { .user_id = maker->store->alice.id,
					 .name = "t",
					 .scope = "player" };
	struct arena *arena = arena_new();
	char text[SECRET_TOKEN_SIZE];
	struct token token;
	struct err e = ERR_INIT;

	maker->made = token_create(maker->store->db, arena, 1, &wish, &token, text, &e) == 0;
	arena_free(arena);
	return NULL;
}

enum { MAKERS = 16 };

TEST(however_many_make_tokens_at_once_an_account_has_its_limit)
{
	AUTO(struct store, end_store) s;
	struct maker makers[MAKERS];
	pthread_t threads[MAKERS];
	int made = 0;
	struct err e = ERR_INIT;

	begin_store(&s, "tokens");
	CHECK_EQ(db_run(s.db,
			UP_TO(195) " INSERT INTO token (hash, id, account_id, name, created_at,"
				   " expires_at) SELECT i, i, ?, 't', 0, 0 FROM n",
			DB_ARGS(db_text(s.alice.id)), &e),
		 0);
	for (int i = 0; i < MAKERS; i++) {
		makers[i] = (struct maker){ .store = &s };
		CHECK_EQ(pthread_create(&threads[i], NULL, make_tokens, &makers[i]), 0);
	}
	for (int i = 0; i < MAKERS; i++) {
		pthread_join(threads[i], NULL);
		made += makers[i].made;
	}
	CHECK_EQ(made, TOKENS_MAX - 195);
	CHECK_EQ(count(&s, "SELECT COUNT(*) FROM token"), TOKENS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_account_has_its_instances_whichever_team_it_is_in),
		T(an_account_has_its_attempts_whichever_team_it_is_in),
		T(an_account_has_its_rate_whichever_team_it_is_in),
		T(points_of_a_team_that_was_left_buy_nothing_for_the_next),
		T(an_emptied_team_goes_with_its_instances_and_invite),
		T(an_emptied_team_that_solved_something_stays_and_runs_nothing),
		T(what_an_emptied_team_was_starting_is_stopped),
		T(what_waited_for_a_node_and_was_to_stop_ends_after_a_restart),
		T(an_organisers_code_and_a_teams_invite_are_guessed_so_often_and_no_more),
		T(who_guesses_join_secrets_fills_no_audit_log),
		T(starts_come_at_a_rate),
		T(many_accounts_are_disabled_or_deleted_at_once_as_the_preview_said),
		T(many_teams_are_hidden_stopped_or_removed_at_once),
		T(an_account_makes_so_many_teams_and_those_that_left_nothing_are_forgotten),
		T(so_many_make_an_account_for_themselves),
		T(however_many_make_tokens_at_once_an_account_has_its_limit),
		T(who_has_left_a_team_hands_in_nothing_for_it),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
