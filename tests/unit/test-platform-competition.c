/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/own.h"

#include "platform-world.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A competition's rules, as players meet them. */

static int64_t integer(const json_t *json, const char *name)
{
	return json_integer_value(json_object_get(json, name));
}

static const json_t *line_of(const struct reply *reply, const char *team)
{
	json_t *line;
	size_t i;

	json_array_foreach (json_object_get(reply->json, "teams"), i, line)
		if (strcmp(json_string_value(json_object_get(line, "team")), team) == 0)
			return line;
	fail_msg("no team '%s' in %s", team, reply->body.data);
	return NULL;
}

static int64_t score_of(struct world *w, const char *team)
{
	return integer(line_of(call(w, NULL, "GET", "/scoreboard", NULL, NULL), team), "score");
}

/* An instant so many seconds from now, as files have it. */
static const char *in_seconds(int64_t seconds, char text[CLOCK_TEXT_SIZE])
{
	return clock_format(clock_now_ms(&clock_real) + 1000 * seconds, text);
}

#define APPLY(w, ...)                                        \
	do {                                                 \
		char file_[1024];                            \
		snprintf(file_, sizeof(file_), __VA_ARGS__); \
		apply(w, file_);                             \
	} while (0)

/* Files */

TEST(applying_tells_what_changes_and_the_same_again_changes_nothing)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	const json_t *change;

	begin_world(&w);
	reply = call(&w, w.admin, "POST", "/admin/competitions?dry_run=true",
		     "id: ctf\nname: Finals\n", NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "changes")), 1);
	change = json_array_get(json_object_get(reply->json, "changes"), 0);
	CHECK_STR(json_string_value(json_object_get(change, "key")), "name");
	CHECK_STR(json_string_value(json_object_get(change, "from")), "CTF");
	CHECK_STR(json_string_value(json_object_get(change, "to")), "Finals");
	reply = call(&w, NULL, "GET", "/competitions", NULL, NULL);
	CHECK(!strstr(reply->body.data, "Finals"));

	apply(&w, "id: ctf\nname: Finals\n");
	reply = call(&w, w.admin, "POST", "/admin/competitions", "id: ctf\nname: Finals\n", NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "changes")), 0);
	EXPECT(call(&w, w.admin, "POST", "/admin/competitions?dry_run=true", "id: second\n", NULL),
	       200);
	EXPECT(call(&w, w.admin, "GET", "/admin/competitions/second", NULL, NULL), 404);
	EXPECT(call(&w, w.admin, "POST", "/admin/competitions", "id: second\n", NULL), 201);
}

TEST(a_challenge_that_is_not_there_is_named)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	reply = call(&w, w.admin, "POST", "/admin/competitions?dry_run=true",
		     "id: ctf\nchallenges: [web, wbe]\n", NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "warnings")), 1);
	CHECK_HAS(json_string_value(json_array_get(json_object_get(reply->json, "warnings"), 0)),
		  "there is no challenge 'wbe' here");
	reply = call(&w, w.admin, "POST", "/admin/competitions", "id: ctf\nchallenges: [web]\n",
		     NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "warnings")), 0);
}

TEST(a_restart_keeps_every_rule)
{
	static const char file[] =
		"id: ctf\ndivisions: [{id: a, name: Students}]\nfirst_blood: "
		"5%\nmax_instances_total: 99\n"
		"challenges:\n  - {id: quiz, value: 70, attempts: 3, max_instances: 4}\n  - web\n";
	AUTO(struct world, end_platform) w;
	AUTO(json_t *, json_decrefp) before = NULL;

	begin_world(&w);
	apply(&w, file);
	before = json_incref(call(&w, w.admin, "GET", "/admin/competitions/ctf", NULL, NULL)->json);
	end_platform(&w);
	begin_platform(&w);
	CHECK(json_equal(before,
			 call(&w, w.admin, "GET", "/admin/competitions/ctf", NULL, NULL)->json));
	CHECK_STR(json_string_value(json_object_get(before, "file")), file);
}

