/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The folder of a new challenge: small, complete, and solved by the program that comes with it.
 */
#ifndef CLI_SCAFFOLD_H
#define CLI_SCAFFOLD_H

struct err;

/* Makes the directory. Fails with CONFLICT where there is something of that name already. */
int scaffold_write(const char *dir, struct err *e);

#endif
