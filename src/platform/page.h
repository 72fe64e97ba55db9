/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A part of a long list, the newest first: so many rows, from where the one before it ended.
 *
 * A cursor is the place of a list's last row: its instant and its id. What is added to the list
 * meanwhile neither repeats a row on the next page nor hides one. A statement asks for
 *
 *	WHERE at <= ? AND (at < ? OR id < ?) ORDER BY at DESC, id DESC LIMIT ?
 *
 * with page->at twice, page->id and page->limit.
 */
#ifndef PLATFORM_PAGE_H
#define PLATFORM_PAGE_H

#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;
struct http_req;

struct page {
	int64_t limit;
	int64_t at;     /* rows before this instant, */
	const char *id; /* and those at it with a lesser id */
};

/*
 * ?limit= (100 unless said, PAGE_MAX at most) and ?cursor=. Fails with VALIDATION. Strings are the
 * request's.
 */
enum { PAGE_MAX = 10000 };
int page_read(struct http_req *req, struct page *ret_page, struct err *e);

/* The cursor after a page of so many rows with this last one; NULL where the list has ended. */
int page_next(const struct page *page, struct arena *arena, size_t count, int64_t at,
	      const char *id, char **ret_cursor, struct err *e);

#endif