TEST(a_challenge_that_is_scarce_here_is_given_to_so_many)
{
	AUTO(struct fake_node, end_node) node;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_node(&node);
	begin_world(&w);
	add_node(&w, "n1", &node);
	wait_for_state(&w, "healthy");
	apply(&w, "id: ctf\nchallenges: [{id: web, max_instances: 1}, pwn]\n");
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 201);
	reply = call(&w, w.bob, "POST", "/challenges/web/instance", NULL, WAIT);
	EXPECT(reply, 429);
	CHECK(strstr(text(reply, "detail"), "'web'") &&
	      strstr(text(reply, "detail"), "max_instances: 1"));
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, WAIT), 200);

	apply(&w, "id: ctf\nmax_instances_total: 1\n");
	reply = call(&w, w.bob, "POST", "/challenges/pwn/instance", NULL, WAIT);
	EXPECT(reply, 429);
	CHECK(strstr(text(reply, "detail"), "max_instances_total: 1"));
	EXPECT(call(&w, w.alice, "DELETE", "/challenges/web/instance", NULL, WAIT), 200);
	EXPECT(call(&w, w.bob, "POST", "/challenges/pwn/instance", NULL, WAIT), 201);
}

TEST(two_competitions_at_once_know_nothing_of_each_other)
{
	AUTO(struct world, end_platform) w;
	char line[128];

	begin_world(&w);
	apply(&w, "id: other\nchallenges: [quiz]\n");
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/submissions?competition=other",
		    "{\"answer\":\"Paris\"}", NULL),
	       409);
	EXPECT(call(&w, w.alice, "POST", "/teams?competition=other", "{\"name\":\"Red\"}", NULL),
	       201);
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/submissions?competition=other",
		    "{\"answer\":\"Paris\"}", NULL),
	       201);
	EXPECT(call(&w, w.alice, "GET", "/challenges/web?competition=other", NULL, NULL), 404);
	snprintf(line, sizeof(line), "\"score\":50");
	CHECK_HAS(call(&w, NULL, "GET", "/scoreboard?competition=other", NULL, NULL)->body.data,
		  line);
	CHECK(!strstr(call(&w, NULL, "GET", "/scoreboard?competition=ctf", NULL, NULL)->body.data,
		      line));
}

/* Entering */

TEST(teams_enter_by_invite_or_by_list_and_into_a_division)
{
	AUTO(struct world, end_platform) w;
	char carol[SECRET_TOKEN_SIZE];
	const struct reply *reply;

	begin_world(&w);
	make_player(&w, "carol", NULL, carol);
	apply(&w, "id: ctf\nregistration: invite\ninvite: sesame\ndivisions: [open, students]\n");
	EXPECT(call(&w, carol, "POST", "/teams", "{\"name\":\"C\",\"division\":\"open\"}", NULL),
	       403);
	EXPECT(call(&w, carol, "POST", "/teams", "{\"name\":\"C\",\"code\":\"sesame\"}", NULL),
	       422);
	EXPECT(call(&w, carol, "POST", "/teams",
		    "{\"name\":\"C\",\"code\":\"sesame\",\"division\":\"pros\"}", NULL),
	       422);
	reply = call(&w, carol, "POST", "/teams",
		     "{\"name\":\"C\",\"code\":\"sesame\",\"division\":\"students\"}", NULL);
	EXPECT(reply, 201);
	CHECK_STR(text(reply, "division"), "students");
	CHECK(!strstr(call(&w, NULL, "GET", "/competitions", NULL, NULL)->body.data, "sesame"));
	reply = call(&w, NULL, "GET", "/scoreboard", NULL, NULL);
	CHECK_EQ(integer(line_of(reply, "C"), "division_rank"), 1);

	EXPECT(call(&w, carol, "DELETE", "/team/members/me", NULL, NULL), 204);
	apply(&w, "id: ctf\nregistration: list\ndivisions: [open, students]\n"
		  "teams: [{name: Delta, division: open, code: d}]\n");
	EXPECT(call(&w, carol, "POST", "/teams", "{\"name\":\"Echo\"}", NULL), 403);
	EXPECT(call(&w, carol, "POST", "/teams", "{\"name\":\"Delta\",\"code\":\"x\"}", NULL), 403);
	reply = call(&w, carol, "POST", "/teams", "{\"name\":\"delta\",\"code\":\"d\"}", NULL);
	EXPECT(reply, 201);
	CHECK_STR(text(reply, "division"), "open");
}

