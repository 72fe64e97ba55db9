/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/board.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/secret.h"
#include "platform/competition.h"
#include "platform/facts.h"

#include <stdatomic.h>
#include <string.h>

struct counted_board {
	struct board board; /* first: what others hold */
	atomic_int holders;
};

static struct counted_board *counted(const struct board *board)
{
	return (struct counted_board *)(uintptr_t)board;
}

void board_hold(const struct board *board)
{
	atomic_fetch_add(&counted(board)->holders, 1);
}

static void view_done(struct board_view *view)
{
	free(view->json);
	free(view->history);
	free(view->ctftime);
}

void board_drop(const struct board *board)
{
	struct counted_board *mine = counted(board);

	if (!mine || atomic_fetch_sub(&mine->holders, 1) > 1)
		return;
	view_done(&mine->board.all);
	for (size_t i = 0; i < mine->board.division_count; i++)
		view_done(&mine->board.divisions[i]);
	arena_free(mine->board.arena);
	free(mine);
}

static void counted_dropp(struct counted_board **board)
{
	board_drop(*board ? &(*board)->board : NULL);
}

/* Making one */

/* A line's place among those of its division; rank 0: it is in none. */
struct place {
	size_t division;
	size_t rank; /* equal teams share one, as they do among all */
};

struct counting {
	const struct facts *facts;
	const struct competition *competition;
	struct arena *arena; /* of what is not kept */
	struct score_game game;
	struct score_board score;
	struct place *places; /* of the score's lines */
	struct board *board;
};

/* Solves after the end are practice. */
static int64_t last_instant(const struct competition *c, bool frozen)
{
	if (frozen && (!c->ends_at || c->freeze_at < c->ends_at))
		return c->freeze_at;
	return c->ends_at;
}

static int count(struct counting *c, bool frozen, struct err *e)
{
	const struct facts *facts = c->facts;
	const struct score_game game = { .team_count = facts->team_count,
					 .challenges = facts->challenges,
					 .challenge_count = facts->challenge_count,
					 .solves = facts->solves,
					 .solve_count = facts->solve_count,
					 .charges = facts->charges,
					 .charge_count = facts->charge_count,
					 .first_blood = c->competition->first_blood,
					 .first_blood_percent = c->competition->first_blood_percent,
					 .until = last_instant(c->competition, frozen) };

	c->game = game;
	return score_count(&game, c->arena, &c->score, e);
}

static void put_time(struct buf *b, int64_t at)
{
	char text[CLOCK_TEXT_SIZE];

	if (at)
		buf_printf(b, "\"%s\"", clock_format(at, text));
	else
		buf_puts(b, "null");
}

/* How many of a division have been placed, and the last of them. */
struct ladder {
	size_t count;
	size_t rank, overall;
};

static struct place climb(struct ladder *ladders, size_t division, size_t overall)
{
	struct ladder *ladder = &ladders[division];

	ladder->count++;
	if (ladder->overall != overall) {
		ladder->rank = ladder->count;
		ladder->overall = overall;
	}
	return (struct place){ division, ladder->rank };
}

static int place_in_divisions(struct counting *c, struct err *e)
{
	const struct competition *competition = c->competition;
	struct ladder *ladders =
		arena_array(c->arena, competition->division_count + 1, sizeof(*ladders));

	c->places = arena_array(c->arena, c->facts->team_count + 1, sizeof(*c->places));
	if (!ladders || !c->places)
		return err_memory(e);
	for (size_t i = 0; i < c->facts->team_count; i++) {
		const struct score_line *line = &c->score.lines[i];
		const char *division = c->facts->teams[line->team].division;

		for (size_t d = 0; division && d < competition->division_count; d++)
			if (strcmp(competition->divisions[d].id, division) == 0)
				c->places[i] = climb(ladders, d, line->rank);
	}
	return 0;
}

/* 0: the line isn't in this view. */
static size_t rank_in(const struct counting *c, const struct board_view *view, size_t line)
{
	const struct place *place = &c->places[line];

	if (!view->division)
		return c->score.lines[line].rank;
	return view == &c->board->divisions[place->division] ? place->rank : 0;
}

