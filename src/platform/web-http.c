/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "platform/platform.h"
#include "platform/web-assets.h"

#include <string.h>
#include <strings.h>

/*
 * The web interface. Every one of its pages is the same document; which one to show is read from
 * the path in the browser. All that the document needs is served here, and nothing else may be
 * loaded, run or framed.
 */

static const char content_security_policy[] =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/* Whether the client takes it: named in Accept-Encoding, and not with a weight of nothing. */
static bool accepts(const struct http_req *req, const char *encoding)
{
	const char *at = http_header(req, "Accept-Encoding");
	size_t len = strlen(encoding);

	while (at && *at) {
		at += strspn(at, " \t,");
		if (strncasecmp(at, encoding, len) == 0 && strcspn(at, " \t,;") == len) {
			const char *weight = at + len + strspn(at + len, " \t;");

			return strncasecmp(weight, "q=0", 3) != 0 ||
			       strcspn(weight, "123456789,") < strcspn(weight, ",");
		}
		at += strcspn(at, ",");
	}
	return false;
}

static const struct web_bytes *choose_form(const struct http_req *req, struct http_res *res,
					   const struct web_asset *asset)
{
	const struct {
		const char *encoding;
		const struct web_bytes *form;
	} forms[] = { { "br", &asset->brotli }, { "gzip", &asset->gzip } };

	http_set_header(res, "Vary", "Accept-Encoding");
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (accepts(req, forms[i].encoding)) {
			http_set_header(res, "Content-Encoding", forms[i].encoding);
			return forms[i].form;
		}
	return &asset->plain;
}

static int send_asset(const struct http_req *req, struct http_res *res,
		      const struct web_asset *asset)
{
	const char *known = http_header(req, "If-None-Match");
	const struct web_bytes *form;

	http_set_header(res, "X-Content-Type-Options", "nosniff");
	http_set_header(res, "ETag", asset->etag);
	if (known && strstr(known, asset->etag))
		return http_send_nothing(res, 304);
	form = choose_form(req, res, asset);
	return http_send_static(res, 200, asset->type, form->bytes, form->len);
}

static int serve_page(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	(void)ctx;
	(void)e;
	http_set_header(res, "Content-Security-Policy", content_security_policy);
	http_set_header(res, "Cross-Origin-Opener-Policy", "same-origin");
	http_set_header(res, "Referrer-Policy", "no-referrer");
	http_set_header(res, "Cache-Control", "no-cache");
	return send_asset(req, res, &web_assets[0]);
}

static int serve_asset(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const char *name = http_param(req, "name");

	(void)ctx;
	for (const struct web_asset *asset = &web_assets[1]; asset->name; asset++)
		if (strcmp(asset->name, name) == 0) {
			http_set_header(res, "Cache-Control",
					"public, max-age=31536000, immutable");
			return send_asset(req, res, asset);
		}
	return err_set(e, ERR_NOT_FOUND, "there is no '%s'", http_path(req));
}

/* clang-format off */
#define PAGE(path) { "GET", path, serve_page, HTTP_OPEN | HTTP_QUICK, 0 }

const struct http_route platform_web_routes[] = {
	PAGE("/"),
	PAGE("/login"),
	PAGE("/register"),
	PAGE("/challenges"),
	PAGE("/challenges/{challenge}"),
	PAGE("/scoreboard"),
	PAGE("/team"),
	PAGE("/teams/{team}"),
	PAGE("/account"),
	PAGE("/news"),
	PAGE("/admin"),
	PAGE("/admin/{page}"),
	PAGE("/admin/{page}/{object}"),
	{ "GET", "/assets/{name}", serve_asset, HTTP_OPEN | HTTP_QUICK, 0 },
	{ .method = NULL },
};
/* clang-format on */
