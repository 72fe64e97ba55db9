/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables in a text, as the Compose specification has them:
 *
 *	$V ${V}            the value, empty where there is none
 *	${V:-d} ${V-d}     d where V is empty or unset; only where unset
 *	${V:?m} ${V?m}     an error with the message m there
 *	${V:+r} ${V+r}     r where V is set and not empty; where it is set
 *	$$                 a dollar sign
 *
 * d, m and r may hold variables themselves. A dollar sign that begins none of these stays.
 */
#ifndef CHALLENGE_INTERPOLATE_H
#define CHALLENGE_INTERPOLATE_H

struct buf;
struct err;
struct variables;

/*
 * Appends the text with its variables replaced. Calls unset (may be NULL) for each variable that
 * has neither value nor default. Fails with INVALID.
 */
int interpolate(const char *text, const struct variables *variables, struct buf *out,
		void (*unset)(void *cookie, const char *name), void *cookie, struct err *e);

#endif
