/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A folder for a fuzz target: written anew for each input, loaded, planned, linted, imported.
 */
#ifndef FUZZ_FUZZ_FOLDER_H
#define FUZZ_FUZZ_FOLDER_H

#include <stddef.h>

/* Writes a file into the folder, which is in memory where the machine has such a place. */
void fuzz_write(const char *name, const void *bytes, size_t size);
void fuzz_remove(const char *name);

/* Everything that is done with a challenge without starting it; aborts where it contradicts itself.
 */
void fuzz_challenge(void);

#endif
