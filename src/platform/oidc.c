/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/oidc.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/secret.h"
#include "http/call.h"
#include "platform/oidc-token.h"

#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <string.h>

enum {
	CALL_TIMEOUT_MS = 10 * 1000,
	ANSWER_MAX = 1 << 20,
	FRESH_MS = 60 * 60 * 1000,
	/* Whoever logs in meanwhile is told at once: not each of them waits for a provider that
	   hangs. */
	AFTER_FAILURE_MS = 3000,
};

/* Something that the provider publishes. */
struct publication {
	json_t *json;       /* NULL: never seen */
	int64_t fetched_at; /* clock_monotonic_ms() */
};

struct oidc {
	struct oidc_options options;
	char *secret;         /* NULL: a public client */
	pthread_mutex_t lock; /* of all that follows; held while the provider is asked for it */
	struct publication metadata, keys;
	struct err failed;
	int64_t failed_at;
};

static void oidc_freep(struct oidc **oidc)
{
	oidc_free(*oidc);
}

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = words; *at; at += strcspn(at, " ")) {
		at += strspn(at, " ");
		if (strncmp(at, word, len) == 0 && strcspn(at, " ") == len)
			return true;
	}
	return false;
}

static bool is_web(const char *url)
{
	return strncmp(url, "https://", strlen("https://")) == 0 ||
	       strncmp(url, "http://", strlen("http://")) == 0;
}

int oidc_new(const struct oidc_options *options, struct oidc **ret_oidc, struct err *e)
{
	AUTO(struct oidc *, oidc_freep) oidc = NULL;
	int r = 0;

	if (!is_web(options->issuer))
		return err_set(e, ERR_INVALID, "--oidc-issuer '%s' is no address: https://... is",
			       options->issuer);
	if (!options->client_id)
		return err_set(e, ERR_INVALID, "--oidc-issuer needs --oidc-client-id too");
	if (!has_word(options->scopes, "openid"))
		return err_set(e, ERR_INVALID, "--oidc-scopes '%s' lacks \"openid\"",
			       options->scopes);
	oidc = calloc(1, sizeof(*oidc));
	if (!oidc)
		return err_memory(e);
	oidc->options = *options;
	oidc->failed_at = -AFTER_FAILURE_MS;
	pthread_mutex_init(&oidc->lock, NULL);
	if (options->client_secret_file)
		r = secret_read_file(options->client_secret_file, &oidc->secret, e);
	if (r < 0)
		return r;
	*ret_oidc = TAKE(oidc);
	return 0;
}

void oidc_free(struct oidc *oidc)
{
	if (!oidc)
		return;
	json_decref(oidc->metadata.json);
	json_decref(oidc->keys.json);
	pthread_mutex_destroy(&oidc->lock);
	if (oidc->secret)
		sodium_memzero(oidc->secret, strlen(oidc->secret));
	free(oidc->secret);
	free(oidc);
}

/* Asking */

/* What an issuer by https publishes is by https too. */
static bool is_as_safe_as(const char *url, const char *issuer)
{
	return strncmp(url, "https://", strlen("https://")) == 0 ||
	       (strncmp(issuer, "http://", strlen("http://")) == 0 && is_web(url));
}

static int open_client(const struct oidc *oidc, const char *url, struct http_client **ret_client,
		       const char **ret_path, struct err *e)
{
	const char *host = strstr(url, "://");
	AUTO(char *, freep) origin = NULL;
	struct http_client_options options = { .role = "login provider",
					       .ca_file = oidc->options.ca_file };
	const char *path;

	if (!host || !is_as_safe_as(url, oidc->options.issuer))
		return err_set(e, ERR_UNAVAILABLE, "the login provider has the address '%s'", url);
	host += strlen("://");
	path = host + strcspn(host, "/");
	origin = strndup(url, (size_t)(path - url));
	if (!origin)
		return err_memory(e);
	options.base_url = origin;
	*ret_path = *path ? path : "/";
	return http_client_new(&options, ret_client, e);
}

/* A refusal in the words of OAuth: {"error": "invalid_grant", "error_description": ...}. */
static int refused(const char *url, const struct http_reply *reply, struct err *e)
{
	AUTO(json_t *, json_decrefp) json = NULL;
	const char *error, *description;

	if (json_parse(reply->body.data, reply->body.len, &json, NULL) < 0)
		json = NULL;
	error = json_string_value(json_object_get(json, "error"));
	description = json_string_value(json_object_get(json, "error_description"));
	return err_set(e, error ? ERR_FORBIDDEN : ERR_UNAVAILABLE,
		       "the login provider answered at '%s' with %d%s%s%s%s", url, reply->status,
		       error ? " " : "", error ? error : "", description ? ": " : "",
		       description ? description : "");
}

