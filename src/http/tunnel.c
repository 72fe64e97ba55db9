/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "http/call.h"
#include "http/client.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum {
	HEAD_MAX = 64 << 10,
	REFUSAL_MAX = 1 << 20, /* of the body that tells why */
	READ_SIZE = 16 << 10,
};

enum { NEVER = -1 };

struct http_tunnel {
	struct http_line *line;
	const struct http_client *client;
	int fd;
	atomic_bool stopped;  /* the peer's answer to it may be a reset */
	pthread_mutex_t lock; /* a handle, and its TLS, serve one thread at a time */
	struct buf ahead;     /* what came with the response's head; */
	size_t ahead_taken;   /* used already */
};

static void tunnel_closep(struct http_tunnel **tunnel)
{
	http_tunnel_close(*tunnel);
}

static int64_t deadline_in(int64_t timeout_ms)
{
	return timeout_ms < 0 ? NEVER : clock_monotonic_ms() + timeout_ms;
}

static int poll_time(int64_t deadline)
{
	int64_t left = deadline - clock_monotonic_ms();

	if (deadline == NEVER)
		return -1;
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static int wait_for(struct http_tunnel *t, short events, int64_t deadline, struct err *e)
{
	struct pollfd pollfd = { .fd = t->fd, .events = events };
	int n;

	do {
		n = poll(&pollfd, 1, poll_time(deadline));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(e, ERR_TRANSPORT, "%s", t->client->peer);
	if (n == 0)
		return err_set(e, ERR_TIMEOUT, "%s: no byte went through in time", t->client->peer);
	return 0;
}

static int receive(struct http_tunnel *t, void *bytes, size_t size, int64_t deadline,
		   size_t *ret_len, struct err *e)
{
	for (;;) {
		CURLcode code;
		int r;

		pthread_mutex_lock(&t->lock);
		code = curl_easy_recv(t->line->easy, bytes, size, ret_len);
		pthread_mutex_unlock(&t->lock);
		if (code == CURLE_OK)
			return 0;
		if (code != CURLE_AGAIN && atomic_load(&t->stopped)) {
			*ret_len = 0;
			return 0;
		}
		if (code != CURLE_AGAIN)
			return http_line_error(t->client, t->line, code, e);
		r = wait_for(t, POLLIN, deadline, e);
		if (r < 0)
			return r;
	}
}

static int send_all(struct http_tunnel *t, const char *bytes, size_t len, int64_t deadline,
		    struct err *e)
{
	while (len > 0) {
		size_t sent = 0;
		CURLcode code;
		int r = 0;

		pthread_mutex_lock(&t->lock);
		code = curl_easy_send(t->line->easy, bytes, len, &sent);
		pthread_mutex_unlock(&t->lock);
		if (code == CURLE_AGAIN)
			r = wait_for(t, POLLOUT, deadline, e);
		else if (code != CURLE_OK)
			r = http_line_error(t->client, t->line, code, e);
		if (r < 0)
			return r;
		bytes += sent;
		len -= sent;
	}
	return 0;
}

/* The response's head and a refusal's body, read through a buffer. */

static const char *ahead(const struct http_tunnel *t)
{
	return t->ahead.data + t->ahead_taken;
}

static size_t ahead_len(const struct http_tunnel *t)
{
	return t->ahead.len - t->ahead_taken;
}

static int read_more(struct http_tunnel *t, int64_t deadline, bool *ret_end, struct err *e)
{
	char bytes[READ_SIZE];
	size_t len;
	int r = receive(t, bytes, sizeof(bytes), deadline, &len, e);

	if (r < 0)
		return r;
	*ret_end = len == 0;
	buf_put(&t->ahead, bytes, len);
	return buf_check(&t->ahead, e);
}

static int need_more(struct http_tunnel *t, int64_t deadline, struct err *e)
{
	bool end;
	int r = read_more(t, deadline, &end, e);

	if (r == 0 && end)
		return err_set(e, ERR_TRANSPORT, "%s: its answer was cut short", t->client->peer);
	return r;
}

static void take(struct http_tunnel *t, size_t len, struct buf *ret_bytes)
{
	if (ret_bytes)
		buf_put(ret_bytes, ahead(t), len);
	t->ahead_taken += len;
}

/* Takes all up to and with the mark. */
static int take_through(struct http_tunnel *t, const char *mark, int64_t deadline,
			struct buf *ret_text, struct err *e)
{
	const char *found;
	int r;

	while (!(found = memmem(ahead(t), ahead_len(t), mark, strlen(mark)))) {
		if (ahead_len(t) > HEAD_MAX)
			return err_set(e, ERR_TRANSPORT, "%s: its answer is not HTTP",
				       t->client->peer);
		r = need_more(t, deadline, e);
		if (r < 0)
			return r;
	}
	take(t, (size_t)(found - ahead(t)) + strlen(mark), ret_text);
	return buf_check(ret_text, e);
}

static int take_exactly(struct http_tunnel *t, uint64_t len, int64_t deadline,
			struct buf *ret_bytes, struct err *e)
{
	int r;

	if (len > REFUSAL_MAX)
		return err_set(e, ERR_TOO_LARGE, "%s: its answer is too large", t->client->peer);
	while (ahead_len(t) < len) {
		r = need_more(t, deadline, e);
		if (r < 0)
			return r;
	}
	take(t, (size_t)len, ret_bytes);
	return buf_check(ret_bytes, e);
}

static int take_chunks(struct http_tunnel *t, int64_t deadline, struct buf *ret_bytes,
		       struct err *e)
{
	AUTO(struct buf, buf_done) line = BUF_INIT;
	uint64_t len;
	int r;

	do {
		buf_clear(&line);
		r = take_through(t, "\r\n", deadline, &line, e);
		if (r < 0)
			return r;
		len = strtoull(line.data, NULL, 16);
		r = take_exactly(t, len, deadline, ret_bytes, e);
		if (r == 0 && len > 0)
			r = take_through(t, "\r\n", deadline, &line, e);
	} while (r == 0 && len > 0);
	return r;
}

static int take_until_end(struct http_tunnel *t, int64_t deadline, struct buf *ret_bytes,
			  struct err *e)
{
	bool end = false;
	int r;

	while (!end) {
		r = read_more(t, deadline, &end, e);
		if (r < 0)
			return r;
	}
	take(t, ahead_len(t), ret_bytes);
	return buf_check(ret_bytes, e);
}

/* 0: it is no status line. */
static int read_status(const char *line)
{
	static const char version[] = "HTTP/1.";
	size_t len = sizeof(version) - 1;

	if (strncmp(line, version, len) != 0 || !line[len] || line[len + 1] != ' ')
		return 0;
	return (int)strtol(line + len + 2, NULL, 10);
}

static int read_head(struct http_tunnel *t, int64_t deadline, struct http_reply *reply,
		     struct err *e)
{
	int r;

	do {
		buf_clear(&reply->headers);
		r = take_through(t, "\r\n\r\n", deadline, &reply->headers, e);
		if (r < 0)
			return r;
		reply->status = read_status(reply->headers.data);
		if (reply->status < 100)
			return err_set(e, ERR_TRANSPORT, "%s: its answer is not HTTP",
				       t->client->peer);
	} while (reply->status >= 100 && reply->status < 200 && reply->status != 101);
	return 0;
}

static bool is_chunked(const struct http_reply *reply)
{
	char value[64];

	return http_reply_header(reply, "Transfer-Encoding", value, sizeof(value)) &&
	       strcasecmp(value, "chunked") == 0;
}

static bool has_length(const struct http_reply *reply, uint64_t *ret_len)
{
	char value[32];

	if (!http_reply_header(reply, "Content-Length", value, sizeof(value)))
		return false;
	*ret_len = strtoull(value, NULL, 10);
	return true;
}

static int read_refusal(struct http_tunnel *t, int64_t deadline, struct http_reply *reply,
			struct err *e)
{
	uint64_t len;
	int r;

	reply->body.limit = REFUSAL_MAX;
	if (is_chunked(reply))
		r = take_chunks(t, deadline, &reply->body, e);
	else if (has_length(reply, &len))
		r = take_exactly(t, len, deadline, &reply->body, e);
	else
		r = take_until_end(t, deadline, &reply->body, e);
	if (r < 0)
		return r;
	return err_set(e, ERR_PROTOCOL, "%s: it refused to upgrade, with status %d",
		       t->client->peer, reply->status);
}

static int read_answer(struct http_tunnel *t, int64_t deadline, struct http_reply *reply,
		       struct err *e)
{
	uint64_t len;
	int r = read_head(t, deadline, reply, e);

	if (r < 0)
		return r;
	if (reply->status == 101 ||
	    (reply->status == 200 && !is_chunked(reply) && !has_length(reply, &len)))
		return 0;
	return read_refusal(t, deadline, reply, e);
}

static int send_request(struct http_tunnel *t, const struct http_call *call, const char *upgrade,
			int64_t deadline, struct err *e)
{
	AUTO(struct buf, buf_done) request = BUF_INIT;
	const char *host = strstr(t->client->base, "://") + 3;
	size_t host_len = strcspn(host, "/");
	int r;

	buf_printf(&request, "%s %s%s HTTP/1.1\r\nHost: %.*s\r\n", call->method, host + host_len,
		   call->path, (int)host_len, host);
	buf_printf(&request, "Connection: Upgrade\r\nUpgrade: %s\r\n", upgrade);
	if (t->client->authorization)
		buf_printf(&request, "%s\r\n", t->client->authorization);
	for (const char *const *line = call->headers; line && *line; line++)
		buf_printf(&request, "%s\r\n", *line);
	if (call->body)
		buf_printf(&request, "Content-Type: %s\r\nContent-Length: %zu\r\n",
			   call->content_type ? call->content_type : "application/json",
			   call->body_len);
	buf_puts(&request, "\r\n");
	buf_put(&request, call->body, call->body_len);
	r = buf_check(&request, e);
	return r < 0 ? r : send_all(t, request.data, request.len, deadline, e);
}

static int tunnel_connect(struct http_tunnel *t, const struct http_call *call, struct err *e)
{
	CURL *easy = t->line->easy;
	curl_socket_t fd;
	CURLcode code;

	curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)call->timeout_ms);
	code = curl_easy_perform(easy);
	if (code == CURLE_OK)
		code = curl_easy_getinfo(easy, CURLINFO_ACTIVESOCKET, &fd);
	if (code != CURLE_OK)
		return http_line_error(t->client, t->line, code, e);
	t->fd = fd;
	return 0;
}

