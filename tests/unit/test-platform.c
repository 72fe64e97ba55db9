/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/own.h"
#include "base/secret.h"
#include "challenge/answer-match.h"
#include "challenge/pattern.h"
#include "platform/access.h"
#include "platform/competition.h"
#include "platform/instance.h"
#include "platform/name.h"
#include "platform/node.h"
#include "platform/pacer.h"
#include "platform/rows.h"
#include "platform/scheduler.h"
#include "platform/schema.h"
#include "platform/score.h"
#include "platform/submission.h"
#include "platform/team.h"
#include "platform/user.h"

#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The platform's rules, and what its store holds to, without HTTP and without nodes. */

/* Nodes */

TEST(a_node_is_lost_after_three_misses_and_answers_twice_to_be_healthy)
{
	unsigned misses = 0;
	enum node_state state = NODE_JOINING;

	state = nodes_next_state(state, true, true, &misses);
	CHECK_EQ(state, NODE_HEALTHY);
	state = nodes_next_state(state, false, false, &misses);
	CHECK_EQ(state, NODE_DEGRADED);
	state = nodes_next_state(state, true, true, &misses);
	CHECK_EQ(state, NODE_HEALTHY);
	for (int i = 0; i < 3; i++)
		state = nodes_next_state(state, false, false, &misses);
	CHECK_EQ(state, NODE_LOST);
	state = nodes_next_state(state, true, true, &misses);
	CHECK_EQ(state, NODE_DEGRADED);
	state = nodes_next_state(state, true, true, &misses);
	CHECK_EQ(state, NODE_HEALTHY);
}

TEST(a_node_that_says_it_is_unwell_is_degraded_but_never_lost)
{
	unsigned misses = 0;
	enum node_state state = NODE_HEALTHY;

	for (int i = 0; i < 10; i++)
		state = nodes_next_state(state, true, false, &misses);
	CHECK_EQ(state, NODE_DEGRADED);
}

/* Scores */

TEST(a_static_challenge_keeps_its_value)
{
	const struct challenge c = { .type = "standard", .value = 100 };

	CHECK_EQ(score_value(&c, 0), 100);
	CHECK_EQ(score_value(&c, 500), 100);
}

/* The figures of ctfcli's platform for initial 500, minimum 100, decay 20. */
TEST(a_dynamic_challenge_falls_logarithmically_to_its_minimum)
{
	const struct challenge c = { .type = "dynamic",
				     .value = 500,
				     .minimum = 100,
				     .decay = 20,
				     .decay_function = "logarithmic" };

	CHECK_EQ(score_value(&c, 0), 500);
	CHECK_EQ(score_value(&c, 1), 500);
	CHECK_EQ(score_value(&c, 2), 499);
	CHECK_EQ(score_value(&c, 11), 400);
	CHECK_EQ(score_value(&c, 20), 139);
	CHECK_EQ(score_value(&c, 21), 100);
	CHECK_EQ(score_value(&c, 1000000000), 100);
}

TEST(a_dynamic_challenge_falls_linearly_to_its_minimum)
{
	const struct challenge c = { .type = "dynamic",
				     .value = 500,
				     .minimum = 100,
				     .decay = 30,
				     .decay_function = "linear" };

	CHECK_EQ(score_value(&c, 1), 500);
	CHECK_EQ(score_value(&c, 2), 470);
	CHECK_EQ(score_value(&c, 100), 100);
}

static int64_t all_shares(const struct challenge *c, int64_t value)
{
	int64_t sum = 0;

	for (size_t i = 0; i < c->question_count; i++)
		sum += score_share(c, i, value);
	return sum;
}

TEST(the_shares_of_all_questions_add_up_to_the_value)
{
	struct question plain[3] = { { .id = "a" }, { .id = "b" }, { .id = "c" } };
	struct question weighted[2] = { { .id = "a", .value = 50 }, { .id = "b", .value = 100 } };
	const struct challenge equal = { .questions = plain, .question_count = 3 };
	const struct challenge unequal = { .questions = weighted, .question_count = 2 };

	for (int64_t value = 0; value < 200; value++) {
		CHECK_EQ(all_shares(&equal, value), value);
		CHECK_EQ(all_shares(&unequal, value), value);
	}
	CHECK_EQ(score_share(&unequal, 0, 150), 50);
	CHECK_EQ(score_share(&unequal, 1, 150), 100);
}

static struct question one_question[] = { { .id = "flag" } };
static struct question two_questions[] = { { .id = "a" }, { .id = "b" } };
static const struct challenge fixed = {
	.id = "fixed", .value = 100, .questions = one_question, .question_count = 1
};
static const struct challenge falling = { .id = "falling",
					  .type = "dynamic",
					  .value = 500,
					  .minimum = 100,
					  .decay = 100,
					  .decay_function = "linear",
					  .questions = two_questions,
					  .question_count = 2 };
static const struct challenge *const both[] = { &fixed, &falling };

static struct score_board count(struct arena *arena, const struct score_solve *solves, size_t n,
				int64_t until)
{
	const struct score_game game = { .team_count = 3,
					 .challenges = both,
					 .challenge_count = 2,
					 .solves = solves,
					 .solve_count = n,
					 .until = until };
	struct score_board board;
	struct err e = ERR_INIT;

	CHECK_EQ(score_count(&game, arena, &board, &e), 0);
	return board;
}

TEST(more_points_lead_and_of_equal_points_the_earlier)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const struct score_solve solves[] = {
		{ .team = 2, .challenge = 0, .question = 0, .at = 30 },
		{ .team = 1, .challenge = 0, .question = 0, .at = 20 },
		{ .team = 0, .challenge = 1, .question = 0, .at = 40 },
	};
	struct score_board board = count(arena, solves, 3, 0);

	CHECK_EQ(board.lines[0].team, 0);
	CHECK_EQ(board.lines[0].score, 250);
	CHECK_EQ(board.lines[1].team, 1);
	CHECK_EQ(board.lines[1].rank, 2);
	CHECK_EQ(board.lines[2].team, 2);
	CHECK_EQ(board.lines[2].rank, 3);
}

TEST(only_a_whole_solve_lowers_a_dynamic_value_and_for_all_who_have_it)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const struct score_solve solves[] = {
		{ .team = 0, .challenge = 1, .question = 0, .at = 1 },
		{ .team = 0, .challenge = 1, .question = 1, .at = 2 },
		{ .team = 1, .challenge = 1, .question = 0, .at = 3 },
		{ .team = 1, .challenge = 1, .question = 1, .at = 4 },
		{ .team = 2, .challenge = 1, .question = 0, .at = 5 },
	};
	struct score_board board = count(arena, solves, 5, 0);

	CHECK_EQ(board.tallies[1].solvers, 2);
	CHECK_EQ(board.tallies[1].value, 400);
	CHECK_EQ(board.lines[0].score, 400);
	CHECK_EQ(board.lines[1].score, 400);
	CHECK_EQ(board.lines[2].score, 200);
}

TEST(a_freeze_freezes_dynamic_values_too)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const struct score_solve solves[] = {
		{ .team = 0, .challenge = 1, .question = 0, .at = 1 },
		{ .team = 0, .challenge = 1, .question = 1, .at = 2 },
		{ .team = 1, .challenge = 1, .question = 0, .at = 10 },
		{ .team = 1, .challenge = 1, .question = 1, .at = 11 },
	};
	struct score_board board = count(arena, solves, 4, 10);

	CHECK_EQ(board.lines[0].score, 500);
	CHECK_EQ(board.lines[1].score, 0);
}

