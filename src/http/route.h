/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a method and a path to its route.
 *
 * The tables are compiled once into a tree of path segments. Where several routes fit a path, a
 * literal segment goes before a parameter, and a parameter before one that takes the rest; the
 * method is looked at last, so that a path known under other methods only is 405 and not 404.
 */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "http/serve.h"

struct router;

enum { ROUTE_PARAMS_MAX = 8 };

struct route_match {
	const struct http_route *route; /* NULL: none */
	const char *allow;              /* methods the path is known under; NULL: it is not known */
	bool open;                      /* some route of the path needs no authorization */
	unsigned count;
	const char *params[ROUTE_PARAMS_MAX]; /* in the order of the route's path */
};

/* Fails with INVALID (a malformed or doubled route) or MEMORY. Borrows the tables. */
int router_new(const struct http_route *const *tables, struct router **ret_router, struct err *e);
void router_free(struct router *router);
static inline void router_freep(struct router **router)
{
	router_free(*router);
}

/*
 * path is as sent, without its query. Decoded parameters lie in scratch, which takes len + 1
 * bytes. Fails with NOT_FOUND, METHOD or INVALID (a bad escape, an encoded NUL).
 */
int router_match(const struct router *router, const char *method, const char *path, size_t len,
		 char *scratch, struct route_match *ret_match, struct err *e);

/* Which of params[] is called so; -1: none. */
int route_param_index(const struct http_route *route, const char *name);

/*
 * Decodes %XX from text[len] into out, which may be text and takes len + 1 bytes. False: a bad
 * escape, or a NUL.
 */
bool percent_decode(const char *text, size_t len, char *out, size_t *ret_len);

#endif
