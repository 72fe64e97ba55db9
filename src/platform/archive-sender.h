/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings archives from our disk to S3 storage, and removes them there once they were kept long
 * enough: a thread that works off what the store says.
 *
 * An archive leaves our disk when the storage has all of it and its row names its objects. Until
 * then it is tried again and again, the others in between; the row's detail says why.
 */
#ifndef PLATFORM_ARCHIVE_SENDER_H
#define PLATFORM_ARCHIVE_SENDER_H

#include <stdint.h>

struct archive_sender;
struct clock;
struct db;
struct err;
struct s3;

/* Strings and parts are borrowed for ever. */
struct archive_sender_options {
	struct db *db;
	const struct clock *clock;
	struct s3 *s3;
	const char *dir; /* DIR/COPY_ID/FILE; objects have the key COPY_ID/FILE */
	int64_t days;    /* how long they are kept; 0: for ever */
};

int archive_sender_new(const struct archive_sender_options *options,
		       struct archive_sender **ret_sender, struct err *e);
/* Waits for its thread: end the storage before. */
void archive_sender_free(struct archive_sender *sender);

/* There is something to send. */
void archive_sender_kick(struct archive_sender *sender);

#endif
