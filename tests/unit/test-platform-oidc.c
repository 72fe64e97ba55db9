/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "db/db.h"
#include "http/call.h"
#include "http/serve.h"
#include "platform/identity.h"
#include "platform/main.h"
#include "platform/rows.h"
#include "platform/schema.h"
#include "platform/user.h"

#include "platform-world.h"

#include <cjose/cjose.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

/* Logging in with an OpenID provider that says what it is told to, with keys of its own. */

enum { RSA_BITS = 2048 };

struct provider {
	struct http_server *server;
	char url[64];
	cjose_jwk_t *key;       /* signs */
	cjose_jwk_t *published; /* borrowed: what /keys tells */

	/* What it is told to do. */
	const char *algorithm; /* of the signature; NULL: none */
	json_t *said;          /* claims that aren't as they should be */
	json_t *userinfo;      /* NULL: it has no such endpoint */
	bool is_away;          /* it answers everything with 500 */
	bool refuses_codes;
	char challenge[64], nonce[64]; /* of the login that is under way */

	/* What it has seen. */
	int keys_asked;
	char authorization[256]; /* of the last code that was handed in */
};

static cjose_jwk_t *make_key(const char *id)
{
	cjose_jwk_t *key = cjose_jwk_create_RSA_random(RSA_BITS, NULL, 0, NULL);

	CHECK(key);
	CHECK(cjose_jwk_set_kid(key, id, strlen(id), NULL));
	return key;
}

static int break_down(const struct provider *provider, struct err *e)
{
	return provider->is_away ? err_set(e, ERR_INTERNAL, "told to be away") : 0;
}

static int serve_metadata(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct provider *provider = ctx;
	char authorize[96], token[96], keys[96], userinfo[96];

	(void)req;
	if (break_down(provider, e) < 0)
		return -ERR_INTERNAL;
	snprintf(authorize, sizeof(authorize), "%s/authorize?tenant=1", provider->url);
	snprintf(token, sizeof(token), "%s/token", provider->url);
	snprintf(keys, sizeof(keys), "%s/keys", provider->url);
	snprintf(userinfo, sizeof(userinfo), "%s/userinfo", provider->url);
	return http_send_json(res, 200,
			      json_pack("{s:s, s:s, s:s, s:s, s:s*}", "issuer", provider->url,
					"authorization_endpoint", authorize, "token_endpoint",
					token, "jwks_uri", keys, "userinfo_endpoint",
					provider->userinfo ? userinfo : NULL));
}

static int serve_keys(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct provider *provider = ctx;
	char *text = cjose_jwk_to_json(provider->published, false, NULL);
	json_t *key = json_loads(text, 0, NULL);

	(void)req;
	(void)e;
	free(text);
	provider->keys_asked++;
	return http_send_json(res, 200, json_pack("{s:[{s:s}, o]}", "keys", "kty", "weird", key));
}

static char *sign(const struct provider *provider, const char *claims)
{
	cjose_header_t *header = cjose_header_new(NULL);
	cjose_jwk_t *shared = cjose_jwk_create_oct_spec((const uint8_t *)"secret", 6, NULL);
	bool is_shared = strcmp(provider->algorithm, "HS256") == 0;
	const char *compact;
	cjose_jws_t *jws;
	char *token;

	CHECK(cjose_header_set(header, CJOSE_HDR_ALG, provider->algorithm, NULL));
	CHECK(cjose_header_set(header, CJOSE_HDR_KID, cjose_jwk_get_kid(provider->key, NULL),
			       NULL));
	jws = cjose_jws_sign(is_shared ? shared : provider->key, header, (const uint8_t *)claims,
			     strlen(claims), NULL);
	CHECK(jws);
	CHECK(cjose_jws_export(jws, &compact, NULL));
	token = strdup(compact);
	cjose_jws_release(jws);
	cjose_jwk_release(shared);
	cjose_header_release(header);
	return token;
}

