/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats in which specs are written: which files may hold one, and how it is told from others.
 */
#ifndef CHALLENGE_DIALECT_H
#define CHALLENGE_DIALECT_H

#include "challenge/spec.h"

#include <stdbool.h>
#include <stddef.h>

struct dialect {
	const char *name;
	const char *files[9]; /* names in a challenge's folder, up to a NULL */
	spec_recogniser *recognise;
	spec_reader *read;
	const struct spec_keys *keys; /* up to one without a map */
	bool common_name; /* its files' names are those of other things too: what they say decides
			   */
};

/* In the order in which they are tried: the first whose file is there and is recognised. */
extern const struct dialect dialects[];
extern const size_t dialect_count;

/* Whether a directory has a spec: a file by the name of one and, where that says little, with what
 * is in one. */
bool dialect_has_spec(const char *dir);

#endif
