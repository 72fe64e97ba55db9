/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What libmicrohttpd reads leniently, and another reader between us and the client might read
 * otherwise: one request would then hide another.
 */
#ifndef HTTP_STRICT_H
#define HTTP_STRICT_H

#include <microhttpd.h>

struct err;

/*
 * Of a request whose headers have just been read: their names are tokens, there is one Host at
 * most, no line is folded, ends in a bare LF, or holds a NUL. Fails with INVALID. method and
 * version are what libmicrohttpd told, where it keeps them.
 */
int strict_check(struct MHD_Connection *connection, const char *method, const char *version,
		 struct err *e);

#endif