static void put_base64(struct buf *b, const char *text)
{
	char *coded;
	size_t size =
		sodium_base64_encoded_len(strlen(text), sodium_base64_VARIANT_URLSAFE_NO_PADDING);

	coded = malloc(size);
	sodium_bin2base64(coded, size, (const unsigned char *)text, strlen(text),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	buf_puts(b, coded);
	free(coded);
}

static char *without_signature(const char *claims)
{
	struct buf token = BUF_INIT;

	put_base64(&token, "{\"alg\":\"none\"}");
	buf_putc(&token, '.');
	put_base64(&token, claims);
	buf_putc(&token, '.');
	return buf_take(&token);
}

static char *make_token(const struct provider *provider)
{
	json_int_t now = clock_now_ms(&clock_real) / 1000;
	json_t *claims =
		json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "iss", provider->url, "sub", "zoe-1",
			  "aud", "us", "nonce", provider->nonce, "iat", now, "exp", now + 300);
	char *text, *token;

	json_object_update(claims, provider->said);
	text = json_dumps(claims, 0);
	token = provider->algorithm ? sign(provider, text) : without_signature(text);
	free(text);
	json_decref(claims);
	return token;
}

/* PKCE: whoever has the code has to have begun the login. */
static bool knows_verifier(const struct provider *provider, const char *form)
{
	const char *verifier = strstr(form, "code_verifier=") + strlen("code_verifier=");
	unsigned char digest[crypto_hash_sha256_BYTES];
	char text[64];

	crypto_hash_sha256(digest, (const unsigned char *)verifier, strcspn(verifier, "&"));
	sodium_bin2base64(text, sizeof(text), digest, sizeof(digest),
			  sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	return strcmp(text, provider->challenge) == 0;
}

static int serve_token(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct provider *provider = ctx;
	const char *authorization = http_header(req, "Authorization");
	size_t len;
	const char *form = http_body(req, &len);
	char *token;
	int r;

	if (break_down(provider, e) < 0)
		return -ERR_INTERNAL;
	if (provider->refuses_codes || !knows_verifier(provider, form))
		return http_send_json(res, 400,
				      json_pack("{s:s, s:s}", "error", "invalid_grant",
						"error_description", "no <such> code"));
	snprintf(provider->authorization, sizeof(provider->authorization), "%s",
		 authorization ? authorization : "");
	token = make_token(provider);
	r = http_send_json(res, 200,
			   json_pack("{s:s, s:s}", "id_token", token, "access_token", "access"));
	free(token);
	return r;
}

static int serve_userinfo(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct provider *provider = ctx;

	(void)e;
	CHECK_STR(http_bearer(req), "access");
	return http_send_json(res, 200, json_incref(provider->userinfo));
}

static const struct http_route provider_routes[] = {
	{ "GET", "/.well-known/openid-configuration", serve_metadata, HTTP_OPEN, 0 },
	{ "GET", "/keys", serve_keys, HTTP_OPEN, 0 },
	{ "POST", "/token", serve_token, HTTP_OPEN, 0 },
	{ "GET", "/userinfo", serve_userinfo, HTTP_OPEN, 0 },
	{ .method = NULL },
};

/* Making a key takes a while: all providers have the same. */
static cjose_jwk_t *old_key, *new_key;

static void begin_provider(struct provider *provider)
{
	static const struct http_route *const tables[] = { provider_routes, NULL };
	const struct http_server_options options = { .listen = "127.0.0.1:0",
						     .tables = tables,
						     .ctx = provider };
	struct err e = ERR_INIT;

	if (!old_key)
		old_key = make_key("old");
	*provider = (struct provider){
		.algorithm = "RS256", .key = old_key, .published = old_key, .said = json_object()
	};
	CHECK_EQ(http_serve(&options, &provider->server, &e), 0);
	snprintf(provider->url, sizeof(provider->url), "http://127.0.0.1:%u",
		 http_server_port(provider->server));
}

static void end_provider(struct provider *provider)
{
	http_server_free(provider->server);
	json_decref(provider->said);
	json_decref(provider->userinfo);
}

/* A platform that people may log in to with the provider. */
static void begin(struct world *w, struct provider *provider)
{
	begin_provider(provider);
	prepare_world(w);
	w->options.oidc_issuer = provider->url;
	w->options.oidc_client_id = "us";
	begin_platform(w);
}

/* Settings that are read at the start. */
static void begin_again(struct world *w)
{
	end_platform(w);
	begin_platform(w);
}

/* A browser that was sent to the provider. */
struct visit {
	char address[2048];
	char state[64];
	char cookies[256];
};

static void copy_parameter(const char *address, const char *name, char *value, size_t size)
{
	const char *at = strstr(address, name);

	if (!at) {
		fail_msg("no '%s' in '%s'", name, address);
		return;
	}
	at += strlen(name);
	snprintf(value, size, "%.*s", (int)strcspn(at, "&;\r\n"), at);
}

static void go_there(struct world *w, struct provider *provider, const char *token,
		     const char *query, struct visit *visit)
{
	char path[512], state[128];
	const struct reply *reply;

	snprintf(path, sizeof(path), "/oidc/login%s", query);
	reply = call(w, token, "GET", path, NULL, NULL);
	EXPECT(reply, 302);
	CHECK(reply_header(reply, "Location", visit->address, sizeof(visit->address)));
	copy_parameter(visit->address, "&state=", visit->state, sizeof(visit->state));
	copy_parameter(visit->address, "&nonce=", provider->nonce, sizeof(provider->nonce));
	copy_parameter(visit->address, "&code_challenge=", provider->challenge,
		       sizeof(provider->challenge));
	copy_parameter(reply->headers.data, "ctfy_oidc=", state, sizeof(state));
	CHECK_HAS(reply->headers.data, "SameSite=Lax");
	CHECK_STR(state, visit->state);
	snprintf(visit->cookies, sizeof(visit->cookies), "Cookie: ctfy_oidc=%s", state);
}

static const struct reply *come_back(struct world *w, const struct visit *visit)
{
	char path[512];

	snprintf(path, sizeof(path), "/oidc/callback?code=abc&state=%s", visit->state);
	return call(w, NULL, "GET", path, NULL, visit->cookies);
}

static const struct reply *log_in(struct world *w, struct provider *provider)
{
	struct visit visit;

	go_there(w, provider, NULL, "", &visit);
	return come_back(w, &visit);
}

/* A session of a browser: its cookie, and the word that goes with it. */
struct session {
	char cookie[128], csrf[128], next[128];
};

static void read_session(const struct reply *reply, struct session *session)
{
	char location[1024], token[100], word[100];

	EXPECT(reply, 302);
	CHECK(reply_header(reply, "Location", location, sizeof(location)));
	copy_parameter(reply->headers.data, "ctfy_session=", token, sizeof(token));
	copy_parameter(location, "/login#csrf_token=", word, sizeof(word));
	copy_parameter(location, "&next=", session->next, sizeof(session->next));
	snprintf(session->cookie, sizeof(session->cookie), "Cookie: ctfy_session=%s", token);
	snprintf(session->csrf, sizeof(session->csrf), "X-CSRF-Token: %s", word);
}

/* Logs in; who that is, in the thread's reply. */
static const struct reply *me(struct world *w, struct provider *provider)
{
	struct session session;

	read_session(log_in(w, provider), &session);
	return call(w, NULL, "GET", "/me", NULL, session.cookie);
}

static void say(struct provider *provider, const char *name, json_t *value)
{
	json_object_set_new(provider->said, name, value);
}

TEST(a_first_login_makes_an_account_and_later_ones_find_it)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;
	struct session session;
	struct visit visit;
	char id[64], both[300];

	begin(&w, &provider);
	EXPECT(call(&w, NULL, "GET", "/oidc", NULL, NULL), 200);
	say(&provider, "preferred_username", json_string("zoe"));
	go_there(&w, &provider, NULL, "?next=/team", &visit);
	CHECK_HAS(visit.address, "/authorize?tenant=1&response_type=code&client_id=us&");
	CHECK_HAS(visit.address, "%2Fapi%2Fv1%2Foidc%2Fcallback&scope=openid%20profile&");
	CHECK_HAS(visit.address, "&code_challenge_method=S256");
	read_session(come_back(&w, &visit), &session);
	CHECK_STR(session.next, "%2Fteam");
	snprintf(id, sizeof(id), "%s",
		 text(call(&w, NULL, "GET", "/me", NULL, session.cookie), "id"));

	snprintf(both, sizeof(both), "%s\n%s", session.cookie, session.csrf);
	EXPECT(call(&w, NULL, "POST", "/teams", "{\"name\":\"Z\"}", session.cookie), 403);
	EXPECT(call(&w, NULL, "POST", "/teams", "{\"name\":\"Z\"}", both), 201);
	EXPECT(call(&w, NULL, "GET", "/me", NULL, both), 200);
	snprintf(both, sizeof(both), "%s\nX-CSRF-Token: guessed", session.cookie);
	EXPECT(call(&w, NULL, "GET", "/me", NULL, both), 403);

	say(&provider, "preferred_username", json_string("renamed"));
	CHECK_STR(text(me(&w, &provider), "id"), id);
	CHECK_STR(text(me(&w, &provider), "name"), "zoe");
	EXPECT(call(&w, NULL, "POST", "/sessions", "{\"name\":\"zoe\",\"password\":\"password\"}",
		    NULL),
	       401);
}

