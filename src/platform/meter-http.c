/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/meter.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "platform/door.h"

static int serve_metrics(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	int r = meter_print(ctx, &text, e);

	(void)req;
	return r < 0 ? r
		     : http_send_bytes(res, 200, "text/plain; version=0.0.4; charset=utf-8",
				       text.data, text.len);
}

const struct http_route platform_metrics_routes[] = {
	{ "GET", "/metrics", serve_metrics, 0, ACCESS_ORGANISER },
	{ .method = NULL },
};
