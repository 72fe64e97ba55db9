/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A challenge's folder on its way to another machine: a tar, by gzip.
 *
 * What is unpacked was written by somebody else: nothing of it may end up outside of its folder,
 * and nobody sees half of it.
 */
#ifndef CHALLENGE_PARCEL_H
#define CHALLENGE_PARCEL_H

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct err;

/* Bytes: what a parcel may weigh, and what it may unpack to. Figures of our own. */
enum { PARCEL_MAX = 64 << 20, PARCEL_UNPACKED_MAX = 512 << 20 };

/*
 * The folder's files, directories and symlinks, as they are, but for ".git". Fails with INVALID (a
 * file of another kind, one that can't be read) or TOO_LARGE.
 */
int parcel_pack(const char *dir, struct buf *ret_parcel, struct err *e);

/*
 * Puts the challenge into its place below root: at, the folder that it has there, or a new one by
 * its id where at is NULL. The folder is the old or the new one at any moment, also after a crash.
 * Fails with INVALID (no parcel, or what it holds is no challenge, or one of another id), in words
 * that name what, or TOO_LARGE; nothing has changed then.
 */
int parcel_put(const char *root, const char *id, const char *at, const void *parcel, size_t len,
	       struct err *e);

/*
 * Removes what a process that was killed left of its unpacking below root. To be called before any
 * parcel is put. Fails with UNAVAILABLE or INTERNAL.
 */
int parcel_sweep(const char *root, struct err *e);

#endif