TEST(a_name_that_is_taken_gives_nobody_anothers_account)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;

	begin(&w, &provider);
	make_people(&w);
	say(&provider, "preferred_username", json_string("Alice"));
	say(&provider, "email", json_string("alice@example.org"));
	CHECK_STR(text(me(&w, &provider), "name"), "Alice-2");
	say(&provider, "sub", json_string("another"));
	CHECK_STR(text(me(&w, &provider), "name"), "Alice-3");
	say(&provider, "sub", json_string("a third"));
	say(&provider, "preferred_username", json_string("\x01"));
	CHECK_STR(text(me(&w, &provider), "name"), "player");
}

TEST(a_login_ends_once_and_in_the_browser_that_began_it)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;
	struct visit visit, other;

	begin(&w, &provider);
	go_there(&w, &provider, NULL, "", &other);
	go_there(&w, &provider, NULL, "", &visit);
	memcpy(other.cookies, visit.cookies, sizeof(other.cookies));
	EXPECT(come_back(&w, &other), 400);
	other.cookies[0] = '\0';
	EXPECT(come_back(&w, &other), 400);
	EXPECT(come_back(&w, &visit), 302);
	EXPECT(come_back(&w, &visit), 400);
	EXPECT(call(&w, NULL, "GET", "/oidc/callback", NULL, NULL), 400);
}

