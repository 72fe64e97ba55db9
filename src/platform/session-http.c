/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "platform/door.h"
#include "platform/instance.h"
#include "platform/limit.h"
#include "platform/name.h"
#include "platform/session.h"
#include "platform/turn.h"

#include <string.h>

/* Coming in and going out: sessions of browsers and programs, and tokens with less power. */

enum { SESSION_DAYS = 30 };

/*
 * Guesses at one account, right or wrong: from one address, and from a browser or token that has
 * come in with that account before; whom the first stops doesn't stop the second. A hall full of
 * players has one address: who guesses at many accounts there makes the hall wait longer for its
 * turns, and is refused none.
 */
static const struct rate guesses_at_one = { .burst = 10, .period_ms = 10000 };
static const struct rate guesses_from_one = { .burst = 200, .period_ms = 1000 };

/* What says that a browser has come in before. */
#define KNOWN_COOKIE "ctfy_known"
enum { KNOWN_DAYS = 365 };

static int64_t days(int64_t count)
{
	return count * 24 * 60 * 60 * 1000;
}

/* Makes a token, known from the next request on, and tells of it and its user. */
static int make_token(struct platform *platform, struct http_req *req,
		      const struct token_wish *wish, char text[SECRET_TOKEN_SIZE],
		      json_t **ret_json, struct err *e)
{
	struct token token;
	struct user user;
	int r;

	r = token_create(platform->db, http_arena(req), door_now(platform), wish, &token, text, e);
	if (r == 0)
		r = keyring_refresh_user(platform->keyring, wish->user_id, e);
	if (r == 0)
		r = user_find(platform->db, http_arena(req), wish->user_id, &user, e);
	if (r < 0)
		return r;
	*ret_json = fields_encode(token_fields, &token);
	if (!*ret_json ||
	    json_object_set_new(*ret_json, "user", fields_encode(user_fields, &user)) < 0) {
		json_decref(*ret_json);
		return err_memory(e);
	}
	return 0;
}

/* Logging in */

struct login {
	char *name;
	char *password;
	bool cookie;
};

static const struct field login_fields[] = {
	FIELD(struct login, STRING, name, FIELD_REQUIRED),
	FIELD(struct login, STRING, password, FIELD_REQUIRED),
	FIELD(struct login, BOOL, cookie, 0),
	FIELDS_END,
};

static int refuse_guesser(struct http_res *res, int64_t wait_ms, struct err *e)
{
	unsigned seconds = (unsigned)((wait_ms + 999) / 1000);

	http_set_retry_after(res, seconds);
	return err_set(e, ERR_RATE_LIMITED, "too many wrong passwords: try again in %u s", seconds);
}

/* Who tries to come in, as what. */
struct guess {
	const char *name_key;
	const char *source; /* whose turns they are */
	const char *bucket; /* what is counted */
	bool suspect;       /* many guesses came from there already */
};

/* Whether the call's own token, or else the browser's cookie, is of that account. */
static int find_known(struct platform *platform, struct http_req *req, const char *name_key,
		      const char **ret_known, struct err *e)
{
	const char *word = door_cookie(req, KNOWN_COOKIE), *shown, *key;
	struct principal who;
	char hash[SECRET_HASH_SIZE];
	struct user user;
	bool known = false;
	int r;

	*ret_known = NULL;
	if (door_has_token(req) && door_identify(platform, req, &who, NULL) == 0 && who.user_id &&
	    user_find(platform->db, http_arena(req), who.user_id, &user, NULL) == 0 &&
	    name_read(http_arena(req), "a name", user.name, &shown, &key, NULL) == 0 &&
	    strcmp(key, name_key) == 0)
		*ret_known = who.token_id;
	if (*ret_known || !word)
		return 0;
	r = user_knows_browser(platform->db, word, name_key, &known, e);
	secret_hash(word, hash);
	if (r == 0 && known)
		*ret_known = arena_strdup(http_arena(req), hash);
	return r;
}

static int guess_read(struct platform *platform, struct http_req *req, const char *name,
		      struct guess *ret_guess, struct err *e)
{
	const char *peer = http_peer_key(req), *shown, *known = NULL;
	int64_t now = door_now(platform);
	int r;