/* Challenges */

TEST(a_challenge_opens_and_closes_and_keeps_its_points)
{
	AUTO(struct world, end_platform) w;
	char then[CLOCK_TEXT_SIZE], past[CLOCK_TEXT_SIZE];
	const struct reply *reply;

	begin_world(&w);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	APPLY(&w, "id: ctf\nchallenges: [{id: quiz, closes: %s}, {id: web, opens: %s}]\n",
	      in_seconds(-1, past), in_seconds(3600, then));
	EXPECT(call(&w, w.alice, "GET", "/challenges/web", NULL, NULL), 404);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 404);
	EXPECT(call(&w, w.admin, "GET", "/challenges/web", NULL, NULL), 200);
	reply = call(&w, w.alice, "GET", "/challenges", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "challenges")), 1);
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 403);
	CHECK_EQ(score_of(&w, "Red"), 50);
}

TEST(what_has_to_be_solved_before_is_named)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	begin_world(&w);
	apply(&w, "id: ctf\nchallenges: [quiz, {id: web, requires: [quiz]}]\n");
	reply = call(&w, w.alice, "GET", "/challenges/web", NULL, NULL);
	EXPECT(reply, 403);
	CHECK_STR(text(reply, "detail"), "'Web' opens when your team has solved 'Quiz'");
	EXPECT(answer(&w, w.alice, "web", "x"), 403);
	EXPECT(call(&w, w.alice, "POST", "/challenges/web/instance", NULL, NULL), 403);
	CHECK_HAS(call(&w, w.alice, "GET", "/challenges", NULL, NULL)->body.data,
		  "\"needs\":{\"id\":\"quiz\"");
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	EXPECT(call(&w, w.alice, "GET", "/challenges/web", NULL, NULL), 200);
	EXPECT(answer(&w, w.alice, "web", "x"), 201);
	EXPECT(call(&w, w.bob, "GET", "/challenges/web", NULL, NULL), 403);
}

TEST(a_competition_has_its_own_values)
{
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	apply(&w, "id: ctf\nfirst_blood: 10%\nchallenges:\n"
		  "  - {id: quiz, value: 200, minimum: 50, decay: 10, function: linear}\n");
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	CHECK_EQ(score_of(&w, "Red"), 220);
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
	CHECK_EQ(score_of(&w, "Blue"), 190);
	CHECK_EQ(score_of(&w, "Red"), 209);
}

TEST(a_hint_is_told_to_those_who_pay_and_can)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	const json_t *line;

	begin_world(&w);
	reply = call(&w, w.alice, "GET", "/challenges/quiz", NULL, NULL);
	CHECK(!strstr(reply->body.data, "tower"));
	CHECK_HAS(reply->body.data, "Europe");
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/hints/0", NULL, NULL), 409);
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/hints/7", NULL, NULL), 404);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	reply = call(&w, w.alice, "POST", "/challenges/quiz/hints/0", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(text(reply, "text"), "It has a tower.");
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/hints/0", NULL, NULL), 200);
	CHECK_EQ(score_of(&w, "Red"), 30);
	line = line_of(call(&w, NULL, "GET", "/scoreboard/history", NULL, NULL), "Red");
	CHECK_EQ(integer(json_array_get(json_object_get(line, "points"), 1), "score"), 30);
	CHECK_HAS(call(&w, w.alice, "GET", "/challenges/quiz", NULL, NULL)->body.data, "tower");
	CHECK(!strstr(call(&w, w.bob, "GET", "/challenges/quiz", NULL, NULL)->body.data, "tower"));
}

/* The order of the ids in what an answer lists. */
static void check_before(const struct reply *reply, const char *first, const char *second)
{
	const char *a = strstr(reply->body.data, first), *b = strstr(reply->body.data, second);

	CHECK(a && b && a < b);
}

