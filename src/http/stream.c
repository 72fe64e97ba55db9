#include "http/stream.h"

#include "base/err.h"
#include "base/own.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

enum {
	ABORT_CHECK_S = 1,
};

struct stream {
	pthread_mutex_t lock;
	pthread_cond_t room;
	struct MHD_Connection *connection;
	const atomic_bool *aborting;
	bool sender_waits; /* the connection is suspended */
	bool ended;
	bool whole;
	bool gone;
	size_t size;       /* of the ring */
	size_t start, len; /* of the bytes in it */
	char ring[];
};

int stream_new(struct MHD_Connection *connection, const atomic_bool *aborting, size_t size,
	       struct stream **ret_stream, struct err *e)
{
	struct stream *s = malloc(sizeof(*s) + size);
	pthread_condattr_t monotonic;

	if (!s)
		return err_memory(e);
	memset(s, 0, sizeof(*s));
	s->size = size;
	s->connection = connection;
	s->aborting = aborting;
	pthread_mutex_init(&s->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&s->room, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*ret_stream = s;
	return 0;
}

void stream_free(struct stream *s)
{
	if (!s)
		return;
	pthread_cond_destroy(&s->room);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static bool is_over(const struct stream *s)
{
	return s->gone || atomic_load(s->aborting);
}

/* A client that reads slowly tells us nothing; so look up now and then whether we should stop. */
static void wait_for_room(struct stream *s)
{
	struct timespec until;

	while (s->len == s->size && !is_over(s)) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += ABORT_CHECK_S;
		pthread_cond_timedwait(&s->room, &s->lock, &until);
	}
}

static void wake_sender(struct stream *s)
{
	if (!s->sender_waits)
		return;
	s->sender_waits = false;
	MHD_resume_connection(s->connection);
}

static size_t ring_put(struct stream *s, const char *bytes, size_t len)
{
	size_t end = (s->start + s->len) % s->size;
	size_t room = s->size - s->len;
	size_t straight = s->size - end;

	if (len > room)
		len = room;
	if (straight > len)
		straight = len;
	memcpy(s->ring + end, bytes, straight);
	memcpy(s->ring, bytes + straight, len - straight);
	s->len += len;
	return len;
}

static size_t ring_take(struct stream *s, char *bytes, size_t size)
{
	size_t len = size < s->len ? size : s->len;
	size_t straight = s->size - s->start;

	if (straight > len)
		straight = len;
	memcpy(bytes, s->ring + s->start, straight);
	memcpy(bytes + straight, s->ring, len - straight);
	s->len -= len;
	/* An empty ring begins anew, so that who keeps up needs no more memory than its largest
	 * part. */
	s->start = s->len > 0 ? (s->start + len) % s->size : 0;
	return len;
}

int stream_write(struct stream *s, const void *bytes, size_t len, struct err *e)
{
	const char *next = bytes;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	while (len > 0 && r == 0) {
		size_t put;

		wait_for_room(s);
		if (is_over(s)) {
			r = err_set(e, ERR_ABORTED,
				    s->gone ? "the client went away" : "the server is stopping");
			break;
		}
		put = ring_put(s, next, len);
		next += put;
		len -= put;
		wake_sender(s);
	}
	pthread_mutex_unlock(&s->lock);
	return r;
}

bool stream_offer(struct stream *s, const void *bytes, size_t len)
{
	bool fits;

	pthread_mutex_lock(&s->lock);
	fits = !s->ended && !is_over(s) && len <= s->size - s->len;
	if (fits) {
		ring_put(s, bytes, len);
		wake_sender(s);
	}
	pthread_mutex_unlock(&s->lock);
	return fits;
}

void stream_end(struct stream *s, bool whole)
{
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	s->whole = whole;
	wake_sender(s);
	pthread_mutex_unlock(&s->lock);
}

ssize_t stream_read(void *cookie, uint64_t pos, char *bytes, size_t size)
{
	struct stream *s = cookie;
	ssize_t n = 0;

	(void)pos;
	pthread_mutex_lock(&s->lock);
	if (s->len > 0) {
		n = (ssize_t)ring_take(s, bytes, size);
		pthread_cond_signal(&s->room);
	} else if (s->ended) {
		n = s->whole ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
	} else {
		s->sender_waits = true;
		MHD_suspend_connection(s->connection);
	}
	pthread_mutex_unlock(&s->lock);
	return n;
}

void stream_gone(struct stream *s)
{
	pthread_mutex_lock(&s->lock);
	s->gone = true;
	pthread_cond_signal(&s->room);
	pthread_mutex_unlock(&s->lock);
}