	r = name_read(http_arena(req), "a name", name, &shown, &ret_guess->name_key, e);
	if (r == 0)
		r = find_known(platform, req, ret_guess->name_key, &known, e);
	if (r < 0)
		return r;
	ret_guess->source = known ? known : peer;
	ret_guess->suspect =
		!known && limiter_wait(platform->limiter, peer, &guesses_from_one, now) > 0;
	ret_guess->bucket =
		arena_printf(http_arena(req), "%s %s", ret_guess->source, ret_guess->name_key);
	return ret_guess->bucket ? 0 : err_memory(e);
}

static int try_password(struct platform *platform, struct http_req *req, const struct guess *guess,
			const char *name, const char *password, struct user *ret_user,
			struct err *e)
{
	int r = turn_take(platform->turns, guess->source, guess->name_key, guess->suspect, e);

	if (r < 0)
		return r;
	r = user_login(platform->db, http_arena(req), name, password, ret_user, e);
	turn_end(platform->turns);
	return r;
}

/* A guess is counted before it is looked at, so that many at once are as many. */
int session_check_password(struct platform *platform, struct http_req *req, struct http_res *res,
			   const char *name, const char *password, struct user *ret_user,
			   struct err *e)
{
	int64_t now = door_now(platform), wait;
	struct guess guess;
	int r;

	r = guess_read(platform, req, name, &guess, e);
	if (r < 0)
		return r;
	wait = limiter_take(platform->limiter, guess.bucket, &guesses_at_one, now);
	if (wait > 0)
		return refuse_guesser(res, wait, e);
	r = try_password(platform, req, &guess, name, password, ret_user, e);
	if (r != -ERR_UNAUTHORIZED)
		limiter_return(platform->limiter, guess.bucket, &guesses_at_one);
	else
		limiter_count(platform->limiter, http_peer_key(req), &guesses_from_one, now);
	if (r == -ERR_UNAVAILABLE)
		http_set_retry_after(res, 1);
	return r;
}

static int set_cookie(struct http_req *req, struct http_res *res, const char *value,
		      int64_t seconds, struct err *e)
{
	const char *cookie =
		arena_printf(http_arena(req),
			     SESSION_COOKIE "=%s; Path=/api; Max-Age=%lld; HttpOnly;"
					    " SameSite=Strict%s",
			     value, (long long)seconds, http_is_https(req) ? "; Secure" : "");

	if (!cookie)
		return err_memory(e);
	http_set_header(res, "Set-Cookie", cookie);
	return 0;
}

static int make_session(struct platform *platform, struct http_req *req, const char *user_id,
			const char *csrf, char text[SECRET_TOKEN_SIZE], json_t **ret_json,
			struct err *e)
{
	const struct token_wish wish = {
		.user_id = user_id,
		.name = "session",
		.scope = role_word(ROLE_ADMIN),
		.csrf = csrf,
		.expires_at = door_now(platform) + days(SESSION_DAYS),
	};

	return make_token(platform, req, &wish, text, ret_json, e);
}

int session_begin(struct platform *platform, struct http_req *req, struct http_res *res,
		  const char *user_id, char csrf[SECRET_TOKEN_SIZE], json_t **ret_json,
		  struct err *e)
{
	AUTO(json_t *, json_decrefp) json = NULL;
	char text[SECRET_TOKEN_SIZE];
	int r;

	secret_token(csrf);
	r = make_session(platform, req, user_id, csrf, text, &json, e);
	if (r == 0)
		r = set_cookie(req, res, text, days(SESSION_DAYS) / 1000, e);
	if (r < 0)
		return r;
	*ret_json = TAKE(json);
	return 0;
}

/* The browser is known from now on; one that was is again, by another word. */
static int know_browser(struct platform *platform, struct http_req *req, struct http_res *res,
			const char *user_id, struct err *e)
{
	char word[SECRET_TOKEN_SIZE];
	const char *cookie;
	int r;

	secret_token(word);
	r = user_know_browser(platform->db, user_id, word, door_now(platform), e);
	if (r < 0)
		return r;
	cookie = arena_printf(http_arena(req),
			      KNOWN_COOKIE "=%s; Path=/api/v1/sessions; Max-Age=%lld; HttpOnly;"
					   " SameSite=Strict%s",
			      word, (long long)(days(KNOWN_DAYS) / 1000),
			      http_is_https(req) ? "; Secure" : "");
	if (!cookie)
		return err_memory(e);
	http_set_header(res, "Set-Cookie", cookie);
	return 0;
}

