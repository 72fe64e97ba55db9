/* SPDX-License-Identifier: Apache-2.0 */
#include "base/steady-clock.h"

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Milliseconds. */
static const int64_t tolerance = 15 * 60 * 1000;
static const int64_t save_every = 60 * 1000;
static const int64_t long_away = 24 * 60 * 60 * 1000;
static const int64_t doubt_for = 60 * 60 * 1000;

enum {
	CATCH_UP = 20, /* of a difference, at most a twentieth of the time that passes */
	BOOT_ID_SIZE = 40,
	FILE_MAX_BYTES = 256,
};

struct steady_clock {
	struct clock clock;
	atomic_int_least64_t offset; /* from CLOCK_BOOTTIME */
	atomic_int_least64_t jump;
	atomic_int_least64_t doubt_until; /* by CLOCK_BOOTTIME */
	int64_t away;                     /* how long, where that is doubted */
	int64_t ticked_at, saved_at;      /* by CLOCK_BOOTTIME */
	char boot_id[BOOT_ID_SIZE];
	char told[STEADY_CLOCK_WORDS];
	char *path;
};

static int64_t read_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t now_ms(const struct clock *clock)
{
	const struct steady_clock *steady = (const struct steady_clock *)(const void *)clock;

	return read_ms(CLOCK_BOOTTIME) + atomic_load(&steady->offset);
}

const struct clock *steady_clock_of(const struct steady_clock *clock)
{
	return &clock->clock;
}

/* --- across restarts ---------------------------------------------------------------------- */

struct remembered {
	char boot_id[BOOT_ID_SIZE];
	int64_t boot_ms, ms;
};

static bool recall(const char *path, struct remembered *ret)
{
	AUTO(char *, freep) text = NULL;

	return file_exists(path) && file_read(path, FILE_MAX_BYTES, &text, NULL, NULL) == 0 &&
	       sscanf(text, "%39s %" SCNd64 " %" SCNd64, ret->boot_id, &ret->boot_ms, &ret->ms) ==
		       3;
}

static int save(struct steady_clock *clock, int64_t boot, struct err *e)
{
	char text[FILE_MAX_BYTES];

	snprintf(text, sizeof(text), "%s %" PRId64 " %" PRId64 "\n", clock->boot_id, boot,
		 boot + atomic_load(&clock->offset));
	clock->saved_at = boot;
	return file_write(clock->path, text, strlen(text), 0600, e);
}

static bool is_jump(int64_t difference)
{
	return difference > tolerance || difference < -tolerance;
}

static int64_t first_time(struct steady_clock *clock, const struct remembered *last, int64_t boot,
			  int64_t wall)
{
	if (strcmp(last->boot_id, clock->boot_id) == 0)
		return last->ms + boot - last->boot_ms;
	if (wall < last->ms - tolerance)
		return last->ms;
	if (wall > last->ms + long_away) {
		clock->away = wall - last->ms;
		atomic_store(&clock->doubt_until, boot + doubt_for);
	}
	return wall;
}

static void set_jump(struct steady_clock *clock, int64_t boot, int64_t wall)
{
	int64_t difference = wall - boot - atomic_load(&clock->offset);

	atomic_store(&clock->jump, is_jump(difference) ? difference : 0);
}

static int read_boot_id(struct steady_clock *clock, struct err *e)
{
	AUTO(FILE *, fclosep) file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || fscanf(file, "%39s", clock->boot_id) != 1)
		return err_errno(e, ERR_INTERNAL, "read the machine's boot id");
	return 0;
}

static void steady_clock_freep(struct steady_clock **clock)
{
	steady_clock_free(*clock);
}

int steady_clock_open(const char *path, bool accept, struct steady_clock **ret_clock, struct err *e)
{
	AUTO(struct steady_clock *, steady_clock_freep) clock = calloc(1, sizeof(*clock));
	int64_t boot = read_ms(CLOCK_BOOTTIME), wall = read_ms(CLOCK_REALTIME);
	struct remembered last;
	int r;

	if (!clock || !(clock->path = strdup(path)))
		return err_memory(e);
	clock->clock.now_ms = now_ms;
	r = read_boot_id(clock, e);
	if (r < 0)
		return r;
	if (accept || !recall(path, &last))
		atomic_store(&clock->offset, wall - boot);
	else
		atomic_store(&clock->offset, first_time(clock, &last, boot, wall) - boot);
	clock->ticked_at = boot;
	set_jump(clock, boot, wall);
	r = save(clock, boot, e);
	if (r < 0)
		return r;
	*ret_clock = TAKE(clock);
	return 0;
}

void steady_clock_free(struct steady_clock *clock)
{
	if (!clock)
		return;
	free(clock->path);
	free(clock);
}

/* --- while it runs ------------------------------------------------------------------------ */

static void catch_up(struct steady_clock *clock, int64_t boot, int64_t wall)
{
	int64_t step = wall - boot - atomic_load(&clock->offset);
	int64_t most = (boot - clock->ticked_at) / CATCH_UP;

	if (most == 0)
		return;
	clock->ticked_at = boot;
	if (is_jump(step))
		return;
	step = step > most ? most : step < -most ? -most : step;
	atomic_fetch_add(&clock->offset, step);
}

int steady_clock_tick(struct steady_clock *clock, struct err *e)
{
	int64_t boot = read_ms(CLOCK_BOOTTIME), wall = read_ms(CLOCK_REALTIME);

	set_jump(clock, boot, wall);
	catch_up(clock, boot, wall);
	return boot - clock->saved_at < save_every ? 0 : save(clock, boot, e);
}

int64_t steady_clock_jump(const struct steady_clock *clock)
{
	return atomic_load(&clock->jump);
}

bool steady_clock_doubts(const struct steady_clock *clock)
{
	return read_ms(CLOCK_BOOTTIME) < atomic_load(&clock->doubt_until);
}

/* To the nearest: a jump by eight days is measured a moment before or after them. */
static void put_span(int64_t ms, char text[32])
{
	int64_t minutes = ((ms < 0 ? -ms : ms) + 30000) / 60000;

	if (minutes >= 2 * 24 * 60)
		snprintf(text, 32, "%" PRId64 " days", (minutes + 12 * 60) / (24 * 60));
	else if (minutes >= 120)
		snprintf(text, 32, "%" PRId64 " hours", (minutes + 30) / 60);
	else
		snprintf(text, 32, "%" PRId64 " minutes", minutes);
}

const char *steady_clock_words(const struct steady_clock *clock, char words[STEADY_CLOCK_WORDS])
{
	int64_t jump = steady_clock_jump(clock);
	char span[32];

	words[0] = '\0';
	put_span(jump ? jump : clock->away, span);
	if (jump)
		snprintf(words, STEADY_CLOCK_WORDS,
			 "the machine's clock jumped %s by %s: deadlines go by the time that "
			 "passes, "
			 "and nothing old is removed; set it right, or begin again with "
			 "--accept-clock",
			 jump > 0 ? "ahead" : "back", span);
	else if (steady_clock_doubts(clock))
		snprintf(words, STEADY_CLOCK_WORDS,
			 "the machine was away for %s, or its clock is wrong: nothing is ended or "
			 "removed for an hour",
			 span);
	return words;
}

bool steady_clock_news(struct steady_clock *clock, char words[STEADY_CLOCK_WORDS])
{
	steady_clock_words(clock, words);
	if (strcmp(words, clock->told) == 0)
		return false;
	snprintf(clock->told, sizeof(clock->told), "%s", words);
	if (!*words)
		snprintf(words, STEADY_CLOCK_WORDS, "the machine's clock is believed again");
	return true;
}
