#include "platform/scoreboard.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "platform/challenges.h"
#include "platform/competition.h"
#include "platform/rows.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct counted_board {
	struct board board; /* first: what others hold */
	atomic_int holders;
};

/* One competition's board, as players see it or as it stands. */
struct slot {
	struct slot *next;
	char *competition_id;
	bool live;
	pthread_mutex_t counting; /* one counts, the others wait for the result */
	struct counted_board *board;
	uint64_t board_version; /* of the facts it was counted from */
	bool board_frozen;
};

struct scoreboards {
	struct db *db;
	struct challenges *challenges;
	const struct clock *clock;
	pthread_mutex_t lock; /* of the list, and of each slot's board */
	struct slot *slots;
	atomic_uint_fast64_t version; /* of the facts */
};

static struct counted_board *counted(const struct board *board)
{
	return (struct counted_board *)(uintptr_t)board;
}

void board_drop(const struct board *board)
{
	struct counted_board *mine = counted(board);

	if (!mine || atomic_fetch_sub(&mine->holders, 1) > 1)
		return;
	arena_free(mine->board.arena);
	free(mine->board.json);
	free(mine);
}

static void counted_dropp(struct counted_board **board)
{
	board_drop(*board ? &(*board)->board : NULL);
}

int scoreboards_new(struct db *db, struct challenges *challenges, const struct clock *clock,
		    struct scoreboards **ret_boards, struct err *e)
{
	struct scoreboards *boards = calloc(1, sizeof(*boards));

	if (!boards)
		return err_memory(e);
	boards->db = db;
	boards->challenges = challenges;
	boards->clock = clock;
	atomic_init(&boards->version, 1);
	pthread_mutex_init(&boards->lock, NULL);
	*ret_boards = boards;
	return 0;
}

void scoreboards_free(struct scoreboards *boards)
{
	if (!boards)
		return;
	while (boards->slots) {
		struct slot *slot = boards->slots;

		boards->slots = slot->next;
		counted_dropp(&slot->board);
		pthread_mutex_destroy(&slot->counting);
		free(slot->competition_id);
		free(slot);
	}
	pthread_mutex_destroy(&boards->lock);
	free(boards);
}

void scoreboards_touch(struct scoreboards *boards)
{
	atomic_fetch_add(&boards->version, 1);
}

/* Counting */

struct team_row {
	char *id;
	char *name;
};

struct solve_row {
	char *team_id;
	char *challenge_id;
	char *question_id;
	int64_t at;
};

static void read_team(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct team_row *team = ret_struct;

	*team = (struct team_row){
		.id = arena_strdup(arena, db_get_text(rows, 0)),
		.name = arena_strdup(arena, db_get_text(rows, 1)),
	};
}

static void read_solve(const struct db_rows *rows, struct arena *arena, void *ret_struct)
{
	struct solve_row *solve = ret_struct;

	*solve = (struct solve_row){
		.team_id = arena_strdup(arena, db_get_text(rows, 0)),
		.challenge_id = arena_strdup(arena, db_get_text(rows, 1)),
		.question_id = arena_strdup(arena, db_get_text(rows, 2)),
		.at = db_get_int(rows, 3),
	};
}

/* What a board is counted from. */
struct facts {
	struct arena *arena;
	const struct competition *competition;
	const struct challenge **challenges; /* by id */
	size_t challenge_count;
	struct team_row *teams; /* by id */
	size_t team_count;
	struct solve_row *solves;
	size_t solve_count;
};

static int choose_challenges(struct facts *facts, const struct shelf *shelf, struct err *e)
{
	facts->challenges = arena_array(facts->arena, shelf->count + 1, sizeof(void *));
	if (!facts->challenges)
		return err_memory(e);
	for (size_t i = 0; i < shelf->count; i++)
		if (competition_has(facts->competition, shelf->challenges[i]->id))
			facts->challenges[facts->challenge_count++] = shelf->challenges[i];
	return 0;
}

static int read_facts(struct facts *facts, struct db *db, const struct shelf *shelf, struct err *e)
{
	const char *id = facts->competition->id;
	int r;

	r = choose_challenges(facts, shelf, e);
	if (r == 0)
		r = rows_all(db, facts->arena,
			     "SELECT id, name FROM team WHERE competition_id = ? ORDER BY id",
			     DB_ARGS(db_text(id)), read_team, sizeof(struct team_row),
			     &facts->teams, &facts->team_count, e);
	if (r == 0)
		r = rows_all(db, facts->arena,
			     "SELECT team_id, challenge_id, question_id, solved_at FROM solve"
			     " WHERE competition_id = ?",
			     DB_ARGS(db_text(id)), read_solve, sizeof(struct solve_row),
			     &facts->solves, &facts->solve_count, e);
	return r;
}

