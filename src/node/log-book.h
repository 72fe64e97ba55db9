/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The logs of an instance: what its services, sidecars and agents wrote, line by line in the order
 * of time, each with who wrote it.
 *
 * Room is given to each container by itself, so that a noisy one leaves the others theirs: of each
 * stream its first 16 MiB and its newest 16 to 32; of an agent's 4, and 4 to 8. The engine keeps
 * less of most: what the policy's log_size and log_files say.
 *
 * Printed, it is for people: a line can't pass for another's, nor act on a terminal. As JSON it is
 * exact.
 */
#ifndef NODE_LOG_BOOK_H
#define NODE_LOG_BOOK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct err;
struct log_book;
struct node;

struct log_book_options {
	const char *service; /* of one service; NULL: of all */
	size_t tail;         /* the last lines; 0: all */
	bool of_each;        /* as many of each container, and where there are more that is said */
};

/* Asks the engine. Fails with NOT_FOUND (no such instance) or ENGINE. */
int log_book_open(struct node *node, const char *instance_id,
		  const struct log_book_options *options, struct log_book **ret_book,
		  struct err *e);
void log_book_free(struct log_book *book);
static inline void log_book_freep(struct log_book **book)
{
	log_book_free(*book);
}

/* Receives a part. A failure ends the printing with that error. */
typedef int log_book_sink(void *cookie, const void *bytes, size_t len, struct err *e);

/* "service | line"; where something is left out, "* | service: how much". Valid UTF-8. */
int log_book_print(struct log_book *book, log_book_sink *sink, void *cookie, struct err *e);

/*
 * {"at", "service", "container", "stream": "stdout", "stderr" or "terminal", "text" or "base64"
 * (what is not UTF-8), "cut": true where no line end came}; where something is left out {"service",
 * "container", "stream", "left_out": {"lines", "bytes"}}. ASCII.
 */
int log_book_print_json(struct log_book *book, log_book_sink *sink, void *cookie, struct err *e);

/*
 * [{service, container, lines, bytes, left_out_lines, left_out_bytes, since}] of each container;
 * since: the engine may have had no room for what came before that; null: it had.
 */
json_t *log_book_report(const struct log_book *book);

#endif