/* The JSON object that the provider answers with; call has all but the path. */
static int ask(const struct oidc *oidc, const char *url, struct http_call *call, json_t **ret_json,
	       struct err *e)
{
	AUTO(struct http_client *, http_client_freep) client = NULL;
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	AUTO(json_t *, json_decrefp) json = NULL;
	struct err failed = ERR_INIT;
	int r = open_client(oidc, url, &client, &call->path, &failed);

	call->timeout_ms = CALL_TIMEOUT_MS;
	call->max_body = ANSWER_MAX;
	if (r == 0)
		r = http_call(client, call, &reply, &failed);
	if (r < 0)
		return err_set(e, ERR_UNAVAILABLE, "%s", failed.msg);
	if (reply.status != 200)
		return refused(url, &reply, e);
	if (json_parse(reply.body.data, reply.body.len, &json, NULL) < 0 || !json_is_object(json))
		return err_set(e, ERR_UNAVAILABLE,
			       "the login provider's answer at '%s' is no JSON object", url);
	*ret_json = TAKE(json);
	return 0;
}

static int get(const struct oidc *oidc, const char *url, json_t **ret_json, struct err *e)
{
	struct http_call call = { .method = "GET" };

	return ask(oidc, url, &call, ret_json, e);
}

/* What it publishes; the lock is held. */

static bool is_fresh(const struct publication *publication)
{
	return publication->json && clock_monotonic_ms() - publication->fetched_at < FRESH_MS;
}

static void publish(struct publication *publication, json_t *json)
{
	json_decref(publication->json);
	publication->json = json;
	publication->fetched_at = clock_monotonic_ms();
}

/* A member that has to be there. */
static int find_endpoint(const json_t *metadata, const char *name, const char **ret_url,
			 struct err *e)
{
	*ret_url = json_string_value(json_object_get(metadata, name));
	return *ret_url
		       ? 0
		       : err_set(e, ERR_UNAVAILABLE, "the login provider doesn't say its %s", name);
}

static int check_metadata(const struct oidc *oidc, const json_t *metadata, struct err *e)
{
	const char *issuer = json_string_value(json_object_get(metadata, "issuer")), *url;
	int r;

	if (!issuer || strcmp(issuer, oidc->options.issuer) != 0)
		return err_set(e, ERR_UNAVAILABLE,
			       "the login provider calls itself '%s', and --oidc-issuer '%s'",
			       issuer ? issuer : "nothing", oidc->options.issuer);
	r = find_endpoint(metadata, "authorization_endpoint", &url, e);
	if (r == 0)
		r = find_endpoint(metadata, "token_endpoint", &url, e);
	if (r == 0)
		r = find_endpoint(metadata, "jwks_uri", &url, e);
	return r;
}

static int fetch_metadata(struct oidc *oidc, struct err *e)
{
	AUTO(json_t *, json_decrefp) metadata = NULL;
	AUTO(struct buf, buf_done) url = BUF_INIT;
	size_t len = strlen(oidc->options.issuer);
	int r;

	while (len > 0 && oidc->options.issuer[len - 1] == '/')
		len--;
	buf_put(&url, oidc->options.issuer, len);
	buf_puts(&url, "/.well-known/openid-configuration");
	r = buf_check(&url, e);
	if (r == 0)
		r = get(oidc, url.data, &metadata, e);
	if (r == 0)
		r = check_metadata(oidc, metadata, e);
	if (r == 0)
		publish(&oidc->metadata, TAKE(metadata));
	return r;
}

static int renew_metadata(struct oidc *oidc, struct err *e)
{
	int r;

	if (is_fresh(&oidc->metadata))
		return 0;
	if (clock_monotonic_ms() - oidc->failed_at < AFTER_FAILURE_MS)
		return err_set(e, ERR_UNAVAILABLE, "%s", oidc->failed.msg);
	r = fetch_metadata(oidc, e);
	if (r < 0) {
		oidc->failed = *e;
		oidc->failed_at = clock_monotonic_ms();
		e->code = ERR_UNAVAILABLE;
	}
	return r < 0 ? -ERR_UNAVAILABLE : 0;
}

static int get_metadata(struct oidc *oidc, json_t **ret_metadata, struct err *e)
{
	int r;

	pthread_mutex_lock(&oidc->lock);
	r = renew_metadata(oidc, e);
	if (r == 0)
		*ret_metadata = json_incref(oidc->metadata.json);
	pthread_mutex_unlock(&oidc->lock);
	return r;
}

