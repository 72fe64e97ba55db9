/* SPDX-License-Identifier: Apache-2.0 */
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

/* So many digits, and what follows them. Returns where it ends. */
static char *put_digits(char *at, int digits, int number, char behind)
{
	for (int i = digits; i-- > 0; number /= 10)
		at[i] = (char)('0' + number % 10);
	at[digits] = behind;
	return at + digits + 1;
}

/* By hand: every line of a recording has some, and printf takes several times as long. */
char *clock_format(int64_t ms, char *text)
{
	char *at = text;
	struct tm tm;
	time_t seconds;

	if (ms < 0)
		ms = 0;
	if (ms > last_ms)
		ms = last_ms;
	seconds = (time_t)(ms / 1000);
	gmtime_r(&seconds, &tm);
	at = put_digits(at, 4, tm.tm_year + 1900, '-');
	at = put_digits(at, 2, tm.tm_mon + 1, '-');
	at = put_digits(at, 2, tm.tm_mday, 'T');
	at = put_digits(at, 2, tm.tm_hour, ':');
	at = put_digits(at, 2, tm.tm_min, ':');
	at = put_digits(at, 2, tm.tm_sec, '.');
	at = put_digits(at, 3, (int)(ms % 1000), 'Z');
	*at = '\0';
	return text;
}

/* Exactly so many digits, not above most. */
static bool read_digits(const char **at, int count, int most, int *ret_number)
{
	*ret_number = 0;
	for (int i = 0; i < count; i++, (*at)++) {
		if (**at < '0' || **at > '9')
			return false;
		*ret_number = *ret_number * 10 + **at - '0';
	}
	return *ret_number <= most;
}

static bool read_char(const char **at, const char *one_of)
{
	return **at && strchr(one_of, *(*at)++);
}

static int days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static bool read_date(const char **at, struct tm *tm)
{
	return read_digits(at, 4, 9999, &tm->tm_year) && read_char(at, "-") &&
	       read_digits(at, 2, 12, &tm->tm_mon) && tm->tm_mon >= 1 && read_char(at, "-") &&
	       read_digits(at, 2, days_in_month(tm->tm_year, tm->tm_mon), &tm->tm_mday) &&
	       tm->tm_mday >= 1;
}

/* A leap second is the next minute's first. */
static bool read_time_of_day(const char **at, struct tm *tm)
{
	return read_digits(at, 2, 23, &tm->tm_hour) && read_char(at, ":") &&
	       read_digits(at, 2, 59, &tm->tm_min) && read_char(at, ":") &&
	       read_digits(at, 2, 60, &tm->tm_sec);
}

static bool read_fraction(const char **at, int64_t *ret_ms)
{
	int64_t unit = 100;

	*ret_ms = 0;
	if (**at != '.')
		return true;
	if (*++*at < '0' || **at > '9')
		return false;
	for (; **at >= '0' && **at <= '9'; (*at)++, unit /= 10)
		*ret_ms += (**at - '0') * unit;
	return true;
}

static bool read_offset(const char **at, int64_t *ret_ms)
{
	int hours, minutes;
	char sign = **at;

	*ret_ms = 0;
	if (!read_char(at, "+-Zz"))
		return false;
	if (sign == 'Z' || sign == 'z')
		return true;
	if (!read_digits(at, 2, 23, &hours) || !read_char(at, ":") ||
	    !read_digits(at, 2, 59, &minutes))
		return false;
	*ret_ms = ((int64_t)hours * 60 + minutes) * 60000 * (sign == '-' ? -1 : 1);
	return true;
}

bool clock_parse(const char *text, int64_t *ret_ms)
{
	struct tm tm = { 0 };
	int64_t millis, offset_ms;

	if (!read_date(&text, &tm) || !read_char(&text, "Tt ") || !read_time_of_day(&text, &tm) ||
	    !read_fraction(&text, &millis) || !read_offset(&text, &offset_ms) || *text)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*ret_ms = (int64_t)timegm(&tm) * 1000 + millis - offset_ms;
	return true;
}
