/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guesses of secrets that people chose: invites, codes, join secrets. Only what was wrong counts,
 * for who said it and for the address it came from; who guessed too often has to wait, whatever is
 * said next.
 */
#ifndef PLATFORM_GUESS_H
#define PLATFORM_GUESS_H

struct err;
struct http_req;
struct http_res;
struct platform;

/*
 * Before one is looked at, so that many at once are no more than one by one. `what` names the kind
 * ("invite"): each is counted for itself. Fails with RATE_LIMITED.
 */
int guess_take(struct platform *platform, struct http_req *req, struct http_res *res,
	       const char *what, struct err *e);

/* It wasn't wrong. */
void guess_return(struct platform *platform, struct http_req *req, const char *what);

#endif