/* Other keys than `stale`, which may be NULL. */
static int get_keys(struct oidc *oidc, const char *url, const json_t *stale, json_t **ret_keys,
		    struct err *e)
{
	json_t *keys;
	int r = 0;

	pthread_mutex_lock(&oidc->lock);
	if (!is_fresh(&oidc->keys) || oidc->keys.json == stale) {
		r = get(oidc, url, &keys, e);
		if (r == 0)
			publish(&oidc->keys, keys);
	}
	if (r == 0)
		*ret_keys = json_incref(oidc->keys.json);
	pthread_mutex_unlock(&oidc->lock);
	return r;
}

/* The way there */

static void put_parameter(struct buf *form, const char *name, const char *value)
{
	if (form->len > 0 && form->data[form->len - 1] != '?' && form->data[form->len - 1] != '&')
		buf_putc(form, '&');
	buf_puts(form, name);
	buf_putc(form, '=');
	http_escape(form, value);
}

/* PKCE's S256. */
static void put_challenge(struct buf *form, const char *verifier)
{
	char text[sodium_base64_ENCODED_LEN(crypto_hash_sha256_BYTES,
					    sodium_base64_VARIANT_URLSAFE_NO_PADDING)];
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(digest, (const unsigned char *)verifier, strlen(verifier));
	sodium_bin2base64(text, sizeof(text), digest, sizeof(digest),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	put_parameter(form, "code_challenge", text);
	put_parameter(form, "code_challenge_method", "S256");
}

int oidc_address(struct oidc *oidc, const struct oidc_login *login, struct buf *address,
		 struct err *e)
{
	AUTO(json_t *, json_decrefp) metadata = NULL;
	const char *endpoint;
	int r;

	r = get_metadata(oidc, &metadata, e);
	if (r == 0)
		r = find_endpoint(metadata, "authorization_endpoint", &endpoint, e);
	if (r < 0)
		return r;
	if (!is_as_safe_as(endpoint, oidc->options.issuer))
		return err_set(e, ERR_UNAVAILABLE, "the login provider has the address '%s'",
			       endpoint);
	buf_puts(address, endpoint);
	buf_putc(address, strchr(endpoint, '?') ? '&' : '?');
	put_parameter(address, "response_type", "code");
	put_parameter(address, "client_id", oidc->options.client_id);
	put_parameter(address, "redirect_uri", login->redirect);
	put_parameter(address, "scope", oidc->options.scopes);
	put_parameter(address, "state", login->state);
	put_parameter(address, "nonce", login->nonce);
	put_challenge(address, login->verifier);
	return buf_check(address, e);
}

/* The way back */

static bool list_has(const json_t *list, const char *word)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one)
		if (json_is_string(one) && strcmp(json_string_value(one), word) == 0)
			return true;
	return false;
}

/* "basic" is what every provider has to know, unless it says otherwise. */
static bool takes_secret_in_form(const json_t *metadata)
{
	const json_t *methods = json_object_get(metadata, "token_endpoint_auth_methods_supported");

	return list_has(methods, "client_secret_post") && !list_has(methods, "client_secret_basic");
}

static void put_basic(const struct oidc *oidc, struct buf *header)
{
	AUTO(struct buf, buf_done) pair = BUF_INIT, text = BUF_INIT;
	size_t size;

	http_escape(&pair, oidc->options.client_id);
	buf_putc(&pair, ':');
	http_escape(&pair, oidc->secret);
	size = sodium_base64_encoded_len(pair.len, sodium_base64_VARIANT_ORIGINAL);
	for (size_t i = 0; i < size; i++)
		buf_putc(&text, '\0');
	if (buf_failed(&pair) || buf_failed(&text)) {
		header->out_of_memory = true;
		return;
	}
	sodium_bin2base64(text.data, size, (const unsigned char *)pair.data, pair.len,
			  sodium_base64_VARIANT_ORIGINAL);
	buf_printf(header, "Authorization: Basic %s", text.data);
}

