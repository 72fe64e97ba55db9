/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/oidc.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "http/call.h"
#include "platform/door.h"
#include "platform/identity.h"
#include "platform/limit.h"
#include "platform/options.h"
#include "platform/session.h"

#include <string.h>

/*
 * Logging in with an OpenID provider: the browser is sent there, and comes back with a code.
 *
 * What belongs to one login waits in the store under its state, for once and for ten minutes. The
 * state is in a cookie too, so that nobody can make a browser end a login that another began. That
 * cookie is SameSite=Lax: the way back begins at the provider's page, and a Strict one stayed
 * behind.
 */

#define STATE_COOKIE  "ctfy_oidc"
#define CALLBACK_PATH "/api/v1/oidc/callback"

enum { NEXT_MAX = 512 };

/* Each puts a row into the store. A hall full of players has one address, and begins at one moment.
 */
static const struct rate attempts_from_one = { .burst = 5000, .period_ms = 100 };

static int serve_state(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct platform *platform = ctx;
	const char *label = platform->oidc ? platform->options->oidc_label : NULL;

	(void)req;
	(void)e;
	return http_send_json(res, 200,
			      json_make("{s:b, s:s?}", "enabled", label != NULL, "label", label));
}

/* A browser gets a page to read, in place of a page; everybody else the JSON of any error. */

static void put_text(struct buf *html, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<': buf_puts(html, "&lt;"); break;
		case '>': buf_puts(html, "&gt;"); break;
		case '&': buf_puts(html, "&amp;"); break;
		case '"': buf_puts(html, "&quot;"); break;
		default: buf_putc(html, *text);
		}
}

static int send_page(struct http_res *res, const struct err *failed)
{
	AUTO(struct buf, buf_done) html = BUF_INIT;

	buf_puts(&html, "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">"
			"<meta name=\"viewport\" content=\"width=device-width\">"
			"<title>Log in - ctfy</title><h1>You are not logged in</h1><p>");
	put_text(&html, failed->msg);
	buf_puts(&html, "</p><p><a href=\"/login\">Try again</a></p></html>\n");
	if (buf_failed(&html))
		return err_memory(NULL);
	http_set_header(res, "Content-Security-Policy", "default-src 'none'");
	http_set_header(res, "Cache-Control", "no-store");
	return http_send_bytes(res, err_status(failed->code), "text/html; charset=utf-8", html.data,
			       html.len);
}

static int tell(struct http_req *req, struct http_res *res, int r, struct err *e)
{
	const char *accepted = http_header(req, "Accept");

	if (r == 0 || !accepted || !strstr(accepted, "text/html"))
		return r;
	log_warn("%s: %s", http_path(req), e->msg);
	return send_page(res, e);
}

/* Both ways */

static int check_enabled(const struct platform *platform, struct err *e)
{
	return platform->oidc
		       ? 0
		       : err_set(e, ERR_NOT_FOUND, "nobody logs in here with an OpenID provider");
}

/* Our own address, as the provider has to know it. */
static const char *callback_address(const struct platform *platform, struct http_req *req)
{
	const char *url = platform->options->oidc_url;
	const char *host = http_host(req);
	size_t len = url ? strlen(url) : 0;

	while (len > 0 && url[len - 1] == '/')
		len--;
	if (url)
		return arena_printf(http_arena(req), "%.*s" CALLBACK_PATH, (int)len, url);
	return arena_printf(http_arena(req), "%s://%s" CALLBACK_PATH,
			    http_is_https(req) ? "https" : "http", host ? host : "");
}

static int set_state_cookie(struct http_req *req, struct http_res *res, const char *state,
			    int seconds, struct err *e)
{
	const char *cookie = arena_printf(http_arena(req),
					  STATE_COOKIE "=%s; Path=/api/v1/oidc; Max-Age=%d;"
						       " HttpOnly; SameSite=Lax%s",
					  state, seconds, http_is_https(req) ? "; Secure" : "");

	if (!cookie)
		return err_memory(e);
	http_set_header(res, "Set-Cookie", cookie);
	return 0;
}

static int redirect(struct http_res *res, const struct buf *address, struct err *e)
{
	int r = buf_check(address, e);

	if (r < 0)
		return r;
	http_set_header(res, "Location", address->data);
	http_set_header(res, "Cache-Control", "no-store");
	http_set_header(res, "Referrer-Policy", "no-referrer");
	return http_send_nothing(res, 302);
}

