/*
 * Whether an answer that somebody gives is right.
 */
#ifndef CHALLENGE_ANSWER_MATCH_H
#define CHALLENGE_ANSWER_MATCH_H

#include <stdbool.h>
#include <stddef.h>

struct err;
struct question;

/*
 * own: the answers that were made for the instances this may be an answer for. Which candidate
 * matched, or how far, doesn't show in the time it takes. Fails with INVALID: the question's
 * pattern is no regular expression.
 */
int answer_matches(const struct question *question, const char *const *own, size_t own_count,
		   const char *answer, bool *ret_matches, struct err *e);

#endif