static int redeem(const struct oidc *oidc, const json_t *metadata, const struct oidc_login *login,
		  const char *code, json_t **ret_tokens, struct err *e)
{
	AUTO(struct buf, buf_done) form = BUF_INIT, basic = BUF_INIT;
	const char *const headers[] = { "Accept: application/json", NULL };
	const char *with_secret[] = { headers[0], NULL, NULL };
	struct http_call call = { .method = "POST",
				  .headers = headers,
				  .content_type = "application/x-www-form-urlencoded" };
	const char *url;
	int r = find_endpoint(metadata, "token_endpoint", &url, e);

	if (r < 0)
		return r;
	put_parameter(&form, "grant_type", "authorization_code");
	put_parameter(&form, "code", code);
	put_parameter(&form, "redirect_uri", login->redirect);
	put_parameter(&form, "code_verifier", login->verifier);
	if (!oidc->secret || takes_secret_in_form(metadata))
		put_parameter(&form, "client_id", oidc->options.client_id);
	if (oidc->secret && takes_secret_in_form(metadata))
		put_parameter(&form, "client_secret", oidc->secret);
	else if (oidc->secret)
		put_basic(oidc, &basic);
	if (buf_failed(&form) || buf_failed(&basic))
		return err_memory(e);
	call.body = form.data;
	call.body_len = form.len;
	if (basic.len > 0) {
		with_secret[1] = basic.data;
		call.headers = with_secret;
	}
	return ask(oidc, url, &call, ret_tokens, e);
}

/* The keys may have changed since we asked for them. */
static int verify(struct oidc *oidc, const json_t *metadata, const struct oidc_login *login,
		  const char *token, json_t **ret_claims, struct err *e)
{
	const struct oidc_expectation expectation = {
		.issuer = oidc->options.issuer,
		.client_id = oidc->options.client_id,
		.nonce = login->nonce,
		.now_ms = clock_now_ms(oidc->options.clock),
	};
	AUTO(json_t *, json_decrefp) keys = NULL;
	AUTO(json_t *, json_decrefp) fresh = NULL;
	const char *url;
	int r;

	r = find_endpoint(metadata, "jwks_uri", &url, e);
	if (r == 0)
		r = get_keys(oidc, url, NULL, &keys, e);
	if (r < 0)
		return r;
	r = oidc_token_verify(token, keys, &expectation, ret_claims, e);
	if (r != -ERR_NOT_FOUND)
		return r;
	r = get_keys(oidc, url, keys, &fresh, e);
	if (r == 0)
		r = oidc_token_verify(token, fresh, &expectation, ret_claims, e);
	if (r != -ERR_NOT_FOUND)
		return r;
	e->code = ERR_FORBIDDEN;
	return -ERR_FORBIDDEN;
}

static bool lacks_something(const struct oidc *oidc, const json_t *claims)
{
	for (size_t i = 0; i < ARRAY_SIZE(oidc->options.wanted); i++) {
		const char *name = oidc->options.wanted[i];

		if (name && !json_object_get(claims, name))
			return true;
	}
	return false;
}

/* Much that a provider knows of its users it tells at this endpoint only. */
static int complete(const struct oidc *oidc, const json_t *metadata, const char *access_token,
		    json_t *claims, struct err *e)
{
	const char *url = json_string_value(json_object_get(metadata, "userinfo_endpoint"));
	const char *subject, *own = json_string_value(json_object_get(claims, "sub"));
	AUTO(char *, freep) authorization = NULL;
	AUTO(json_t *, json_decrefp) more = NULL;
	const char *headers[2] = { NULL };
	struct http_call call = { .method = "GET", .headers = headers };
	int r;

	if (!url || !access_token || !lacks_something(oidc, claims))
		return 0;
	authorization = strf("Authorization: Bearer %s", access_token);
	if (!authorization)
		return err_memory(e);
	headers[0] = authorization;
	r = ask(oidc, url, &call, &more, e);
	if (r < 0)
		return r;
	subject = json_string_value(json_object_get(more, "sub"));
	if (!subject || strcmp(subject, own) != 0)
		return err_set(e, ERR_FORBIDDEN,
			       "the login provider's userinfo is of somebody else");
	return json_object_update_missing(claims, more) < 0 ? err_memory(e) : 0;
}

int oidc_claims(struct oidc *oidc, const struct oidc_login *login, const char *code,
		json_t **ret_claims, struct err *e)
{
	AUTO(json_t *, json_decrefp) metadata = NULL;
	AUTO(json_t *, json_decrefp) tokens = NULL;
	AUTO(json_t *, json_decrefp) claims = NULL;
	const char *token;
	int r;

	r = get_metadata(oidc, &metadata, e);
	if (r == 0)
		r = redeem(oidc, metadata, login, code, &tokens, e);
	if (r < 0)
		return r;
	token = json_string_value(json_object_get(tokens, "id_token"));
	if (!token)
		return err_set(e, ERR_FORBIDDEN, "the login provider gave no ID token");
	r = verify(oidc, metadata, login, token, &claims, e);
	if (r == 0)
		r = complete(oidc, metadata,
			     json_string_value(json_object_get(tokens, "access_token")), claims, e);
	if (r < 0)
		return r;
	*ret_claims = TAKE(claims);
	return 0;
}
