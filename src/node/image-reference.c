/* SPDX-License-Identifier: Apache-2.0 */
#include "node/image-reference.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/image-name.h"
#include "base/own.h"

#include <stdbool.h>
#include <string.h>

/* Of a text without a name, such as the engine's "<none>", nothing is made. */
static bool parse(const char *reference, struct image_name *ret_name)
{
	struct err e = ERR_INIT;

	return image_name_parse(reference, ret_name, &e) == 0;
}

char *reference_full(const char *reference)
{
	AUTO(struct image_name, image_name_done) name = { 0 };

	if (!parse(reference, &name))
		return strdup(reference);
	return strf("%s/%s%s%s%s%s", name.host, name.path, name.tag ? ":" : "",
		    name.tag ? name.tag : "", name.digest ? "@" : "",
		    name.digest ? name.digest : "");
}

char *reference_repository(const char *reference)
{
	AUTO(struct image_name, image_name_done) name = { 0 };

	return parse(reference, &name) ? strf("%s/%s", name.host, name.path) : strdup(reference);
}

char *reference_registry(const char *reference)
{
	AUTO(struct image_name, image_name_done) name = { 0 };

	return parse(reference, &name) ? strdup(name.host) : strdup("");
}

int reference_mirrored(const char *reference, const char *mirror, char **ret_mirrored)
{
	AUTO(struct image_name, image_name_done) name = { 0 };
	const char *scheme = strstr(mirror, "://");
	const char *host = scheme ? scheme + 3 : mirror;
	size_t len = strlen(host);

	*ret_mirrored = NULL;
	if (!parse(reference, &name))
		return -(int)ERR_MEMORY;
	if (strcmp(name.host, IMAGE_NAME_HUB) != 0 || name.digest)
		return 0;
	while (len > 0 && host[len - 1] == '/')
		len--;
	*ret_mirrored = strf("%.*s/%s:%s", (int)len, host, name.path, name.tag);
	return *ret_mirrored ? 0 : -(int)ERR_MEMORY;
}