TEST(what_authors_say_of_order_time_and_names_is_kept)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	write_file("zz/challenge.yml",
		   "name: Zz first\nflags: [z]\nposition: -1\n"
		   "hints: [{title: Start, content: one, cost: 0}, {content: two, cost: 1},"
		   " {content: three, requirements: [2]}]\n");
	write_file("veiled/challenge.yml",
		   "name: Veiled name\ncategory: veils\nflags: [v]\n"
		   "requirements: {prerequisites: [zz], anonymize: true}\n");
	write_file("later/challenge.yml", "name: Later\nflags: [l]\n"
					  "scheduled_at: 2999-01-01T00:00:00Z\n");
	begin_world(&w);
	apply(&w, "id: ctf\nchallenges: [zz, veiled, later, quiz]\n");
	reply = call(&w, w.alice, "GET", "/challenges", NULL, NULL);
	check_before(reply, "\"zz\"", "\"quiz\"");
	CHECK(!strstr(reply->body.data, "veils"));
	CHECK(!strstr(reply->body.data, "Veiled"));
	CHECK(!strstr(reply->body.data, "Later"));
	EXPECT(call(&w, w.alice, "GET", "/challenges/later", NULL, NULL), 404);
	CHECK_HAS(call(&w, w.admin, "GET", "/challenges", NULL, NULL)->body.data, "Later");
	EXPECT(call(&w, w.alice, "POST", "/challenges/zz/hints/2", NULL, NULL), 409);
	reply = call(&w, w.alice, "GET", "/challenges/zz", NULL, NULL);
	CHECK_HAS(reply->body.data, "Start");
	CHECK(!strstr(reply->body.data, "three"));
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	EXPECT(call(&w, w.alice, "POST", "/challenges/zz/hints/1", NULL, NULL), 200);
	CHECK_HAS(call(&w, w.alice, "GET", "/challenges/zz", NULL, NULL)->body.data, "three");
	EXPECT(answer(&w, w.alice, "zz", "z"), 201);
	CHECK_HAS(call(&w, w.alice, "GET", "/challenges", NULL, NULL)->body.data, "Veiled name");
}

TEST(a_hint_that_was_paid_for_is_told_again_however_few_points_are_left)
{
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/hints/0", NULL, NULL), 200);
	apply(&w, "id: ctf\nchallenges: [{id: quiz, value: 30}]\n");
	CHECK_EQ(score_of(&w, "Red"), 10);
	EXPECT(call(&w, w.alice, "POST", "/challenges/quiz/hints/0", NULL, NULL), 200);
	CHECK_EQ(score_of(&w, "Red"), 10);
}

struct buyer {
	struct world *w;
	const char *token;
	int hint, status;
};

static void *buy_hint(void *cookie)
{
	struct buyer *buyer = cookie;
	char path[64];

	snprintf(path, sizeof(path), "/challenges/dear/hints/%d", buyer->hint);
	buyer->status = call(buyer->w, buyer->token, "POST", path, NULL, NULL)->status;
	forget_reply();
	return NULL;
}

/* All at once; how many got one. */
static int buy_six_hints(struct world *w, const char *token)
{
	struct buyer buyers[6];
	pthread_t threads[6];
	int bought = 0;

	for (int i = 0; i < 6; i++) {
		buyers[i] = (struct buyer){ .w = w, .token = token, .hint = i };
		CHECK_EQ(pthread_create(&threads[i], NULL, buy_hint, &buyers[i]), 0);
	}
	for (int i = 0; i < 6; i++) {
		pthread_join(threads[i], NULL);
		CHECK(buyers[i].status == 200 || buyers[i].status == 409);
		bought += buyers[i].status == 200;
	}
	return bought;
}

TEST(points_pay_for_one_hint_once_and_those_of_a_hidden_team_too)
{
	AUTO(struct world, end_platform) w;
	char path[128];

	write_file("dear/challenge.yml",
		   "name: Dear\nflags: [d]\nvalue: 100\nhints: [{content: a, cost: 60},"
		   " {content: b, cost: 60}, {content: c, cost: 60}, {content: d, cost: 60},"
		   " {content: e, cost: 60}, {content: f, cost: 60}]\n");
	begin_world(&w);
	apply(&w, "id: ctf\nchallenges: [dear]\n");
	EXPECT(answer(&w, w.alice, "dear", "d"), 201);
	CHECK_EQ(buy_six_hints(&w, w.alice), 1);
	CHECK_EQ(score_of(&w, "Red"), 40);
	snprintf(path, sizeof(path), "/admin/teams/%s",
		 text(call(&w, w.bob, "GET", "/team", NULL, NULL), "id"));
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"hidden\":true}", NULL), 200);
	CHECK_EQ(buy_six_hints(&w, w.bob), 0);
	EXPECT(answer(&w, w.bob, "dear", "d"), 201);
	CHECK_EQ(buy_six_hints(&w, w.bob), 1);
}

