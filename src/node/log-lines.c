/* SPDX-License-Identifier: Apache-2.0 */
#include "node/log-lines.h"

#include "base/err.h"

#include <string.h>

enum {
	ENTRY_SIZE = 16 << 10, /* of text, in an entry that goes on in the next */
	LINE_MAX_BYTES = 16 << 20,
};

void log_parser_begin(struct log_parser *parser, log_line_sink *sink, void *cookie)
{
	*parser = (struct log_parser){ .sink = sink, .cookie = cookie };
	for (size_t i = 0; i < 3; i++)
		parser->streams[i].line = (struct buf)BUF_INIT;
}

static int end_line(struct log_parser *parser, enum engine_stream stream, bool cut, struct err *e)
{
	struct log_stream *s = &parser->streams[stream];
	const struct log_line line = {
		.at = s->at, .stream = stream, .text = s->line.data, .len = s->line.len, .cut = cut
	};
	int r = buf_check(&s->line, e);

	if (r == 0)
		r = parser->sink(parser->cookie, &line, e);
	buf_clear(&s->line);
	s->open = false;
	return r;
}

/* "2026-11-23T01:16:56.123456789Z": whether it is one, up to len. */
static bool looks_like_time(const char *text, size_t len)
{
	static const char pattern[] = "0000-00-00T00:00:00.000000000Z";

	for (size_t i = 0; i < len; i++)
		if (pattern[i] == '0' ? text[i] < '0' || text[i] > '9' : text[i] != pattern[i])
			return false;
	return true;
}

static int put_text(struct log_parser *parser, enum engine_stream stream, const char *text,
		    size_t len, struct err *e)
{
	struct log_stream *s = &parser->streams[stream];

	s->open = true;
	s->piece += len;
	buf_put(&s->line, text, len);
	return s->line.len < LINE_MAX_BYTES ? 0 : end_line(parser, stream, true, e);
}

static void begin_text(struct log_stream *s)
{
	if (!s->open)
		memcpy(s->at, s->head, sizeof(s->at));
	s->in_text = s->open = true;
	s->piece = s->head_len = 0;
}

/* What stands at an entry's beginning is no time: then it is text. */
static int take_head_as_text(struct log_parser *parser, enum engine_stream stream, struct err *e)
{
	struct log_stream *s = &parser->streams[stream];
	char head[sizeof(s->head)];
	size_t len = s->head_len;

	memcpy(head, s->head, len);
	s->head_len = s->piece = 0;
	s->in_text = true;
	return put_text(parser, stream, head, len, e);
}

/* Takes one byte of an entry's time, or the blank behind it. */
static int take_head(struct log_parser *parser, enum engine_stream stream, char byte, struct err *e)
{
	struct log_stream *s = &parser->streams[stream];
	int r;

	if (s->head_len == LOG_TIME_LEN && byte == ' ') {
		s->head[LOG_TIME_LEN] = '\0';
		begin_text(s);
		return 0;
	}
	if (s->head_len < LOG_TIME_LEN) {
		s->head[s->head_len++] = byte;
		if (looks_like_time(s->head, s->head_len))
			return 0;
		s->head_len--;
	}
	r = take_head_as_text(parser, stream, e);
	return r < 0 ? r : log_parser_take(parser, stream, &byte, 1, e);
}

static void end_entry(struct log_stream *s)
{
	s->in_text = false;
	s->head_len = 0;
}

/* Takes what it can of an entry's text. Returns how much that was. */
static int take_text(struct log_parser *parser, enum engine_stream stream, const char *text,
		     size_t len, size_t *ret_taken, struct err *e)
{
	struct log_stream *s = &parser->streams[stream];
	size_t most = !parser->framed && ENTRY_SIZE - s->piece < len ? ENTRY_SIZE - s->piece : len;
	const char *newline = memchr(text, '\n', most);
	size_t part = newline ? (size_t)(newline - text) : most;
	int r = put_text(parser, stream, text, part, e);

	*ret_taken = part + (newline != NULL);
	if (r < 0)
		return r;
	if (newline) {
		end_entry(s);
		s->piece = 0;
		return end_line(parser, stream, false, e);
	}
	if (!parser->framed && s->piece == ENTRY_SIZE)
		end_entry(s);
	return 0;
}

void log_parser_frame(void *cookie, enum engine_stream stream)
{
	struct log_parser *parser = cookie;

	parser->framed = true;
	parser->streams[stream].frame_begins = true;
}

/* The entry before this one ended without a line end: it goes on here, or nowhere. */
static int begin_frame(struct log_parser *parser, enum engine_stream stream, struct err *e)
{
	struct log_stream *s = &parser->streams[stream];
	bool goes_on = s->piece == ENTRY_SIZE;
	int r = 0;

	s->frame_begins = false;
	if (s->head_len > 0)
		r = take_head_as_text(parser, stream, e);
	end_entry(s);
	s->piece = 0;
	return r == 0 && s->open && !goes_on ? end_line(parser, stream, true, e) : r;
}

int log_parser_take(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		    struct err *e)
{
	struct log_parser *parser = cookie;
	struct log_stream *s = &parser->streams[stream];
	const char *text = bytes;
	int r = s->frame_begins ? begin_frame(parser, stream, e) : 0;

	while (r == 0 && len > 0) {
		size_t taken = 1;

		r = s->in_text ? take_text(parser, stream, text, len, &taken, e)
			       : take_head(parser, stream, *text, e);
		text += taken;
		len -= taken;
	}
	return r;
}

int log_parser_end(struct log_parser *parser, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < 3; i++) {
		struct log_stream *s = &parser->streams[i];

		if (r == 0 && s->head_len > 0)
			r = take_head_as_text(parser, (enum engine_stream)i, e);
		if (r == 0 && s->open)
			r = end_line(parser, (enum engine_stream)i, true, e);
		buf_done(&s->line);
	}
	return r;
}
