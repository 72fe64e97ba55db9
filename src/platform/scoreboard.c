/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/scoreboard.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/work.h"
#include "platform/facts.h"
#include "platform/programme.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	QUICK_US = 4000,         /* counted at once if it took no longer the last time */
	LOOK_INTERVAL_MS = 500,  /* a freeze begins without anybody saying so */
	TELL_INTERVAL_MS = 1000, /* between two tellings of a board */
	REST_FACTOR = 3,         /* the thread rests so many times as long as it has counted */
};

/* What a board is counted from, and how often it has changed. */
enum { TEAMS_AND_CHALLENGES, SOLVES, CHARGES, KINDS };

/* One competition's boards. */
struct slot {
	struct slot *next;
	char *competition_id;
	pthread_mutex_t counting;      /* one counts, the others wait for the result */
	struct facts facts;            /* the counter's */
	uint64_t versions[KINDS];      /* of the facts that were read */
	atomic_llong cost_us;          /* of counting, the last time */
	const struct board *boards[2]; /* as players see it, as it stands */
	uint64_t counted[KINDS];       /* what they were counted from */
	const struct board *told;      /* the last that was told of, and when */
	int64_t told_at;
};

struct scoreboards {
	struct scoreboards_options options;
	pthread_mutex_t lock; /* of the list, and of each slot's boards and `counted` */
	struct slot *slots;
	atomic_uint_fast64_t versions[KINDS];

	pthread_t thread;
	bool runs;
	pthread_cond_t wake;
	bool kicked, ending;
};

static bool is_frozen(const struct scoreboards *boards, const struct competition *competition)
{
	return competition_is_frozen(competition, clock_now_ms(boards->options.clock));
}

static void read_versions(struct scoreboards *boards, uint64_t versions[KINDS])
{
	for (size_t i = 0; i < KINDS; i++)
		versions[i] = atomic_load(&boards->versions[i]);
}

/* Counting */

static int read_facts(struct scoreboards *boards, struct slot *slot,
		      const struct competition *competition, const uint64_t versions[KINDS],
		      struct err *e)
{
	struct db *db = boards->options.db;
	int r = 0;

	if (!slot->facts.arena ||
	    slot->versions[TEAMS_AND_CHALLENGES] != versions[TEAMS_AND_CHALLENGES]) {
		r = facts_read(&slot->facts, db, boards->options.challenges, competition, e);
	} else {
		if (slot->versions[SOLVES] != versions[SOLVES])
			r = facts_read_solves(&slot->facts, db, competition->id, e);
		if (r == 0 && slot->versions[CHARGES] != versions[CHARGES])
			r = facts_read_charges(&slot->facts, db, competition->id, e);
	}
	if (r == 0)
		memcpy(slot->versions, versions, sizeof(slot->versions));
	return r;
}

/* Both are one as long as nothing is frozen. */
static int make_boards(struct scoreboards *boards, struct slot *slot,
		       const struct competition *competition, const struct board *made[2],
		       struct err *e)
{
	bool frozen = is_frozen(boards, competition);
	int r = board_new(&slot->facts, competition, frozen, &made[0], e);

	if (r < 0)
		return r;
	if (!frozen) {
		board_hold(made[0]);
		made[1] = made[0];
		return 0;
	}
	r = board_new(&slot->facts, competition, false, &made[1], e);
	if (r < 0)
		board_drop(made[0]);
	return r;
}

static void put(struct scoreboards *boards, struct slot *slot, const struct board *made[2],
		const uint64_t versions[KINDS])
{
	const struct board *old[2];

	pthread_mutex_lock(&boards->lock);
	memcpy(old, slot->boards, sizeof(old));
	memcpy(slot->boards, made, sizeof(slot->boards));
	memcpy(slot->counted, versions, sizeof(slot->counted));
	pthread_mutex_unlock(&boards->lock);
	board_drop(old[0]);
	board_drop(old[1]);
}

/* What counting costs is its work: on a busy machine it may take any time. */
static int64_t own_processor_us(void)
{
	struct timespec spent;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
	return (int64_t)spent.tv_sec * 1000000 + spent.tv_nsec / 1000;
}

static int recount(struct scoreboards *boards, struct slot *slot,
		   const struct competition *competition, struct err *e)
{
	/* Read before the facts are: what changes while we count makes the boards stale again. */
	int64_t began = own_processor_us();
	const struct board *made[2];
	uint64_t versions[KINDS];
	int r;

	read_versions(boards, versions);
	r = read_facts(boards, slot, competition, versions, e);
	if (r == 0)
		r = make_boards(boards, slot, competition, made, e);
	if (r < 0)
		return r;
	put(boards, slot, made, versions);
	atomic_store(&slot->cost_us, own_processor_us() - began);
	return 0;
}

/* Slots */