TEST(a_browser_is_sent_on_to_our_own_pages_only)
{
	static const char *const others[] = { "//evil.example", "https://evil.example",
					      "/%5Cevil.example", "/%09/evil.example", "evil" };
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;
	struct session session;
	struct visit visit;
	char query[128];

	begin(&w, &provider);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		snprintf(query, sizeof(query), "?next=%s", others[i]);
		go_there(&w, &provider, NULL, query, &visit);
		read_session(come_back(&w, &visit), &session);
		CHECK_STR(session.next, "%2F");
	}
}

TEST(the_provider_gives_roles_and_takes_them_back)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;

	begin(&w, &provider);
	w.options.oidc_role_claim = "groups";
	w.options.oidc_organisers = "crew, staff";
	w.options.oidc_admins = "root";
	begin_again(&w);
	say(&provider, "groups", json_pack("[s, s]", "players", "staff"));
	CHECK_STR(text(me(&w, &provider), "role"), "organiser");
	say(&provider, "groups", json_string("root"));
	CHECK_STR(text(me(&w, &provider), "role"), "admin");
	say(&provider, "groups", json_pack("[s]", "staffing"));
	CHECK_STR(text(me(&w, &provider), "role"), "player");
}

TEST(where_accounts_are_not_made_a_login_is_linked_first)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	struct visit visit;
	char location[64];

	begin(&w, &provider);
	make_people(&w);
	w.options.oidc_accounts = "closed";
	begin_again(&w);
	EXPECT(log_in(&w, &provider), 403);
	EXPECT(call(&w, NULL, "GET", "/oidc/login?link=true", NULL, NULL), 401);
	go_there(&w, &provider, w.alice, "?link=true&next=/account", &visit);
	reply = come_back(&w, &visit);
	EXPECT(reply, 302);
	CHECK(reply_header(reply, "Location", location, sizeof(location)));
	CHECK_STR(location, "/account");
	CHECK_STR(text(me(&w, &provider), "name"), "alice");
	go_there(&w, &provider, w.alice, "?link=true", &visit);
	EXPECT(come_back(&w, &visit), 302);
	go_there(&w, &provider, w.bob, "?link=true", &visit);
	EXPECT(come_back(&w, &visit), 409);
}

