/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Logins for registries, out of a Docker config file (`docker login` writes it).
 *
 * Read anew for every pull, so that a login changes without a restart. Credential helpers are other
 * programs, and are not run.
 */
#ifndef NODE_CREDENTIAL_H
#define NODE_CREDENTIAL_H

#include <jansson.h>

struct err;

struct credential {
	char *username;
	char *password;
};

void credential_done(struct credential *credential);

/*
 * The file to read: the given one, else $DOCKER_CONFIG/config.json, else ~/.docker/config.json. The
 * caller's; NULL: there is no such place.
 */
char *credential_file(const char *given);

/*
 * 1 with the login for a registry ("docker.io", "registry.example:5000"), 0 when the file has none
 * (or isn't there). Fails with UNIMPLEMENTED where the file leaves it to a credential helper or has
 * an identity token, with INVALID where it can't be read.
 */
int credential_find(const char *file, const char *registry, struct credential *ret_credential,
		    struct err *e);

/* The same out of a file's JSON. */
int credential_of(const json_t *config, const char *registry, struct credential *ret_credential,
		  struct err *e);

#endif
