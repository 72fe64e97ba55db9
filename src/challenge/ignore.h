/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of a .dockerignore file.
 */
#ifndef CHALLENGE_IGNORE_H
#define CHALLENGE_IGNORE_H

#include <stdbool.h>

struct arena;
struct ignore;

/* NULL text: no rules. NULL: out of memory. */
struct ignore *ignore_parse(struct arena *arena, const char *text);

/* Whether a path, relative and normal, is left out. */
bool ignore_matches(const struct ignore *ignore, const char *path);

/* Whether something below an ignored directory may be taken in again by a later "!" rule. */
bool ignore_has_exceptions(const struct ignore *ignore);

#endif
