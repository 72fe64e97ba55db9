#include "base/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t real_now_ms(const struct clock *clock)
{
	(void)clock;
	return read_ms(CLOCK_REALTIME);
}

const struct clock clock_real = { real_now_ms };

int64_t clock_monotonic_ms(void)
{
	return read_ms(CLOCK_MONOTONIC);
}

int64_t clock_monotonic_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* 9999-12-31T23:59:59.999Z, the last instant that RFC 3339 can write. */
static const int64_t last_ms = 253402300799999;

char *clock_format(int64_t ms, char *text)
{
	struct tm tm;
	time_t seconds;

	if (ms < 0)
		ms = 0;
	if (ms > last_ms)
		ms = last_ms;
	seconds = (time_t)(ms / 1000);
	gmtime_r(&seconds, &tm);
	snprintf(text, CLOCK_TEXT_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)(tm.tm_mon + 1) % 100,
		 (unsigned)tm.tm_mday % 100, (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100, (unsigned)(ms % 1000));
	return text;
}

bool clock_parse(const char *text, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	int used = 0, hours, minutes;
	int64_t millis = 0, offset_ms = 0;
	char sign;

	if (sscanf(text, "%4d-%2d-%2d%*1[Tt ]%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &used) != 6 ||
	    used == 0)
		return false;
	if (tm.tm_mon < 1 || tm.tm_mon > 12 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour > 23 || tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	text += used;
	if (*text == '.') {
		int64_t unit = 100;

		for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
			millis += (*text - '0') * unit;
	}
	if (*text == '+' || *text == '-') {
		sign = *text;
		if (sscanf(text + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 ||
		    text[1 + used] != '\0')
			return false;
		offset_ms = ((int64_t)hours * 60 + minutes) * 60000 * (sign == '-' ? -1 : 1);
	} else if (strcmp(text, "Z") != 0 && strcmp(text, "z") != 0) {
		return false;
	}
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*ret_ms = (int64_t)timegm(&tm) * 1000 + millis - offset_ms;
	return true;
}
