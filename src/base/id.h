/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of challenges and instances, and fresh ones.
 */
#ifndef BASE_ID_H
#define BASE_ID_H

#include <stdbool.h>
#include <stddef.h>

enum { ID_SIZE = 64 }; /* the longest id of the contract, and its NUL */

/* [A-Za-z0-9][A-Za-z0-9_.-]{0,62}, as the contract has it. */
bool id_valid(const char *id);

/* len random characters of [a-z2-7] (5 bits each) and a NUL into text. */
void id_random(char *text, size_t len);

#endif
