/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenID provider, as one of those who log in with it: where browsers are sent, and what becomes
 * of the code that they come back with (OpenID Connect Core, the authorization code flow, with
 * PKCE).
 *
 * The provider's metadata and keys are asked for when they are first needed, and again every hour;
 * the keys also when a token is signed by none of them. Any thread may call.
 */
#ifndef PLATFORM_OIDC_H
#define PLATFORM_OIDC_H

#include <jansson.h>

struct buf;
struct clock;
struct err;
struct oidc;

/* Strings are borrowed for ever. */
struct oidc_options {
	const char *issuer, *client_id;
	const char *client_secret_file; /* NULL: a public client */
	const char *scopes;             /* "openid" among them */
	const char *ca_file;            /* PEM of accepted authorities; NULL: the system's */
	const char *wanted[2]; /* claims that are asked for at the userinfo endpoint where the ID
				  token has none */
	const struct clock *clock;
};

/* Asks nobody yet. Fails with INVALID. */
int oidc_new(const struct oidc_options *options, struct oidc **ret_oidc, struct err *e);
void oidc_free(struct oidc *oidc);

/* One login; all of it is remembered from the way there to the way back. Strings are borrowed. */
struct oidc_login {
	const char *redirect; /* the address that the browser comes back to */
	const char *state, *nonce, *verifier;
};

/*
 * Appends the address to send the browser to. Fails with UNAVAILABLE: the provider isn't there, or
 * says nothing that makes sense.
 */
int oidc_address(struct oidc *oidc, const struct oidc_login *login, struct buf *address,
		 struct err *e);

/*
 * What the provider says of who came back with this code: the claims of an ID token that is for us
 * and for this login, the caller's. Fails with UNAVAILABLE, or FORBIDDEN where the provider refuses
 * the code, or its token is none that we take.
 */
int oidc_claims(struct oidc *oidc, const struct oidc_login *login, const char *code,
		json_t **ret_claims, struct err *e);

#endif