static int tunnel_new(struct http_client *client, struct http_tunnel **ret_tunnel, struct err *e)
{
	AUTO(struct http_line *, http_line_freep) line = NULL;
	struct http_tunnel *t;
	int r = http_line_new(client, &line, e);

	if (r < 0)
		return r;
	t = calloc(1, sizeof(*t));
	if (!t)
		return err_memory(e);
	*t = (struct http_tunnel){ .client = client, .fd = -1, .ahead = BUF_INIT };
	pthread_mutex_init(&t->lock, NULL);
	t->line = TAKE(line);
	*ret_tunnel = t;
	return 0;
}

int http_tunnel_open(struct http_client *client, const struct http_call *call, const char *upgrade,
		     struct http_tunnel **ret_tunnel, struct http_reply *ret_reply, struct err *e)
{
	AUTO(struct http_tunnel *, tunnel_closep) t = NULL;
	int64_t deadline = deadline_in(call->timeout_ms ? call->timeout_ms : NEVER);
	int r;

	http_reply_clear(ret_reply);
	if ((r = tunnel_new(client, &t, e)) < 0 ||
	    (r = http_line_aim(client, t->line, call, e)) < 0 ||
	    (r = tunnel_connect(t, call, e)) < 0 ||
	    (r = send_request(t, call, upgrade, deadline, e)) < 0 ||
	    (r = read_answer(t, deadline, ret_reply, e)) < 0)
		return r;
	*ret_tunnel = TAKE(t);
	return 0;
}

