/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder's stamp: names, kinds, modes, sizes and times of all that is below it, in one word.
 *
 * Equal stamps mean that nothing was changed; different ones that something may have been: no file
 * is read. Symlinks are not followed.
 */
#ifndef NODE_FOLDER_STAMP_H
#define NODE_FOLDER_STAMP_H

struct err;

enum { FOLDER_STAMP_SIZE = 33 }; /* hex and a NUL */

/* Fails with NOT_FOUND or MEMORY; what can't be looked into counts by its name alone. */
int folder_stamp(const char *dir, char stamp[FOLDER_STAMP_SIZE], struct err *e);

#endif
