/* SPDX-License-Identifier: Apache-2.0 */
#include "db/readers.h"

#include "base/err.h"
#include "base/own.h"
#include "db/connection.h"

#include <pthread.h>
#include <string.h>

struct readers {
	char *path;
	pthread_mutex_t lock;
	pthread_cond_t returned;
	struct connection *idle[READERS_MAX];
	unsigned idle_count;
	unsigned open;
};

static _Thread_local unsigned held;

int readers_new(const char *path, struct readers **ret_readers, struct err *e)
{
	struct readers *readers = calloc(1, sizeof(*readers));

	if (!readers)
		return err_memory(e);
	pthread_mutex_init(&readers->lock, NULL);
	pthread_cond_init(&readers->returned, NULL);
	readers->path = strdup(path);
	if (!readers->path) {
		readers_free(readers);
		return err_memory(e);
	}
	*ret_readers = readers;
	return 0;
}

static void reader_close(struct connection *reader)
{
	connection_close(reader);
	free(reader);
}

void readers_free(struct readers *readers)
{
	if (!readers)
		return;
	while (readers->idle_count > 0)
		reader_close(readers->idle[--readers->idle_count]);
	pthread_cond_destroy(&readers->returned);
	pthread_mutex_destroy(&readers->lock);
	free(readers->path);
	free(readers);
}

static int reader_open(const struct readers *readers, struct connection **ret_reader, struct err *e)
{
	struct connection *reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return err_memory(e);
	r = connection_open(reader, readers->path,
			    "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY", e);
	if (r < 0) {
		reader_close(reader);
		return r;
	}
	*ret_reader = reader;
	return 0;
}

/* NULL: one more may be opened, and is counted already. */
static struct connection *take_idle(struct readers *readers)
{
	struct connection *reader = NULL;

	pthread_mutex_lock(&readers->lock);
	while (readers->idle_count == 0 && readers->open == READERS_MAX)
		pthread_cond_wait(&readers->returned, &readers->lock);
	if (readers->idle_count > 0)
		reader = readers->idle[--readers->idle_count];
	else
		readers->open++;
	pthread_mutex_unlock(&readers->lock);
	return reader;
}

static void forget_one(struct readers *readers)
{
	pthread_mutex_lock(&readers->lock);
	readers->open--;
	pthread_cond_signal(&readers->returned);
	pthread_mutex_unlock(&readers->lock);
}

int readers_take(struct readers *readers, struct connection **ret_reader, struct err *e)
{
	struct connection *reader = NULL;
	int r = 0;

	if (held == 0) {
		reader = take_idle(readers);
		if (!reader)
			r = reader_open(readers, &reader, e);
		if (r < 0) {
			forget_one(readers);
			return r;
		}
		held++;
	}
	*ret_reader = reader;
	return 0;
}

void readers_put(struct readers *readers, struct connection *reader)
{
	held--;
	pthread_mutex_lock(&readers->lock);
	readers->idle[readers->idle_count++] = reader;
	pthread_cond_signal(&readers->returned);
	pthread_mutex_unlock(&readers->lock);
}
