/* SPDX-License-Identifier: Apache-2.0 */
#include "storm-ears.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "base/work.h"
#include "http/call.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	READ_SIZE = 64 << 10,
	EVENTS_AT_ONCE = 256,
	WAIT_MS = 100,
	NOTICE_EVERY_MS = 1000,
	PATIENCE_MS = 60 * 1000,
	LINE_KEPT = 256,
	NEWS_MAX = 4096,
	MARK_SIZE = 40,
};

/* Of a chunked answer. */
enum part { HEAD, CHUNK_SIZE, CHUNK };

struct line {
	char text[LINE_KEPT];
	size_t len; /* of all of it, kept or not */
};

struct ear {
	int fd;
	bool stuck, welcome;
	enum part part;
	size_t left;              /* of the chunk */
	struct line outer, inner; /* of the answer, and of what its chunks hold */
	char event[16];
};

/* One thing that all are told. */
struct news {
	char mark[MARK_SIZE];
	int64_t began_us, last_us;
	size_t heard;
};

struct news_list {
	struct news *news;
	size_t count;
};

struct ears {
	struct ears_options options;
	struct ear *ears;
	int epoll;
	struct work *tellers, *hearers;
	atomic_bool untold, unheard; /* no more notices; nobody hears any more */
	char *bytes;
	pthread_mutex_t lock; /* of what follows */
	size_t welcome, lost;
	struct news_list notices, boards;
};

/* News */

/* The lock is held. */
static struct news *find_news(struct news_list *list, const char *mark)
{
	for (size_t i = list->count; i > 0; i--)
		if (strcmp(list->news[i - 1].mark, mark) == 0)
			return &list->news[i - 1];
	return NULL;
}

static struct news *add_news(struct news_list *list, const char *mark)
{
	struct news *news = list->count < NEWS_MAX ? &list->news[list->count++] : NULL;

	if (news) {
		*news = (struct news){ .began_us = clock_monotonic_us() };
		snprintf(news->mark, sizeof(news->mark), "%s", mark);
	}
	return news;
}

/* A board begins with its first listener, a notice with the call that sends it. */
static void note(struct ears *ears, struct news_list *list, const char *mark)
{
	struct news *news;

	pthread_mutex_lock(&ears->lock);
	news = find_news(list, mark);
	if (!news)
		news = add_news(list, mark);
	if (news) {
		news->heard++;
		news->last_us = clock_monotonic_us();
	}
	pthread_mutex_unlock(&ears->lock);
}

/* The text behind head, up to a quote or a backslash. */
static void note_marked(struct ears *ears, struct news_list *list, const char *line,
			const char *head)
{
	const char *at = strstr(line, head);
	char mark[MARK_SIZE];

	if (!at)
		return;
	at += strlen(head);
	snprintf(mark, sizeof(mark), "%.*s", (int)strcspn(at, "\"\\"), at);
	note(ears, list, mark);
}

/* Reading */

/* Adds what belongs to the line; returns what is behind it, NULL: the line has no end yet. */
static const char *line_add(struct line *line, const char *from, const char *to)
{
	const char *newline = memchr(from, '\n', (size_t)(to - from));
	size_t len = (size_t)((newline ? newline : to) - from);
	size_t room = line->len < LINE_KEPT - 1 ? LINE_KEPT - 1 - line->len : 0;

	if (room > len)
		room = len;
	memcpy(line->text + line->len, from, room);
	line->text[line->len + room] = '\0';
	line->len += room;
	return newline ? newline + 1 : NULL;
}

static void end_inner(struct ears *ears, struct ear *ear)
{
	const char *text = ear->inner.text;

	ear->inner.len = 0;
	if (strncmp(text, "event: ", 7) == 0) {
		snprintf(ear->event, sizeof(ear->event), "%.15s", text + 7);
	} else if (strncmp(text, "data: ", 6) != 0) {
		return;
	} else if (strcmp(ear->event, "hello") == 0) {
		ear->welcome = true;
		ears->welcome++;
	} else if (strcmp(ear->event, "notice") == 0) {
		note_marked(ears, &ears->notices, text, "\"text\":\"");
	} else if (strcmp(ear->event, "scoreboard") == 0) {
		note_marked(ears, &ears->boards, text, "\"etag\":\"\\\"");
	}
}

/* An empty line ends the head, and stands between a chunk and the next one's size. */
static void end_outer(struct ear *ear)
{
	bool empty = strcmp(ear->outer.text, "\r") == 0;

	ear->outer.len = 0;
	if (ear->part == HEAD && empty) {
		ear->part = CHUNK_SIZE;
	} else if (ear->part == CHUNK_SIZE && !empty) {
		ear->left = strtoul(ear->outer.text, NULL, 16);
		ear->part = CHUNK;
	}
}

