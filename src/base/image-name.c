/* SPDX-License-Identifier: Apache-2.0 */
#include "base/image-name.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

enum { NAME_MAX_LEN = 255, TAG_MAX_LEN = 128 };

/* The first part is a host when it can't be a user's name. */
static size_t host_length(const char *text)
{
	size_t len = strcspn(text, "/");

	if (text[len] != '/')
		return 0;
	return strcspn(text, ".:") < len || strncmp(text, "localhost/", 10) == 0 ? len : 0;
}

size_t image_name_length(const char *text)
{
	size_t end = strcspn(text, "@");
	const char *slash = memrchr(text, '/', end);
	const char *base = slash ? slash + 1 : text;
	const char *colon = memchr(base, ':', end - (size_t)(base - text));

	return colon ? (size_t)(colon - text) : end;
}

static bool is_hub(const char *host, size_t len)
{
	static const char *const names[] = { IMAGE_NAME_HUB, "index.docker.io",
					     "registry-1.docker.io" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strlen(names[i]) == len && strncmp(host, names[i], len) == 0)
			return true;
	return len == 0;
}

static int take_apart(const char *text, struct image_name *ret)
{
	size_t host = host_length(text), len = image_name_length(text);
	bool hub = is_hub(text, host);
	const char *path = text + host + (host > 0);
	int path_len = (int)(len - (size_t)(path - text));
	size_t end = strcspn(text, "@");

	ret->host = hub ? strdup(IMAGE_NAME_HUB) : strndup(text, host);
	ret->path = strf("%s%.*s", hub && !memchr(path, '/', (size_t)path_len) ? "library/" : "",
			 path_len, path);
	if (text[len] == ':')
		ret->tag = strndup(text + len + 1, end - len - 1);
	else if (!text[end])
		ret->tag = strdup("latest");
	if (text[end])
		ret->digest = strdup(text + end + 1);
	return ret->host && ret->path && (ret->tag || ret->digest) ? 0 : -1;
}

int image_name_parse(const char *text, struct image_name *ret_name, struct err *e)
{
	struct image_name name = { 0 };
	size_t host = host_length(text);

	if (image_name_length(text) <= host + (host > 0))
		return err_set(e, ERR_INVALID, "image reference '%s' has no name", text);
	if (take_apart(text, &name) < 0) {
		image_name_done(&name);
		return err_memory(e);
	}
	*ret_name = name;
	return 0;
}

void image_name_done(struct image_name *name)
{
	free(name->host);
	free(name->path);
	free(name->tag);
	free(name->digest);
	*name = (struct image_name){ 0 };
}

static bool begins(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

enum image_owner image_name_owner(const struct image_name *name)
{
	if (strcmp(name->host, IMAGE_NAME_HUB) != 0 && strcmp(name->host, "localhost") != 0)
		return IMAGE_ANYBODYS;
	if (begins(name->path, "ctfy-challenge/"))
		return IMAGE_CHALLENGES;
	return begins(name->path, "ctfy/") ? IMAGE_CTFYS : IMAGE_ANYBODYS;
}

/* --- what is wrong with one --------------------------------------------------------------- */

/* Lower case, digits, and between them ".", "_", "__" or hyphens. */
static bool is_path(const char *path)
{
	bool separated = true;

	for (const char *c = path; *c; c++) {
		bool plain = islower((unsigned char)*c) || isdigit((unsigned char)*c);

		if (!plain && (separated || !strchr("._-/", *c))) {
			bool doubled = c > path && *c == c[-1] && (*c == '_' || *c == '-');

			if (!doubled)
				return false;
		}
		separated = !plain;
	}
	return !separated && strlen(path) <= NAME_MAX_LEN;
}

static bool is_tag(const char *tag)
{
	if (!isalnum((unsigned char)*tag) && *tag != '_')
		return false;
	for (const char *c = tag; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
			return false;
	return strlen(tag) <= TAG_MAX_LEN;
}

static bool is_digest(const char *digest)
{
	const char *hex = begins(digest, "sha256:") ? digest + 7 : "";

	return strlen(hex) == 64 && strspn(hex, hex_digits) == 64;
}

static bool is_host(const char *host)
{
	for (const char *c = host; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr(".-:[]", *c))
			return false;
	return isalnum((unsigned char)*host) || *host == '[';
}

/* "cafe", "sha256:0123...": an engine looks among its images' ids, too. */
static bool may_be_id(const char *text)
{
	const char *hex = begins(text, "sha256:") ? text + 7 : text;

	return *hex && hex[strspn(hex, hex_digits)] == '\0' && strlen(hex) <= 64;
}

const char *image_name_fault(const char *text)
{
	AUTO(struct image_name, image_name_done) name = { 0 };
	struct err e = ERR_INIT;

	if (may_be_id(text))
		return "may be an image's id: write its tag, as in NAME:latest";
	if (image_name_parse(text, &name, &e) < 0 || !is_host(name.host) || !is_path(name.path) ||
	    (name.tag && !is_tag(name.tag)) || (name.digest && !is_digest(name.digest)))
		return "is not the name of an image";
	if (image_name_owner(&name) == IMAGE_CHALLENGES)
		return "is what a node calls the images that it builds for challenges: another "
		       "challenge's answers may be in it";
	return NULL;
}
