/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OpenID provider's ID token: who has logged in there, signed by the provider.
 *
 * The cryptography is libcjose's. What we see to: that only signatures of the provider's public
 * keys are taken (no "none", no shared secrets), and what OpenID Connect Core, 3.1.3.7, asks of the
 * rest.
 */
#ifndef PLATFORM_OIDC_TOKEN_H
#define PLATFORM_OIDC_TOKEN_H

#include <jansson.h>
#include <stdint.h>

struct err;

/* What the token has to say; borrowed. */
struct oidc_expectation {
	const char *issuer, *client_id, *nonce;
	int64_t now_ms;
};

/*
 * The token's claims, the caller's. keys is the provider's JWKS. Fails with NOT_FOUND where none of
 * them made the signature, and with FORBIDDEN for whatever else is wrong with it.
 */
int oidc_token_verify(const char *token, const json_t *keys,
		      const struct oidc_expectation *expectation, json_t **ret_claims,
		      struct err *e);

#endif
