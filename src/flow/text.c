/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/text.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void put_escaped(struct buf *buf, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	static const char letters[] = "\b\t\n\f\r\"\\", names[] = "btnfr\"\\";
	const char *letter = memchr(letters, c, sizeof(letters) - 1);
	char escape[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };

	if (letter)
		escape[1] = names[letter - letters];
	buf_put(buf, escape, letter ? 2 : sizeof(escape));
}

void text_put(struct buf *buf, const void *bytes, size_t len)
{
	const unsigned char *at = bytes, *end = len ? at + len : at, *plain = at;

	buf_putc(buf, '"');
	while (at < end) {
		size_t n = is_plain(*at) ? 1 : 0;

		if (n == 0 && *at >= 0x80)
			n = utf8_character((const char *)at, (size_t)(end - at));
		if (n > 0) {
			at += n;
			continue;
		}
		buf_put(buf, plain, (size_t)(at - plain));
		if (*at == 0 || *at >= 0x80)
			buf_puts(buf, "\xef\xbf\xbd");
		else
			put_escaped(buf, *at);
		plain = ++at;
	}
	buf_put(buf, plain, (size_t)(at - plain));
	buf_putc(buf, '"');
}

void text_puts(struct buf *buf, const char *text)
{
	text_put(buf, text, strlen(text));
}

static bool is_text(const void *bytes, size_t len)
{
	return len == 0 || (!memchr(bytes, 0, len) && utf8_is_valid(bytes, len));
}

void text_put_base64(struct buf *buf, const void *bytes, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *at = bytes;
	char text[256];
	size_t filled = 0;

	buf_putc(buf, '"');
	for (size_t i = 0; i < len; i += 3) {
		unsigned bits = (unsigned)at[i] << 16 |
				(i + 1 < len ? (unsigned)at[i + 1] << 8 : 0) |
				(i + 2 < len ? at[i + 2] : 0);

		text[filled++] = digits[bits >> 18];
		text[filled++] = digits[bits >> 12 & 63];
		text[filled++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		text[filled++] = i + 2 < len ? digits[bits & 63] : '=';
		if (filled == sizeof(text)) {
			buf_put(buf, text, filled);
			filled = 0;
		}
	}
	buf_put(buf, text, filled);
	buf_putc(buf, '"');
}

void text_put_content(struct buf *buf, const void *bytes, size_t len)
{
	if (is_text(bytes, len)) {
		buf_puts(buf, "\"text\":");
		text_put(buf, bytes, len);
	} else {
		buf_puts(buf, "\"base64\":");
		text_put_base64(buf, bytes, len);
	}
}

void text_put_number(struct buf *buf, uint64_t number)
{
	char text[20];
	size_t at = sizeof(text);

	do
		text[--at] = (char)('0' + number % 10);
	while (number /= 10);
	buf_put(buf, text + at, sizeof(text) - at);
}

void text_put_time(struct buf *buf, int64_t at_us)
{
	char text[CLOCK_TEXT_SIZE];

	buf_putc(buf, '"');
	buf_puts(buf, clock_format(at_us / 1000, text));
	buf_putc(buf, '"');
}

void text_put_ms(struct buf *buf, int64_t us)
{
	uint64_t tenths = us < 0 ? 0 : ((uint64_t)us + 50) / 100;

	text_put_number(buf, tenths / 10);
	buf_putc(buf, '.');
	buf_putc(buf, (char)('0' + tenths % 10));
}