static void put_line(struct buf *b, const struct facts_team *team, const struct score_line *line,
		     size_t division_rank_)
{
	buf_printf(b, "{\"rank\":%zu,\"team_id\":\"%s\",\"team\":%s,", line->rank, team->id,
		   team->json_name);
	if (team->division)
		buf_printf(b, "\"division\":\"%s\",\"division_rank\":%zu,", team->division,
			   division_rank_);
	buf_printf(b, "\"score\":%lld,\"solved\":%zu,\"last_solve_at\":", (long long)line->score,
		   line->solved);
	put_time(b, line->last_at);
	buf_putc(b, '}');
}

static int put_text(struct buf *b, const char *text)
{
	AUTO(json_t *, json_decrefp) string = json_text(text);
	AUTO(char *, freep) quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

	buf_puts(b, quoted ? quoted : "\"\"");
	return quoted ? 0 : -ERR_MEMORY;
}

static void put_head(struct buf *b, const struct counting *c, const struct board_view *view)
{
	buf_printf(b, "{\"competition_id\":\"%s\",\"competition\":", c->competition->id);
	put_text(b, c->competition->name);
	if (view->division)
		buf_printf(b, ",\"division\":\"%s\"", view->division);
	buf_printf(b, ",\"frozen\":%s,", c->board->frozen ? "true" : "false");
}

static int finish(struct buf *b, char **ret_text, size_t *ret_len, struct err *e)
{
	int r = buf_check(b, e);

	*ret_len = b->len;
	*ret_text = buf_take(b);
	return r;
}

static int tell_lines(struct counting *c, struct err *e)
{
	struct board *board = c->board;
	struct buf b = BUF_INIT;

	board->lines = arena_array(board->arena, c->facts->team_count + 1, sizeof(*board->lines));
	if (!board->lines)
		return err_memory(e);
	board->line_count = c->facts->team_count;
	put_head(&b, c, &board->all);
	buf_puts(&b, "\"teams\":[");
	for (size_t i = 0; i < c->facts->team_count; i++) {
		const struct score_line *line = &c->score.lines[i];
		const struct facts_team *team = &c->facts->teams[line->team];
		size_t start;

		if (i > 0)
			buf_putc(&b, ',');
		start = b.len;
		put_line(&b, team, line, c->places[i].rank);
		board->lines[line->team] =
			(struct board_line){ .team_id = arena_strdup(board->arena, team->id),
					     .team = arena_strdup(board->arena, team->name),
					     .score = line->score,
					     .start = start,
					     .len = b.len - start };
	}
	buf_puts(&b, "]}");
	return finish(&b, &board->all.json, &board->all.json_len, e);
}

/* A line as among all, but for its rank, which comes first. */
static void put_division_line(struct buf *b, const struct counting *c, size_t line, size_t rank)
{
	const struct board_line *told = &c->board->lines[c->score.lines[line].team];
	const char *text = c->board->all.json + told->start;
	size_t skipped = strcspn(text, ",");

	buf_printf(b, "{\"rank\":%zu", rank);
	buf_put(b, text + skipped, told->len - skipped);
}

static int tell_division_lines(struct counting *c, struct board_view *view, struct err *e)
{
	const char *comma = "";
	struct buf b = BUF_INIT;

	put_head(&b, c, view);
	buf_puts(&b, "\"teams\":[");
	for (size_t i = 0; i < c->facts->team_count; i++) {
		size_t rank = rank_in(c, view, i);

		if (rank == 0)
			continue;
		buf_puts(&b, comma);
		put_division_line(&b, c, i, rank);
		comma = ",";
	}
	buf_puts(&b, "]}");
	return finish(&b, &view->json, &view->json_len, e);
}

static bool counts(const struct counting *c, int64_t at)
{
	return !c->game.until || at < c->game.until;
}

/* The teams' steps are one array, each team's after the other's. */
static int make_room(struct counting *c, struct err *e)
{
	const struct facts *facts = c->facts;
	struct board *board = c->board;
	struct board_step *steps =
		arena_array(board->arena, facts->solve_count + facts->charge_count + 1,
			    sizeof(*steps));

	if (!steps)
		return err_memory(e);
	for (size_t i = 0; i < facts->solve_count; i++)
		board->lines[facts->solves[i].team].step_count += counts(c, facts->solves[i].at);
	for (size_t i = 0; i < facts->charge_count; i++)
		board->lines[facts->charges[i].team].step_count += counts(c, facts->charges[i].at);
	for (size_t i = 0; i < board->line_count; i++) {
		board->lines[i].steps = steps;
		steps += board->lines[i].step_count;
		board->lines[i].step_count = 0;
	}
	return 0;
}

