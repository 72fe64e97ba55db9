/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time, injected: whoever needs "now" is given a clock, so that a test can turn its hands.
 *
 * Instants are Unix time in milliseconds (int64_t); on the wire they are RFC 3339 in UTC.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock {
	int64_t (*now_ms)(const struct clock *clock);
};

extern const struct clock clock_real;

static inline int64_t clock_now_ms(const struct clock *clock)
{
	return clock->now_ms(clock);
}

/* A clock that never goes back, for measuring durations only. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

enum { CLOCK_TEXT_SIZE = sizeof("9999-12-31T23:59:59.999Z") };

/* "2026-11-23T01:16:56.123Z" into text[CLOCK_TEXT_SIZE]. Returns text. */
char *clock_format(int64_t ms, char *text);

/* Reads RFC 3339 (any offset, any number of decimals); false where there is no such instant. */
bool clock_parse(const char *text, int64_t *ret_ms);

#endif
