/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/unit.h"

#include "base/own.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A decimal number without sign or exponent. Returns what follows it, or NULL. */
static const char *read_decimal(const char *s, double *ret_value)
{
	size_t whole = strspn(s, "0123456789");
	size_t fraction = s[whole] == '.' ? strspn(s + whole + 1, "0123456789") : 0;
	char digits[64];
	size_t len = whole + (s[whole] == '.' ? fraction + 1 : 0);

	if (whole + fraction == 0 || len >= sizeof(digits))
		return NULL;
	memcpy(digits, s, len);
	digits[len] = '\0';
	*ret_value = strtod(digits, NULL);
	return s + len;
}

/* Amounts beyond this can't be meant, and would not survive the way through a double. */
static const double largest = 9e18;

bool unit_bytes(const char *text, int64_t *ret_bytes)
{
	static const char prefixes[] = "kmgtp";
	const char *rest, *prefix;
	double value;

	rest = read_decimal(text, &value);
	if (!rest)
		return false;
	rest += *rest == ' ';
	prefix = *rest ? strchr(prefixes, tolower((unsigned char)*rest)) : NULL;
	if (prefix) {
		for (const char *p = prefixes; p <= prefix; p++)
			value *= 1024;
		rest++;
		rest += *rest == 'i' || *rest == 'I';
	}
	rest += *rest == 'b' || *rest == 'B';
	if (*rest || value > largest)
		return false;
	*ret_bytes = (int64_t)value;
	return true;
}

static const char *read_duration_unit(const char *s, double *ret_ns)
{
	static const struct {
		const char *name;
		double ns;
	} units[] = {
		/* longer names before those they begin with */
		{ "ns", 1 },     { "us", 1e3 },    { "\xc2\xb5s", 1e3 },
		{ "ms", 1e6 },   { "s", 1e9 },     { "m", 60e9 },
		{ "h", 3600e9 }, { "d", 86400e9 }, { "w", 7 * 86400e9 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		size_t len = strlen(units[i].name);

		if (strncmp(s, units[i].name, len) == 0) {
			*ret_ns = units[i].ns;
			return s + len;
		}
	}
	return NULL;
}

bool unit_duration(const char *text, int64_t *ret_ns)
{
	double total = 0, value, unit;

	if (strcmp(text, "0") == 0) {
		*ret_ns = 0;
		return true;
	}
	if (!*text)
		return false;
	while (*text) {
		text = read_decimal(text, &value);
		if (!text)
			return false;
		text = read_duration_unit(text, &unit);
		if (!text)
			return false;
		total += value * unit;
		if (total > largest)
			return false;
	}
	*ret_ns = (int64_t)total;
	return true;
}

bool unit_cpus(const char *text, int64_t *ret_nano)
{
	double value;
	const char *rest = read_decimal(text, &value);

	if (!rest || *rest || value > 1e6)
		return false;
	*ret_nano = (int64_t)(value * 1e9 + 0.5);
	return true;
}

bool unit_mode(const char *text, uint32_t *ret_mode)
{
	unsigned long mode;
	char *end;

	if (text[0] == '0' && (text[1] == 'o' || text[1] == 'O'))
		text += 2;
	if (!isdigit((unsigned char)*text))
		return false;
	errno = 0;
	mode = strtoul(text, &end, 8);
	if (*end || errno || mode > 07777)
		return false;
	*ret_mode = (uint32_t)mode;
	return true;
}

bool unit_integer(const char *text, int64_t least, int64_t most, int64_t *ret_value)
{
	long long value;
	char *end;

	if (!isdigit((unsigned char)*text) && *text != '-')
		return false;
	errno = 0;
	value = strtoll(text, &end, 10);
	if (end == text || *end || errno || value < least || value > most)
		return false;
	*ret_value = value;
	return true;
}

bool unit_bool(const char *text, bool *ret_value)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "true", true }, { "yes", true },    { "on", true },  { "y", true },
		{ "1", true },    { "false", false }, { "no", false }, { "off", false },
		{ "n", false },   { "0", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcasecmp(text, words[i].word) == 0) {
			*ret_value = words[i].value;
			return true;
		}
	}
	return false;
}
