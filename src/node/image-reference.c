#include "node/image-reference.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

#include <stdbool.h>
#include <string.h>

static const char docker_hub[] = "docker.io/";

/* The first part is a registry when it can't be a user's name. */
static bool names_registry(const char *reference)
{
	size_t len = strcspn(reference, "/");

	return reference[len] == '/' &&
	       (strcspn(reference, ".:") < len || strncmp(reference, "localhost/", 10) == 0);
}

/* Where the name ends: at the tag or the digest. */
static size_t name_length(const char *reference)
{
	size_t end = strcspn(reference, "@");
	const char *slash = memrchr(reference, '/', end);
	const char *base = slash ? slash + 1 : reference;
	const char *colon = memchr(base, ':', end - (size_t)(base - reference));

	return colon ? (size_t)(colon - reference) : end;
}

char *reference_full(const char *reference)
{
	const char *host = "", *user = "";
	const char *name = reference;

	if (strncmp(name, "index.docker.io/", 16) == 0)
		name += 16;
	else if (strncmp(name, docker_hub, sizeof(docker_hub) - 1) == 0)
		name += sizeof(docker_hub) - 1;
	if (name != reference || !names_registry(name)) {
		host = docker_hub;
		user = strchr(name, '/') ? "" : "library/";
	}
	return strf("%s%s%s%s", host, user, name, name[name_length(name)] ? "" : ":latest");
}

char *reference_repository(const char *reference)
{
	char *full = reference_full(reference);

	if (full)
		full[name_length(full)] = '\0';
	return full;
}

char *reference_registry(const char *reference)
{
	char *full = reference_full(reference);

	if (full)
		full[strcspn(full, "/")] = '\0';
	return full;
}

int reference_mirrored(const char *reference, const char *mirror, char **ret_mirrored)
{
	AUTO(char *, freep) full = reference_full(reference);
	const char *scheme = strstr(mirror, "://");
	const char *host = scheme ? scheme + 3 : mirror;
	size_t len = strlen(host);

	*ret_mirrored = NULL;
	if (!full)
		return -(int)ERR_MEMORY;
	if (strncmp(full, docker_hub, sizeof(docker_hub) - 1) != 0 || strchr(full, '@'))
		return 0;
	while (len > 0 && host[len - 1] == '/')
		len--;
	*ret_mirrored = strf("%.*s/%s", (int)len, host, full + sizeof(docker_hub) - 1);
	return *ret_mirrored ? 0 : -(int)ERR_MEMORY;
}
