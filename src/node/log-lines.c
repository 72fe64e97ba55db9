#include "node/log-lines.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static void add_line(struct log_source *source, const char *line, size_t len)
{
	struct log_lines *lines = source->lines;

	if (lines->count == lines->capacity) {
		size_t capacity = lines->capacity ? 2 * lines->capacity : 256;
		struct log_line *rows = realloc(lines->rows, capacity * sizeof(*rows));

		if (!rows) {
			lines->failed = true;
			return;
		}
		lines->rows = rows;
		lines->capacity = capacity;
	}
	lines->rows[lines->count++] =
		(struct log_line){ .at = lines->text.len, .len = len, .service = source->service };
	buf_put(&lines->text, line, len);
	buf_putc(&lines->text, '\0'); /* so that a row can be compared as a string */
}

static struct buf *partial_of(struct log_source *source, enum engine_stream stream)
{
	struct buf *partial = &source->partial[stream];

	if (!partial->data)
		*partial = (struct buf)BUF_INIT;
	return partial;
}

enum { TIME_SIZE = sizeof("2026-11-23T01:16:56.123456789Z ") - 1 };

static bool starts_with_time(const char *text, size_t len)
{
	return len >= TIME_SIZE && text[4] == '-' && text[10] == 'T' && text[13] == ':' &&
	       text[19] == '.' && text[29] == 'Z' && text[30] == ' ';
}

int log_take(void *cookie, enum engine_stream stream, const void *bytes, size_t len, struct err *e)
{
	struct log_source *source = cookie;
	struct buf *partial = partial_of(source, stream);
	const char *text = bytes;
	const char *newline;

	/* The engine cuts a line after 16 KiB, and leads each piece by its time. */
	if (partial->len > 0 && starts_with_time(text, len)) {
		text += TIME_SIZE;
		len -= TIME_SIZE;
	}
	while ((newline = memchr(text, '\n', len))) {
		buf_put(partial, text, (size_t)(newline - text));
		add_line(source, partial->data, partial->len);
		buf_clear(partial);
		len -= (size_t)(newline + 1 - text);
		text = newline + 1;
	}
	buf_put(partial, text, len);
	return source->lines->failed ? err_memory(e) : buf_check(partial, e);
}

void log_source_end(struct log_source *source)
{
	for (size_t i = 0; i < 3; i++) {
		struct buf *partial = &source->partial[i];

		if (!partial->data)
			continue;
		if (partial->len > 0)
			add_line(source, partial->data, partial->len);
		buf_done(partial);
	}
}

static int by_time(const void *a, const void *b, void *text)
{
	const struct log_line *x = a, *y = b;
	int order = strncmp((char *)text + x->at, (char *)text + y->at,
			    sizeof("2026-11-23T01:16:56.123456789Z") - 1);

	/* Lines of one moment keep the order in which they came. */
	return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* Length of the UTF-8 sequence at s, or 0. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
	size_t len = *s < 0x80                 ? 1
		     : *s >= 0xc2 && *s < 0xe0 ? 2
		     : *s >= 0xe0 && *s < 0xf0 ? 3
		     : *s >= 0xf0 && *s < 0xf5 ? 4
					       : 0;

	if (len == 0 || len > left)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

static void put_utf8(struct buf *b, const char *text, size_t len)
{
	const unsigned char *s = (const unsigned char *)text;

	for (size_t i = 0; i < len;) {
		size_t n = utf8_length(s + i, len - i);

		if (n > 0)
			buf_put(b, s + i, n);
		else
			buf_puts(b, "\xef\xbf\xbd");
		i += n ? n : 1;
	}
}

/* A line without the time that led it. */
static const char *words_of(const struct log_lines *lines, const struct log_line *row,
			    size_t *ret_len)
{
	const char *line = lines->text.data + row->at;
	const char *space = memchr(line, ' ', row->len);

	*ret_len = space ? row->len - (size_t)(space + 1 - line) : row->len;
	return space ? space + 1 : line;
}

int log_lines_print(struct log_lines *lines, size_t tail, size_t max_bytes, struct buf *ret_text,
		    struct err *e)
{
	size_t first = tail && lines->count > tail ? lines->count - tail : 0;
	size_t bytes = 0, i;

	if (lines->failed || buf_failed(&lines->text))
		return err_memory(e);
	if (lines->count > 0)
		qsort_r(lines->rows, lines->count, sizeof(*lines->rows), by_time, lines->text.data);
	for (i = lines->count; i > first; i--) {
		bytes += lines->rows[i - 1].len;
		if (bytes > max_bytes)
			break;
	}
	for (; i < lines->count; i++) {
		size_t len;
		const char *words = words_of(lines, &lines->rows[i], &len);

		buf_printf(ret_text, "%s | ", lines->rows[i].service);
		put_utf8(ret_text, words, len);
		buf_putc(ret_text, '\n');
	}
	return buf_check(ret_text, e);
}

void log_lines_done(struct log_lines *lines)
{
	buf_done(&lines->text);
	free(lines->rows);
	*lines = (struct log_lines)LOG_LINES_INIT;
}
