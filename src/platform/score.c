/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/score.h"

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static int64_t at_least(int64_t value, int64_t minimum)
{
	return value < minimum ? minimum : value;
}

/* Rounds up, as ctfcli's platform does: -7/2 is -3. */
static int64_t divide_up(int64_t dividend, int64_t divisor)
{
	return dividend / divisor + (dividend > 0 && dividend % divisor != 0);
}

static bool is_falling(const struct challenge *challenge)
{
	return challenge->type && strcmp(challenge->type, "dynamic") == 0 && challenge->decay > 0;
}

int64_t score_least(const struct challenge *challenge)
{
	return is_falling(challenge) ? challenge->minimum : challenge->value;
}

int64_t score_value(const struct challenge *challenge, size_t solvers)
{
	int64_t fallen = solvers > 1 ? (int64_t)solvers - 1 : 0;
	int64_t span = challenge->minimum - challenge->value;
	int64_t decay = challenge->decay;

	if (!is_falling(challenge))
		return challenge->value;
	if (challenge->decay_function && strcmp(challenge->decay_function, "linear") == 0)
		return at_least(challenge->value - decay * fallen, challenge->minimum);
	if (fallen >= decay)
		return challenge->minimum;
	return at_least(challenge->value + divide_up(span * fallen * fallen, decay * decay),
			challenge->minimum);
}

static int64_t weight(const struct challenge *challenge, size_t question)
{
	return challenge->questions[question].value;
}

int64_t score_share(const struct challenge *challenge, size_t question, int64_t value)
{
	int64_t total = 0, before = 0, mine;
	bool equal;

	for (size_t i = 0; i < challenge->question_count; i++)
		total += weight(challenge, i);
	equal = total <= 0;
	if (equal)
		total = (int64_t)(challenge->question_count ? challenge->question_count : 1);
	for (size_t i = 0; i < question; i++)
		before += equal ? 1 : weight(challenge, i);
	mine = equal ? 1 : weight(challenge, question);
	/* Differences of rounded sums: whatever is lost in rounding goes to a later question. */
	return value * (before + mine) / total - value * before / total;
}

/* For each team and challenge, how many of its questions are solved. */
static uint16_t *count_solved(const struct score_game *game, struct arena *arena)
{
	uint16_t *solved =
		arena_array(arena, game->team_count * game->challenge_count + 1, sizeof(*solved));

	for (size_t i = 0; solved && i < game->solve_count; i++) {
		const struct score_solve *s = &game->solves[i];

		if (!game->until || s->at < game->until)
			solved[s->team * game->challenge_count + s->challenge]++;
	}
	return solved;
}

static void tally(const struct score_game *game, const uint16_t *solved,
		  struct score_tally *tallies)
{
	for (size_t c = 0; c < game->challenge_count; c++) {
		size_t questions = game->challenges[c]->question_count;

		for (size_t t = 0; t < game->team_count; t++)
			if (questions && solved[t * game->challenge_count + c] >= questions)
				tallies[c].solvers++;
		tallies[c].value = score_value(game->challenges[c], tallies[c].solvers);
	}
}

int64_t score_points(const struct challenge *challenge, size_t question, int64_t value,
		     int64_t first_blood, int64_t first_blood_percent)
{
	int64_t bonus = first_blood + value * first_blood_percent / 100;

	return score_share(challenge, question, value) +
	       (bonus ? score_share(challenge, question, bonus) : 0);
}

int64_t score_of(const struct score_game *game, const struct score_tally *tallies,
		 const struct score_solve *solve)
{
	return score_points(game->challenges[solve->challenge], solve->question,
			    tallies[solve->challenge].value, solve->first ? game->first_blood : 0,
			    solve->first ? game->first_blood_percent : 0);
}

static void add_up(const struct score_game *game, const struct score_tally *tallies,
		   struct score_line *lines)
{
	for (size_t i = 0; i < game->solve_count; i++) {
		const struct score_solve *s = &game->solves[i];
		struct score_line *line = &lines[s->team];

		if (game->until && s->at >= game->until)
			continue;
		line->score += score_of(game, tallies, s);
		line->solved++;
		if (s->at > line->last_at)
			line->last_at = s->at;
	}
	for (size_t i = 0; i < game->charge_count; i++)
		if (!game->until || game->charges[i].at < game->until)
			lines[game->charges[i].team].score -= game->charges[i].cost;
}

static int by_standing(const void *a, const void *b)
{
	const struct score_line *left = a, *right = b;

	if (left->score != right->score)
		return left->score > right->score ? -1 : 1;
	if (left->last_at != right->last_at)
		return left->last_at < right->last_at ? -1 : 1;
	return left->team < right->team ? -1 : left->team > right->team;
}

static void rank(struct score_line *lines, size_t count)
{
	qsort(lines, count, sizeof(*lines), by_standing);
	for (size_t i = 0; i < count; i++) {
		bool tied = i > 0 && lines[i].score == lines[i - 1].score &&
			    lines[i].last_at == lines[i - 1].last_at;

		lines[i].rank = tied ? lines[i - 1].rank : i + 1;
	}
}

int score_count(const struct score_game *game, struct arena *arena, struct score_board *ret_board,
		struct err *e)
{
	struct score_line *lines = arena_array(arena, game->team_count + 1, sizeof(*lines));
	struct score_tally *tallies =
		arena_array(arena, game->challenge_count + 1, sizeof(*tallies));
	uint16_t *solved = count_solved(game, arena);

	if (!lines || !tallies || !solved)
		return err_memory(e);
	for (size_t t = 0; t < game->team_count; t++)
		lines[t].team = t;
	tally(game, solved, tallies);
	add_up(game, tallies, lines);
	rank(lines, game->team_count);
	*ret_board = (struct score_board){ lines, tallies };
	return 0;
}