TEST(a_token_with_less_power_links_no_way_to_more)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;
	char token[SECRET_TOKEN_SIZE];
	struct visit visit;

	begin(&w, &provider);
	make_people(&w);
	snprintf(token, sizeof(token), "%s",
		 text(call(&w, w.admin, "POST", "/me/tokens",
			   "{\"name\":\"t\",\"scope\":\"organiser\"}", NULL),
		      "token"));
	EXPECT(call(&w, token, "GET", "/oidc/login?link=true", NULL, NULL), 403);
	go_there(&w, &provider, w.admin, "?link=true", &visit);
	EXPECT(come_back(&w, &visit), 302);
	CHECK_STR(text(me(&w, &provider), "role"), "admin");
}

TEST(a_locked_account_stays_locked)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;
	char path[128];

	begin(&w, &provider);
	make_people(&w);
	snprintf(path, sizeof(path), "/admin/users/%s", text(me(&w, &provider), "id"));
	EXPECT(call(&w, w.admin, "PATCH", path, "{\"disabled\":true}", NULL), 200);
	EXPECT(log_in(&w, &provider), 403);
}

static void check_refused(struct world *w, struct provider *provider, const char *name,
			  json_t *value, const char *words)
{
	const struct reply *reply;

	say(provider, name, value);
	reply = log_in(w, provider);
	EXPECT(reply, 403);
	CHECK_HAS(text(reply, "detail"), words);
	CHECK(!strstr(reply->headers.data, "ctfy_session"));
	json_object_del(provider->said, name);
}

TEST(a_token_that_is_not_for_us_and_for_now_is_refused)
{
	json_int_t now = clock_now_ms(&clock_real) / 1000;
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;

	begin(&w, &provider);
	check_refused(&w, &provider, "nonce", json_string("x"), "another login");
	check_refused(&w, &provider, "nonce", json_null(), "another login");
	check_refused(&w, &provider, "iss", json_string("http://evil.example"), "issuer");
	check_refused(&w, &provider, "aud", json_string("them"), "somebody else");
	check_refused(&w, &provider, "aud", json_pack("[s, s]", "us", "them"), "somebody else");
	check_refused(&w, &provider, "azp", json_string("them"), "somebody else");
	check_refused(&w, &provider, "exp", json_integer(now - 3600), "expired");
	check_refused(&w, &provider, "exp", json_null(), "expired");
	check_refused(&w, &provider, "iat", json_integer(now + 3600), "future");
	check_refused(&w, &provider, "sub", json_string(""), "whose it is");
	say(&provider, "aud", json_pack("[s, s]", "us", "them"));
	say(&provider, "azp", json_string("us"));
	EXPECT(log_in(&w, &provider), 302);
}

TEST(only_the_providers_own_keys_sign)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;

	begin(&w, &provider);
	provider.algorithm = NULL;
	EXPECT(log_in(&w, &provider), 403);
	provider.algorithm = "HS256";
	EXPECT(log_in(&w, &provider), 403);
	provider.algorithm = "PS384";
	EXPECT(log_in(&w, &provider), 302);
	CHECK_EQ(provider.keys_asked, 1);

	if (!new_key)
		new_key = make_key("new");
	provider.key = new_key;
	EXPECT(log_in(&w, &provider), 403); /* of no key that it publishes */
	CHECK_EQ(provider.keys_asked, 2);
	provider.published = new_key;
	EXPECT(log_in(&w, &provider), 302);
	EXPECT(log_in(&w, &provider), 302);
	CHECK_EQ(provider.keys_asked, 3);
	provider.key = old_key;
	EXPECT(log_in(&w, &provider), 403);
}