int http_tunnel_read(struct http_tunnel *tunnel, void *bytes, size_t size, int timeout_ms,
		     size_t *ret_len, struct err *e)
{
	size_t len = ahead_len(tunnel);

	if (len == 0)
		return receive(tunnel, bytes, size, deadline_in(timeout_ms), ret_len, e);
	if (len > size)
		len = size;
	memcpy(bytes, ahead(tunnel), len);
	take(tunnel, len, NULL);
	*ret_len = len;
	return 0;
}

int http_tunnel_write(struct http_tunnel *tunnel, const void *bytes, size_t len, struct err *e)
{
	return send_all(tunnel, bytes, len, NEVER, e);
}

/* Under TLS the peer misses a goodbye, but sees the end all the same. */
int http_tunnel_end_write(struct http_tunnel *tunnel, struct err *e)
{
	if (shutdown(tunnel->fd, SHUT_WR) < 0)
		return err_errno(e, ERR_TRANSPORT, "%s", tunnel->client->peer);
	return 0;
}

void http_tunnel_stop(struct http_tunnel *tunnel)
{
	atomic_store(&tunnel->stopped, true);
	shutdown(tunnel->fd, SHUT_RDWR);
}

void http_tunnel_close(struct http_tunnel *tunnel)
{
	if (!tunnel)
		return;
	http_line_free(tunnel->line);
	buf_done(&tunnel->ahead);
	pthread_mutex_destroy(&tunnel->lock);
	free(tunnel);
}