static int send_session(struct platform *platform, struct http_req *req, struct http_res *res,
			const struct login *login, const struct user *user, struct err *e)
{
	AUTO(json_t *, json_decrefp) json = NULL;
	char word[SECRET_TOKEN_SIZE];
	int r;

	r = login->cookie ? know_browser(platform, req, res, user->id, e) : 0;
	if (r < 0)
		return r;
	r = login->cookie ? session_begin(platform, req, res, user->id, word, &json, e)
			  : make_session(platform, req, user->id, NULL, word, &json, e);
	if (r < 0)
		return r;
	if (json_object_set_new(json, login->cookie ? "csrf_token" : "token", json_text(word)) < 0)
		return err_memory(e);
	return http_send_json(res, 201, TAKE(json));
}

static int serve_login(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct login login = { .name = NULL };
	struct user user;
	int r;

	r = http_read(req, login_fields, &login, e);
	if (r == 0)
		r = session_check_password(platform, req, res, login.name, login.password, &user,
					   e);
	if (r == 0)
		r = send_session(platform, req, res, &login, &user, e);
	fields_done(login_fields, &login);
	return r;
}

static int end_token(struct platform *platform, const char *user_id, const char *token_id,
		     struct err *e)
{
	int r = token_revoke(platform->db, user_id, token_id, e);

	return r < 0 ? r : keyring_refresh_user(platform->keyring, user_id, e);
}

static int serve_logout(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const struct principal *who = door_principal(req);
	int r = end_token(ctx, who->user_id, who->token_id, e);

	if (r == 0 && who->csrf_hash)
		r = set_cookie(req, res, "", 0, e);
	return r < 0 ? r : http_send_nothing(res, 204);
}

/* Who am I */

static json_t *scope_json(const struct principal *who)
{
	const struct agent *agent = who->agent;

	if (!agent)
		return json_make("{s:s}", "scope", role_word(who->role));
	return json_make("{s:s, s:s, s:s, s:s}", "scope", "instance", "instance_id",
			 agent->instance_id, "challenge_id", agent->challenge_id, "competition_id",
			 agent->competition_id);
}

/* The user, what the token may, and the team in the competition that is meant. */
static int serve_me(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct competition competition;
	struct team team = { .id = NULL };
	struct user user;
	json_t *json;
	int r;

	r = user_find(platform->db, http_arena(req), door_principal(req)->user_id, &user, e);
	if (r < 0)
		return r;
	r = door_competition(platform, req, &competition, e);
	if (r == 0)
		r = door_team(platform, req, &competition, &team, e);
	if (r < 0 && r != -ERR_NOT_FOUND && r != -ERR_CONFLICT)
		return r;
	json = fields_encode(user_fields, &user);
	if (!json ||
	    json_object_set_new(json, "team",
				team.id ? json_make("{s:s, s:s}", "id", team.id, "name", team.name)
					: json_null()) < 0 ||
	    json_object_set_new(json, "token", scope_json(door_principal(req))) < 0) {
		json_decref(json);
		return err_memory(e);
	}
	return http_send_json(res, 200, json);
}

/* Tokens */

static int serve_tokens(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	const struct principal *who = door_principal(req);
	struct tokens tokens = { .tokens = NULL };
	int r;

	r = token_list(platform->db, http_arena(req), who->user_id, door_now(platform), &tokens, e);
	for (size_t i = 0; i < tokens.token_count; i++)
		tokens.tokens[i].current = strcmp(tokens.tokens[i].id, who->token_id) == 0;
	return r < 0 ? r : http_send(res, 200, tokens_fields, &tokens);
}

struct new_token {
	char *name;
	char *scope;
	char *instance_id;
	int64_t days;
};

static const struct field new_token_fields[] = {
	FIELD(struct new_token, STRING, name, FIELD_REQUIRED),
	FIELD(struct new_token, STRING, scope, 0),
	FIELD(struct new_token, STRING, instance_id, 0),
	FIELD_RANGE(struct new_token, days, 0, 1, 3650),
	FIELDS_END,
};

/* The asker's team has it, and it lives. */
static int check_own_instance(struct platform *platform, struct http_req *req, const char *id,
			      struct err *e)
{
	AUTO(struct instance, instances_row_done) instance = { .id = NULL };
	struct team team = { .id = NULL };
	int r;

	r = instances_find(platform->db, http_arena(req), id, &instance, e);
	if (r == 0)
		r = team_of(platform->db, http_arena(req), instance.competition_id,
			    door_principal(req)->user_id, &team, e);
	if (r < 0 && r != -ERR_NOT_FOUND && r != -ERR_CONFLICT)
		return r;
	if (r < 0 || !team.id || strcmp(team.id, instance.team_id) != 0)
		return err_set(e, ERR_NOT_FOUND, "your team has no instance '%s'", id);
	return instance.live ? 0 : err_set(e, ERR_CONFLICT, "the instance '%s' has ended", id);
}