TEST(keys_of_elliptic_curves_sign_as_well)
{
	cjose_jwk_t *key = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, NULL);
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;

	CHECK(key);
	CHECK(cjose_jwk_set_kid(key, "curve", 5, NULL));
	begin(&w, &provider);
	provider.key = provider.published = key;
	provider.algorithm = "ES256";
	EXPECT(log_in(&w, &provider), 302);
	cjose_jwk_release(key);
}

TEST(what_the_token_lacks_is_asked_for)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;

	begin(&w, &provider);
	provider.userinfo = json_pack("{s:s, s:s}", "sub", "zoe-1", "preferred_username", "Zoe");
	CHECK_STR(text(me(&w, &provider), "name"), "Zoe");
	json_object_set_new(provider.userinfo, "sub", json_string("somebody"));
	EXPECT(log_in(&w, &provider), 403);
}

TEST(our_secret_goes_with_the_code)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;
	struct err e = ERR_INIT;
	char path[256];

	begin(&w, &provider);
	EXPECT(log_in(&w, &provider), 302);
	CHECK_STR(provider.authorization, "");
	snprintf(path, sizeof(path), "%s/client-secret", w.state);
	CHECK_EQ(file_write(path, "s:t\n", 4, 0600, &e), 0);
	w.options.oidc_client_secret_file = path;
	begin_again(&w);
	EXPECT(log_in(&w, &provider), 302);
	CHECK_STR(provider.authorization, "Basic dXM6cyUzQXQ="); /* us:s%3At */
}

TEST(a_provider_that_refuses_is_told_in_its_words_and_to_people_as_a_page)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;
	const struct reply *reply;
	json_t *document;
	struct visit visit;
	char path[512], headers[320];

	begin(&w, &provider);
	provider.refuses_codes = true;
	reply = log_in(&w, &provider);
	EXPECT(reply, 403);
	CHECK_HAS(text(reply, "detail"), "invalid_grant: no <such> code");
	go_there(&w, &provider, NULL, "", &visit);
	snprintf(headers, sizeof(headers), "%s\nAccept: text/html", visit.cookies);
	snprintf(path, sizeof(path), "/oidc/callback?code=abc&state=%s", visit.state);
	document = TAKE(w.document); /* a page is none of the answers that it describes */
	reply = call(&w, NULL, "GET", path, NULL, headers);
	w.document = document;
	EXPECT(reply, 403);
	CHECK_HAS(reply->headers.data, "text/html");
	CHECK_HAS(reply->body.data, "invalid_grant: no &lt;such&gt; code");

	go_there(&w, &provider, NULL, "", &visit);
	snprintf(path, sizeof(path), "/oidc/callback?error=access_denied&state=%s", visit.state);
	reply = call(&w, NULL, "GET", path, NULL, visit.cookies);
	EXPECT(reply, 403);
	CHECK_HAS(text(reply, "detail"), "access_denied");
	go_there(&w, &provider, NULL, "", &visit);
	snprintf(path, sizeof(path), "/oidc/callback?code=1&iss=http%%3A%%2F%%2Fevil&state=%s",
		 visit.state);
	EXPECT(call(&w, NULL, "GET", path, NULL, visit.cookies), 400);
}

TEST(a_provider_that_is_away_keeps_nobody_else_out)
{
	AUTO(struct provider, end_provider) provider;
	AUTO(struct world, end_platform) w;
	struct visit visit;

	begin(&w, &provider);
	make_people(&w);
	provider.is_away = true;
	EXPECT(call(&w, NULL, "GET", "/oidc/login", NULL, NULL), 503);
	EXPECT(call(&w, w.alice, "GET", "/me", NULL, NULL), 200);
	provider.is_away = false;
	begin_again(&w); /* what was told of it is told again for a moment */
	go_there(&w, &provider, NULL, "", &visit);
	provider.is_away = true;
	EXPECT(come_back(&w, &visit), 503);
}

