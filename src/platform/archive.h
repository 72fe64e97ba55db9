/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of an instance after its end: logs, traffic, packets, timeline and the evidence
 * bundle, fetched from its node before it is destroyed, in DIR/COPY_ID/ on our own disk, and with
 * S3 storage from there to that.
 *
 * A copy is owed an archive by its row, and has it once the row says so: it is fetched beside its
 * place, synced, moved there and then told, so that after a kill it is there whole, or fetched
 * again. Any thread may call.
 */
#ifndef PLATFORM_ARCHIVE_H
#define PLATFORM_ARCHIVE_H

#include "platform/page.h"
#include "platform/s3.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct archives;
struct clock;
struct db;
struct err;
struct instance;
struct node;

struct archives_options {
	struct db *db;
	const struct clock *clock;
	const char *dir;
	int64_t days;            /* how long they are kept; 0: none are made */
	struct s3 *s3;           /* where they go from our disk; NULL: they stay */
	int64_t idle_timeout_ms; /* of a node that gives nothing more of a part */
};

/* Strings are borrowed for ever. */
int archives_new(const struct archives_options *options, struct archives **ret_archives,
		 struct err *e);
void archives_free(struct archives *archives);

/* Whether there is anything to be kept of it: it ran, and archives are made. */
bool archives_want(const struct archives *archives, const struct instance *instance);

/* It is to be archived from its present node. Part of a transaction where there is one. */
int archives_owe(struct archives *archives, const struct instance *instance, struct err *e);

enum { ARCHIVE_TRIES_BEFORE_STOP = 3, ARCHIVE_TRIES_MAX = 100 };

/*
 * Fetches what a copy is owed, unless it has it. ret_tries: how often that has failed. Fails with
 * NODE, TRANSPORT... where the node doesn't give it, with STORE or INVALID where it can't be kept.
 */
int archives_fetch(struct archives *archives, struct arena *arena, const char *copy_id,
		   struct node *node, int64_t *ret_tries, struct err *e);

/* The copies a node owes the archives of, though their instances have left it; the arena's. */
int archives_owed_by(struct archives *archives, struct arena *arena, const char *node_id,
		     char ***ret_copies, size_t *ret_count, struct err *e);

/* How many are owed. */
int archives_lag(struct archives *archives, int64_t *ret_count, struct err *e);

/* How many wait on our disk for the storage they belong to, and since when: 0 where none does. */
int archives_unsent(struct archives *archives, int64_t *ret_count, int64_t *ret_since,
		    struct err *e);

/* Removes some of those that were kept long enough. */
int archives_expire(struct archives *archives, struct err *e);

struct archives_query {
	const char *team_id, *challenge_id, *instance_id; /* NULL: any */
	const char *submission_id; /* of the instance that this was handed in with; NULL: any */
	struct page page;
};

/* {archives: [{id, instance_id, ..., files: [{name, size, sha256?}]}], next_cursor}; the caller's.
 */
int archives_list(struct archives *archives, struct arena *arena,
		  const struct archives_query *query, json_t **ret_page, struct err *e);

/* A file of one: on our disk, or on the storage. */
struct archived {
	int fd; /* the caller's; -1: it is on the storage */
	char *key;
	struct s3_object object;
};

/* Into the arena. Fails with NOT_FOUND. */
int archives_open(struct archives *archives, struct arena *arena, const char *copy_id,
		  const char *file, struct archived *ret_archived, struct err *e);

/* One that is on the storage. Fails as s3_get() does. */
int archives_read(struct archives *archives, const struct archived *archived, http_sink *sink,
		  void *cookie, struct err *e);

#endif
