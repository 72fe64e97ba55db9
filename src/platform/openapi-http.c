/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/openapi.h"
#include "platform/platform.h"

static int serve_document(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct openapi *openapi = &((const struct platform *)ctx)->openapi;

	(void)req;
	(void)e;
	return http_send_static(res, 200, "application/json", openapi->json, openapi->json_len);
}

static int serve_page(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct openapi *openapi = &((const struct platform *)ctx)->openapi;

	(void)req;
	(void)e;
	http_set_header(res, "Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'");
	return http_send_static(res, 200, "text/html; charset=utf-8", openapi->page,
				openapi->page_len);
}

const struct http_route platform_openapi_routes[] = {
	{ "GET", "/openapi.json", serve_document, HTTP_OPEN | HTTP_QUICK, 0 },
	{ "GET", "/docs", serve_page, HTTP_OPEN | HTTP_QUICK, 0 },
	{ .method = NULL },
};
