/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's clock is the test's here: clock_gettime() is wrapped by the linker. */
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/steady-clock.h"

#include "check.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int64_t minute = 60000, hour = 3600000, day = 86400000;
static int64_t wall = 1800000000000, boot = 1000000;

/* The linker's name for what stands in its place. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __wrap_clock_gettime(clockid_t id, struct timespec *ts);
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
int __wrap_clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t ms = id == CLOCK_REALTIME ? wall : boot;

	*ts = (struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	return 0;
}

static void pass(int64_t ms)
{
	wall += ms;
	boot += ms;
}

static char path[64];

static struct steady_clock *begin(bool accept)
{
	struct steady_clock *clock = NULL;
	struct err e = ERR_INIT;

	CHECK_EQ(steady_clock_open(path, accept, &clock, &e), 0);
	return clock;
}

static struct steady_clock *begin_first(void)
{
	snprintf(path, sizeof(path), "/tmp/ctfy-steady-clock-%d", (int)getpid());
	unlink(path);
	return begin(false);
}

static int64_t now(const struct steady_clock *clock)
{
	return clock_now_ms(steady_clock_of(clock));
}

static void tick(struct steady_clock *clock)
{
	struct err e = ERR_INIT;

	CHECK_EQ(steady_clock_tick(clock, &e), 0);
}

static void end(struct steady_clock *clock)
{
	steady_clock_free(clock);
	unlink(path);
}

TEST(time_goes_on_evenly_while_the_clock_jumps)
{
	struct steady_clock *clock = begin_first();
	int64_t first = now(clock);
	char words[STEADY_CLOCK_WORDS];

	CHECK_EQ(first, wall);
	wall += 8 * day;
	pass(minute);
	tick(clock);
	CHECK_EQ(now(clock), first + minute);
	CHECK_EQ(steady_clock_jump(clock), 8 * day);
	CHECK(steady_clock_news(clock, words));
	CHECK(strstr(words, "jumped ahead by 8 days"));
	CHECK(!steady_clock_news(clock, words));
	wall -= 16 * day;
	pass(minute);
	tick(clock);
	CHECK_EQ(now(clock), first + 2 * minute);
	CHECK_EQ(steady_clock_jump(clock), -8 * day);
	CHECK(!steady_clock_is_sure(clock));
	wall += 8 * day;
	tick(clock);
	CHECK(steady_clock_is_sure(clock));
	CHECK(steady_clock_news(clock, words)); /* back, and then well */
	end(clock);
}

/* What was measured a moment ago is a moment short. */
TEST(a_jump_is_told_to_the_nearest)
{
	static const struct {
		int64_t ms;
		const char *told;
	} rows[] = { { 8 * 86400000LL - 3, "ahead by 8 days:" },
		     { -8 * 86400000LL + 3, "back by 8 days:" },
		     { 3 * 3600000LL - 3, "ahead by 3 hours:" } };
	struct steady_clock *clock = begin_first();
	char words[STEADY_CLOCK_WORDS];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		wall += rows[i].ms;
		tick(clock);
		CHECK(strstr(steady_clock_words(clock, words), rows[i].told));
		wall -= rows[i].ms;
		tick(clock);
	}
	end(clock);
}

TEST(a_small_difference_is_made_up_for_gently)
{
	struct steady_clock *clock = begin_first();
	int64_t before = now(clock);

	wall += 10000;
	for (int i = 0; i < 100; i++) {
		pass(1000);
		tick(clock);
		CHECK(now(clock) - before >= 1000 && now(clock) - before <= 1050);
		before = now(clock);
	}
	CHECK(wall - now(clock) < 10000);
	for (int i = 0; i < 200; i++) {
		pass(1000);
		tick(clock);
	}
	CHECK_EQ(now(clock), wall);
	wall -= 5000;
	for (int i = 0; i < 200; i++) {
		before = now(clock);
		pass(1000);
		tick(clock);
		CHECK(now(clock) > before);
	}
	CHECK_EQ(now(clock), wall);
	end(clock);
}

TEST(a_jump_is_known_to_be_one_across_a_restart)
{
	struct steady_clock *clock = begin_first();
	int64_t first = now(clock);

	steady_clock_free(clock);
	pass(hour);
	wall += 8 * day;
	clock = begin(false);
	CHECK_EQ(now(clock), first + hour);
	CHECK_EQ(steady_clock_jump(clock), 8 * day);
	steady_clock_free(clock);
	clock = begin(true);
	CHECK_EQ(now(clock), wall);
	CHECK(steady_clock_is_sure(clock));
	steady_clock_free(clock);
	clock = begin(false); /* what was accepted stays so */
	CHECK_EQ(now(clock), wall);
	end(clock);
}

static void boot_anew(int64_t last)
{
	char text[100];
	struct err e = ERR_INIT;

	boot = 5000;
	snprintf(text, sizeof(text), "of-another-boot 77000 %lld\n", (long long)last);
	CHECK_EQ(file_write(path, text, strlen(text), 0600, &e), 0);
}

TEST(after_another_boot_time_does_not_go_back)
{
	struct steady_clock *clock = begin_first();
	int64_t last = now(clock);

	steady_clock_free(clock);
	boot_anew(last);
	wall -= 8 * day;
	clock = begin(false);
	CHECK_EQ(now(clock), last);
	CHECK_EQ(steady_clock_jump(clock), -8 * day);
	pass(minute);
	CHECK_EQ(now(clock), last + minute);
	end(clock);
}

TEST(after_a_long_time_away_nothing_is_removed_for_an_hour)
{
	struct steady_clock *clock = begin_first();
	char words[STEADY_CLOCK_WORDS];

	steady_clock_free(clock);
	boot_anew(wall);
	wall += 8 * day;
	clock = begin(false);
	CHECK_EQ(now(clock), wall);
	CHECK(steady_clock_doubts(clock));
	CHECK(strstr(steady_clock_words(clock, words), "8 days"));
	pass(hour);
	CHECK(steady_clock_is_sure(clock));
	CHECK_STR(steady_clock_words(clock, words), "");
	steady_clock_free(clock);
	boot_anew(wall);
	pass(hour);
	clock = begin(false);
	CHECK(steady_clock_is_sure(clock));
	end(clock);
}

TEST(a_file_that_makes_no_sense_is_as_none)
{
	struct steady_clock *clock = begin_first();
	struct err e = ERR_INIT;

	steady_clock_free(clock);
	CHECK_EQ(file_write(path, "boot x", 6, 0600, &e), 0);
	clock = begin(false);
	CHECK_EQ(now(clock), wall);
	end(clock);
}

RUN_TESTS(T(time_goes_on_evenly_while_the_clock_jumps), T(a_jump_is_told_to_the_nearest),
	  T(a_small_difference_is_made_up_for_gently),
	  T(a_jump_is_known_to_be_one_across_a_restart),
	  T(after_another_boot_time_does_not_go_back),
	  T(after_a_long_time_away_nothing_is_removed_for_an_hour),
	  T(a_file_that_makes_no_sense_is_as_none))
