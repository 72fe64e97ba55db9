/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only one process may have at a time. The kernel gives it back when that process ends,
 * however it ends; a claim is the descriptor that is returned, and closing it ends the claim.
 */
#ifndef BASE_CLAIM_H
#define BASE_CLAIM_H

#include <stdbool.h>

struct err;

/* A directory of state, which must exist. Fails with CONFLICT when another process has it. */
int claim_dir(const char *dir, int *ret_fd, struct err *e);

/* A name on this machine (in this network namespace). Fails with CONFLICT or INVALID (too long). */
int claim_name(const char *name, int *ret_fd, struct err *e);
/* Whether some process has a name that begins so. */
bool is_claimed(const char *prefix);

#endif