/* The way there */

/* A path of ours: what browsers take for another host begins with two slashes of whichever kind. */
static const char *safe_path(const char *next)
{
	if (!next || next[0] != '/' || next[1] == '/' || strlen(next) > NEXT_MAX)
		return "/";
	for (const char *c = next; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f || *c == '\\')
			return "/";
	return next;
}

/* What is linked may all that the account may: a token with less power opens no way to more. */
static int check_whole(struct platform *platform, struct http_req *req, const struct principal *who,
		       struct err *e)
{
	struct user user;
	enum role role;
	int r = user_find(platform->db, http_arena(req), who->user_id, &user, e);

	if (r == 0 && role_parse(user.role, &role) && who->role < role)
		return err_set(e, ERR_FORBIDDEN,
			       "a token with the scope '%s' can't link a login to an account with "
			       "the role '%s'",
			       role_word(who->role), user.role);
	return r;
}

/* Who asks to be linked; NULL: nobody, it is a login. */
static int find_linker(struct platform *platform, struct http_req *req, const char **ret_user_id,
		       struct err *e)
{
	struct principal who = { .user_id = NULL };
	int r;

	*ret_user_id = NULL;
	if (!http_query(req, "link"))
		return 0;
	r = door_identify(platform, req, &who, e);
	if (r == 0)
		r = access_check(&who, ACCESS_USER, NULL, e);
	if (r == 0)
		r = check_whole(platform, req, &who, e);
	if (r == 0)
		*ret_user_id = who.user_id;
	return r;
}

static int limit(struct platform *platform, struct http_req *req, struct http_res *res,
		 struct err *e)
{
	const char *key = arena_printf(http_arena(req), "oidc %s", http_peer_key(req));
	int64_t wait;

	if (!key)
		return err_memory(e);
	wait = limiter_take(platform->limiter, key, &attempts_from_one, door_now(platform));
	if (wait == 0)
		return 0;
	http_set_retry_after(res, (unsigned)((wait + 999) / 1000));
	return err_set(e, ERR_RATE_LIMITED, "too many logins at once: try again in a moment");
}

static int begin_login(struct platform *platform, struct http_req *req, struct http_res *res,
		       struct err *e)
{
	char state[SECRET_TOKEN_SIZE], nonce[SECRET_TOKEN_SIZE], verifier[SECRET_TOKEN_SIZE];
	const struct oidc_login login = { callback_address(platform, req), state, nonce, verifier };
	struct attempt attempt = { .nonce = nonce, .verifier = verifier };
	AUTO(struct buf, buf_done) address = BUF_INIT;
	const char *linker = NULL, *next = safe_path(http_query(req, "next"));
	int r;

	if (!login.redirect)
		return err_memory(e);
	secret_token(state);
	secret_token(nonce);
	secret_token(verifier);
	r = check_enabled(platform, e);
	if (r == 0)
		r = limit(platform, req, res, e);
	if (r == 0)
		r = find_linker(platform, req, &linker, e);
	if (r == 0)
		r = oidc_address(platform->oidc, &login, &address, e);
	if (r < 0)
		return r;
	attempt.next = arena_strdup(http_arena(req), next);
	attempt.user_id = arena_strdup(http_arena(req), linker);
	r = attempt_begin(platform->db, door_now(platform), state, &attempt, e);
	if (r == 0)
		r = set_state_cookie(req, res, state, ATTEMPT_S, e);
	return r < 0 ? r : redirect(res, &address, e);
}

static int serve_login(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return tell(req, res, begin_login(ctx, req, res, e), e);
}

/* The way back */

static int take_attempt(struct platform *platform, struct http_req *req, struct attempt *attempt,
			struct err *e)
{
	const char *state = http_query(req, "state");
	const char *cookie = door_cookie(req, STATE_COOKIE);
	int r = -ERR_NOT_FOUND;

	if (state && cookie && secret_equal(state, cookie))
		r = attempt_take(platform->db, http_arena(req), door_now(platform), state, attempt,
				 e);
	if (r == -ERR_NOT_FOUND)
		return err_set(e, ERR_INVALID,
			       "this login is over, or was begun in another browser or tab: begin"
			       " again");
	return r;
}

