/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key that answers are sealed with, in a file outside the database: whoever gets hold of the
 * database alone, or of a backup of it, has no answers.
 */
#ifndef PLATFORM_VAULT_H
#define PLATFORM_VAULT_H

struct db;
struct err;

/*
 * Gives the database its key. At the first start the key is made and written to path, 0600, and
 * what was kept in clear is sealed. Fails with INVALID: the file holds no key, or that of another
 * database, or is missing though something is sealed.
 */
int vault_open(struct db *db, const char *path, struct err *e);

#endif