TEST(attempts_end_and_come_at_a_rate)
{
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	apply(&w, "id: ctf\nchallenges: [{id: quiz, attempts: 2}]\n");
	EXPECT(answer(&w, w.alice, "quiz", "Rome"), 201);
	EXPECT(answer(&w, w.alice, "quiz", "Oslo"), 201);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 403);
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
	apply(&w, "id: ctf\nanswer_rate: 2/1h\n");
	EXPECT(answer(&w, w.bob, "web", "a"), 201);
	EXPECT(answer(&w, w.bob, "web", "b"), 201);
	EXPECT(answer(&w, w.bob, "web", "c"), 429);
	EXPECT(answer(&w, w.alice, "web", "c"), 201);
}

TEST(answers_come_in_pages_the_newest_first)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char path[128];

	begin_world(&w);
	for (char word[] = "a"; *word <= 'e'; ++*word)
		EXPECT(answer(&w, w.alice, "quiz", word), 201);
	reply = call(&w, w.alice, "GET", "/submissions?limit=3", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "submissions")), 3);
	CHECK_HAS(reply->body.data, "\"answer\":\"e\"");
	snprintf(path, sizeof(path), "/submissions?limit=3&cursor=%s", text(reply, "next_cursor"));
	reply = call(&w, w.alice, "GET", path, NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "submissions")), 2);
	CHECK_HAS(reply->body.data, "\"answer\":\"a\"");
	CHECK(json_is_null(json_object_get(reply->json, "next_cursor")));
	reply = call(&w, w.admin, "GET", "/admin/submissions?limit=2", NULL, NULL);
	CHECK(text(reply, "next_cursor"));
}

/* Time */

TEST(after_the_end_practice_counts_for_nothing)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char past[CLOCK_TEXT_SIZE];

	begin_world(&w);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	APPLY(&w, "id: ctf\nend: %s\n", in_seconds(0, past));
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 403);
	APPLY(&w, "id: ctf\npractice: true\nfirst_blood: 5\nend: %s\n", in_seconds(0, past));
	reply = answer(&w, w.bob, "quiz", "Paris");
	EXPECT(reply, 201);
	CHECK_STR(text(reply, "verdict"), "correct");
	CHECK(json_is_false(json_object_get(reply->json, "first_blood")));
	CHECK_EQ(score_of(&w, "Blue"), 0);
	CHECK_EQ(score_of(&w, "Red"), 55);
	CHECK_HAS(call(&w, w.bob, "GET", "/challenges/quiz", NULL, NULL)->body.data,
		  "\"solved\":true");
}

/* Neither the board, nor the values, nor the answer to an answer tell what others have done. */
TEST(behind_a_freeze_nothing_moves)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char past[CLOCK_TEXT_SIZE];

	begin_world(&w);
	APPLY(&w,
	      "id: ctf\nfreeze: %s\nchallenges:\n"
	      "  - {id: quiz, value: 200, minimum: 50, decay: 10, function: linear}\n",
	      in_seconds(-1, past));
	reply = answer(&w, w.alice, "quiz", "Paris");
	EXPECT(reply, 201);
	CHECK(json_is_null(json_object_get(reply->json, "first_blood")));
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
	CHECK_EQ(score_of(&w, "Red"), 0);
	reply = call(&w, w.bob, "GET", "/challenges/quiz", NULL, NULL);
	CHECK_EQ(integer(reply->json, "value"), 200);
	CHECK_EQ(integer(reply->json, "solvers"), 0);
	reply = call(&w, NULL, "GET", "/scoreboard/history", NULL, NULL);
	CHECK(!strstr(reply->body.data, "\"at\""));
	reply = call(&w, w.admin, "GET", "/admin/scoreboard", NULL, NULL);
	CHECK_EQ(integer(line_of(reply, "Red"), "score"), 190);
}

