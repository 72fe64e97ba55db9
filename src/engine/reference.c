#include "engine/reference.h"

#include "base/err.h"

#include <stdlib.h>
#include <string.h>

/* What the engine's own clients send for images without a registry's name. */
static const char default_registry[] = "https://index.docker.io/v1/";

/* The first part is a registry when it can't be a user's name. */
static char *find_registry(const char *name)
{
	size_t len = strcspn(name, "/");
	size_t dots = strcspn(name, ".:");

	if (name[len] == '/' && (dots < len || strncmp(name, "localhost/", 10) == 0))
		return strndup(name, len);
	return strdup(default_registry);
}

int reference_parse(const char *text, struct reference *ret_reference, struct err *e)
{
	const char *digest = strchr(text, '@');
	size_t len = digest ? (size_t)(digest - text) : strlen(text);
	const char *slash = memrchr(text, '/', len);
	const char *base = slash ? slash + 1 : text;
	const char *colon = memchr(base, ':', len - (size_t)(base - text));
	size_t name_len = colon ? (size_t)(colon - text) : len;

	if (name_len == 0)
		return err_set(e, ERR_INVALID, "image reference '%s' has no name", text);
	ret_reference->name = strndup(text, name_len);
	if (digest)
		ret_reference->tag = strdup(digest + 1);
	else if (colon)
		ret_reference->tag = strdup(colon + 1);
	else
		ret_reference->tag = strdup("latest");
	if (!ret_reference->name || !ret_reference->tag)
		return err_memory(e);
	ret_reference->registry = find_registry(ret_reference->name);
	return ret_reference->registry ? 0 : err_memory(e);
}

void reference_done(struct reference *reference)
{
	free(reference->name);
	free(reference->tag);
	free(reference->registry);
}
