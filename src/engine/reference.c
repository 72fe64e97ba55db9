/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/reference.h"

#include "base/err.h"
#include "base/image-name.h"
#include "base/own.h"

#include <stdlib.h>
#include <string.h>

/* What the engine's own clients send for images without a registry's name. */
static const char default_registry[] = "https://index.docker.io/v1/";

int reference_parse(const char *text, struct reference *ret_reference, struct err *e)
{
	AUTO(struct image_name, image_name_done) name = { 0 };
	int r = image_name_parse(text, &name, e);

	if (r < 0)
		return r;
	ret_reference->name = strndup(text, image_name_length(text));
	ret_reference->tag = strdup(name.digest ? name.digest : name.tag);
	ret_reference->registry =
		strdup(strcmp(name.host, IMAGE_NAME_HUB) == 0 ? default_registry : name.host);
	return ret_reference->name && ret_reference->tag && ret_reference->registry ? 0
										    : err_memory(e);
}

void reference_done(struct reference *reference)
{
	free(reference->name);
	free(reference->tag);
	free(reference->registry);
}
