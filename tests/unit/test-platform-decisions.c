/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/own.h"
#include "db/db.h"
#include "platform/board.h"
#include "platform/challenges.h"
#include "platform/competition.h"
#include "platform/facts.h"
#include "platform/purse.h"
#include "platform/rows.h"
#include "platform/schema.h"
#include "platform/team.h"

#include "platform-world.h"

#include <stdio.h>
#include <string.h>

/*
 * Many who answer, guess, buy hints and change what they may, all at once, in whatever order their
 * threads run: what was decided has to hold together afterwards.
 */

enum { PLAYERS = 10, CHALLENGES = 4, ACTS = 40, ATTEMPTS = 6 };

static const char file[] =
	"id: ctf\nmax_instances: 2\nfirst_blood: 10%\nanswer_rate: 0\nchallenges:\n"
	"- {id: prop-0, attempts: 6}\n"
	"- {id: prop-1, value: 300, minimum: 40, decay: 4, function: logarithmic}\n"
	"- {id: prop-2, value: 200, minimum: 100, decay: 30, function: linear}\n"
	"- {id: prop-3, requires: [prop-0]}\n";

static void write_challenges(void)
{
	for (int i = 0; i < CHALLENGES; i++) {
		char name[64], text[512];

		snprintf(name, sizeof(name), "prop-%d/challenge.yml", i);
		snprintf(text, sizeof(text),
			 "name: Prop %d\nvalue: 100\nquestions:\n"
			 "  - {id: one, answer: same}\n  - {id: two, answer: same}\n"
			 "  - {id: three, answer: other}\n"
			 "hints: [{content: a, cost: 30}, {content: b, cost: 45},"
			 " {content: c, cost: 60}]\n",
			 i);
		write_file(name, text);
	}
}

struct player {
	struct world *w;
	char token[SECRET_TOKEN_SIZE];
	uint64_t random;
	int status; /* of something that nothing allows; 0: there was none */
};

/* xorshift64: the same for the same seed. */
static unsigned draw(struct player *p, unsigned below)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return (unsigned)(p->random >> 33) % below;
}

static int act(struct player *p)
{
	static const char *const answers[] = { "same", "same", "other", "wrong" };
	char challenge[16], path[64];

	snprintf(challenge, sizeof(challenge), "prop-%u", draw(p, CHALLENGES));
	if (draw(p, 3) > 0)
		return answer(p->w, p->token, challenge, answers[draw(p, 4)])->status;
	snprintf(path, sizeof(path), "/challenges/%s/hints/%u", challenge, draw(p, 3));
	return call(p->w, p->token, "POST", path, NULL, NULL)->status;
}

static void *play(void *cookie)
{
	struct player *p = cookie;

	for (int i = 0; i < ACTS; i++) {
		int status = act(p);

		if (status != 200 && status != 201 && status != 403 && status != 409)
			p->status = status;
	}
	forget_reply();
	return NULL;
}

static void play_all(struct world *w, uint64_t seed)
{
	struct player players[PLAYERS];
	pthread_t threads[PLAYERS];

	for (int i = 0; i < PLAYERS; i++) {
		char name[16], team[16];

		snprintf(name, sizeof(name), "player-%d", i);
		snprintf(team, sizeof(team), "Team %d", i / 2);
		players[i] = (struct player){ .w = w, .random = seed + (uint64_t)i * 7919 };
		make_player(w, name, i % 2 ? NULL : team, players[i].token);
		if (i % 2) {
			char body[96];

			snprintf(body, sizeof(body), "{\"invite\":\"%s\"}",
				 text(call(w, players[i - 1].token, "GET", "/team", NULL, NULL),
				      "invite"));
			EXPECT(call(w, players[i].token, "POST", "/team/members", body, NULL), 200);
		}
	}
	for (int i = 0; i < PLAYERS; i++)
		CHECK_EQ(pthread_create(&threads[i], NULL, play, &players[i]), 0);
	for (int i = 0; i < PLAYERS; i++)
		pthread_join(threads[i], NULL);
	for (int i = 0; i < PLAYERS; i++)
		CHECK_EQ(players[i].status, 0);
}

/* Afterwards, in the store */

struct after {
	struct arena *arena;
	struct db *db;
	struct challenges *challenges;
	struct competition competition;
	const struct shelf *shelf;
	const struct board *board;
	struct facts facts;
};

static void end_after(struct after *a)
{
	board_drop(a->board);
	facts_done(&a->facts);
	shelf_drop(a->shelf);
	challenges_free(a->challenges);
	db_close(a->db);
	arena_free(a->arena);
}

static void begin_after(struct after *a, const struct world *w)
{
	char path[200];
	struct err e = ERR_INIT;

	*a = (struct after){ .arena = arena_new() };
	snprintf(path, sizeof(path), "%s/platform.db", w->state);
	CHECK_EQ(schema_open(path, &a->db, &e), 0);
	CHECK_EQ(challenges_new(w->options.challenges, &a->challenges, &e), 0);
	CHECK_EQ(competition_parse(a->arena, "ctf", file, strlen(file), &a->competition, &e), 0);
	a->shelf = challenges_take(a->challenges);
	CHECK_EQ(facts_read(&a->facts, a->db, a->challenges, &a->competition, &e), 0);
	CHECK_EQ(board_new(&a->facts, &a->competition, false, &a->board, &e), 0);
}

