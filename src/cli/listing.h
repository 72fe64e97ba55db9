/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What commands that list have in common: all rows of a route, in a table, or in the JSON in which
 * they came.
 */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include <jansson.h>

struct cli;
struct err;
struct table;

struct listing {
	const char *member;          /* of the answer: the array of rows */
	const char *const *headings; /* as table_new() takes them */
	void (*add)(struct table *table, const json_t *row);
	const char *empty; /* what is said where there are no rows */
};

/* path is from api_path(), NULL for want of memory. An exit status, or the call's failure. */
int listing_print(struct cli *cli, const char *path, const struct listing *listing, struct err *e);

#endif
