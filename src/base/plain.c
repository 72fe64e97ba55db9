/* SPDX-License-Identifier: Apache-2.0 */
#include "base/plain.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static uint32_t code_of(const char *text, size_t n)
{
	const unsigned char *s = (const unsigned char *)text;
	uint32_t code = n == 1 ? s[0] : s[0] & (0x7fU >> n);

	for (size_t i = 1; i < n; i++)
		code = code << 6 | (s[i] & 0x3fU);
	return code;
}

/*
 * Of Unicode's categories Cc, Zl, Zp and Cf all that acts: controls; marks, embeddings, overrides
 * and isolates of direction (UAX 9); deprecated format characters, annotations and tags. Joiners
 * stay, for scripts and emoji need them.
 */
static bool acts(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xad || code == 0x61c ||
	       code == 0x180e || code == 0x200b || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x206f) ||
	       code == 0xfeff || (code >= 0xfff9 && code <= 0xfffb) ||
	       (code >= 0xe0000 && code <= 0xe0fff);
}

static void put_character(struct buf *out, const char *text, size_t n, enum plain_kind kind)
{
	uint32_t code = code_of(text, n);

	if (code == '\t' || (code == '\n' && kind == PLAIN_LINES) || !acts(code))
		buf_put(out, text, n);
	else if (code < 0x80)
		buf_printf(out, "\\x%02x", code);
	else
		buf_printf(out, code > 0xffff ? "\\U%08x" : "\\u%04x", code);
}

/* Most texts need nothing done to them. */
static size_t ordinary(const char *text, size_t len)
{
	size_t n = 0;

	while (n < len && text[n] >= 0x20 && text[n] < 0x7f)
		n++;
	return n;
}

void plain_put(struct buf *out, const char *text, size_t len, enum plain_kind kind)
{
	while (len > 0) {
		size_t n = ordinary(text, len);

		if (n > 0) {
			buf_put(out, text, n);
		} else if ((n = utf8_character(text, len)) > 0) {
			put_character(out, text, n, kind);
		} else {
			buf_puts(out, "\xef\xbf\xbd");
			n = 1;
		}
		text += n;
		len -= n;
	}
}

char *plain_text(const char *text, enum plain_kind kind)
{
	struct buf out = BUF_INIT;

	if (text)
		plain_put(&out, text, strlen(text), kind);
	return buf_take(&out);
}