/* No token makes one that may more than itself. */
static int choose_scope(struct platform *platform, struct http_req *req,
			const struct new_token *body, const char **ret_scope, struct err *e)
{
	const struct principal *who = door_principal(req);
	enum role role = who->role;

	if (body->instance_id || (body->scope && strcmp(body->scope, "instance") == 0)) {
		*ret_scope = "instance";
		if (body->scope && strcmp(body->scope, "instance") != 0)
			return http_refuse_field(req, "scope", "value_error",
						 "with an instance_id it can only be instance", e);
		return body->instance_id
			       ? check_own_instance(platform, req, body->instance_id, e)
			       : http_refuse_field(req, "instance_id", "value_error.missing",
						   "which instance is it for?", e);
	}
	if (body->scope && !role_parse(body->scope, &role))
		return http_refuse_field(req, "scope", "value_error",
					 "player, organiser, admin or instance expected", e);
	*ret_scope = role_word(role);
	return role <= who->role
		       ? 0
		       : err_set(e, ERR_FORBIDDEN, "you can't make a token with the scope '%s'",
				 body->scope);
}

static int make_wished_token(struct platform *platform, struct http_req *req, struct http_res *res,
			     const struct new_token *body, struct err *e)
{
	struct token_wish wish = {
		.user_id = door_principal(req)->user_id,
		.name = body->name,
		.instance_id = body->instance_id,
		.expires_at = body->days ? door_now(platform) + days(body->days) : 0,
	};
	char text[SECRET_TOKEN_SIZE];
	json_t *json = NULL;
	int r;

	r = choose_scope(platform, req, body, &wish.scope, e);
	if (r == 0)
		r = make_token(platform, req, &wish, text, &json, e);
	if (r < 0)
		return r;
	if (json_object_set_new(json, "token", json_text(text)) < 0) {
		json_decref(json);
		return err_memory(e);
	}
	return http_send_json(res, 201, json);
}

static int serve_new_token(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct new_token body = { .name = NULL };
	int r;

	r = http_read(req, new_token_fields, &body, e);
	if (r == 0)
		r = make_wished_token(ctx, req, res, &body, e);
	fields_done(new_token_fields, &body);
	return r;
}

/* What a token may at most is no more than its account. */
static int role_of_token(const struct token *token, const struct user *user)
{
	enum role scope = ROLE_PLAYER, role = ROLE_PLAYER;

	role_parse(token->scope, &scope);
	role_parse(user->role, &role);
	return scope < role ? scope : role;
}

/* No token ends one that may more than itself. */
static int check_may_end(struct platform *platform, struct http_req *req, const char *id,
			 struct err *e)
{
	const struct principal *who = door_principal(req);
	struct tokens tokens = { .tokens = NULL };
	struct user user;
	int r;

	r = user_find(platform->db, http_arena(req), who->user_id, &user, e);
	if (r == 0)
		r = token_list(platform->db, http_arena(req), who->user_id, door_now(platform),
			       &tokens, e);
	for (size_t i = 0; r == 0 && i < tokens.token_count; i++)
		if (strcmp(tokens.tokens[i].id, id) == 0 &&
		    role_of_token(&tokens.tokens[i], &user) > (int)who->role)
			r = err_set(e, ERR_FORBIDDEN,
				    "this token may less than the one it would end");
	return r;
}

static int serve_revoke(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	const char *id = http_param(req, "token");
	int r = check_may_end(ctx, req, id, e);

	if (r == 0)
		r = end_token(ctx, door_principal(req)->user_id, id, e);
	return r < 0 ? r : http_send_nothing(res, 204);
}

const struct http_route platform_session_routes[] = {
	{ "POST", "/api/v1/sessions", serve_login, HTTP_OPEN, 0 },
	{ "DELETE", "/api/v1/sessions", serve_logout, 0, ACCESS_USER },
	{ "GET", "/api/v1/me", serve_me, 0, ACCESS_AGENT },
	{ "GET", "/api/v1/me/tokens", serve_tokens, 0, ACCESS_USER },
	{ "POST", "/api/v1/me/tokens", serve_new_token, 0, ACCESS_USER },
	{ "DELETE", "/api/v1/me/tokens/{token}", serve_revoke, 0, ACCESS_USER },
	{ .method = NULL },
};
