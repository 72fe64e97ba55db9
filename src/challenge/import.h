/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A challenge of any dialect as a challenge.yml of ctfy's own.
 */
#ifndef CHALLENGE_IMPORT_H
#define CHALLENGE_IMPORT_H

struct challenge;

/*
 * The whole text, the caller's to free(). Loaded from the same folder it makes the same challenge.
 * NULL: out of memory.
 */
char *challenge_yaml(const struct challenge *challenge);

#endif
