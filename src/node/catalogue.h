/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The challenges a node knows: what a scan of challenges_dir found.
 *
 * A rescan replaces the whole; whoever still works with an older challenge keeps it alive by its
 * reference. Safe for threads.
 */
#ifndef NODE_CATALOGUE_H
#define NODE_CATALOGUE_H

#include <ctfy/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct catalogue;
struct challenge;
struct err;

/* A challenge in use. */
struct challenge_ref;

int catalogue_new(const char *challenges_dir, struct catalogue **ret_catalogue, struct err *e);
void catalogue_free(struct catalogue *catalogue);

/* Scans again. What doesn't load is in ret_rescan->errors, and isn't known any more. */
int catalogue_rescan(struct catalogue *catalogue, struct ctfy_rescan *ret_rescan, struct err *e);

/* Puts a challenge's folder into its place, which see parcel_put(); then scans again. */
int catalogue_put(struct catalogue *catalogue, const char *challenge_id, const void *parcel,
		  size_t len, struct ctfy_rescan *ret_rescan, struct err *e);

/* Fails with NOT_FOUND. End the use with challenge_unref(). */
int catalogue_get(struct catalogue *catalogue, const char *challenge_id,
		  struct challenge_ref **ret_ref, struct err *e);
const struct challenge *challenge_of(const struct challenge_ref *ref);
/* Another one means that its folder was changed; see folder-stamp.h. */
const char *challenge_stamp(const struct challenge_ref *ref);
/*
 * What an instance of it is promised, once somebody has worked that out (false: nobody has). A
 * rescan forgets it.
 */
struct challenge_size {
	int64_t memory;    /* bytes */
	int64_t nano_cpus; /* 1e9 is one processor */
};
bool challenge_size(struct challenge_ref *ref, struct challenge_size *ret_size);
void challenge_set_size(struct challenge_ref *ref, const struct challenge_size *size);

void challenge_unref(struct challenge_ref *ref);
static inline void challenge_unrefp(struct challenge_ref **ref)
{
	challenge_unref(*ref);
}

/* Ids in order, each and the array the caller's to free(). */
int catalogue_ids(struct catalogue *catalogue, char ***ret_ids, size_t *ret_count, struct err *e);

#endif
