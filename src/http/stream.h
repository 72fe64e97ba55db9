/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body on its way from a handler, on a worker thread, to the listening thread that sends it.
 *
 * A bounded buffer between the two; while it is empty, the connection is suspended. Where it is
 * full the rest goes to a file without a name, so that no writer waits for its client: the
 * listening threads send from there. What these hold is bounded, of each client and in all;
 * beyond, so many writers wait, and those of further clients are told ABORTED.
 */
#ifndef HTTP_STREAM_H
#define HTTP_STREAM_H

#include "http/budget.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct stream;

/* What the streams of a server have in common. */
struct spool {
	const char *dir;       /* of the files */
	struct budget bytes;   /* in all of them */
	struct budget writers; /* who wait because there is no room in these */
};

/* The writer gives up once *aborting is true. The buffer has `size` bytes. */
int stream_new(struct MHD_Connection *connection, const atomic_bool *aborting, struct spool *spool,
	       const struct payer *payer, size_t size, struct stream **ret_stream, struct err *e);
void stream_free(struct stream *stream);

/* The writer's side. Fails with ABORTED. */
int stream_write(struct stream *stream, const void *bytes, size_t len, struct err *e);
/* All of it at once, or nothing: false where it has no room, or the client is gone. Never waits. */
bool stream_offer(struct stream *stream, const void *bytes, size_t len);
/* No more will come. Unless whole, the client gets no proper end. */
void stream_end(struct stream *stream, bool whole);

/* The sender's side. stream_read() is an MHD_ContentReaderCallback; its cookie is the stream. */
ssize_t stream_read(void *cookie, uint64_t pos, char *bytes, size_t size);
/* The connection is over, whatever the reason. */
void stream_gone(struct stream *stream);

#endif