/* The scoreboard */

TEST(the_scoreboard_is_shown_to_whom_it_is_for)
{
	AUTO(struct world, end_platform) w;

	begin_world(&w);
	apply(&w, "id: ctf\nscoreboard: players\n");
	EXPECT(call(&w, NULL, "GET", "/scoreboard", NULL, NULL), 401);
	EXPECT(call(&w, w.alice, "GET", "/scoreboard", NULL, NULL), 200);
	apply(&w, "id: ctf\nscoreboard: organisers\n");
	EXPECT(call(&w, w.alice, "GET", "/scoreboard", NULL, NULL), 403);
	EXPECT(call(&w, w.alice, "GET", "/scoreboard/history", NULL, NULL), 403);
	EXPECT(call(&w, w.alice, "GET", "/scoreboard/ctftime", NULL, NULL), 403);
	EXPECT(call(&w, w.admin, "GET", "/scoreboard", NULL, NULL), 200);
}

TEST(a_hidden_team_is_on_no_board_and_lowers_no_value)
{
	AUTO(struct world, end_platform) w;
	char path[128];

	begin_world(&w);
	apply(&w, "id: ctf\nchallenges:\n"
		  "  - {id: quiz, value: 200, minimum: 50, decay: 10, function: linear}\n");
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
	snprintf(path, sizeof(path), "/admin/teams/%s",
		 text(call(&w, w.bob, "GET", "/team", NULL, NULL), "id"));
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"hidden\":true}", NULL), 200);
	CHECK_EQ(score_of(&w, "Red"), 200);
	CHECK(!strstr(call(&w, NULL, "GET", "/scoreboard", NULL, NULL)->body.data, "Blue"));
}

TEST(the_history_shows_how_the_leaders_got_there_and_ctftime_reads_the_end)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	const json_t *line;

	begin_world(&w);
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
	reply = call(&w, NULL, "GET", "/scoreboard/history", NULL, NULL);
	EXPECT(reply, 200);
	line = line_of(reply, "Blue");
	CHECK_EQ(integer(json_array_get(json_object_get(line, "points"), 0), "score"), 50);
	reply = call(&w, NULL, "GET", "/scoreboard/ctftime", NULL, NULL);
	EXPECT(reply, 200);
	line = json_array_get(json_object_get(reply->json, "standings"), 0);
	CHECK_EQ(integer(line, "pos"), 1);
	CHECK_EQ(integer(line, "score"), 50);
	CHECK_STR(json_string_value(json_object_get(line, "team")), "Blue");
}

static void enter_division(struct world *w, const char *token, const char *division)
{
	char path[128], body[64];

	snprintf(path, sizeof(path), "/admin/teams/%s",
		 text(call(w, token, "GET", "/team", NULL, NULL), "id"));
	snprintf(body, sizeof(body), "{\"division\":\"%s\"}", division);
	EXPECT(call(w, w->admin, "PATCH", path, body, NULL), 200);
}

static void read_etag(const struct reply *reply, char header[96])
{
	char etag[64];

	CHECK(reply_header(reply, "ETag", etag, sizeof(etag)));
	snprintf(header, 96, "If-None-Match: %s", etag);
}

/* Red and Green are students, Blue is not. */
static void begin_divisions(struct world *w, const char *rules)
{
	char carol[SECRET_TOKEN_SIZE], file[256];

	begin_world(w);
	make_player(w, "carol", "Green", carol);
	snprintf(file, sizeof(file), "id: ctf\ndivisions: [students, open, none]\n%s", rules);
	apply(w, file);
	enter_division(w, w->alice, "students");
	enter_division(w, carol, "students");
	enter_division(w, w->bob, "open");
}