static int64_t count(struct after *a, const char *sql)
{
	struct err e = ERR_INIT;
	int64_t rows = -1;

	CHECK_EQ(rows_count(a->db, sql, NULL, &rows, &e), 0);
	return rows;
}

/* By whatever way it is counted, a team has the same. */
static void check_points(struct after *a)
{
	for (size_t i = 0; i < a->board->line_count; i++) {
		const struct board_line *line = &a->board->lines[i];
		struct team team = { .id = (char *)(uintptr_t)line->team_id,
				     .competition_id = a->competition.id };
		const struct purse purse = { a->shelf, &a->competition, &team, "" };
		struct err e = ERR_INIT;
		int64_t exact = 0, least = 0;

		CHECK_EQ(purse_points(a->db, a->arena, &purse, INT64_MAX, &exact, &e), 0);
		CHECK_EQ(exact, line->score);
		CHECK_EQ(purse_points(a->db, a->arena, &purse, INT64_MIN, &least, &e), 0);
		CHECK(least <= exact);
	}
}

/* 300, 200, and twice 100, a tenth more for the first: what nobody ever had was not spent either.
 */
#define ALL_THERE_IS "(700 + 70)"

static void check_decisions(struct after *a)
{
	CHECK(count(a, "SELECT COUNT(*) FROM solve") > 0);
	CHECK(count(a, "SELECT COUNT(*) FROM unlock") > 0);
	/* Of each solved question one team is first: the first in the store. */
	CHECK_EQ(count(a, "SELECT COUNT(*) FROM first_blood"),
		 count(a, "SELECT COUNT(*) FROM (SELECT DISTINCT challenge_id, question_id FROM"
			  " solve)"));
	CHECK_EQ(count(a, "SELECT COUNT(*) FROM first_blood AS f JOIN solve AS s USING"
			  " (competition_id, challenge_id, question_id, team_id) WHERE EXISTS"
			  " (SELECT 1 FROM solve AS t WHERE t.challenge_id = s.challenge_id AND"
			  " t.question_id = s.question_id AND t.seq < s.seq)"),
		 0);
	/* Times follow the store's order. */
	CHECK_EQ(count(a, "SELECT COUNT(*) FROM solve AS a JOIN solve AS b ON b.seq = a.seq + 1"
			  " WHERE b.solved_at < a.solved_at"),
		 0);
	/* Each solve has its answer, and each right answer its solve. */
	CHECK_EQ(count(a, "SELECT COUNT(*) FROM submission WHERE verdict = 'correct'"),
		 count(a, "SELECT COUNT(*) FROM solve"));
	/* Two that the same answer fits are both solved by two such answers. */
	CHECK_EQ(count(a, "SELECT COUNT(*) FROM (SELECT 1 FROM submission WHERE question_id IN"
			  " ('one', 'two') GROUP BY team_id, challenge_id HAVING COUNT(*) >= 2"
			  " AND SUM(CASE WHEN verdict = 'correct' THEN 1 ELSE 0 END) <> 2)"),
		 0);
	/* Attempts end for a team and for an account. */
	CHECK(count(a, "SELECT COALESCE(MAX(n), 0) FROM (SELECT COUNT(*) AS n FROM submission WHERE"
		       " challenge_id = 'prop-0' AND verdict = 'wrong' GROUP BY team_id)") <=
	      ATTEMPTS);
	/* What has to be solved before was. */
	CHECK_EQ(count(a,
		       "SELECT COUNT(*) FROM submission AS s WHERE challenge_id = 'prop-3' AND"
		       " (SELECT COUNT(*) FROM solve WHERE solve.team_id = s.team_id AND"
		       " solve.challenge_id = 'prop-0' AND solve.solved_at <= s.submitted_at) < 3"),
		 0);
	/* Nobody spent more than there ever was. */
	CHECK(count(a, "SELECT COALESCE(MAX(n), 0) FROM (SELECT SUM(cost) AS n FROM unlock GROUP BY"
		       " team_id)") <= count(a, "SELECT " ALL_THERE_IS));
}

/* It has ended; where it was is still known. */
static void forget_world(struct world *w)
{
	w->daemon = NULL;
	w->http = NULL;
	w->document = NULL;
}

static void play_and_check(uint64_t seed)
{
	AUTO(struct world, end_platform) w;
	AUTO(struct after, end_after) a;

	begin_world(&w);
	apply(&w, file);
	play_all(&w, seed);
	end_platform(&w);
	forget_world(&w);
	begin_after(&a, &w);
	check_decisions(&a);
	check_points(&a);
}

TEST(what_many_do_at_once_holds_together)
{
	write_challenges();
	for (uint64_t seed = 1; seed <= 3; seed++)
		play_and_check(seed * 0x9e3779b97f4a7c15u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_many_do_at_once_holds_together),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