static void add_step(struct counting *c, size_t team, const struct board_step *step)
{
	struct board_line *line = &c->board->lines[team];

	if (counts(c, step->at))
		line->steps[line->step_count++] = *step;
}

static void add_solve(struct counting *c, const struct score_solve *solve)
{
	struct standing *standing = &c->board->standings[solve->challenge];
	const struct board_step step = { .at = solve->at,
					 .points = score_of(&c->game, c->score.tallies, solve),
					 .of = standing,
					 .question = solve->question,
					 .first = solve->first };

	add_step(c, solve->team, &step);
	if (solve->first && !standing->first && counts(c, solve->at))
		standing->first = &c->board->lines[solve->team];
}

static void add_charge(struct counting *c, const struct score_charge *charge)
{
	const struct board_step step = { .at = charge->at, .points = -charge->cost };

	add_step(c, charge->team, &step);
}

static int tell_steps(struct counting *c, struct err *e)
{
	const struct facts *facts = c->facts;
	size_t paid = 0;
	int r = make_room(c, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < facts->solve_count; i++) {
		while (paid < facts->charge_count && facts->charges[paid].at < facts->solves[i].at)
			add_charge(c, &facts->charges[paid++]);
		add_solve(c, &facts->solves[i]);
	}
	while (paid < facts->charge_count)
		add_charge(c, &facts->charges[paid++]);
	return 0;
}

static void put_way(struct buf *b, const struct board_line *line)
{
	int64_t score = 0;

	for (size_t i = 0; i < line->step_count; i++) {
		score += line->steps[i].points;
		buf_puts(b, i ? ",{\"at\":" : "{\"at\":");
		put_time(b, line->steps[i].at);
		buf_printf(b, ",\"score\":%lld}", (long long)score);
	}
}

static int tell_history(struct counting *c, struct board_view *view, struct err *e)
{
	struct buf b = BUF_INIT;
	size_t told = 0;

	put_head(&b, c, view);
	buf_puts(&b, "\"teams\":[");
	for (size_t i = 0; i < c->facts->team_count && told < BOARD_LEADERS; i++) {
		const struct score_line *line = &c->score.lines[i];
		const struct facts_team *team = &c->facts->teams[line->team];
		size_t rank = rank_in(c, view, i);

		if (rank == 0)
			continue;
		buf_printf(&b,
			   "%s{\"rank\":%zu,\"team_id\":\"%s\",\"team\":%s,\"score\":%lld,"
			   "\"points\":[",
			   told++ ? "," : "", rank, team->id, team->json_name,
			   (long long)line->score);
		put_way(&b, &c->board->lines[line->team]);
		buf_puts(&b, "]}");
	}
	buf_puts(&b, "]}");
	return finish(&b, &view->history, &view->history_len, e);
}

static int tell_ctftime(struct counting *c, struct board_view *view, struct err *e)
{
	const char *comma = "";
	struct buf b = BUF_INIT;

	buf_puts(&b, "{\"tasks\":[");
	for (size_t i = 0; i < c->facts->challenge_count; i++) {
		if (i > 0)
			buf_putc(&b, ',');
		put_text(&b, c->facts->challenges[i]->name);
	}
	buf_puts(&b, "],\"standings\":[");
	for (size_t i = 0; i < c->facts->team_count; i++) {
		const struct score_line *line = &c->score.lines[i];
		size_t rank = rank_in(c, view, i);

		if (rank == 0)
			continue;
		buf_printf(&b, "%s{\"pos\":%zu,\"team\":%s,\"score\":%lld,\"lastAccept\":%lld}",
			   comma, rank, c->facts->teams[line->team].json_name,
			   (long long)line->score, (long long)(line->last_at / 1000));
		comma = ",";
	}
	buf_puts(&b, "]}");
	return finish(&b, &view->ctftime, &view->ctftime_len, e);
}

static const char **question_ids(struct arena *arena, const struct challenge *challenge)
{
	const char **ids = arena_array(arena, challenge->question_count + 1, sizeof(*ids));

	for (size_t i = 0; ids && i < challenge->question_count; i++)
		ids[i] = arena_strdup(arena, challenge->questions[i].id);
	return ids;
}