/* RFC 9207: a provider that says who it is doesn't get mixed up with another. */
static int check_answer(const struct platform *platform, struct http_req *req, struct err *e)
{
	const char *error = http_query(req, "error");
	const char *words = http_query(req, "error_description");
	const char *issuer = http_query(req, "iss");

	if (issuer && strcmp(issuer, platform->options->oidc_issuer) != 0)
		return err_set(e, ERR_INVALID, "another login provider answered than was asked");
	if (error)
		return err_set(e, ERR_FORBIDDEN, "the login provider says: %s%s%s", error,
			       words ? ": " : "", words ? words : "");
	if (!http_query(req, "code"))
		return err_set(e, ERR_INVALID, "the login provider gave no code");
	return 0;
}

static struct identity_rules rules_of(const struct platform *platform)
{
	const struct platform_options *options = platform->options;

	return (struct identity_rules){
		.issuer = options->oidc_issuer,
		.name_claim = options->oidc_name_claim,
		.role_claim = options->oidc_role_claim,
		.organisers = options->oidc_organisers,
		.admins = options->oidc_admins,
		.makes_accounts = strcmp(options->oidc_accounts, "open") == 0,
	};
}

static int go_on_linked(struct platform *platform, struct http_req *req, struct http_res *res,
			const struct attempt *attempt, const json_t *claims, struct err *e)
{
	const struct identity_rules rules = rules_of(platform);
	AUTO(struct buf, buf_done) address = BUF_INIT;
	int r;

	r = identity_link(platform->db, http_arena(req), door_now(platform), &rules, claims,
			  attempt->user_id, e);
	buf_puts(&address, attempt->next);
	return r < 0 ? r : redirect(res, &address, e);
}

/*
 * The word that goes with the session is told to our page in the fragment, which goes to no server
 * and in no Referer; without the cookie it is good for nothing. The page takes it out of the
 * browser's history.
 */
static int go_on_inside(struct platform *platform, struct http_req *req, struct http_res *res,
			const struct attempt *attempt, const json_t *claims, struct err *e)
{
	const struct identity_rules rules = rules_of(platform);
	AUTO(struct buf, buf_done) address = BUF_INIT;
	AUTO(json_t *, json_decrefp) told = NULL;
	char csrf[SECRET_TOKEN_SIZE];
	struct user user;
	int r;

	r = identity_enter(platform->db, http_arena(req), door_now(platform), &rules, claims, &user,
			   e);
	if (r == 0)
		r = session_begin(platform, req, res, user.id, csrf, &told, e);
	if (r < 0)
		return r;
	buf_printf(&address, "/login#csrf_token=%s&next=", csrf);
	http_escape(&address, attempt->next);
	return redirect(res, &address, e);
}

static int end_login(struct platform *platform, struct http_req *req, struct http_res *res,
		     struct err *e)
{
	AUTO(json_t *, json_decrefp) claims = NULL;
	struct attempt attempt;
	struct oidc_login login = { .redirect = callback_address(platform, req) };
	int r;

	if (!login.redirect)
		return err_memory(e);
	r = check_enabled(platform, e);
	if (r == 0)
		r = take_attempt(platform, req, &attempt, e);
	if (r == 0)
		r = check_answer(platform, req, e);
	if (r < 0)
		return r;
	login.state = http_query(req, "state");
	login.nonce = attempt.nonce;
	login.verifier = attempt.verifier;
	r = oidc_claims(platform->oidc, &login, http_query(req, "code"), &claims, e);
	if (r == 0)
		r = set_state_cookie(req, res, "", 0, e);
	if (r < 0)
		return r;
	return attempt.user_id ? go_on_linked(platform, req, res, &attempt, claims, e)
			       : go_on_inside(platform, req, res, &attempt, claims, e);
}

static int serve_callback(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	return tell(req, res, end_login(ctx, req, res, e), e);
}

const struct http_route platform_oidc_routes[] = {
	{ "GET", "/api/v1/oidc", serve_state, HTTP_OPEN | HTTP_QUICK, 0 },
	{ "GET", "/api/v1/oidc/login", serve_login, HTTP_OPEN, 0 },
	{ "GET", CALLBACK_PATH, serve_callback, HTTP_OPEN, 0 },
	{ .method = NULL },
};
