/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that people choose: of accounts and teams.
 */
#ifndef PLATFORM_NAME_H
#define PLATFORM_NAME_H

struct arena;
struct err;

enum { NAME_MAX_BYTES = 64 };

/*
 * The name without white space around it, and its key: two names with one key are the same name
 * (case of ASCII letters and runs of spaces don't count). `what` is what messages call it. Fails
 * with VALIDATION: empty, longer than NAME_MAX_BYTES, or with control characters.
 */
int name_read(struct arena *arena, const char *what, const char *text, const char **ret_name,
	      const char **ret_key, struct err *e);

#endif
