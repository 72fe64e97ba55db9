/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/messages.h"

#include "base/err.h"
#include "base/own.h"
#include "engine/request.h"

#include <string.h>

enum { MESSAGE_MAX = 16 << 20 };

struct messages {
	const struct request *req;
	struct buf line;
	message_fn *take;
	void *cookie;
};

static bool is_blank(const char *line)
{
	return line[strspn(line, " \t\r\n")] == '\0';
}

static int take_line(struct messages *messages, struct err *e)
{
	AUTO(json_t *, json_decrefp) message = NULL;
	int r;

	if (is_blank(messages->line.data))
		return 0;
	r = request_parse(messages->req, &messages->line, &message, e);
	return r < 0 ? r : messages->take(messages->cookie, message, e);
}

static int append(struct messages *messages, const char *bytes, size_t len, struct err *e)
{
	buf_put(&messages->line, bytes, len);
	if (messages->line.over_limit)
		return err_set(e, ERR_PROTOCOL, "the engine sent a message of more than %d bytes",
			       MESSAGE_MAX);
	return buf_check(&messages->line, e);
}

static int messages_sink(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct messages *messages = cookie;
	const char *at = bytes, *end = at + len;
	const char *newline;
	int r;

	for (; (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) {
		r = append(messages, at, (size_t)(newline - at), e);
		if (r == 0)
			r = take_line(messages, e);
		if (r < 0)
			return r;
		buf_clear(&messages->line);
	}
	return append(messages, at, (size_t)(end - at), e);
}

static void messages_done(struct messages *messages)
{
	buf_done(&messages->line);
}

int request_run_messages(struct request *req, message_fn *take, void *cookie, struct err *e)
{
	AUTO(struct messages, messages_done)
	messages = { .req = req, .line = BUF_LIMITED(MESSAGE_MAX), .take = take, .cookie = cookie };
	int r;

	req->call.sink = messages_sink;
	req->call.sink_cookie = &messages;
	req->call.max_body = UINT64_MAX;
	r = request_run(req, NULL, e);
	return r < 0 ? r : take_line(&messages, e);
}