TEST(a_division_has_a_board_of_its_own)
{
	AUTO(struct world, end_platform) w;
	char whole[96], students[96];
	const struct reply *reply;

	begin_divisions(&w, "");
	reply = call(&w, NULL, "GET", "/scoreboard?division=students", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_STR(text(reply, "division"), "students");
	CHECK_EQ(integer(line_of(reply, "Red"), "rank"), 1);
	CHECK_EQ(integer(line_of(reply, "Green"), "rank"), 1); /* equal so far */
	CHECK(!strstr(reply->body.data, "Blue"));
	read_etag(reply, students);
	read_etag(call(&w, NULL, "GET", "/scoreboard", NULL, NULL), whole);

	/* What another division does changes the whole board, and not this one. */
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
	EXPECT(call(&w, NULL, "GET", "/scoreboard", NULL, whole), 200);
	EXPECT(call(&w, NULL, "GET", "/scoreboard?division=students", NULL, students), 304);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	reply = call(&w, NULL, "GET", "/scoreboard?division=students", NULL, students);
	EXPECT(reply, 200);
	CHECK_EQ(integer(line_of(reply, "Red"), "rank"), 1);
	CHECK_EQ(integer(line_of(reply, "Green"), "rank"), 2);
	CHECK_EQ(integer(line_of(reply, "Green"), "division_rank"), 2);
	reply = call(&w, NULL, "GET", "/scoreboard", NULL, NULL);
	CHECK_EQ(integer(line_of(reply, "Red"), "rank"), 2);
	CHECK_EQ(integer(line_of(reply, "Red"), "division_rank"), 1);

	reply = call(&w, NULL, "GET", "/scoreboard?division=none", NULL, NULL);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "teams")), 0);
	EXPECT(call(&w, NULL, "GET", "/scoreboard?division=pros", NULL, NULL), 404);
}

TEST(a_divisions_history_and_ctftime_are_of_its_teams)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	const json_t *line;

	begin_divisions(&w, "");
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	reply = call(&w, NULL, "GET", "/scoreboard/history?division=students", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(integer(line_of(reply, "Red"), "rank"), 1);
	CHECK(!strstr(reply->body.data, "Blue"));
	reply = call(&w, NULL, "GET", "/scoreboard/ctftime?division=students", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "standings")), 2);
	line = json_array_get(json_object_get(reply->json, "standings"), 0);
	CHECK_STR(json_string_value(json_object_get(line, "team")), "Red");
	CHECK_EQ(integer(line, "pos"), 1);
}

TEST(behind_a_freeze_no_divisions_board_moves)
{
	AUTO(struct world, end_platform) w;
	char past[CLOCK_TEXT_SIZE], rules[96], students[96];
	const struct reply *reply;

	snprintf(rules, sizeof(rules), "freeze: %s\n", in_seconds(-1, past));
	begin_divisions(&w, rules);
	read_etag(call(&w, NULL, "GET", "/scoreboard?division=students", NULL, NULL), students);
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	EXPECT(call(&w, NULL, "GET", "/scoreboard?division=students", NULL, students), 304);
	reply = call(&w, w.admin, "GET", "/admin/scoreboard?division=students", NULL, NULL);
	EXPECT(reply, 200);
	CHECK_EQ(integer(line_of(reply, "Red"), "score"), 50);
	CHECK_EQ(integer(line_of(reply, "Green"), "rank"), 2);
}

static const struct reply *team_page(struct world *w, const char *token, const char *who)
{
	char path[128];

	snprintf(path, sizeof(path), "/teams/%s",
		 text(call(w, who, "GET", "/team", NULL, NULL), "id"));
	return call(w, token, "GET", path, NULL, NULL);
}