static struct slot *find_slot(struct scoreboards *boards, const char *competition_id)
{
	struct slot *slot = boards->slots;

	while (slot && strcmp(slot->competition_id, competition_id) != 0)
		slot = slot->next;
	return slot;
}

static int get_slot(struct scoreboards *boards, const char *competition_id, struct slot **ret_slot,
		    struct err *e)
{
	struct slot *slot = find_slot(boards, competition_id);

	if (!slot) {
		slot = calloc(1, sizeof(*slot));
		if (slot)
			slot->competition_id = strdup(competition_id);
		if (!slot || !slot->competition_id) {
			free(slot);
			return err_memory(e);
		}
		pthread_mutex_init(&slot->counting, NULL);
		slot->next = boards->slots;
		boards->slots = slot;
	}
	*ret_slot = slot;
	return 0;
}

/* Whether the boards tell of all that had happened when the versions were read. */
static bool is_fresh(struct scoreboards *boards, const struct slot *slot,
		     const struct competition *competition, const uint64_t versions[KINDS])
{
	for (size_t i = 0; i < KINDS; i++)
		if (slot->counted[i] < versions[i])
			return false;
	return slot->boards[0] && slot->boards[0]->frozen == is_frozen(boards, competition);
}

/* As fresh as these versions; NULL: the last one will do. Returns NULL where there is none. */
static const struct board *take_present(struct scoreboards *boards, const struct slot *slot,
					const struct competition *competition, bool live,
					const uint64_t *versions)
{
	const struct board *board = NULL;

	pthread_mutex_lock(&boards->lock);
	if (versions ? is_fresh(boards, slot, competition, versions) : slot->boards[0] != NULL) {
		board = slot->boards[live];
		board_hold(board);
	}
	pthread_mutex_unlock(&boards->lock);
	return board;
}

static void kick(struct scoreboards *boards)
{
	pthread_mutex_lock(&boards->lock);
	boards->kicked = true;
	pthread_cond_signal(&boards->wake);
	pthread_mutex_unlock(&boards->lock);
}

int scoreboards_take(struct scoreboards *boards, const struct competition *competition, bool live,
		     const struct board **ret_board, struct err *e)
{
	struct slot *slot = NULL;
	uint64_t versions[KINDS];
	int r;

	read_versions(boards, versions);
	pthread_mutex_lock(&boards->lock);
	r = get_slot(boards, competition->id, &slot, e);
	pthread_mutex_unlock(&boards->lock);
	if (r < 0)
		return r;
	*ret_board = take_present(boards, slot, competition, live, versions);
	if (!*ret_board && atomic_load(&slot->cost_us) > QUICK_US) {
		kick(boards);
		*ret_board = take_present(boards, slot, competition, live, NULL);
	}
	if (*ret_board)
		return 0;
	/* A crowd that solves at once shares what one of them counts. */
	pthread_mutex_lock(&slot->counting);
	*ret_board = take_present(boards, slot, competition, live, versions);
	if (!*ret_board)
		r = recount(boards, slot, competition, e);
	if (r == 0 && !*ret_board)
		*ret_board = take_present(boards, slot, competition, live, NULL);
	pthread_mutex_unlock(&slot->counting);
	return r;
}

int scoreboards_settle(struct scoreboards *boards, const struct competition *competition,
		       struct err *e)
{
	const struct board *board;
	int r = scoreboards_take(boards, competition, false, &board, e);

	if (r == 0)
		board_drop(board);
	return r;
}

const struct board *scoreboards_peek(struct scoreboards *boards, const char *competition_id,
				     bool live)
{
	const struct board *board = NULL;
	const struct slot *slot;

	pthread_mutex_lock(&boards->lock);
	slot = find_slot(boards, competition_id);
	if (slot && slot->boards[live]) {
		board = slot->boards[live];
		board_hold(board);
	}
	pthread_mutex_unlock(&boards->lock);
	return board;
}

static void change(struct scoreboards *boards, size_t kind)
{
	atomic_fetch_add(&boards->versions[kind], 1);
	kick(boards);
}

void scoreboards_touch(struct scoreboards *boards)
{
	change(boards, TEAMS_AND_CHALLENGES);
}

void scoreboards_solved(struct scoreboards *boards)
{
	change(boards, SOLVES);
}

void scoreboards_charged(struct scoreboards *boards)
{
	change(boards, CHARGES);
}

/* The thread */

static int count_if_stale(struct scoreboards *boards, const struct competition *competition,
			  struct err *e)
{
	uint64_t versions[KINDS];
	struct slot *slot;
	int r;