static int compare_team(const void *key, const void *row)
{
	return strcmp(key, ((const struct team_row *)row)->id);
}

static int compare_challenge(const void *key, const void *row)
{
	return strcmp(key, (*(const struct challenge *const *)row)->id);
}

static bool find_question(const struct challenge *challenge, const char *id, size_t *ret_index)
{
	for (size_t i = 0; i < challenge->question_count; i++) {
		if (strcmp(challenge->questions[i].id, id) != 0)
			continue;
		*ret_index = i;
		return true;
	}
	return false;
}

/* A solve of what is no longer there (a challenge taken out, a question renamed) counts nothing. */
static bool place_solve(const struct facts *facts, const struct solve_row *row,
			struct score_solve *ret_solve)
{
	const struct challenge *const *challenge;
	const struct team_row *team;

	if (facts->team_count == 0 || facts->challenge_count == 0)
		return false;
	team = bsearch(row->team_id, facts->teams, facts->team_count, sizeof(struct team_row),
		       compare_team);
	challenge = bsearch(row->challenge_id, facts->challenges, facts->challenge_count,
			    sizeof(void *), compare_challenge);
	if (!team || !challenge ||
	    !find_question(*challenge, row->question_id, &ret_solve->question))
		return false;
	ret_solve->team = (size_t)(team - facts->teams);
	ret_solve->challenge = (size_t)(challenge - facts->challenges);
	ret_solve->at = row->at;
	return true;
}

static int count(const struct facts *facts, int64_t until, struct score_board *ret_board,
		 struct err *e)
{
	struct score_solve *solves =
		arena_array(facts->arena, facts->solve_count + 1, sizeof(*solves));
	struct score_game game = { .team_count = facts->team_count,
				   .challenges = facts->challenges,
				   .challenge_count = facts->challenge_count,
				   .solves = solves,
				   .until = until };

	if (!solves)
		return err_memory(e);
	for (size_t i = 0; i < facts->solve_count; i++)
		if (place_solve(facts, &facts->solves[i], &solves[game.solve_count]))
			game.solve_count++;
	return score_count(&game, facts->arena, ret_board, e);
}

/* Telling */

static json_t *line_json(const struct facts *facts, const struct score_line *line)
{
	const struct team_row *team = &facts->teams[line->team];
	char at[CLOCK_TEXT_SIZE];

	return json_pack("{s:I, s:s, s:s, s:I, s:I, s:s?}", "rank", (json_int_t)line->rank,
			 "team_id", team->id, "team", team->name, "score", (json_int_t)line->score,
			 "solved", (json_int_t)line->solved, "last_solve_at",
			 line->last_at ? clock_format(line->last_at, at) : NULL);
}

static json_t *board_json(const struct facts *facts, const struct score_board *score, bool frozen)
{
	json_t *lines = json_array();

	for (size_t i = 0; i < facts->team_count; i++)
		if (json_array_append_new(lines, line_json(facts, &score->lines[i])) < 0) {
			json_decref(lines);
			return NULL;
		}
	return json_pack("{s:s, s:s, s:b, s:o}", "competition_id", facts->competition->id,
			 "competition", facts->competition->name, "frozen", frozen, "teams", lines);
}

static int tell(const struct facts *facts, const struct score_board *score, bool frozen,
		struct board *board, struct err *e)
{
	AUTO(json_t *, json_decrefp) json = board_json(facts, score, frozen);

	board->standings =
		arena_array(board->arena, facts->challenge_count + 1, sizeof(struct standing));
	board->json = json ? json_dumps(json, JSON_COMPACT) : NULL;
	if (!board->standings || !board->json)
		return err_memory(e);
	board->json_len = strlen(board->json);
	board->standing_count = facts->challenge_count;
	for (size_t i = 0; i < facts->challenge_count; i++)
		board->standings[i] = (struct standing){
			.challenge_id = arena_strdup(board->arena, facts->challenges[i]->id),
			.value = score->tallies[i].value,
			.solvers = score->tallies[i].solvers,
		};
	return arena_failed(board->arena) ? err_memory(e) : 0;
}

/* Named by its content, so that a restart, or a change that changes nothing, keeps the name. */
static void name(struct board *board)
{
	char hash[SECRET_HASH_SIZE];

	secret_hash_bytes(board->json, board->json_len, hash);
	snprintf(board->etag, sizeof(board->etag), "\"%.32s\"", hash);
}