static struct standing stand(struct arena *arena, const struct challenge *challenge,
			     const struct score_tally *tally)
{
	return (struct standing){ .challenge_id = arena_strdup(arena, challenge->id),
				  .name = arena_strdup(arena, challenge->name),
				  .category = arena_strdup(arena, challenge->category),
				  .questions = question_ids(arena, challenge),
				  .value = tally->value,
				  .solvers = tally->solvers };
}

static int tell_standings(struct counting *c, struct err *e)
{
	const struct facts *facts = c->facts;
	struct board *board = c->board;

	board->standings =
		arena_array(board->arena, facts->challenge_count + 1, sizeof(struct standing));
	if (!board->standings || !c->score.tallies)
		return err_memory(e);
	board->standing_count = facts->challenge_count;
	for (size_t i = 0; i < facts->challenge_count; i++)
		board->standings[i] =
			stand(board->arena, facts->challenges[i], &c->score.tallies[i]);
	return arena_failed(board->arena) ? err_memory(e) : 0;
}

/* Named by its content, so that a restart, or a change that changes nothing, keeps the name. */
static void name(struct board_view *view)
{
	char hash[SECRET_HASH_SIZE];

	secret_hash_bytes(view->json, view->json_len, hash);
	snprintf(view->etag, sizeof(view->etag), "\"%.32s\"", hash);
}

/* All but its lines. */
static int tell_view(struct counting *c, struct board_view *view, struct err *e)
{
	int r = tell_history(c, view, e);

	if (r == 0)
		r = tell_ctftime(c, view, e);
	if (r == 0)
		name(view);
	return r;
}

static int tell_divisions(struct counting *c, struct err *e)
{
	const struct competition *competition = c->competition;
	struct board *board = c->board;
	int r = 0;

	for (size_t i = 0; r == 0 && i < competition->division_count; i++) {
		struct board_view *view = &board->divisions[i];

		r = tell_division_lines(c, view, e);
		if (r == 0)
			r = tell_view(c, view, e);
	}
	return r;
}

static int make_divisions(struct counting *c, struct err *e)
{
	const struct competition *competition = c->competition;
	struct board *board = c->board;

	board->divisions = arena_array(board->arena, competition->division_count + 1,
				       sizeof(*board->divisions));
	if (!board->divisions)
		return err_memory(e);
	board->division_count = competition->division_count;
	for (size_t i = 0; i < competition->division_count; i++)
		board->divisions[i].division =
			arena_strdup(board->arena, competition->divisions[i].id);
	return arena_failed(board->arena) ? err_memory(e) : 0;
}

static int tell(struct counting *c, struct err *e)
{
	int r;

	r = make_divisions(c, e);
	if (r == 0)
		r = place_in_divisions(c, e);
	if (r == 0)
		r = tell_lines(c, e);
	if (r == 0)
		r = tell_standings(c, e);
	if (r == 0)
		r = tell_steps(c, e);
	if (r == 0)
		r = tell_view(c, &c->board->all, e);
	return r < 0 ? r : tell_divisions(c, e);
}

int board_new(const struct facts *facts, const struct competition *competition, bool frozen,
	      const struct board **ret_board, struct err *e)
{
	AUTO(struct counted_board *, counted_dropp) mine = calloc(1, sizeof(*mine));
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct counting c = { .facts = facts, .competition = competition, .arena = arena };
	int r;

	if (mine)
		mine->holders = 1;
	if (!mine || !arena)
		return err_memory(e);
	c.board = &mine->board;
	c.board->frozen = frozen;
	c.board->arena = arena_new();
	if (!c.board->arena)
		return err_memory(e);
	r = count(&c, frozen, e);
	if (r == 0)
		r = tell(&c, e);
	if (r < 0)
		return r;
	*ret_board = &TAKE(mine)->board;
	return 0;
}

/* Looking things up */

const struct board_view *board_view(const struct board *board, const char *division)
{
	if (!division)
		return &board->all;
	for (size_t i = 0; i < board->division_count; i++)
		if (strcmp(board->divisions[i].division, division) == 0)
			return &board->divisions[i];
	return NULL;
}

static int compare_standing(const void *key, const void *row)
{
	return strcmp(key, ((const struct standing *)row)->challenge_id);
}

