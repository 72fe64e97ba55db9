/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/page.h"

#include "base/arena.h"
#include "base/err.h"
#include "http/serve.h"

#include <errno.h>
#include <stdlib.h>

enum { PAGE_DEFAULT = 100 };

static int read_cursor(const char *cursor, struct page *page, struct err *e)
{
	char *end;

	errno = 0;
	page->at = strtoll(cursor, &end, 10);
	if (errno != 0 || end == cursor || *end != '-' || !end[1])
		return err_set(e, ERR_VALIDATION,
			       "'%s' is no cursor of ours: leave it out to "
			       "begin at the beginning",
			       cursor);
	page->id = end + 1;
	return 0;
}

int page_read(struct http_req *req, struct page *ret_page, struct err *e)
{
	const char *cursor = http_query(req, "cursor");
	int r;

	*ret_page = (struct page){ .at = INT64_MAX, .id = "" };
	r = http_query_int(req, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &ret_page->limit, e);
	return r < 0 || !cursor ? r : read_cursor(cursor, ret_page, e);
}

int page_next(const struct page *page, struct arena *arena, size_t count, int64_t at,
	      const char *id, char **ret_cursor, struct err *e)
{
	*ret_cursor = NULL;
	if ((int64_t)count < page->limit)
		return 0;
	*ret_cursor = arena_printf(arena, "%lld-%s", (long long)at, id);
	return *ret_cursor ? 0 : err_memory(e);
}
