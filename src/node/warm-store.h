/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node must remember of warming: for each challenge that was asked for, how its builds and
 * pulls stand, and the list that waits its turn.
 */
#ifndef NODE_WARM_STORE_H
#define NODE_WARM_STORE_H

#include "base/id.h"

#include <jansson.h>
#include <stdint.h>

struct db;
struct err;

enum warm_state {
	WARM_UNASKED, /* there is no record */
	WARM_WAITING, /* in the list */
	WARM_WORKING,
	WARM_DONE,
	WARM_FAILED,
};

/* Strings and JSON are the record's own. */
struct warm_record {
	char *challenge_id;
	enum warm_state state;
	int64_t position; /* WAITING: from 1 */
	int64_t ended_at; /* DONE, FAILED */
	char *error;      /* FAILED */
	json_t *images;   /* DONE: {reference: "REFERENCE@sha256:..."} */
	char *stamp;      /* DONE: the folder's, when it was made */
};

/* In the order of the challenges' ids. */
struct warm_records {
	struct warm_record *items;
	size_t count;
};

void warm_records_done(struct warm_records *records);

/* kind is "build" or "pull" in all of these. */
int warm_store_records(struct db *db, const char *kind, struct warm_records *ret_records,
		       struct err *e);
int warm_store_state(struct db *db, const char *kind, const char *challenge_id,
		     enum warm_state *ret_state, struct err *e);

/* At the list's end. */
int warm_store_wait(struct db *db, const char *kind, const char *challenge_id, struct err *e);
/* The list's first; 0 when it is empty. */
int warm_store_next(struct db *db, const char *kind, char challenge_id[ID_SIZE], struct err *e);
int warm_store_work(struct db *db, const char *kind, const char *challenge_id, struct err *e);
int warm_store_done(struct db *db, const struct warm_record *record, const char *kind,
		    struct err *e);
int warm_store_failed(struct db *db, const char *kind, const char *challenge_id, const char *error,
		      int64_t now, struct err *e);
/* These two change what is DONE, and nothing else. */
int warm_store_set_stamp(struct db *db, const char *kind, const char *challenge_id,
			 const char *stamp, struct err *e);
int warm_store_forget(struct db *db, const char *kind, const char *challenge_id, struct err *e);

/* Work whose result is no longer what is asked for: there is no record of it. */
int warm_store_discard(struct db *db, const char *kind, const char *challenge_id, struct err *e);

/* Work that ended with the node, in order: it goes back to the head of the list. */
int warm_store_put_back(struct db *db, const char *kind, const char *challenge_id, struct err *e);

/*
 * Work that the node did not live to see the end of: it goes back to the head of the list. What was
 * interrupted so twice has failed: it may be what the node dies of.
 */
int warm_store_recover(struct db *db, int64_t now, struct err *e);

#endif