TEST(without_a_provider_there_is_no_way_to_it)
{
	AUTO(struct world, end_platform) w;
	const struct reply *reply;

	prepare_world(&w);
	begin_platform(&w);
	reply = call(&w, NULL, "GET", "/oidc", NULL, NULL);
	EXPECT(reply, 200);
	CHECK(json_is_false(json_object_get(reply->json, "enabled")));
	EXPECT(call(&w, NULL, "GET", "/oidc/login", NULL, NULL), 404);
	EXPECT(call(&w, NULL, "GET", "/oidc/callback", NULL, NULL), 404);
}

static int teardown(void **state)
{
	cjose_jwk_release(old_key);
	cjose_jwk_release(new_key);
	return world_teardown(state);
}

/* What strangers may grow */

struct store {
	struct arena *arena;
	struct db *db;
	struct user alice;
};

static void end_store(struct store *s)
{
	db_close(s->db);
	arena_free(s->arena);
}

static void begin_store(struct store *s, const char *name)
{
	struct err e = ERR_INIT;
	char path[160];

	*s = (struct store){ .arena = arena_new() };
	store_path(name, path, sizeof(path));
	CHECK_EQ(schema_open(path, &s->db, &e), 0);
	CHECK_EQ(user_create(s->db, s->arena, 1, "alice", "password", ROLE_PLAYER, &s->alice, &e),
		 0);
}

TEST(so_many_logins_are_under_way_and_an_account_has_so_many_links)
{
	AUTO(struct store, end_store) s;
	static const struct identity_rules rules = { .issuer = "https://id.example" };
	struct attempt attempt = { .nonce = (char[]){ "n" },
				   .verifier = (char[]){ "v" },
				   .next = (char[]){ "/" } };
	struct err e = ERR_INIT;
	int64_t left = 0;
	int r = 0, linked = 0;

	begin_store(&s, "logins");
	CHECK_EQ(db_run(s.db,
			"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
			" WHERE i < 20000) INSERT INTO login_attempt (state_hash, nonce, verifier,"
			" next, expires_at) SELECT i, '', '', '', 1000 FROM n",
			NULL, &e),
		 0);
	CHECK_EQ(attempt_begin(s.db, 999, "state", &attempt, &e), -ERR_UNAVAILABLE);
	CHECK_EQ(attempt_begin(s.db, 1000, "state", &attempt, &e), 0);
	CHECK_EQ(rows_count(s.db, "SELECT COUNT(*) FROM login_attempt", NULL, &left, &e), 0);
	CHECK_EQ(left, 1);

	for (; r == 0 && linked <= LINKS_MAX; linked += r == 0) {
		AUTO(json_t *, json_decrefp) claims =
			json_pack("{s:o}", "sub", json_sprintf("s%d", linked));

		r = identity_link(s.db, s.arena, 1, &rules, claims, s.alice.id, &e);
	}
	CHECK_EQ(r, -ERR_CONFLICT);
	CHECK_EQ(linked, LINKS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(so_many_logins_are_under_way_and_an_account_has_so_many_links),
		T(a_first_login_makes_an_account_and_later_ones_find_it),
		T(a_name_that_is_taken_gives_nobody_anothers_account),
		T(a_login_ends_once_and_in_the_browser_that_began_it),
		T(a_browser_is_sent_on_to_our_own_pages_only),
		T(the_provider_gives_roles_and_takes_them_back),
		T(where_accounts_are_not_made_a_login_is_linked_first),
		T(a_token_with_less_power_links_no_way_to_more),
		T(a_locked_account_stays_locked),
		T(a_token_that_is_not_for_us_and_for_now_is_refused),
		T(only_the_providers_own_keys_sign),
		T(keys_of_elliptic_curves_sign_as_well),
		T(what_the_token_lacks_is_asked_for),
		T(our_secret_goes_with_the_code),
		T(a_provider_that_refuses_is_told_in_its_words_and_to_people_as_a_page),
		T(a_provider_that_is_away_keeps_nobody_else_out),
		T(without_a_provider_there_is_no_way_to_it),
	};

	return cmocka_run_group_tests(tests, world_setup, teardown);
}
