/* SPDX-License-Identifier: Apache-2.0 */
#include "base/utf8.h"

#include "base/buf.h"

#include <stdint.h>
#include <string.h>

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* By table 3-7 of Unicode. */
size_t utf8_character(const char *bytes, size_t len)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > len || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (!is_continuation(s[i]))
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

/* The bytes of ASCII at the beginning, eight at a time: most texts are nothing else. */
static size_t ascii_length(const char *bytes, size_t len)
{
	static const uint64_t high_bits = 0x8080808080808080;
	size_t at = 0;
	uint64_t word;

	for (; at + sizeof(word) <= len; at += sizeof(word)) {
		memcpy(&word, bytes + at, sizeof(word));
		if (word & high_bits)
			break;
	}
	while (at < len && (unsigned char)bytes[at] < 0x80)
		at++;
	return at;
}

/* The valid bytes at the beginning. */
static size_t valid_length(const char *bytes, size_t len)
{
	size_t at = 0, n = 0;

	do {
		at += n;
		at += ascii_length(bytes + at, len - at);
		n = at < len ? utf8_character(bytes + at, len - at) : 0;
	} while (n > 0);
	return at;
}

bool utf8_is_valid(const char *bytes, size_t len)
{
	return valid_length(bytes, len) == len;
}

void utf8_put_valid(struct buf *b, const char *bytes, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

	while (len > 0) {
		size_t n = valid_length(bytes, len);

		buf_put(b, bytes, n);
		if (n == len)
			return;
		buf_puts(b, replacement);
		bytes += n + 1;
		len -= n + 1;
	}
}

size_t utf8_cut(const char *bytes, size_t len, size_t most)
{
	if (len <= most)
		return len;
	while (most > 0 && is_continuation((unsigned char)bytes[most]))
		most--;
	return most;
}
