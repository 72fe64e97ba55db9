/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/oidc-token.h"

#include "base/err.h"
#include "base/json.h"
#include "base/own.h"

#include <cjose/cjose.h>
#include <stdbool.h>
#include <string.h>

enum {
	TOKEN_MAX = 64 << 10,
	SUBJECT_MAX = 255, /* as the standard has it */
	CLOCKS_DIFFER_S = 60,
};

static const struct algorithm {
	const char *name, *key_type;
} algorithms[] = {
	{ "RS256", "RSA" }, { "RS384", "RSA" }, { "RS512", "RSA" },
	{ "PS256", "RSA" }, { "PS384", "RSA" }, { "PS512", "RSA" },
	{ "ES256", "EC" },  { "ES384", "EC" },  { "ES512", "EC" },
};

static void jws_freep(cjose_jws_t **jws)
{
	cjose_jws_release(*jws);
}

static void jwk_freep(cjose_jwk_t **jwk)
{
	cjose_jwk_release(*jwk);
}

static int refuse(const char *why, struct err *e)
{
	return err_set(e, ERR_FORBIDDEN, "the login provider's ID token %s", why);
}

/* The signature */

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static const struct algorithm *find_algorithm(const char *name)
{
	for (size_t i = 0; name && i < ARRAY_SIZE(algorithms); i++)
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	return NULL;
}

static bool says_or_is_silent(const json_t *object, const char *name, const char *value)
{
	const char *said = text_of(object, name);

	return !said || !value || strcmp(said, value) == 0;
}

static bool may_have_signed(const json_t *key, const struct algorithm *algorithm, const char *id)
{
	const char *type = text_of(key, "kty");

	return type && strcmp(type, algorithm->key_type) == 0 &&
	       says_or_is_silent(key, "use", "sig") && says_or_is_silent(key, "kid", id) &&
	       says_or_is_silent(key, "alg", algorithm->name);
}

/* A key that libcjose can't read has signed nothing. */
static bool has_signed(const json_t *key, cjose_jws_t *jws)
{
	AUTO(char *, freep) text = json_dumps(key, JSON_COMPACT);
	AUTO(cjose_jwk_t *, jwk_freep) jwk =
		text ? cjose_jwk_import(text, strlen(text), NULL) : NULL;

	return jwk && cjose_jws_verify(jws, jwk, NULL);
}

static int check_signature(cjose_jws_t *jws, const json_t *keys, struct err *e)
{
	const json_t *header = (const json_t *)cjose_jws_get_protected(jws);
	const struct algorithm *algorithm = find_algorithm(text_of(header, "alg"));
	const json_t *key;
	size_t i;

	if (!algorithm)
		return refuse("is not signed in a way that is good enough", e);
	if (json_object_get(header, "crit"))
		return refuse("wants something understood that nobody told us of", e);
	json_array_foreach (json_object_get(keys, "keys"), i, key)
		if (may_have_signed(key, algorithm, text_of(header, "kid")) && has_signed(key, jws))
			return 0;
	return err_set(e, ERR_NOT_FOUND,
		       "the login provider's ID token is signed by no key of the provider");
}

/* What it says */

static bool has_audience(const json_t *claims, const char *client_id)
{
	const json_t *audience = json_object_get(claims, "aud"), *one;
	size_t i;

	if (json_is_string(audience))
		return strcmp(json_string_value(audience), client_id) == 0;
	json_array_foreach (audience, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), client_id) == 0)
			return true;
	return false;
}

/* A token for several has to say whom it was given to. */
static bool was_given_to(const json_t *claims, const char *client_id)
{
	const char *party = text_of(claims, "azp");

	if (party)
		return strcmp(party, client_id) == 0;
	return json_array_size(json_object_get(claims, "aud")) <= 1;
}

/* Seconds; of one that isn't said it is neither before nor after. */
static bool is_before(const json_t *claims, const char *name, int64_t seconds)
{
	const json_t *time = json_object_get(claims, name);

	return json_is_number(time) && json_number_value(time) < (double)seconds;
}

static bool is_after(const json_t *claims, const char *name, int64_t seconds)
{
	const json_t *time = json_object_get(claims, name);

	return json_is_number(time) && json_number_value(time) > (double)seconds;
}

static bool is_text(const json_t *claims, const char *name, const char *value)
{
	const char *text = text_of(claims, name);

	return text && strcmp(text, value) == 0;
}

static int check_claims(const json_t *claims, const struct oidc_expectation *expectation,
			struct err *e)
{
	int64_t now = expectation->now_ms / 1000;
	const char *subject = text_of(claims, "sub");

	if (!is_text(claims, "iss", expectation->issuer))
		return refuse("is another issuer's", e);
	if (!has_audience(claims, expectation->client_id) ||
	    !was_given_to(claims, expectation->client_id))
		return refuse("is for somebody else", e);
	if (!is_text(claims, "nonce", expectation->nonce))
		return refuse("belongs to another login", e);
	if (!json_is_number(json_object_get(claims, "exp")) ||
	    is_before(claims, "exp", now - CLOCKS_DIFFER_S))
		return refuse("has expired: are both clocks right?", e);
	if (is_after(claims, "iat", now + CLOCKS_DIFFER_S) ||
	    is_after(claims, "nbf", now + CLOCKS_DIFFER_S))
		return refuse("is of the future: are both clocks right?", e);
	if (!subject || !*subject || strlen(subject) > SUBJECT_MAX)
		return refuse("doesn't say whose it is", e);
	return 0;
}

static int read_claims(cjose_jws_t *jws, json_t **ret_claims, struct err *e)
{
	uint8_t *text;
	size_t len;

	if (!cjose_jws_get_plaintext(jws, &text, &len, NULL) ||
	    json_parse(text, len, ret_claims, NULL) < 0)
		return refuse("has no claims", e);
	return 0;
}

int oidc_token_verify(const char *token, const json_t *keys,
		      const struct oidc_expectation *expectation, json_t **ret_claims,
		      struct err *e)
{
	AUTO(cjose_jws_t *, jws_freep) jws = NULL;
	AUTO(json_t *, json_decrefp) claims = NULL;
	size_t len = strlen(token);
	int r;

	if (len <= TOKEN_MAX)
		jws = cjose_jws_import(token, len, NULL);
	if (!jws)
		return refuse("is none", e);
	r = check_signature(jws, keys, e);
	if (r == 0)
		r = read_claims(jws, &claims, e);
	if (r == 0)
		r = check_claims(claims, expectation, e);
	if (r < 0)
		return r;
	*ret_claims = TAKE(claims);
	return 0;
}