TEST(the_first_gets_a_bonus_and_a_hint_costs)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const struct score_solve solves[] = {
		{ .team = 0, .challenge = 0, .question = 0, .at = 1, .first = true },
		{ .team = 1, .challenge = 0, .question = 0, .at = 2 },
		{ .team = 2, .challenge = 1, .question = 0, .at = 3, .first = true },
	};
	const struct score_charge charges[] = { { .team = 1, .cost = 30, .at = 4 },
						{ .team = 1, .cost = 500, .at = 10 } };
	const struct score_game game = { .team_count = 3,
					 .challenges = both,
					 .challenge_count = 2,
					 .solves = solves,
					 .solve_count = 3,
					 .charges = charges,
					 .charge_count = 2,
					 .first_blood = 10,
					 .first_blood_percent = 10,
					 .until = 10 };
	struct score_board board;
	struct err e = ERR_INIT;

	CHECK_EQ(score_count(&game, arena, &board, &e), 0);
	CHECK_EQ(board.lines[0].team, 2);
	CHECK_EQ(board.lines[0].score, 250 + (10 + 50) / 2);
	CHECK_EQ(board.lines[1].score, 100 + 10 + 10);
	CHECK_EQ(board.lines[2].score, 100 - 30);
}

TEST(teams_without_a_solve_share_a_rank)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct score_board board = count(arena, NULL, 0, 0);

	CHECK_EQ(board.lines[2].rank, 1);
}

/* Answers */

static bool matches(const struct question *question, const char *own, const char *answer)
{
	const char *owns[] = { own };
	struct err e = ERR_INIT;
	bool yes = false;

	CHECK_EQ(answer_matches(question, owns, own ? 1 : 0, answer, &yes, &e), 0);
	return yes;
}

TEST(a_generated_answer_is_right_for_its_own_team_only)
{
	const struct question q = { .id = "flag", .kind = ANSWER_GENERATED, .answer = "flag{...}" };

	CHECK(matches(&q, "flag{mine}", "flag{mine}"));
	CHECK(!matches(&q, "flag{mine}", "flag{other}"));
	CHECK(!matches(&q, "flag{mine}", "flag{...}"));
	CHECK(!matches(&q, NULL, "flag{...}"));
}

TEST(case_counts_unless_the_author_says_otherwise)
{
	struct question q = { .id = "flag", .kind = ANSWER_STATIC, .answer = "Paris" };

	CHECK(!matches(&q, NULL, "PARIS"));
	q.case_insensitive = true;
	CHECK(matches(&q, NULL, "PARIS"));
}

TEST(further_answers_are_accepted_too_each_in_its_own_way)
{
	struct accepted also[] = { { "Forty-two", false, true }, { "4+2", true, false } };
	const struct question q = {
		.id = "q", .kind = ANSWER_STATIC, .answer = "0x2A", .also = also, .also_count = 2
	};

	CHECK(matches(&q, NULL, "0x2A"));
	CHECK(!matches(&q, NULL, "0x2a"));
	CHECK(matches(&q, NULL, "forty-TWO"));
	CHECK(matches(&q, NULL, "442"));
	CHECK(!matches(&q, NULL, "4+2"));
	CHECK(!matches(&q, NULL, "43"));
}

TEST(what_is_around_an_answer_does_not_count_on_either_side)
{
	static const char *const around[] = { " ",           "\r\n",         "\t",
					      "\xc2\xa0",    "\xef\xbb\xbf", "\xe2\x80\x8b",
					      "\xe3\x80\x80" };
	const struct question plain = { .id = "q", .kind = ANSWER_STATIC, .answer = "a b" };
	const struct question spaced = { .id = "q", .kind = ANSWER_STATIC, .answer = " a b\n" };

	for (size_t i = 0; i < sizeof(around) / sizeof(*around); i++) {
		AUTO(char *, freep) given = strf("%sa b%s%s", around[i], around[i], around[i]);

		CHECK(matches(&plain, NULL, given));
		CHECK(matches(&spaced, NULL, given));
	}
	CHECK(matches(&spaced, NULL, "a b"));
	CHECK(!matches(&plain, NULL, "a  b"));
	CHECK(!matches(&plain, NULL, "ab"));
}

static bool pattern_takes(const char *pattern, const char *answer)
{
	const struct question q = { .id = "q", .kind = ANSWER_REGEX, .answer = pattern };

	return matches(&q, NULL, answer);
}

TEST(a_pattern_has_to_match_the_whole_answer)
{
	CHECK(pattern_takes("flag\\{\\d+(a|ab)\\}", "flag{123ab}"));
	CHECK(!pattern_takes("flag\\{\\d+\\}", "xflag{123}"));
	CHECK(!pattern_takes("flag\\{\\d+\\}", "flag{123}x"));
	CHECK(!pattern_takes("a|b", "ab"));
}

TEST(a_pattern_means_what_python_means)
{
	CHECK(pattern_takes("flag{.*}", "flag{anything}"));
	CHECK(pattern_takes("(?i)FLAG{x}", "flag{X}"));
	CHECK(pattern_takes("(?i)(?s)a.b", "A\nb"));
	CHECK(!pattern_takes("a.b", "a\nb"));
	CHECK(pattern_takes("(?:ab)+", "abab"));
	CHECK(pattern_takes("[\\da-f]+", "12ef"));
	CHECK(pattern_takes("a\\tb", "a\tb"));
	CHECK(pattern_takes("a\\vb", "a\vb"));
	CHECK(pattern_takes("ab\\Z", "ab"));
	CHECK(pattern_takes("a{,2}b", "aab"));
	CHECK(!pattern_takes("a{,2}b", "aaab"));
	CHECK(pattern_takes("[[:alpha:]]+", "a]")); /* a set of [ : a l p h, then ']' */
	CHECK(pattern_takes("[]x]+", "x]"));
	CHECK(pattern_takes("[^]]+", "x"));
	CHECK(pattern_takes("(?P<n>a)(?P=n)", "aa"));
	CHECK(pattern_takes("\\u00e9\\x41", "\xc3\xa9"
					    "A"));
	CHECK(pattern_takes("\\w+", "h\xc3\xa9llo"));
	CHECK(pattern_takes("\\d", "\xd9\xa3")); /* an Arabic three */
	CHECK(pattern_takes("(a)?b(?(1)c|d)", "bd"));
	CHECK(!pattern_takes("x", "\xff")); /* no text at all */
}

TEST(a_pattern_that_is_none_of_pythons_is_refused)
{
	static const char *const faulty[] = {
		"(",       "a)",        "[a",         "*a",  "a**",    "\\",    "(?P>n)",
		"(?R)",    "(*ACCEPT)", "\\Qa\\E",    "\\K", "a(?i)b", "(?|a)", "\\x1",
		"(?<n>a)", "\\h",       "\\p{L}",     "\\G", "(?L)a",  "\\u12", "(?-i)a",
		"(?C1)a",  "\\N{DASH}", "(?(R)a|b)(", "\\R", "[b-a]",  "\\z",
	};
	struct err e = ERR_INIT;

	for (size_t i = 0; i < sizeof(faulty) / sizeof(*faulty); i++) {
		if (pattern_check(faulty[i], &e) != -ERR_INVALID)
			CHECK_STR(faulty[i], "refused");
		CHECK_HAS(e.msg, "regular expression");
	}
	CHECK_EQ(pattern_check("\\x41[a-z]{2,}(?:b|c)(?<=x)\\.", &e), 0);
}

TEST(a_pattern_that_takes_too_long_gives_no_verdict)
{
	static const char *const slow[] = { "(a+)+$", "(a|aa)+$", "(.*)(.*)(.*)(.*)(.*)(.*)\\1[xy]",
					    "(x+x+)+[yz]" };
	char answer[ANSWER_MAX + 1];
	struct err e = ERR_INIT;
	bool yes;

	for (size_t i = 0; i < sizeof(slow) / sizeof(*slow); i++) {
		const struct question q = { .id = "q", .kind = ANSWER_REGEX, .answer = slow[i] };

		memset(answer, i == 3 ? 'x' : 'a', ANSWER_MAX);
		answer[ANSWER_MAX - 1] = '!';
		answer[ANSWER_MAX] = '\0';
		CHECK_EQ(answer_matches(&q, NULL, 0, answer, &yes, &e), -ERR_TIMEOUT);
	}
}