const struct standing *board_standing(const struct board *board, const char *challenge_id)
{
	return board->standing_count
		       ? bsearch(challenge_id, board->standings, board->standing_count,
				 sizeof(struct standing), compare_standing)
		       : NULL;
}

static int compare_line(const void *key, const void *row)
{
	return strcmp(key, ((const struct board_line *)row)->team_id);
}

const struct board_line *board_line(const struct board *board, const char *team_id)
{
	return board->line_count ? bsearch(team_id, board->lines, board->line_count,
					   sizeof(struct board_line), compare_line)
				 : NULL;
}

/* One team */

static json_t *time_json(int64_t at)
{
	char text[CLOCK_TEXT_SIZE];

	return json_text(clock_format(at, text));
}

static json_t *solve_json(const struct board_step *step)
{
	return json_make("{s:s, s:s, s:s?, s:s, s:I, s:b, s:o}", "challenge_id",
			 step->of->challenge_id, "challenge", step->of->name, "category",
			 step->of->category, "question_id", step->of->questions[step->question],
			 "value", (json_int_t)step->points, "first_blood", step->first, "solved_at",
			 time_json(step->at));
}

/* Fails where memory does. */
static int add_steps(const struct board_line *line, json_t *solves, json_t *points)
{
	int64_t score = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < line->step_count; i++) {
		const struct board_step *step = &line->steps[i];

		score += step->points;
		r = json_array_append_new(points, json_make("{s:o, s:I}", "at", time_json(step->at),
							    "score", (json_int_t)score));
		if (r == 0 && step->of)
			r = json_array_append_new(solves, solve_json(step));
	}
	return r;
}

json_t *board_team_json(const struct board *board, const char *team_id)
{
	const struct board_line *line = board_line(board, team_id);
	AUTO(json_t *, json_decrefp) solves = json_array();
	AUTO(json_t *, json_decrefp) points = json_array();
	AUTO(json_t *, json_decrefp) json = NULL;

	if (!line || add_steps(line, solves, points) < 0)
		return NULL;
	json = json_loadb(board->all.json + line->start, line->len, 0, NULL);
	if (json_object_set(json, "solves", solves) < 0 ||
	    json_object_set(json, "points", points) < 0)
		return NULL;
	return TAKE(json);
}

/* What changed */

enum { DELTA_LINES_MAX = 50 };

static bool same_line(const struct board *a, const struct board_line *old, const struct board *b,
		      const struct board_line *new)
{
	return old->len ==
	       new->len &&memcmp(a->all.json + old->start, b->all.json + new->start, new->len) == 0;
}

/* NULL: too many, or other teams. */
static json_t *changed_lines(const struct board *old, const struct board *new)
{
	json_t *lines = json_array();

	for (size_t i = 0; lines && i < new->line_count; i++) {
		const struct board_line *line = &new->lines[i];

		if (strcmp(old->lines[i].team_id, line->team_id) == 0 &&
		    same_line(old, &old->lines[i], new, line))
			continue;
		if (json_array_size(lines) >= DELTA_LINES_MAX ||
		    json_array_append_new(lines, json_loadb(new->all.json + line->start, line->len,
							    0, NULL)) < 0) {
			json_decref(lines);
			return NULL;
		}
	}
	return lines;
}

static json_t *changed_standings(const struct board *old, const struct board *new)
{
	json_t *list = json_array();

	for (size_t i = 0; i < new->standing_count; i++) {
		const struct standing *now = &new->standings[i];
		const struct standing *then = board_standing(old, now->challenge_id);

		if (!then || then->value != now->value || then->solvers != now->solvers)
			json_array_append_new(list,
					      json_make("{s:s, s:I, s:I}", "id", now->challenge_id,
							"value", (json_int_t)now->value, "solvers",
							(json_int_t)now->solvers));
	}
	return list;
}

json_t *board_delta(const struct board *old, const struct board *new)
{
	json_t *delta = json_make("{s:s, s:s, s:b}", "etag", new->all.etag, "previous",
				  old->all.etag, "frozen", new->frozen);
	json_t *lines = old->line_count == new->line_count ? changed_lines(old, new) : NULL;

	if (!delta || !lines)
		return delta;
	json_object_set_new(delta, "teams", lines);
	json_object_set_new(delta, "challenges", changed_standings(old, new));
	return delta;
}