static int make_board(const struct scoreboards *boards, const struct competition *competition,
		      bool frozen, struct counted_board **ret_board, struct err *e)
{
	AUTO(struct counted_board *, counted_dropp) mine = calloc(1, sizeof(*mine));
	AUTO(const struct shelf *, shelf_dropp) shelf = challenges_take(boards->challenges);
	AUTO(struct arena *, arena_freep) arena = arena_new();
	struct facts facts = { .arena = arena, .competition = competition };
	struct score_board score;
	int r;

	if (!mine || !arena)
		return err_memory(e);
	mine->holders = 1;
	mine->board.arena = arena_new();
	if (!mine->board.arena)
		return err_memory(e);
	r = read_facts(&facts, boards->db, shelf, e);
	if (r == 0)
		r = count(&facts, frozen ? competition->freeze_at : 0, &score, e);
	if (r == 0)
		r = tell(&facts, &score, frozen, &mine->board, e);
	if (r < 0)
		return r;
	name(&mine->board);
	*ret_board = TAKE(mine);
	return 0;
}

/* Slots */

static int get_slot(struct scoreboards *boards, const char *competition_id, bool live,
		    struct slot **ret_slot, struct err *e)
{
	struct slot *slot;

	for (slot = boards->slots; slot; slot = slot->next)
		if (slot->live == live && strcmp(slot->competition_id, competition_id) == 0)
			break;
	if (!slot) {
		slot = calloc(1, sizeof(*slot));
		if (slot)
			slot->competition_id = strdup(competition_id);
		if (!slot || !slot->competition_id) {
			free(slot);
			return err_memory(e);
		}
		slot->live = live;
		pthread_mutex_init(&slot->counting, NULL);
		slot->next = boards->slots;
		boards->slots = slot;
	}
	*ret_slot = slot;
	return 0;
}

static bool is_fresh(struct scoreboards *boards, const struct slot *slot, bool frozen)
{
	return slot->board && slot->board_frozen == frozen &&
	       slot->board_version == atomic_load(&boards->version);
}

/* The slot's board if it is fresh; NULL: it has to be counted. */
static const struct board *take_fresh(struct scoreboards *boards, const struct slot *slot,
				      bool frozen)
{
	const struct board *board = NULL;

	pthread_mutex_lock(&boards->lock);
	if (is_fresh(boards, slot, frozen)) {
		atomic_fetch_add(&slot->board->holders, 1);
		board = &slot->board->board;
	}
	pthread_mutex_unlock(&boards->lock);
	return board;
}

static void put(struct scoreboards *boards, struct slot *slot, struct counted_board *board,
		uint64_t version, bool frozen)
{
	struct counted_board *old;

	pthread_mutex_lock(&boards->lock);
	old = slot->board;
	slot->board = board;
	slot->board_version = version;
	slot->board_frozen = frozen;
	pthread_mutex_unlock(&boards->lock);
	counted_dropp(&old);
}

static int recount(struct scoreboards *boards, struct slot *slot,
		   const struct competition *competition, bool frozen,
		   const struct board **ret_board, struct err *e)
{
	/* Read before the facts are: what changes while we count makes the board stale again. */
	uint64_t version = atomic_load(&boards->version);
	struct counted_board *board = NULL;
	int r;

	r = make_board(boards, competition, frozen, &board, e);
	if (r < 0)
		return r;
	atomic_fetch_add(&board->holders, 1);
	put(boards, slot, board, version, frozen);
	*ret_board = &board->board;
	return 0;
}

int scoreboards_take(struct scoreboards *boards, const struct competition *competition, bool live,
		     const struct board **ret_board, struct err *e)
{
	bool frozen = !live && competition->freeze_at &&
		      clock_now_ms(boards->clock) >= competition->freeze_at;
	struct slot *slot = NULL;
	int r;

	pthread_mutex_lock(&boards->lock);
	r = get_slot(boards, competition->id, live, &slot, e);
	pthread_mutex_unlock(&boards->lock);
	if (r < 0)
		return r;
	*ret_board = take_fresh(boards, slot, frozen);
	if (*ret_board)
		return 0;
	pthread_mutex_lock(&slot->counting);
	*ret_board = take_fresh(boards, slot, frozen);
	if (!*ret_board)
		r = recount(boards, slot, competition, frozen, ret_board, e);
	pthread_mutex_unlock(&slot->counting);
	return r;
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
