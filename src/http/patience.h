/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends connections whose client takes too long to say what it wants, or went away without.
 *
 * libmicrohttpd's timeout begins anew with every byte, so that a client sending one now and then
 * would keep its connection for ever; and with epoll it (0.9.75) overlooks an end of stream that
 * comes together with the bytes before it.
 */
#ifndef HTTP_PATIENCE_H
#define HTTP_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct err;
struct networks;
struct patience;
struct visit; /* one connection's */

/*
 * There are `most` connections at once, half of them of one address, unless that is one of the
 * proxies (borrowed).
 */
int patience_new(int64_t limit_ms, unsigned most, const struct networks *proxies,
		 struct patience **ret_patience, struct err *e);
void patience_free(struct patience *patience);

/* Ends who is overdue or gone. Called as often as one likes, it looks once every PATIENCE_CHECK_MS.
 */
enum { PATIENCE_CHECK_MS = 1000 };
void patience_check(struct patience *patience);

/*
 * A place for one more connection from there: NULL, or which are too many. Counted here, where
 * connections are accepted, and not by libmicrohttpd: at a limit of its own (0.9.75) a listening
 * thread keeps a lock for ever, and with it all its connections. A connection that doesn't begin
 * gives its place back.
 */
const char *patience_admit(struct patience *patience, const struct sockaddr *address);
/* How often there was none. */
uint64_t patience_refused(const struct patience *patience);
void patience_dismiss(struct patience *patience, const struct sockaddr *address);

/*
 * Before an admitted connection's first and after its last byte, when its place is free again. NULL
 * when out of memory: unwatched, and its place is free at once.
 */
struct visit *visit_begin(struct patience *patience, int fd, const struct sockaddr *address);
void visit_end(struct visit *visit);

/* From now on the client is expected to speak, or need not. */
void visit_await(struct visit *visit);
void visit_served(struct visit *visit);

/*
 * Whose the connection is from now on: an account and the token it came with; NULL: nobody's. And
 * the end of those that are `who`'s, account or token, whatever they are about; but `except`.
 */
void visit_own(struct visit *visit, const char *user, const char *token);
void patience_cut(struct patience *patience, const char *who, const struct visit *except);

#endif
