/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct {
	enum log_level least;
	bool json;
} config = { .least = LOG_INFO };

static _Thread_local char request_id[64];

static const char *const words[] = { "debug", "info", "warning", "error" };

void log_open(enum log_format format, enum log_level least)
{
	config.least = least;
	config.json = format == LOG_JSON || (format == LOG_AUTO && !isatty(STDERR_FILENO));
}

void log_set_request(const char *id)
{
	snprintf(request_id, sizeof(request_id), "%s", id ? id : "");
}

const char *log_request(void)
{
	return request_id;
}

static void put_control(struct buf *b, unsigned c, bool json)
{
	if (c == '\n')
		buf_puts(b, "\\n");
	else if (c == '\t')
		buf_puts(b, json ? "\\t" : "\t");
	else
		buf_printf(b, "\\u%04x", c);
}

/* C0, DEL and C1; the last are two bytes long. */
static bool is_control(const char *s, size_t len)
{
	unsigned char c = (unsigned char)*s;

	return c < 0x20 || c == 0x7f || (len == 2 && c == 0xc2 && (unsigned char)s[1] < 0xa0);
}

/* A log line is one line of text: what others sent us must not forge a second one, or be no text.
 */
static void put_escaped(struct buf *b, const char *s, bool json)
{
	size_t left = strlen(s), len;

	for (; left > 0; s += len, left -= len) {
		len = utf8_character(s, left);
		if (len == 0) {
			utf8_put_valid(b, s, 1);
			len = 1;
		} else if (is_control(s, len)) {
			put_control(b, (unsigned char)s[len - 1], json);
		} else {
			if (json && (*s == '"' || *s == '\\'))
				buf_putc(b, '\\');
			buf_put(b, s, len);
		}
	}
}

void log_line(enum log_level level, const char *fmt, ...)
{
	struct buf message = BUF_INIT;
	struct buf line = BUF_INIT;
	char now[CLOCK_TEXT_SIZE];
	va_list ap;

	if (level < config.least)
		return;

	va_start(ap, fmt);
	buf_vprintf(&message, fmt, ap);
	va_end(ap);
	clock_format(clock_now_ms(&clock_real), now);

	if (config.json) {
		buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\"", now, words[level]);
		if (*request_id) {
			buf_puts(&line, ",\"request\":\"");
			put_escaped(&line, request_id, true);
			buf_putc(&line, '"');
		}
		buf_puts(&line, ",\"message\":\"");
		put_escaped(&line, message.data, true);
		buf_puts(&line, "\"}\n");
	} else {
		buf_printf(&line, "%s %-7s ", now, words[level]);
		if (*request_id) {
			buf_putc(&line, '[');
			put_escaped(&line, request_id, false);
			buf_puts(&line, "] ");
		}
		put_escaped(&line, message.data, false);
		buf_putc(&line, '\n');
	}
	/* One write per line, so that threads don't mix; a log that can't be written has no log. */
	if (write(STDERR_FILENO, line.data, line.len) < 0)
		line.len = 0;
	buf_done(&message);
	buf_done(&line);
}
