/* SPDX-License-Identifier: Apache-2.0 */
#include "http/stream.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

	/* What comes behind them, while spooled_to is not spooled_from. Only the writer writes it.
	 */
	struct spool *spool;
	int spool_fd; /* -1: it needed none yet */
	uint64_t spooled_from, spooled_to;
	struct bill bytes, wait; /* of the spool */
	char ring[];
};

int stream_new(struct MHD_Connection *connection, const atomic_bool *aborting, struct spool *spool,
	       const struct payer *payer, size_t size, struct stream **ret_stream, struct err *e)
{
	struct stream *s = malloc(sizeof(*s) + size);
	pthread_condattr_t monotonic;

	if (!s)
		return err_memory(e);
	memset(s, 0, sizeof(*s));
	s->size = size;
	s->connection = connection;
	s->aborting = aborting;
	s->spool = spool;
	s->bytes = (struct bill){ &spool->bytes, *payer, 0 };
	s->wait = (struct bill){ &spool->writers, *payer, 0 };
	s->spool_fd = -1;
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
	if (s->spool_fd >= 0)
		close(s->spool_fd);
	bill_end(&s->bytes);
	pthread_cond_destroy(&s->room);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static bool is_over(const struct stream *s)
{
	return s->gone || atomic_load(s->aborting);
}

static bool is_spooling(const struct stream *s)
{
	return s->spooled_to > s->spooled_from;
}

/* A client that reads slowly tells us nothing; so look up now and then whether we should stop. */
static void wait_for_room(struct stream *s)
{
	struct timespec until;

	while ((s->len == s->size || is_spooling(s)) && !is_over(s)) {
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

static int open_spool(const char *dir)
{
	int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	AUTO(char *, freep) path = fd < 0 ? strf("%s/ctfy-spool-XXXXXX", dir) : NULL;

	if (fd >= 0 || !path)
		return fd;
	fd = mkostemp(path, O_CLOEXEC); /* not every file system knows files without a name */
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* Nobody else looks at the file before there is something in it. */
static bool write_at(struct stream *s, const char *bytes, size_t len, uint64_t at)
{
	if (s->spool_fd < 0)
		s->spool_fd = open_spool(s->spool->dir);
	while (s->spool_fd >= 0 && len > 0) {
		ssize_t n = pwrite(s->spool_fd, bytes, len, (off_t)at);

		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		if (n < 0)
			continue;
		at += (uint64_t)n;
		bytes += n;
		len -= (size_t)n;
	}
	return s->spool_fd >= 0;
}

/* Called and left with the lock held; the file is made and written without it: a slow disk is the
 * writer's alone to wait for. False: it took nothing.
 */
static bool spool_put(struct stream *s, const char *bytes, size_t len)
{
	uint64_t end;
	bool written;

	if (!is_spooling(s))
		s->spooled_from = s->spooled_to = 0;
	end = s->spooled_to + len;
	if (bill_raise(&s->bytes, end) != BUDGET_FITS)
		return false;
	pthread_mutex_unlock(&s->lock);
	written = write_at(s, bytes, len, end - len);
	pthread_mutex_lock(&s->lock);
	if (written)
		s->spooled_to = end;
	return written;
}

/* Where there is no room in the spool either: a few may, in all. */
static bool wait_for_client(struct stream *s)
{
	bool may = bill_raise(&s->wait, 1) == BUDGET_FITS;

	if (may)
		wait_for_room(s);
	bill_end(&s->wait);
	return may;
}

static int tell_over(const struct stream *s, struct err *e)
{
	return err_set(e, ERR_ABORTED, s->gone ? "the client went away" : "the server is stopping");
}

int stream_write(struct stream *s, const void *bytes, size_t len, struct err *e)
{
	const char *next = bytes;
	int r = 0;

	pthread_mutex_lock(&s->lock);
	while (len > 0 && r == 0) {
		size_t put = 0;

		if (is_over(s)) {
			r = tell_over(s, e);
			break;
		}
		if (!is_spooling(s))
			put = ring_put(s, next, len);
		if (put == 0 && spool_put(s, next, len))
			put = len;
		if (put == 0 && !wait_for_client(s))
			r = err_set(e, ERR_ABORTED, "too many clients read too slowly");
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

static ssize_t spool_take(struct stream *s, char *bytes, size_t size)
{
	uint64_t left = s->spooled_to - s->spooled_from;
	ssize_t n = pread(s->spool_fd, bytes, left < size ? (size_t)left : size,
			  (off_t)s->spooled_from);

	if (n <= 0)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	s->spooled_from += (uint64_t)n;
	if (!is_spooling(s))
		pthread_cond_signal(&s->room);
	return n;
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
	} else if (is_spooling(s)) {
		n = spool_take(s, bytes, size);
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