	read_versions(boards, versions);
	pthread_mutex_lock(&boards->lock);
	r = get_slot(boards, competition->id, &slot, e);
	if (r == 0 && is_fresh(boards, slot, competition, versions))
		slot = NULL;
	pthread_mutex_unlock(&boards->lock);
	if (r < 0 || !slot)
		return r;
	pthread_mutex_lock(&slot->counting);
	r = recount(boards, slot, competition, e);
	pthread_mutex_unlock(&slot->counting);
	return r;
}

static int count_all(struct scoreboards *boards, struct err *e)
{
	const struct competitions *all = programme_all(boards->options.programme);
	int r = 0;

	for (size_t i = 0; r == 0 && i < all->competition_count; i++)
		r = count_if_stale(boards, &all->competitions[i], e);
	return r;
}

/* Tells of the board that players see, if it is another than the one told of last. */
static void announce(struct scoreboards *boards, const struct competition *competition)
{
	int64_t now = clock_monotonic_ms();
	const struct board *old = NULL, *new = NULL;
	struct slot *slot;

	pthread_mutex_lock(&boards->lock);
	slot = find_slot(boards, competition->id);
	if (slot && slot->boards[0] && now - slot->told_at >= TELL_INTERVAL_MS &&
	    slot->boards[0] != slot->told) {
		old = slot->told;
		new = slot->boards[0];
		slot->told = new;
		slot->told_at = now;
		board_hold(new);
		board_hold(new);
	}
	pthread_mutex_unlock(&boards->lock);
	if (old && strcmp(old->all.etag, new->all.etag) != 0)
		boards->options.changed(boards->options.cookie, competition, old, new);
	board_drop(old);
	board_drop(new);
}

static void announce_all(struct scoreboards *boards)
{
	const struct competitions *all = programme_all(boards->options.programme);

	for (size_t i = 0; boards->options.changed && i < all->competition_count; i++)
		announce(boards, &all->competitions[i]);
}

/* Until somebody kicks, or it is time to look. */
static bool wait_for_change(struct scoreboards *boards, int64_t rest_ms)
{
	struct timespec until;
	bool ending;
	int64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &until);
	ms = until.tv_nsec / 1000000 + (rest_ms ? rest_ms : LOOK_INTERVAL_MS);
	until.tv_sec += ms / 1000;
	until.tv_nsec = ms % 1000 * 1000000;
	pthread_mutex_lock(&boards->lock);
	while (!boards->ending && (rest_ms || !boards->kicked) &&
	       pthread_cond_timedwait(&boards->wake, &boards->lock, &until) == 0)
		continue;
	if (!rest_ms)
		boards->kicked = false;
	ending = boards->ending;
	pthread_mutex_unlock(&boards->lock);
	return !ending;
}

static void *run(void *cookie)
{
	struct scoreboards *boards = cookie;
	struct err e = ERR_INIT;
	int64_t rest_ms = 0;

	while (wait_for_change(boards, 0) && (!rest_ms || wait_for_change(boards, rest_ms))) {
		int64_t began = clock_monotonic_us();

		if (count_all(boards, &e) < 0)
			log_error("a scoreboard stays as it is: %s", e.msg);
		announce_all(boards);
		rest_ms = REST_FACTOR * (clock_monotonic_us() - began) / 1000;
	}
	return NULL;
}

int scoreboards_new(const struct scoreboards_options *options, struct scoreboards **ret_boards,
		    struct err *e)
{
	struct scoreboards *boards = calloc(1, sizeof(*boards));
	int r;

	if (!boards)
		return err_memory(e);
	boards->options = *options;
	pthread_mutex_init(&boards->lock, NULL);
	cond_init_monotonic(&boards->wake);
	r = count_all(boards, e);
	announce_all(boards);
	if (r == 0 && pthread_create(&boards->thread, NULL, run, boards) != 0)
		r = err_set(e, ERR_INTERNAL, "no thread to be had");
	boards->runs = r == 0;
	if (r < 0) {
		scoreboards_free(boards);
		return r;
	}
	*ret_boards = boards;
	return 0;
}

static void end_thread(struct scoreboards *boards)
{
	if (!boards->runs)
		return;
	pthread_mutex_lock(&boards->lock);
	boards->ending = true;
	pthread_cond_signal(&boards->wake);
	pthread_mutex_unlock(&boards->lock);
	pthread_join(boards->thread, NULL);
}

void scoreboards_free(struct scoreboards *boards)
{
	if (!boards)
		return;
	end_thread(boards);
	while (boards->slots) {
		struct slot *slot = boards->slots;

		boards->slots = slot->next;
		board_drop(slot->boards[0]);
		board_drop(slot->boards[1]);
		board_drop(slot->told);
		facts_done(&slot->facts);
		pthread_mutex_destroy(&slot->counting);
		free(slot->competition_id);
		free(slot);
	}
	pthread_cond_destroy(&boards->wake);
	pthread_mutex_destroy(&boards->lock);
	free(boards);
}