static void read_chunk(struct ears *ears, struct ear *ear, const char *from, const char *to)
{
	while (from < to) {
		from = line_add(&ear->inner, from, to);
		if (!from)
			return;
		end_inner(ears, ear);
	}
}

static void read_bytes(struct ears *ears, struct ear *ear, const char *from, const char *to)
{
	while (from && from < to) {
		size_t len = (size_t)(to - from);

		if (ear->part != CHUNK) {
			from = line_add(&ear->outer, from, to);
			if (from)
				end_outer(ear);
			continue;
		}
		if (len > ear->left)
			len = ear->left;
		read_chunk(ears, ear, from, from + len);
		from += len;
		ear->left -= len;
		if (ear->left == 0)
			ear->part = CHUNK_SIZE;
	}
}

static bool read_some(struct ears *ears, struct ear *ear)
{
	ssize_t n = recv(ear->fd, ears->bytes, READ_SIZE, MSG_DONTWAIT);

	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	read_bytes(ears, ear, ears->bytes, ears->bytes + n);
	return true;
}

static void lose(struct ears *ears, struct ear *ear)
{
	close(ear->fd);
	ear->fd = -1;
	pthread_mutex_lock(&ears->lock);
	ears->lost++;
	pthread_mutex_unlock(&ears->lock);
}

static void hear_some(struct ears *ears)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = epoll_wait(ears->epoll, events, EVENTS_AT_ONCE, WAIT_MS);

	for (int i = 0; i < count; i++) {
		struct ear *ear = events[i].data.ptr;

		if (ear->stuck && ear->welcome)
			epoll_ctl(ears->epoll, EPOLL_CTL_DEL, ear->fd, NULL);
		else if (!read_some(ears, ear))
			lose(ears, ear);
	}
}

static void hear_on(void *cookie)
{
	struct ears *ears = cookie;

	while (!atomic_load(&ears->unheard))
		hear_some(ears);
}

/* Telling */

static void send_notice(struct ears *ears, unsigned number)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	char authorization[96], body[64], mark[MARK_SIZE];
	const char *const headers[] = { authorization, NULL };
	const struct http_call call = {
		.method = "POST",
		.path = "/api/v1/admin/notices",
		.headers = headers,
		.body = body,
		.body_len =
			(size_t)snprintf(body, sizeof(body), "{\"text\":\"notice-%u\"}", number),
		.timeout_ms = PATIENCE_MS,
	};
	struct err e = ERR_INIT;

	snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s",
		 ears->options.admin_token);
	snprintf(mark, sizeof(mark), "notice-%u", number);
	pthread_mutex_lock(&ears->lock);
	add_news(&ears->notices, mark);
	pthread_mutex_unlock(&ears->lock);
	if (http_call(ears->options.platform, &call, &reply, &e) < 0 || reply.status != 201)
		fprintf(stderr, "storm: a notice: %d %s%s\n", reply.status, e.msg, reply.body.data);
}

static void tell_on(void *cookie)
{
	const struct timespec pause = { .tv_sec = NOTICE_EVERY_MS / 1000 };
	struct ears *ears = cookie;

	for (unsigned i = 0; !atomic_load(&ears->untold); i++) {
		send_notice(ears, i);
		nanosleep(&pause, NULL);
	}
}

/* Coming and going */

static int connect_ear(struct ears *ears, struct ear *ear, unsigned number, struct err *e)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(ears->options.port),
					     .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct epoll_event event = { .events = EPOLLIN, .data = { .ptr = ear } };
	char request[256];
	int len = snprintf(request, sizeof(request),
			   "GET /api/v1/events HTTP/1.1\r\nHost: storm\r\n"
			   "Authorization: Bearer token-of-team-%u\r\n\r\n",
			   number);

	ear->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ear->fd < 0 || connect(ear->fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return err_errno(e, ERR_CONNECT, "listener %u", number);
	if (send(ear->fd, request, (size_t)len, MSG_NOSIGNAL) != len ||
	    epoll_ctl(ears->epoll, EPOLL_CTL_ADD, ear->fd, &event) < 0)
		return err_errno(e, ERR_CONNECT, "listener %u", number);
	return 0;
}

