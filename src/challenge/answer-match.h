/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether an answer that somebody gives is right.
 */
#ifndef CHALLENGE_ANSWER_MATCH_H
#define CHALLENGE_ANSWER_MATCH_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct question;

enum { ANSWER_MAX = 4096 }; /* bytes of an answer, without what is around it */

/*
 * The part of an answer that counts: without white space around it, and without what can't be seen
 * and comes along when a flag is copied from a page: no-break and zero-width spaces, byte order
 * marks. Both what is expected and what is given is read so.
 */
const char *answer_trim(const char *answer, size_t *ret_len);

/*
 * own: the answers that were made for the instances this may be an answer for. Which fixed answer
 * matched, or how far, doesn't show in the time it takes. Fails with TIMEOUT where nothing matched
 * and a pattern could not be tried to its end: somebody has to judge that.
 */
int answer_matches(const struct question *question, const char *const *own, size_t own_count,
		   const char *answer, bool *ret_matches, struct err *e);

#endif