TEST(a_team_is_shown_as_the_board_shows_it)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	const json_t *solve;

	begin_world(&w);
	apply(&w, "id: ctf\nfirst_blood: 5\n");
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	EXPECT(answer(&w, w.bob, "quiz", "Paris"), 201);
	reply = team_page(&w, NULL, w.alice);
	EXPECT(reply, 200);
	CHECK_EQ(integer(reply->json, "rank"), 1);
	CHECK_EQ(integer(reply->json, "score"), 55);
	CHECK_STR(text(reply, "competition"), "ctf");
	solve = json_array_get(json_object_get(reply->json, "solves"), 0);
	CHECK_STR(json_string_value(json_object_get(solve, "challenge_id")), "quiz");
	CHECK_EQ(integer(solve, "value"), 55);
	CHECK(json_is_true(json_object_get(solve, "first_blood")));
	solve = json_array_get(json_object_get(reply->json, "points"), 0);
	CHECK_EQ(integer(solve, "score"), 55);
	CHECK_HAS(reply->body.data, "\"members\":[{\"name\":\"alice\",\"captain\":true}]");
	CHECK(!json_object_get(reply->json, "invite"));
	reply = team_page(&w, NULL, w.bob);
	CHECK_EQ(integer(reply->json, "rank"), 2);
	solve = json_array_get(json_object_get(reply->json, "solves"), 0);
	CHECK(json_is_false(json_object_get(solve, "first_blood")));
	EXPECT(call(&w, NULL, "GET", "/teams/none", NULL, NULL), 404);
	reply = call(&w, w.bob, "GET", "/challenges/quiz", NULL, NULL);
	CHECK_STR(json_string_value(
			  json_object_get(json_object_get(reply->json, "first_blood"), "name")),
		  "Red");
}

TEST(a_teams_page_tells_no_more_than_the_board)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	char past[CLOCK_TEXT_SIZE], path[128];

	begin_world(&w);
	APPLY(&w, "id: ctf\nfreeze: %s\n", in_seconds(-1, past));
	EXPECT(answer(&w, w.alice, "quiz", "Paris"), 201);
	reply = team_page(&w, NULL, w.alice);
	EXPECT(reply, 200);
	CHECK(json_is_true(json_object_get(reply->json, "frozen")));
	CHECK_EQ(integer(reply->json, "score"), 0);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "solves")), 0);
	CHECK_EQ(json_array_size(json_object_get(reply->json, "points")), 0);

	CHECK_HAS(call(&w, w.bob, "GET", "/challenges/quiz", NULL, NULL)->body.data,
		  "\"first_blood\":null");

	apply(&w, "id: ctf\nscoreboard: players\n");
	EXPECT(team_page(&w, NULL, w.alice), 401);
	EXPECT(team_page(&w, w.bob, w.alice), 200);
	apply(&w, "id: ctf\nscoreboard: organisers\n");
	EXPECT(team_page(&w, w.bob, w.alice), 403);
	CHECK_HAS(call(&w, w.bob, "GET", "/challenges/quiz", NULL, NULL)->body.data,
		  "\"first_blood\":null");
	EXPECT(team_page(&w, w.admin, w.alice), 200);

	snprintf(path, sizeof(path), "/admin/teams/%s",
		 text(call(&w, w.alice, "GET", "/team", NULL, NULL), "id"));
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"hidden\":true}", NULL), 200);
	EXPECT(team_page(&w, w.admin, w.alice), 404);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(applying_tells_what_changes_and_the_same_again_changes_nothing),
		T(a_challenge_that_is_not_there_is_named),
		T(a_restart_keeps_every_rule),
		T(a_challenge_that_is_scarce_here_is_given_to_so_many),
		T(two_competitions_at_once_know_nothing_of_each_other),
		T(teams_enter_by_invite_or_by_list_and_into_a_division),
		T(a_challenge_opens_and_closes_and_keeps_its_points),
		T(what_has_to_be_solved_before_is_named),
		T(a_competition_has_its_own_values),
		T(a_hint_is_told_to_those_who_pay_and_can),
		T(points_pay_for_one_hint_once_and_those_of_a_hidden_team_too),
		T(a_hint_that_was_paid_for_is_told_again_however_few_points_are_left),
		T(what_authors_say_of_order_time_and_names_is_kept),
		T(attempts_end_and_come_at_a_rate),
		T(answers_come_in_pages_the_newest_first),
		T(after_the_end_practice_counts_for_nothing),
		T(behind_a_freeze_nothing_moves),
		T(the_scoreboard_is_shown_to_whom_it_is_for),
		T(a_hidden_team_is_on_no_board_and_lowers_no_value),
		T(a_division_has_a_board_of_its_own),
		T(a_divisions_history_and_ctftime_are_of_its_teams),
		T(behind_a_freeze_no_divisions_board_moves),
		T(the_history_shows_how_the_leaders_got_there_and_ctftime_reads_the_end),
		T(a_team_is_shown_as_the_board_shows_it),
		T(a_teams_page_tells_no_more_than_the_board),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
