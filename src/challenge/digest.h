/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-256 of files, remembered.
 *
 * Every start of an instance asks whether its build contexts are what they were, and large ones
 * take long to read. A digest is remembered by the file's identity, size and times for as long as
 * the process lives; one that changed a moment ago is read again, since a clock's tick can hide a
 * second change. Safe to use from many threads.
 */
#ifndef CHALLENGE_DIGEST_H
#define CHALLENGE_DIGEST_H

struct err;
struct stat;

enum { DIGEST_SIZE = 32 };

/*
 * Of a file in the open directory dir; st is its own, from a moment before. A symlink isn't
 * followed. Fails with INVALID.
 */
int digest_file(int dir, const char *name, const struct stat *st, unsigned char digest[DIGEST_SIZE],
		struct err *e);

#endif