static int connect_all(struct ears *ears, struct err *e)
{
	int64_t until = clock_monotonic_ms() + PATIENCE_MS;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < ears->options.listeners; i++) {
		ears->ears[i].stuck = i < ears->options.stuck;
		r = connect_ear(ears, &ears->ears[i], i, e);
	}
	while (r == 0 && ears->welcome < ears->options.listeners) {
		hear_some(ears);
		if (ears->lost || clock_monotonic_ms() > until)
			return err_set(e, ERR_TIMEOUT, "only %zu of %u listeners are welcome",
				       ears->welcome, ears->options.listeners);
	}
	return r;
}

int ears_new(const struct ears_options *options, struct ears **ret_ears, struct err *e)
{
	struct ears *ears = calloc(1, sizeof(*ears));
	int r;

	if (!ears)
		return err_memory(e);
	ears->options = *options;
	pthread_mutex_init(&ears->lock, NULL);
	ears->epoll = epoll_create1(EPOLL_CLOEXEC);
	ears->ears = calloc(options->listeners + 1, sizeof(*ears->ears));
	ears->bytes = malloc(READ_SIZE);
	ears->notices.news = calloc(NEWS_MAX, sizeof(struct news));
	ears->boards.news = calloc(NEWS_MAX, sizeof(struct news));
	for (unsigned i = 0; ears->ears && i < options->listeners; i++)
		ears->ears[i].fd = -1;
	r = ears->epoll >= 0 && ears->ears && ears->bytes && ears->notices.news && ears->boards.news
		    ? work_new(&ears->tellers, e)
		    : err_memory(e);
	if (r == 0)
		r = work_new(&ears->hearers, e);
	if (r == 0)
		r = connect_all(ears, e);
	if (r < 0) {
		ears_free(ears);
		return r;
	}
	*ret_ears = ears;
	return 0;
}

int ears_listen(struct ears *ears, struct err *e)
{
	int r = work_start(ears->hearers, hear_on, ears, e);

	return r < 0 ? r : work_start(ears->tellers, tell_on, ears, e);
}

static bool is_all_heard(struct ears *ears)
{
	size_t wanted = ears->options.listeners - ears->options.stuck;
	bool all = true;

	pthread_mutex_lock(&ears->lock);
	for (size_t i = 0; i < ears->notices.count; i++)
		all &= ears->notices.news[i].heard >= wanted;
	pthread_mutex_unlock(&ears->lock);
	return all;
}

void ears_stop(struct ears *ears)
{
	const struct timespec pause = { .tv_nsec = WAIT_MS * 1000000 };
	int64_t until = clock_monotonic_ms() + PATIENCE_MS;

	atomic_store(&ears->untold, true);
	if (ears->tellers)
		work_wait(ears->tellers);
	while (!is_all_heard(ears) && clock_monotonic_ms() < until)
		nanosleep(&pause, NULL);
	atomic_store(&ears->unheard, true);
	if (ears->hearers)
		work_wait(ears->hearers);
}

void ears_free(struct ears *ears)
{
	if (!ears)
		return;
	ears_stop(ears);
	work_free(ears->tellers);
	work_free(ears->hearers);
	for (unsigned i = 0; ears->ears && i < ears->options.listeners; i++)
		closep(&ears->ears[i].fd);
	closep(&ears->epoll);
	pthread_mutex_destroy(&ears->lock);
	free(ears->notices.news);
	free(ears->boards.news);
	free(ears->bytes);
	free(ears->ears);
	free(ears);
}

/* What was learnt */

static int by_time(const void *a, const void *b)
{
	const double *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* How many there were and how many all have heard, and of these the time until the last one did. */
static void print_list(const struct ears *ears, const struct news_list *list, FILE *to)
{
	size_t wanted = ears->options.listeners - ears->options.stuck, whole = 0;
	AUTO(double *, freep) ms = calloc(list->count + 1, sizeof(*ms));

	for (size_t i = 0; ms && i < list->count; i++)
		if (list->news[i].heard >= wanted)
			ms[whole++] =
				(double)(list->news[i].last_us - list->news[i].began_us) / 1000;
	if (whole > 0)
		qsort(ms, whole, sizeof(*ms), by_time);
	fprintf(to, "{\"count\": %zu, \"whole\": %zu, \"p50_ms\": %.1f, \"max_ms\": %.1f}",
		list->count, whole, whole ? ms[whole / 2] : 0, whole ? ms[whole - 1] : 0);
}

void ears_print(struct ears *ears, FILE *to)
{
	fprintf(to, "{\"lost\": %zu, \"notices\": ", ears->lost);
	print_list(ears, &ears->notices, to);
	fprintf(to, ", \"boards\": ");
	print_list(ears, &ears->boards, to);
	fputc('}', to);
}
