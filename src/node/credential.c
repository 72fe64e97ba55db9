/* SPDX-License-Identifier: Apache-2.0 */
#include "node/credential.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

enum { CONFIG_MAX = 1 << 20 };

void credential_done(struct credential *credential)
{
	free(credential->username);
	if (credential->password)
		sodium_memzero(credential->password, strlen(credential->password));
	free(credential->password);
	*credential = (struct credential){ 0 };
}

char *credential_file(const char *given)
{
	const char *dir = getenv("DOCKER_CONFIG"), *home = getenv("HOME");

	if (given)
		return strdup(given);
	if (dir && *dir)
		return strf("%s/config.json", dir);
	return home && *home ? strf("%s/.docker/config.json", home) : NULL;
}

/* Keys are hosts, or URLs as older clients wrote them: "https://index.docker.io/v1/". */
static bool key_names(const char *key, const char *registry)
{
	const char *scheme = strstr(key, "://");
	const char *host = scheme ? scheme + 3 : key;
	size_t len = strcspn(host, "/");
	static const char *const hub[] = { "docker.io", "index.docker.io", "registry-1.docker.io" };

	if (strcmp(registry, "docker.io") != 0)
		return strlen(registry) == len && strncmp(host, registry, len) == 0;
	for (size_t i = 0; i < ARRAY_SIZE(hub); i++)
		if (strlen(hub[i]) == len && strncmp(host, hub[i], len) == 0)
			return true;
	return false;
}

static const json_t *find_key(const json_t *object, const char *registry)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)(uintptr_t)object, key, value)
		if (key_names(key, registry))
			return value;
	return NULL;
}

static int set(struct credential *credential, const char *username, size_t len,
	       const char *password, struct err *e)
{
	credential->username = strndup(username, len);
	credential->password = strdup(password);
	if (credential->username && credential->password)
		return 1;
	credential_done(credential);
	return err_memory(e);
}

/* "auth" is base64 of "user:password". */
static int decode(const char *auth, const char *registry, struct credential *credential,
		  struct err *e)
{
	AUTO(char *, freep) text = calloc(1, strlen(auth) + 1);
	const char *colon;
	size_t len;
	int r;

	if (!text)
		return err_memory(e);
	if (sodium_base642bin((unsigned char *)text, strlen(auth), auth, strlen(auth), "\r\n ",
			      &len, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return err_set(e, ERR_INVALID, "its login for '%s' is no base64", registry);
	colon = strchr(text, ':');
	if (!colon || colon == text)
		return err_set(e, ERR_INVALID, "its login for '%s' is not USER:PASSWORD", registry);
	r = set(credential, text, (size_t)(colon - text), colon + 1, e);
	sodium_memzero(text, len);
	return r;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text && *text ? text : NULL;
}

/* The helper that the file leaves this registry to; NULL: none. */
static const char *helper_of(const json_t *config, const char *registry, const json_t *login)
{
	const char *own =
		json_string_value(find_key(json_object_get(config, "credHelpers"), registry));

	return own ? own : login ? text_of(config, "credsStore") : NULL;
}

int credential_of(const json_t *config, const char *registry, struct credential *ret_credential,
		  struct err *e)
{
	const json_t *login = find_key(json_object_get(config, "auths"), registry);
	const char *username = text_of(login, "username"), *password = text_of(login, "password");
	const char *helper = helper_of(config, registry, login);

	if (text_of(login, "identitytoken"))
		return err_set(e, ERR_UNIMPLEMENTED,
			       "its login for '%s' is an identity token, which ctfy does not use: "
			       "give a user and password",
			       registry);
	if (text_of(login, "auth"))
		return decode(text_of(login, "auth"), registry, ret_credential, e);
	if (username && password)
		return set(ret_credential, username, strlen(username), password, e);
	if (helper)
		return err_set(e, ERR_UNIMPLEMENTED,
			       "it leaves '%s' to the credential helper '%s', which ctfy does not "
			       "run: put the login under \"auths\" in a file for --docker-config",
			       registry, helper);
	return 0;
}

int credential_find(const char *file, const char *registry, struct credential *ret_credential,
		    struct err *e)
{
	AUTO(json_t *, json_decrefp) config = NULL;
	AUTO(char *, freep) text = NULL;
	size_t len;
	int r;

	r = file_read(file, CONFIG_MAX, &text, &len, e);
	if (r == -ERR_NOT_FOUND)
		return 0;
	if (r == 0)
		r = json_parse(text, len, &config, e);
	if (r == 0)
		r = credential_of(config, registry, ret_credential, e);
	if (text)
		sodium_memzero(text, len);
	return r < 0 ? err_wrap(e, "Docker config '%s'", file) : r;
}