TEST(one_slow_pattern_does_not_hide_another_answer)
{
	struct accepted also[] = { { "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", false, false } };
	const struct question q = {
		.id = "q", .kind = ANSWER_REGEX, .answer = "(a+)+$", .also = also, .also_count = 1
	};

	CHECK(matches(&q, NULL, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"));
}

/* Names */

TEST(a_name_is_trimmed_and_compared_without_case)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	const char *name, *key;
	struct err e = ERR_INIT;

	CHECK_EQ(name_read(arena, "a name", "  Red  Team\n", &name, &key, &e), 0);
	CHECK_STR(name, "Red  Team");
	CHECK_STR(key, "red team");
	CHECK_EQ(name_read(arena, "a name", " \t", &name, &key, &e), -ERR_VALIDATION);
	CHECK_EQ(name_read(arena, "a name", "a\x1b[31m", &name, &key, &e), -ERR_VALIDATION);
}

/* Competitions */

static int parse(struct arena *arena, const char *text, struct competition *ret, struct err *e)
{
	return competition_parse(arena, "c.yml", text, strlen(text), ret, e);
}

TEST(a_competition_file_says_when_who_and_what)
{
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct competition c;
	struct err e = ERR_INIT;

	CHECK_EQ(parse(arena,
		       "id: quals\nname: Quals 2026\nstart: 2026-11-23T09:00:00Z\n"
		       "end: 2026-11-24T09:00:00+01:00\nteam_size: 4\ninstance_ttl: 45m\n"
		       "challenges: [web, pwn]\n",
		       &c, &e),
		 0);
	CHECK_STR(c.name, "Quals 2026");
	CHECK_EQ(c.starts_at, 1795424400000);
	CHECK_EQ(c.ends_at, 1795507200000);
	CHECK_EQ(c.team_size, 4);
	CHECK_EQ(c.instance_ttl, 2700);
	CHECK(competition_has(&c, "web"));
	CHECK(!competition_has(&c, "crypto"));
	CHECK_STR(c.registration, "open");
	CHECK_EQ(competition_phase(&c, c.starts_at - 1), COMPETITION_BEFORE);
	CHECK_EQ(competition_phase(&c, c.starts_at), COMPETITION_RUNNING);
	CHECK_EQ(competition_phase(&c, c.ends_at), COMPETITION_ENDED);
}

TEST(a_faulty_competition_file_is_refused_with_its_line)
{
	static const struct {
		const char *text, *words;
	} faults[] = {
		{ "name: x\n", "needs an 'id'" },
		{ "id: a b\n", "c.yml:1:5: 'a b' is no id" },
		{ "id: x\nstrat: 2026-11-23T09:00:00Z\n", "c.yml:2:1: there is no key 'strat'" },
		{ "id: x\nstart: tomorrow\n", "c.yml:2:8: a time like" },
		{ "id: x\nteam_size: -1\n", "c.yml:2:12" },
		{ "id: x\nregistration: maybe\n", "open, invite, list, closed" },
		{ "id: x\nregistration: invite\n", "'invite' go together" },
		{ "id: x\nanswer_rate: often\n", "a rate like 10/1m" },
		{ "id: x\nfirst_blood: 5 points\n", "a percentage like 5%" },
		{ "id: x\nchallenges: [{id: a, requires: [b]}]\n", "'a' requires 'b'" },
		{ "id: x\nchallenges: [{opens: 2026-11-23T09:00:00Z}]\n", "needs 'id'" },
		{ "id: x\nchallenges: [{id: a, worth: 3}]\n", "no key 'worth' in a challenge" },
		{ "id: x\nchallenges: web\n", "'all' or a list" },
		{ "id: x\nchallenges: [web, web]\n", "'web' is listed twice" },
		{ "id: x\nstart: 2026-11-23T09:00:00Z\nend: 2026-11-23T08:00:00Z\n",
		  "'end' is not after 'start'" },
		{ "- x\n", "a map of keys" },
		{ "id: [\n", "c.yml:" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		AUTO(struct arena *, arena_freep) arena = arena_new();
		struct competition c;
		struct err e = ERR_INIT;

		CHECK(parse(arena, faults[i].text, &c, &e) < 0);
		CHECK_HAS(e.msg, faults[i].words);
	}
}

/* The store: each test has one of its own. */

static char dir[] = "/tmp/ctfy-test-platform-XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) && secret_init(NULL) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return tree_remove(dir, NULL);
}

struct world {
	struct db *db;
	struct arena *arena;
	struct competition competition;
	struct user alice, bob;
	struct team red, blue;
};

static void end_world(struct world *w)
{
	db_close(w->db);
	arena_free(w->arena);
}

static void add_node(struct world *w, const char *id)
{
	struct err e = ERR_INIT;

	CHECK_EQ(db_run(w->db,
			"INSERT INTO node (id, name, url, token, token_hash, created_at,"
			" registered_at) VALUES (?, ?, 'http://n', ?, ?, 0, 0)",
			DB_ARGS(db_text(id), db_text(id), db_text(id), db_text(id)), &e),
		 0);
}

static const struct team_wish *named(const char *name)
{
	static struct team_wish wish;

	wish = (struct team_wish){ .name = (char *)(uintptr_t)name };
	return &wish;
}

static void begin_world(struct world *w)
{
	char path[128], name[9];
	struct err e = ERR_INIT;
	bool is_new;

	id_random(name, 8);
	snprintf(path, sizeof(path), "%s/%s.db", dir, name);
	w->arena = arena_new();
	CHECK_EQ(schema_open(path, &w->db, &e), 0);
	CHECK_EQ(parse(w->arena, "id: ctf\nmax_instances: 2\nteam_size: 2\n", &w->competition, &e),
		 0);
	CHECK_EQ(competition_apply(w->db, &w->competition, &is_new, &e), 0);
	CHECK(is_new);
	CHECK_EQ(user_create(w->db, w->arena, 1, "alice", "password", ROLE_PLAYER, &w->alice, &e),
		 0);
	CHECK_EQ(user_create(w->db, w->arena, 1, "bob", "password", ROLE_PLAYER, &w->bob, &e), 0);
	CHECK_EQ(team_create(w->db, w->arena, 1, &w->competition, w->alice.id, named("Red"),
			     &w->red, &e),
		 0);
	CHECK_EQ(team_create(w->db, w->arena, 1, &w->competition, w->bob.id, named("Blue"),
			     &w->blue, &e),
		 0);
	add_node(w, "n1");
	add_node(w, "n2");
}

static int set_role(struct db *db, const char *id, enum role role, bool disabled, struct err *e)
{
	return user_set(db, id, &(struct user_patch){ &role, &disabled }, e);
}

TEST(a_password_lets_in_and_its_likes_do_not)
{
	AUTO(struct world, end_world) w;
	struct user user;
	struct err e = ERR_INIT;

	begin_world(&w);
	CHECK_EQ(user_login(w.db, w.arena, "Alice", "password", &user, &e), 0);
	CHECK_STR(user.id, w.alice.id);
	CHECK_EQ(user_login(w.db, w.arena, "alice", "Password", &user, &e), -ERR_UNAUTHORIZED);
	CHECK_EQ(user_login(w.db, w.arena, "nobody", "password", &user, &e), -ERR_UNAUTHORIZED);
	CHECK_EQ(user_create(w.db, w.arena, 1, "ALICE", "password", ROLE_PLAYER, &user, &e),
		 -ERR_CONFLICT);
	CHECK_EQ(user_create(w.db, w.arena, 1, "carol", "short", ROLE_PLAYER, &user, &e),
		 -ERR_VALIDATION);
}

/* A name that is not there must take as long to refuse as one that is. */
TEST(an_unknown_name_costs_a_hash_too)
{
	AUTO(struct world, end_world) w;
	struct user user;
	struct timespec begin, end;
	struct err e = ERR_INIT;
	int64_t cpu_us;

	begin_world(&w);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
	CHECK_EQ(user_login(w.db, w.arena, "nobody", "password", &user, &e), -ERR_UNAUTHORIZED);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	cpu_us = (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
	CHECK(cpu_us > 10000);
}

TEST(a_disabled_account_neither_logs_in_nor_speaks_by_its_tokens)
{
	AUTO(struct world, end_world) w;
	struct token_wish wish = { .name = "t", .scope = "player", .expires_at = 100 };
	struct keyring *keyring;
	struct principal who;
	struct token token;
	struct user user;
	char text[SECRET_TOKEN_SIZE];
	struct err e = ERR_INIT;

	begin_world(&w);
	wish.user_id = w.alice.id;
	CHECK_EQ(keyring_new(w.db, &keyring, &e), 0);
	CHECK_EQ(token_create(w.db, w.arena, 1, &wish, &token, text, &e), 0);
	CHECK_EQ(keyring_find(keyring, w.arena, text, 50, &who, &e), -ERR_UNAUTHORIZED);
	CHECK_EQ(keyring_refresh_user(keyring, w.alice.id, &e), 0);
	CHECK_EQ(keyring_find(keyring, w.arena, text, 50, &who, &e), 0);
	CHECK_STR(who.user_id, w.alice.id);
	CHECK_EQ(keyring_find(keyring, w.arena, text, 100, &who, &e), -ERR_UNAUTHORIZED);

	CHECK_EQ(user_create(w.db, w.arena, 1, "root", "password", ROLE_ADMIN, &user, &e), 0);
	CHECK_EQ(set_role(w.db, w.alice.id, ROLE_PLAYER, true, &e), 0);
	CHECK_EQ(keyring_refresh_user(keyring, w.alice.id, &e), 0);
	CHECK_EQ(keyring_find(keyring, w.arena, text, 50, &who, &e), -ERR_UNAUTHORIZED);
	CHECK_EQ(user_login(w.db, w.arena, "alice", "password", &user, &e), -ERR_UNAUTHORIZED);
	keyring_free(keyring);
}

TEST(the_last_admin_stays_admin)
{
	AUTO(struct world, end_world) w;
	struct user root;
	struct err e = ERR_INIT;

	begin_world(&w);
	CHECK_EQ(user_create(w.db, w.arena, 1, "root", "password", ROLE_ADMIN, &root, &e), 0);
	CHECK_EQ(set_role(w.db, root.id, ROLE_PLAYER, false, &e), -ERR_CONFLICT);
	CHECK_EQ(set_role(w.db, root.id, ROLE_ADMIN, true, &e), -ERR_CONFLICT);
	CHECK_EQ(set_role(w.db, w.bob.id, ROLE_ADMIN, false, &e), 0);
	CHECK_EQ(set_role(w.db, root.id, ROLE_PLAYER, false, &e), 0);
}

/* Two who change one thing each, having looked at the same time, undo nothing of the other's. */
TEST(what_is_not_said_to_change_stays_as_it_is_by_then)
{
	AUTO(struct world, end_world) w;
	const enum role organiser = ROLE_ORGANISER;
	const bool yes = true;
	struct user user;
	struct team team;
	struct err e = ERR_INIT;

	begin_world(&w);
	CHECK_EQ(user_create(w.db, w.arena, 1, "root", "password", ROLE_ADMIN, &user, &e), 0);
	CHECK_EQ(user_set(w.db, w.bob.id, &(struct user_patch){ .role = &organiser }, &e), 0);
	CHECK_EQ(user_set(w.db, w.bob.id, &(struct user_patch){ .disabled = &yes }, &e), 0);
	CHECK_EQ(user_find(w.db, w.arena, w.bob.id, &user, &e), 0);
	CHECK_STR(user.role, "organiser");
	CHECK(user.disabled);
	CHECK_EQ(team_set(w.db, w.red.id, NULL, &yes, &e), 0);
	CHECK_EQ(team_set(w.db, w.red.id, "students", NULL, &e), 0);
	CHECK_EQ(team_find(w.db, w.arena, w.red.id, &team, &e), 0);
	CHECK(team.hidden);
	CHECK_STR(team.division, "students");
}

TEST(an_account_is_in_one_team_and_a_team_has_no_more_than_its_size)
{
	AUTO(struct world, end_world) w;
	struct user carol, dave;
	struct team team;
	struct err e = ERR_INIT;
	bool emptied;
	char *left;

	begin_world(&w);
	CHECK_EQ(user_create(w.db, w.arena, 1, "carol", "password", ROLE_PLAYER, &carol, &e), 0);
	CHECK_EQ(user_create(w.db, w.arena, 1, "dave", "password", ROLE_PLAYER, &dave, &e), 0);
	CHECK_EQ(team_create(w.db, w.arena, 1, &w.competition, carol.id, named("red"), &team, &e),
		 -ERR_CONFLICT);
	CHECK_HAS(e.msg, "there is a team 'red' already");
	CHECK_EQ(team_join(w.db, w.arena, 2, &w.competition, carol.id, "nope", &team, &e),
		 -ERR_NOT_FOUND);
	CHECK_EQ(team_join(w.db, w.arena, 2, &w.competition, carol.id, w.red.invite, &team, &e), 0);
	CHECK_EQ(team.member_count, 2);
	CHECK_EQ(team_join(w.db, w.arena, 2, &w.competition, carol.id, w.blue.invite, &team, &e),
		 -ERR_CONFLICT);
	CHECK_EQ(team_join(w.db, w.arena, 2, &w.competition, dave.id, w.red.invite, &team, &e),
		 -ERR_CONFLICT);
	CHECK_HAS(e.msg, "the team is full");

	/* The captain leaves; the next one is captain. */
	CHECK_EQ(team_leave(w.db, w.arena, 3, "ctf", w.alice.id, &left, &emptied, &e), 0);
	CHECK_STR(left, w.red.id);
	CHECK(!emptied);
	CHECK_EQ(team_find(w.db, w.arena, w.red.id, &team, &e), 0);
	CHECK_STR(team.captain_id, carol.id);
	CHECK_EQ(team_of(w.db, w.arena, "ctf", w.alice.id, &team, &e), -ERR_CONFLICT);
}

/* Instances */

static struct question flag_question[] = {
	{ .id = "flag", .kind = ANSWER_GENERATED, .answer = "flag{...}" },
	{ .id = "city", .kind = ANSWER_STATIC, .answer = "Paris" },
};
static const struct challenge web = {
	.id = "web", .value = 100, .questions = flag_question, .question_count = 2
};
static const struct challenge pwn = {
	.id = "pwn", .value = 100, .questions = flag_question, .question_count = 2
};
static const struct challenge crypto = {
	.id = "crypto", .value = 100, .questions = flag_question, .question_count = 2
};

/* clang-format off */
#define LOAD(id_, healthy_, running_, capacity_) \
	{ .id = (id_), .healthy = (healthy_), .running = (running_), .capacity = (capacity_) }
/* clang-format on */

static const struct node_load two_nodes[] = { LOAD("n1", true, 0, 2), LOAD("n2", true, 0, 2) };

static int promise_on(struct world *w, const struct node_load two[2], const struct team *team,
		      const struct challenge *challenge, const char *flag,
		      struct instance *ret_instance, bool *ret_is_new, struct err *e)
{
	AUTO(json_t *, json_decrefp) answers =
		json_pack("{s:s, s:s}", "flag", flag, "city", "Paris");
	const struct instance_wish wish = { .competition = &w->competition,
					    .team_id = team->id,
					    .user_id = team->captain_id,
					    .challenge = challenge,
					    .ttl = 60,
					    .answers = answers };
	static atomic_int_fast64_t now = 1000;
	int r = instances_promise(w->db, w->arena, atomic_fetch_add(&now, 1), &wish, two, 2,
				  ret_instance, ret_is_new, e);

	if (r == 0)
		instances_row_done(ret_instance);
	return r;
}

static int promise(struct world *w, const struct team *team, const struct challenge *challenge,
		   const char *flag, struct instance *ret_instance, bool *ret_is_new, struct err *e)
{
	return promise_on(w, two_nodes, team, challenge, flag, ret_instance, ret_is_new, e);
}

static int place(struct world *w, const struct waiting *waiting, const struct node_load two[2],
		 char **ret_node_id, bool *ret_changed)
{
	struct err e = ERR_INIT;

	return instances_place(w->db, w->arena, waiting, two, 2, ret_node_id, ret_changed, &e);
}

TEST(a_team_has_one_live_instance_of_a_challenge)
{
	AUTO(struct world, end_world) w;
	struct instance first, again;
	struct err e = ERR_INIT;
	bool is_new;

	begin_world(&w);
	CHECK_EQ(promise(&w, &w.red, &web, "flag{1}", &first, &is_new, &e), 0);
	CHECK(is_new);
	CHECK_EQ(promise(&w, &w.red, &web, "flag{2}", &again, &is_new, &e), 0);
	CHECK(!is_new);
	CHECK_STR(again.id, first.id);

	CHECK_EQ(instances_begin_stop(w.db, first.id, "stopped", NULL, NULL, &e), 0);
	CHECK_EQ(promise(&w, &w.red, &web, "flag{3}", &again, &is_new, &e), -ERR_CONFLICT);
	CHECK_EQ(instances_ended(w.db, &first, 2000, &e), 0);
	CHECK_EQ(promise(&w, &w.red, &web, "flag{3}", &again, &is_new, &e), 0);
	CHECK(is_new);
	CHECK(strcmp(again.id, first.id) != 0);
}

TEST(promises_spread_over_the_nodes_and_wait_where_they_are_full)
{
	AUTO(struct world, end_world) w;
	struct instance a, b, c;
	struct err e = ERR_INIT;
	struct waiting next = WAITING_FIRST;
	char *node_id;
	bool is_new, changed;

	begin_world(&w);
	w.competition.max_instances = 0;
	CHECK_EQ(promise(&w, &w.red, &web, "f", &a, &is_new, &e), 0);
	CHECK_EQ(promise(&w, &w.red, &pwn, "f", &b, &is_new, &e), 0);
	CHECK(strcmp(a.node_id, b.node_id) != 0);
	CHECK_EQ(promise(&w, &w.blue, &web, "f", &c, &is_new, &e), 0);
	CHECK_EQ(promise(&w, &w.blue, &pwn, "f", &c, &is_new, &e), 0);
	CHECK(*c.node_id);
	CHECK_EQ(promise(&w, &w.blue, &crypto, "f", &c, &is_new, &e), 0);
	CHECK(is_new && instances_is_queued(&c));

	/* Who comes later waits behind, also when there is room again. */
	CHECK_EQ(instances_begin_stop(w.db, a.id, "stopped", NULL, NULL, &e), 0);
	CHECK_EQ(instances_ended(w.db, &a, 1, &e), 0);
	CHECK_EQ(promise(&w, &w.red, &crypto, "f", &b, &is_new, &e), 0);
	CHECK(instances_is_queued(&b));
	CHECK_EQ(instances_next_waiting(w.db, w.arena, &next, &next, &e), 0);
	CHECK_STR(next.id, c.id);
	CHECK_EQ(place(&w, &next, two_nodes, &node_id, &changed), 0);
	CHECK(changed);
	CHECK_STR(node_id, a.node_id);
	CHECK_EQ(place(&w, &next, two_nodes, &node_id, &changed), -ERR_UNAVAILABLE);
	CHECK_EQ(instances_next_waiting(w.db, w.arena, &next, &next, &e), 0);
	CHECK_STR(next.id, b.id);
	CHECK_EQ(instances_next_waiting(w.db, w.arena, &next, &next, &e), -ERR_NOT_FOUND);
}

/* A place is given once, however many give it. */
TEST(who_was_given_a_node_meanwhile_keeps_it)
{
	AUTO(struct world, end_world) w;
	const struct node_load full[] = { LOAD("n1", true, 2, 2), LOAD("n2", true, 2, 2) };
	struct waiting waiting = { .since = 0 };
	struct instance instance;
	struct err e = ERR_INIT;
	char *node_id;
	bool is_new, changed;

	begin_world(&w);
	CHECK_EQ(promise_on(&w, full, &w.red, &web, "f", &instance, &is_new, &e), 0);
	CHECK(instances_is_queued(&instance));
	waiting.id = instance.id;
	CHECK_EQ(place(&w, &waiting, two_nodes, &node_id, &changed), 0);
	CHECK(changed);
	CHECK_EQ(place(&w, &waiting, two_nodes, &node_id, &changed), 0);
	CHECK(!changed);
	CHECK_EQ(instances_begin_stop(w.db, instance.id, "stopped", NULL, NULL, &e), 0);
	CHECK_EQ(place(&w, &waiting, two_nodes, &node_id, &changed), 0);
	CHECK(!changed);
}

/* What was promised since a node's last report counts, by each measure. */
TEST(memory_and_processors_are_promised_once)
{
	AUTO(struct world, end_world) w;
	const struct node_load nodes[] = {
		{ .id = "n1", .healthy = true, .capacity = 9, .memory = { 0, 1000, 400 } },
		{ .id = "n2", .healthy = true, .capacity = 9, .nano_cpus = { 0, 9, 4 } },
	};
	struct instance instance;
	struct err e = ERR_INIT;
	int placed[2] = { 0 };
	bool is_new;

	begin_world(&w);
	w.competition.max_instances = 0;
	for (size_t i = 0; i < 4; i++) {
		const struct challenge *challenge = i % 2 ? &web : &pwn;

		CHECK_EQ(promise_on(&w, nodes, i < 2 ? &w.red : &w.blue, challenge, "f", &instance,
				    &is_new, &e),
			 0);
		placed[strcmp(instance.node_id, "n2") == 0]++;
	}
	CHECK_EQ(placed[0], 2);
	CHECK_EQ(placed[1], 2);
	CHECK_EQ(promise_on(&w, nodes, &w.red, &crypto, "f", &instance, &is_new, &e), 0);
	CHECK(instances_is_queued(&instance));
}

TEST(a_team_gets_no_more_than_its_quota)
{
	AUTO(struct world, end_world) w;
	struct instance instance;
	struct err e = ERR_INIT;
	bool is_new;

	begin_world(&w);
	CHECK_EQ(promise(&w, &w.red, &web, "f", &instance, &is_new, &e), 0);
	CHECK_EQ(promise(&w, &w.red, &pwn, "f", &instance, &is_new, &e), 0);
	CHECK_EQ(promise(&w, &w.red, &crypto, "f", &instance, &is_new, &e), -ERR_RATE_LIMITED);
	CHECK_HAS(e.msg, "(max_instances: 2): stop one first");
}

/* Quotas under a rush */

enum { RUSH = 24, RUSH_QUOTA = 5 };

static void add_rush_team(struct world *w, const char *id)
{
	struct err e = ERR_INIT;

	CHECK_EQ(db_run(w->db,
			"INSERT INTO account (id, name, name_key, password, role, created_at)"
			" VALUES (?, ?, ?, '', 'player', 0)",
			DB_ARGS(db_text(id), db_text(id), db_text(id)), &e),
		 0);
	CHECK_EQ(db_run(w->db,
			"INSERT INTO team (id, competition_id, name, name_key, invite, captain_id,"
			" created_at) VALUES (?, 'ctf', ?, ?, ?, ?, 0)",
			DB_ARGS(db_text(id), db_text(id), db_text(id), db_text(id), db_text(id)),
			&e),
		 0);
	CHECK_EQ(db_run(w->db,
			"INSERT INTO member (competition_id, account_id, team_id, joined_at)"
			" VALUES ('ctf', ?, ?, 0)",
			DB_ARGS(db_text(id), db_text(id)), &e),
		 0);
}

/* One of many that start at the same moment. */
struct rusher {
	struct world *world;
	char team_id[16];
	char challenge_id[16];
	struct challenge challenge;
	pthread_barrier_t *begin;
	int result;
	char words[ERR_MESSAGE_SIZE];
};

static void *rush(void *cookie)
{
	static const struct node_load roomy[] = { LOAD("n1", true, 0, 100),
						  LOAD("n2", true, 0, 100) };
	struct rusher *r = cookie;
	struct world w = *r->world;
	const struct team team = { .id = r->team_id, .captain_id = r->team_id };
	struct instance instance;
	struct err e = ERR_INIT;
	bool is_new;

	w.arena = arena_new();
	pthread_barrier_wait(r->begin);
	r->result = promise_on(&w, roomy, &team, &r->challenge, "f", &instance, &is_new, &e);
	snprintf(r->words, sizeof(r->words), "%s", e.msg);
	arena_free(w.arena);
	return NULL;
}

/* Of as many teams and challenges as there are, start all at once. Returns how many may. */
static size_t rush_all(struct world *w, size_t team_count, size_t challenge_count,
		       const struct challenge *like, const char *words)
{
	struct rusher rushers[RUSH];
	pthread_t threads[RUSH];
	pthread_barrier_t begin;
	size_t started = 0;

	pthread_barrier_init(&begin, NULL, RUSH);
	for (size_t i = 0; i < RUSH; i++) {
		struct rusher *r = &rushers[i];

		*r = (struct rusher){ .world = w, .begin = &begin, .challenge = *like };
		snprintf(r->team_id, sizeof(r->team_id), "team-%zu", i % team_count);
		snprintf(r->challenge_id, sizeof(r->challenge_id), "c-%zu", i % challenge_count);
		r->challenge.id = r->challenge_id;
		if (i < team_count)
			add_rush_team(w, r->team_id);
	}
	for (size_t i = 0; i < RUSH; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, rush, &rushers[i]), 0);
	for (size_t i = 0; i < RUSH; i++) {
		pthread_join(threads[i], NULL);
		started += rushers[i].result == 0;
		if (rushers[i].result < 0) {
			CHECK_EQ(rushers[i].result, -ERR_RATE_LIMITED);
			CHECK_HAS(rushers[i].words, words);
		}
	}
	pthread_barrier_destroy(&begin);
	return started;
}

TEST(however_many_start_at_once_a_team_has_its_quota)
{
	AUTO(struct world, end_world) w;

	begin_world(&w);
	w.competition.max_instances = RUSH_QUOTA;
	CHECK_EQ(rush_all(&w, 1, RUSH, &web, "(max_instances: 5): stop one first"), RUSH_QUOTA);
}

TEST(however_many_start_at_once_a_challenge_has_its_quota)
{
	AUTO(struct world, end_world) w;
	struct challenge scarce = web;

	begin_world(&w);
	scarce.max_instances = RUSH_QUOTA;
	CHECK_EQ(rush_all(&w, RUSH, 1, &scarce,
			  "of 'c-0' as all teams may have at once "
			  "(max_instances: 5): try again when one has ended"),
		 RUSH_QUOTA);
}

TEST(however_many_start_at_once_a_competition_has_its_quota)
{
	AUTO(struct world, end_world) w;

	begin_world(&w);
	w.competition.max_instances_total = RUSH_QUOTA;
	CHECK_EQ(rush_all(&w, RUSH, RUSH, &web,
			  "in 'ctf' as all its teams may have at once "
			  "(max_instances_total: 5): try again"),
		 RUSH_QUOTA);
}

TEST(what_moves_has_another_id_than_a_copy_that_a_node_may_still_hold)
{
	AUTO(struct world, end_world) w;
	const char *avoid[1];
	struct scheduler_want want = { avoid, 1 };
	struct instance instance, moved, back;
	size_t left_count;
	char **left;
	struct err e = ERR_INIT;
	bool is_new;

	begin_world(&w);
	CHECK_EQ(promise(&w, &w.red, &web, "f", &instance, &is_new, &e), 0);
	avoid[0] = instance.node_id;
	CHECK_EQ(instances_move(w.db, w.arena, &instance, &want, two_nodes, 2, true, &e), 0);
	CHECK_EQ(instances_find(w.db, w.arena, instance.id, &moved, &e), 0);
	CHECK(strcmp(moved.node_id, instance.node_id) != 0);
	instances_row_done(&moved);

	/* Back again, beside what the first node may still hold; nothing is left on the second. */
	CHECK(strcmp(moved.copy_id, instance.copy_id) != 0);
	avoid[0] = moved.node_id;
	CHECK_EQ(instances_move(w.db, w.arena, &moved, &want, two_nodes, 2, false, &e), 0);
	CHECK_EQ(instances_find(w.db, w.arena, instance.id, &back, &e), 0);
	CHECK_STR(back.node_id, instance.node_id);
	CHECK_STR(back.copy_id, moved.copy_id);
	instances_row_done(&back);
	CHECK_EQ(leftovers_on(w.db, w.arena, instance.node_id, &left, &left_count, &e), 0);
	CHECK_EQ(left_count, 1);
	CHECK_STR(left[0], instance.copy_id);
}

struct starter {
	struct world *world;
	char id[64];
	bool is_new;
	int result;
};

static void *start_at_once(void *cookie)
{
	struct starter *s = cookie;
	struct world w = *s->world;
	struct instance instance;
	struct err e = ERR_INIT;

	w.arena = arena_new();
	s->result = promise(&w, &w.red, &web, "flag{x}", &instance, &s->is_new, &e);
	if (s->result == 0)
		snprintf(s->id, sizeof(s->id), "%s", instance.id);
	arena_free(w.arena);
	return NULL;
}

TEST(starts_at_once_give_one_instance)
{
	AUTO(struct world, end_world) w;
	struct starter starters[16];
	pthread_t threads[16];
	size_t fresh = 0;

	begin_world(&w);
	for (size_t i = 0; i < 16; i++) {
		starters[i] = (struct starter){ .world = &w };
		CHECK_EQ(pthread_create(&threads[i], NULL, start_at_once, &starters[i]), 0);
	}
	for (size_t i = 0; i < 16; i++) {
		pthread_join(threads[i], NULL);
		CHECK_EQ(starters[i].result, 0);
		CHECK_STR(starters[i].id, starters[0].id);
		fresh += starters[i].is_new;
	}
	CHECK_EQ(fresh, 1);
}

/* Submissions */

static int submit(struct world *w, const struct team *team, const struct challenge *challenge,
		  const char *question, const char *answer, struct submission *ret, struct err *e)
{
	const struct attempt attempt = { .competition_id = "ctf",
					 .challenge = challenge,
					 .question_id = question,
					 .team_id = team->id,
					 .user_id = team->captain_id,
					 .answer = answer,
					 .peer = "127.0.0.1" };

	return submission_make(w->db, w->arena, 5000, &attempt, ret, e);
}

TEST(an_answer_is_right_once_and_the_first_of_all_is_first_blood)
{
	AUTO(struct world, end_world) w;
	struct instance red, blue;
	struct submission s;
	struct err e = ERR_INIT;
	bool is_new;

	begin_world(&w);
	CHECK_EQ(promise(&w, &w.red, &web, "flag{red}", &red, &is_new, &e), 0);
	CHECK_EQ(promise(&w, &w.blue, &web, "flag{blue}", &blue, &is_new, &e), 0);
	CHECK_EQ(submit(&w, &w.red, &web, NULL, " flag{red}\n", &s, &e), 0);
	CHECK_STR(s.verdict, "correct");
	CHECK_STR(s.question_id, "flag");
	CHECK(s.first_blood);
	CHECK_STR(s.instance_id, red.id);
	CHECK_EQ(submit(&w, &w.red, &web, NULL, "flag{red}", &s, &e), 0);
	CHECK_STR(s.verdict, "repeated");
	CHECK(!s.first_blood);
	CHECK_EQ(submit(&w, &w.blue, &web, "flag", "flag{blue}", &s, &e), 0);
	CHECK_STR(s.verdict, "correct");
	CHECK(!s.first_blood);
}

TEST(another_teams_answer_is_wrong_and_kept_with_whose_it_was)
{
	AUTO(struct world, end_world) w;
	struct instance red;
	struct submission s;
	struct err e = ERR_INIT;
	bool is_new;

	begin_world(&w);
	CHECK_EQ(promise(&w, &w.red, &web, "flag{red}", &red, &is_new, &e), 0);
	CHECK_EQ(submit(&w, &w.blue, &pwn, NULL, "flag{red}", &s, &e), 0);
	CHECK_STR(s.verdict, "foreign");
	CHECK_STR(submission_verdict_shown(&s), "wrong");
	CHECK_STR(s.other_team_id, w.red.id);
	CHECK_STR(s.other_instance_id, red.id);

	/* What is the same for everybody is nobody's. */
	CHECK_EQ(submit(&w, &w.blue, &web, "flag", "Paris", &s, &e), 0);
	CHECK_STR(s.verdict, "wrong");
}

TEST(an_answer_stays_right_after_its_instance_ended)
{
	AUTO(struct world, end_world) w;
	struct instance red;
	struct submission s;
	struct err e = ERR_INIT;
	bool is_new;

	begin_world(&w);
	CHECK_EQ(promise(&w, &w.red, &web, "flag{red}", &red, &is_new, &e), 0);
	CHECK_EQ(instances_begin_stop(w.db, red.id, "expired", NULL, NULL, &e), 0);
	CHECK_EQ(instances_ended(w.db, &red, 2000, &e), 0);
	CHECK_EQ(submit(&w, &w.red, &web, NULL, "flag{red}", &s, &e), 0);
	CHECK_STR(s.verdict, "correct");
	CHECK(!s.instance_id);
}

TEST(attempts_are_counted_and_end)
{
	AUTO(struct world, end_world) w;
	const struct challenge strict = {
		.id = "strict", .questions = flag_question, .question_count = 2, .attempts = 2
	};
	struct submission s;
	struct err e = ERR_INIT;

	begin_world(&w);
	CHECK_EQ(submit(&w, &w.red, &strict, NULL, "Paris", &s, &e), 0);
	CHECK_EQ(submit(&w, &w.red, &strict, NULL, "Rome", &s, &e), 0);
	CHECK_EQ(submit(&w, &w.red, &strict, NULL, "Oslo", &s, &e), 0);
	CHECK_EQ(submit(&w, &w.red, &strict, NULL, "Paris", &s, &e), -ERR_FORBIDDEN);
	CHECK_EQ(submit(&w, &w.blue, &strict, NULL, "Paris", &s, &e), 0);
}

TEST(an_answer_that_is_none_is_not_kept)
{
	AUTO(struct world, end_world) w;
	const struct submission_filter all = { .page = {
						       .limit = 100, .at = INT64_MAX, .id = "" } };
	struct submissions kept;
	struct submission s;
	struct err e = ERR_INIT;

	begin_world(&w);
	CHECK_EQ(submit(&w, &w.red, &web, NULL, " \n", &s, &e), -ERR_VALIDATION);
	CHECK_EQ(submit(&w, &w.red, &web, "nope", "x", &s, &e), -ERR_NOT_FOUND);
	CHECK_EQ(submission_list(w.db, w.arena, "ctf", &all, &kept, &e), 0);
	CHECK_EQ(kept.submission_count, 0);
	CHECK_EQ(submit(&w, &w.red, &web, NULL, "wrong", &s, &e), 0);
	CHECK_EQ(submission_list(w.db, w.arena, "ctf", &all, &kept, &e), 0);
	CHECK_EQ(kept.submission_count, 1);
}

struct submitter {
	struct world *world;
	const struct team *team;
	bool first_blood;
	bool correct;
};

static void *submit_at_once(void *cookie)
{
	struct submitter *s = cookie;
	struct world w = *s->world;
	struct submission made;
	struct err e = ERR_INIT;

	w.arena = arena_new();
	if (submit(&w, s->team, &web, NULL, "Paris", &made, &e) == 0) {
		s->first_blood = made.first_blood;
		s->correct = strcmp(made.verdict, "correct") == 0;
	}
	arena_free(w.arena);
	return NULL;
}

/* The same answer, to a challenge with two questions that it fits. */
struct twin {
	struct world *world;
	const struct challenge *challenge;
	pthread_barrier_t *begin;
	bool correct;
};

static void *submit_as_twin(void *cookie)
{
	struct twin *t = cookie;
	struct world w = *t->world;
	struct submission made;
	struct err e = ERR_INIT;

	w.arena = arena_new();
	pthread_barrier_wait(t->begin);
	t->correct = submit(&w, &w.red, t->challenge, NULL, "Paris", &made, &e) == 0 &&
		     strcmp(made.verdict, "correct") == 0;
	arena_free(w.arena);
	return NULL;
}

enum { ROUNDS = 40 };

TEST(two_answers_at_once_solve_both_questions_that_they_fit)
{
	AUTO(struct world, end_world) w;
	struct question cities[] = {
		{ .id = "one", .kind = ANSWER_STATIC, .answer = "Paris" },
		{ .id = "two", .kind = ANSWER_STATIC, .answer = "Paris" },
	};
	pthread_barrier_t begin;

	begin_world(&w);
	pthread_barrier_init(&begin, NULL, 2);
	for (int i = 0; i < ROUNDS; i++) {
		char id[16];
		const struct challenge quiz = { .id = id,
						.questions = cities,
						.question_count = 2 };
		struct twin twins[2] = { { &w, &quiz, &begin, false },
					 { &w, &quiz, &begin, false } };
		pthread_t thread;

		snprintf(id, sizeof(id), "round-%d", i);
		CHECK_EQ(pthread_create(&thread, NULL, submit_as_twin, &twins[0]), 0);
		submit_as_twin(&twins[1]);
		pthread_join(thread, NULL);
		CHECK(twins[0].correct && twins[1].correct);
	}
	pthread_barrier_destroy(&begin);
}

TEST(right_answers_at_once_give_one_first_blood_and_one_solve_a_team)
{
	AUTO(struct world, end_world) w;
	struct submitter submitters[16];
	pthread_t threads[16];
	size_t bloods = 0, solves = 0;
	int64_t kept;
	struct err e = ERR_INIT;

	begin_world(&w);
	for (size_t i = 0; i < 16; i++) {
		submitters[i] = (struct submitter){ .world = &w, .team = i % 2 ? &w.red : &w.blue };
		CHECK_EQ(pthread_create(&threads[i], NULL, submit_at_once, &submitters[i]), 0);
	}
	for (size_t i = 0; i < 16; i++) {
		pthread_join(threads[i], NULL);
		bloods += submitters[i].first_blood;
		solves += submitters[i].correct;
	}
	CHECK_EQ(bloods, 1);
	CHECK_EQ(solves, 2);
	CHECK_EQ(rows_count(w.db, "SELECT COUNT(*) FROM submission", NULL, &kept, &e), 0);
	CHECK_EQ(kept, 16);
}

/* Paces */

enum { PACING_PATIENCE_S = 60, QUICK_ROUNDS = 5, PACES = 200 };

static const int64_t an_hour_ms = 3600 * 1000;

struct runner {
	struct pace pace;
	struct track *track;
	int64_t next_ms; /* after a round */
	int rounds;
	bool leaves; /* with its next round */
	bool stays;  /* in a round, until the others have run QUICK_ROUNDS */
};

struct track {
	struct pacer *pacer;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int rounds; /* of those that don't stay */
	bool waited_in_vain;
};

/* The lock is held. */
static bool wait_for_rounds(struct track *track, int rounds)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PACING_PATIENCE_S;
	while (track->rounds < rounds)
		if (pthread_cond_timedwait(&track->changed, &track->lock, &until) != 0)
			return false;
	return true;
}

