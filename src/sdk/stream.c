/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/stream.h"

#include "base/err.h"
#include "sdk/member.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

static int64_t content_length(const struct http_reply *reply)
{
	char text[32], *end;
	long long length;

	if (reply->headers.len == 0)
		return 0; /* what may be absent is: its 404 has been emptied */
	if (!http_reply_header(reply, "Content-Length", text, sizeof(text)))
		return -1;
	errno = 0;
	length = strtoll(text, &end, 10);
	return errno || *end || end == text || length < 0 ? -1 : length;
}

static int stopped(struct err *e)
{
	return err_set(e, ERR_ABORTED, "the sink stopped the call");
}

static int begin(struct target *target, struct err *e)
{
	const struct ctfy_sink *sink = target->sink;
	char buffer[256];
	const char *type = "text/plain; charset=utf-8";
	int64_t size = -1;

	target->began = true;
	if (!sink || !sink->begin)
		return 0;
	if (!target->is_text) {
		type = sdk_content_type(&target->reply, buffer, sizeof(buffer));
		size = content_length(&target->reply);
	}
	return sink->begin(sink->cookie, type, size) ? stopped(e) : 0;
}

static bool may_write_again(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	return errno == EINTR ||
	       (errno == EAGAIN && (poll(&poll_fd, 1, -1) >= 0 || errno == EINTR));
}

static int write_all(int fd, const char *bytes, size_t len, struct err *e)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && may_write_again(fd))
			continue;
		if (n < 0)
			return err_errno(e, ERR_ABORTED, "write to file descriptor %d", fd);
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int put(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct target *target = cookie;
	const struct ctfy_sink *sink = target->sink;
	int r;

	if (!target->began && (r = begin(target, e)) < 0)
		return r;
	if (!sink)
		r = write_all(target->fd, bytes, len, e);
	else
		r = sink->write(sink->cookie, bytes, len) ? stopped(e) : 0;
	if (r == 0)
		target->size += len;
	return r;
}

static int put_member(void *cookie, const void *bytes, size_t len, struct err *e)
{
	return member_read(cookie, bytes, len, e);
}

static int ask(struct ctfy_node_client *client, const struct request *request,
	       struct target *target, const struct member *member, const struct ctfy_call *call,
	       struct ctfy_error *error)
{
	struct err e = ERR_INIT;
	int r = sdk_ask(client, request, call, &target->reply, error);

	if (r < 0)
		return r;
	if (member && member_end(member, &e) < 0)
		return sdk_fail_protocol(error, target->reply.status, &e);
	if (!target->began && begin(target, &e) < 0) /* an empty body never came by */
		return sdk_fail(error, &e);
	return 0;
}

/* member, of which put_member() makes a text for the target; NULL: the body as it is. */
static int stream(struct ctfy_node_client *client, const struct request *request,
		  struct target *target, struct member *member, const struct ctfy_call *call,
		  struct ctfy_error *error)
{
	struct request sinking = *request;
	int r;

	sinking.sink = member ? put_member : put;
	sinking.sink_cookie = member ? (void *)member : target;
	target->is_text = member;
	target->reply = (struct http_reply)HTTP_REPLY_INIT;
	r = ask(client, &sinking, target, member, call, error);
	http_reply_done(&target->reply);
	if (target->ret_size)
		*target->ret_size = target->size;
	return r;
}

int sdk_stream(struct ctfy_node_client *client, const struct request *request,
	       struct target *target, const struct ctfy_call *call, struct ctfy_error *error)
{
	return stream(client, request, target, NULL, call, error);
}

int sdk_stream_text(struct ctfy_node_client *client, const struct request *request,
		    const char *name, struct target *target, const struct ctfy_call *call,
		    struct ctfy_error *error)
{
	struct member member = {
		.name = name, .kind = MEMBER_STRING, .sink = put, .cookie = target
	};

	return stream(client, request, target, &member, call, error);
}
