/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of the web interface, in the binary. web/embed.py writes the table from web/dist.
 */
#ifndef PLATFORM_WEB_ASSETS_H
#define PLATFORM_WEB_ASSETS_H

#include <stddef.h>

struct web_bytes {
	const unsigned char *bytes;
	size_t len;
};

struct web_asset {
	const char *name; /* within assets/, and tells the content; NULL ends the table */
	const char *type;
	const char *etag; /* with its quotes */
	struct web_bytes plain, gzip, brotli;
};

/* The first one is the page that all others are loaded by. */
extern const struct web_asset web_assets[];

#endif