static int64_t run_once(struct pace *pace)
{
	struct runner *runner = (struct runner *)(void *)pace;
	struct track *track = runner->track;
	int64_t next;

	pthread_mutex_lock(&track->lock);
	runner->rounds++;
	if (runner->stays && !runner->leaves)
		track->waited_in_vain |= !wait_for_rounds(track, QUICK_ROUNDS);
	else
		track->rounds++;
	pthread_cond_broadcast(&track->changed);
	next = runner->leaves ? PACE_OVER : runner->next_ms;
	pthread_mutex_unlock(&track->lock);
	return next;
}

static void begin_runner(struct runner *runner, struct track *track, int64_t next_ms, bool stays)
{
	struct err e = ERR_INIT;

	*runner = (struct runner){
		.pace = { .round = run_once }, .track = track, .next_ms = next_ms, .stays = stays
	};
	CHECK_EQ(pacer_add(track->pacer, &runner->pace, 0, &e), 0);
}

static void end_runner(struct runner *runner)
{
	pthread_mutex_lock(&runner->track->lock);
	runner->leaves = true;
	pthread_mutex_unlock(&runner->track->lock);
	pacer_hurry(runner->track->pacer, &runner->pace);
}

static void begin_track(struct track *track)
{
	struct err e = ERR_INIT;

	*track = (struct track){ .pacer = NULL };
	pthread_mutex_init(&track->lock, NULL);
	pthread_cond_init(&track->changed, NULL);
	CHECK_EQ(pacer_new(&track->pacer, &e), 0);
}

static void end_track(struct track *track)
{
	pacer_free(track->pacer);
	pthread_cond_destroy(&track->changed);
	pthread_mutex_destroy(&track->lock);
}

TEST(a_round_that_takes_long_delays_no_other)
{
	AUTO(struct track, end_track) track;
	struct runner slow[3], quick;

	begin_track(&track);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		begin_runner(&slow[i], &track, an_hour_ms, true);
	begin_runner(&quick, &track, 1, false);
	pthread_mutex_lock(&track.lock);
	CHECK(wait_for_rounds(&track, QUICK_ROUNDS));
	pthread_mutex_unlock(&track.lock);
	for (size_t i = 0; i < ARRAY_SIZE(slow); i++)
		end_runner(&slow[i]);
	end_runner(&quick);
	pacer_wait(track.pacer);
	CHECK(!track.waited_in_vain);
}

TEST(who_is_hurried_runs_at_once_however_many_wait)
{
	AUTO(struct track, end_track) track;
	static struct runner runners[PACES];

	begin_track(&track);
	for (size_t i = 0; i < PACES; i++)
		begin_runner(&runners[i], &track, an_hour_ms, false);
	pthread_mutex_lock(&track.lock);
	CHECK(wait_for_rounds(&track, PACES));
	pthread_mutex_unlock(&track.lock);
	pacer_hurry(track.pacer, &runners[PACES / 2].pace);
	pthread_mutex_lock(&track.lock);
	CHECK(wait_for_rounds(&track, PACES + 1));
	pthread_mutex_unlock(&track.lock);
	CHECK_EQ(runners[PACES / 2].rounds, 2);
	for (size_t i = 0; i < PACES; i++)
		end_runner(&runners[i]);
	pacer_wait(track.pacer);
	CHECK_EQ(track.rounds, 2 * PACES + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_round_that_takes_long_delays_no_other),
		T(who_is_hurried_runs_at_once_however_many_wait),
		T(a_node_is_lost_after_three_misses_and_answers_twice_to_be_healthy),
		T(a_node_that_says_it_is_unwell_is_degraded_but_never_lost),
		T(a_static_challenge_keeps_its_value),
		T(a_dynamic_challenge_falls_logarithmically_to_its_minimum),
		T(a_dynamic_challenge_falls_linearly_to_its_minimum),
		T(the_shares_of_all_questions_add_up_to_the_value),
		T(more_points_lead_and_of_equal_points_the_earlier),
		T(only_a_whole_solve_lowers_a_dynamic_value_and_for_all_who_have_it),
		T(a_freeze_freezes_dynamic_values_too),
		T(the_first_gets_a_bonus_and_a_hint_costs),
		T(teams_without_a_solve_share_a_rank),
		T(a_generated_answer_is_right_for_its_own_team_only),
		T(case_counts_unless_the_author_says_otherwise),
		T(further_answers_are_accepted_too_each_in_its_own_way),
		T(what_is_around_an_answer_does_not_count_on_either_side),
		T(a_pattern_has_to_match_the_whole_answer),
		T(a_pattern_means_what_python_means),
		T(a_pattern_that_is_none_of_pythons_is_refused),
		T(a_pattern_that_takes_too_long_gives_no_verdict),
		T(one_slow_pattern_does_not_hide_another_answer),
		T(a_name_is_trimmed_and_compared_without_case),
		T(a_competition_file_says_when_who_and_what),
		T(a_faulty_competition_file_is_refused_with_its_line),
		T(a_password_lets_in_and_its_likes_do_not),
		T(an_unknown_name_costs_a_hash_too),
		T(a_disabled_account_neither_logs_in_nor_speaks_by_its_tokens),
		T(the_last_admin_stays_admin),
		T(what_is_not_said_to_change_stays_as_it_is_by_then),
		T(an_account_is_in_one_team_and_a_team_has_no_more_than_its_size),
		T(a_team_has_one_live_instance_of_a_challenge),
		T(promises_spread_over_the_nodes_and_wait_where_they_are_full),
		T(who_was_given_a_node_meanwhile_keeps_it),
		T(memory_and_processors_are_promised_once),
		T(a_team_gets_no_more_than_its_quota),
		T(however_many_start_at_once_a_team_has_its_quota),
		T(however_many_start_at_once_a_challenge_has_its_quota),
		T(however_many_start_at_once_a_competition_has_its_quota),
		T(what_moves_has_another_id_than_a_copy_that_a_node_may_still_hold),
		T(starts_at_once_give_one_instance),
		T(an_answer_is_right_once_and_the_first_of_all_is_first_blood),
		T(another_teams_answer_is_wrong_and_kept_with_whose_it_was),
		T(an_answer_stays_right_after_its_instance_ended),
		T(attempts_are_counted_and_end),
		T(an_answer_that_is_none_is_not_kept),
		T(two_answers_at_once_solve_both_questions_that_they_fit),
		T(right_answers_at_once_give_one_first_blood_and_one_solve_a_team),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
