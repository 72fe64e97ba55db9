/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/door.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "platform/options.h"
#include "platform/programme.h"
#include "platform/progress.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* clang-format off */
const struct http_route *const platform_route_tables[] = {
	platform_session_routes,
	platform_oidc_routes,
	platform_user_routes,
	platform_team_routes,
	platform_bulk_routes,
	platform_competition_routes,
	platform_challenge_routes,
	platform_instance_routes,
	platform_attachment_routes,
	platform_submission_routes,
	platform_review_routes,
	platform_node_routes,
	platform_check_routes,
	platform_relay_routes,
	platform_archive_routes,
	platform_metrics_routes,
	platform_audit_routes,
	platform_openapi_routes,
	platform_events_routes,
	platform_web_routes,
	NULL,
};
/* clang-format on */

enum { IDEMPOTENCY_KEY_MAX = 128 };

/* The token of a request, and whether a browser sent it by itself. */
static const char *find_token(struct http_req *req, bool *ret_by_cookie)
{
	const char *bearer = http_bearer(req);

	*ret_by_cookie = !bearer;
	return bearer ? bearer : door_cookie(req, SESSION_COOKIE);
}

bool door_has_token(struct http_req *req)
{
	bool by_cookie;

	return find_token(req, &by_cookie) != NULL;
}

static bool is_own_origin(const struct http_req *req, const char *origin)
{
	const char *host = strstr(origin, "://"), *own = http_host(req);

	return host && own && strcasecmp(host + strlen("://"), own) == 0;
}

/*
 * The cookie goes along from pages of every port of this host, challenges included. What such a
 * page opens, as an image or a WebSocket, is none of ours: browsers say so.
 */
static int check_origin(const struct http_req *req, struct err *e)
{
	const char *origin = http_header(req, "Origin"), *site = http_header(req, "Sec-Fetch-Site");

	if (origin && !is_own_origin(req, origin))
		return err_set(e, ERR_FORBIDDEN, "pages of '%s' may not call with a session cookie",
			       origin);
	if (site && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0)
		return err_set(e, ERR_FORBIDDEN,
			       "pages of another origin may not call with a session cookie");
	return 0;
}

/*
 * A browser sends its cookie along with whatever another site makes it ask for, and to every
 * service of this host, whatever its port: to change something takes a word that only our own pages
 * know. Who says one while reading wants to know whether it is right.
 */
static int check_csrf(const struct http_req *req, const struct principal *principal, struct err *e)
{
	const char *word = http_header(req, "X-CSRF-Token");
	char hash[SECRET_HASH_SIZE];

	if (!word && door_is_reading(http_method(req)))
		return 0;
	if (word)
		secret_hash(word, hash);
	if (!word || !principal->csrf_hash || !secret_equal(hash, principal->csrf_hash))
		return err_set(
			e, ERR_FORBIDDEN,
			"with a session cookie this call needs X-CSRF-Token, as told at login");
	return 0;
}

int door_identify(struct platform *platform, struct http_req *req, struct principal *ret_principal,
		  struct err *e)
{
	bool by_cookie;
	const char *token = find_token(req, &by_cookie);
	int r;

	if (!token)
		return err_set(e, ERR_UNAUTHORIZED, "this call needs Authorization: Bearer TOKEN");
	r = keyring_find(platform->keyring, http_arena(req), token, door_now(platform),
			 ret_principal, e);
	if (r == 0 && by_cookie)
		r = check_origin(req, e);
	if (r == 0 && by_cookie)
		r = check_csrf(req, ret_principal, e);
	if (r == 0)
		http_set_owner(req, ret_principal->user_id, ret_principal->token_id);
	return r;
}

/* On a listening thread: from memory only. What no route serves is told to anybody. */
int platform_authorize(void *ctx, struct http_req *req, const struct http_route *route,
		       struct err *e)
{
	struct principal *principal;
	int r;

	if (!route)
		return 0;
	principal = arena_alloc(http_arena(req), sizeof(*principal));
	if (!principal)
		return err_memory(e);
	r = door_identify(ctx, req, principal, e);
	if (r == 0)
		r = access_check(principal, (enum access)route->access, http_param(req, "id"), e);
	if (r < 0)
		return r;
	http_set_user(req, principal);
	return 0;
}

bool door_is_reading(const char *method)
{
	return strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
}

const char *door_cookie(struct http_req *req, const char *name)
{
	const char *at = http_header(req, "Cookie");
	size_t len = strlen(name);

	while (at && *at) {
		at += strspn(at, " ;");
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return arena_strndup(http_arena(req), at + len + 1,
					     strcspn(at + len + 1, "; "));
		at = strchr(at, ';');
	}
	return NULL;
}

int64_t door_now(const struct platform *platform)
{
	return clock_now_ms(platform->clock);
}

const struct principal *door_principal(const struct http_req *req)
{
	return http_user(req);
}

bool door_is_organiser(const struct http_req *req)
{
	return door_principal(req)->role >= ROLE_ORGANISER;
}

int door_competition(const struct platform *platform, struct http_req *req,
		     struct competition *ret_competition, struct err *e)
{
	const struct principal *who = door_principal(req);
	const char *id =
		who && who->agent ? who->agent->competition_id : http_query(req, "competition");
	const struct competition *found;
	int r;

	r = id ? programme_find(platform->programme, id, &found, e)
	       : programme_current(platform->programme, door_now(platform), &found, e);
	if (r == 0)
		*ret_competition = *found;
	return r;
}

int door_check_board(struct platform *platform, struct http_req *req,
		     const struct competition *competition, struct err *e)
{
	struct principal who;
	int r;

	if (strcmp(competition->scoreboard, "public") == 0)
		return 0;
	r = door_identify(platform, req, &who, e);
	if (r == 0)
		r = access_check(&who, ACCESS_USER, NULL, e);
	if (r < 0)
		return r;
	if (strcmp(competition->scoreboard, "organisers") == 0 && who.role < ROLE_ORGANISER)
		return err_set(e, ERR_FORBIDDEN, "the scoreboard of '%s' is not shown",
			       competition->name);
	return 0;
}

int door_team(const struct platform *platform, struct http_req *req,
	      const struct competition *competition, struct team *ret_team, struct err *e)
{
	const struct principal *who = door_principal(req);
	int r;

	r = team_of(platform->db, http_arena(req), competition->id, who->user_id, ret_team, e);
	if (r == 0 && who->agent && strcmp(who->agent->team_id, ret_team->id) != 0)
		return err_set(e, ERR_FORBIDDEN,
			       "this token's instance is of a team that its account has left");
	return r;
}

int door_check_instance(const struct http_req *req, const char *instance_id, struct err *e)
{
	const struct agent *agent = door_principal(req)->agent;

	if (!agent || strcmp(agent->instance_id, instance_id) == 0)
		return 0;
	return err_set(e, ERR_NOT_FOUND, "the instance '%s' of this token is not there any more",
		       agent->instance_id);
}

int door_idempotency_key(const struct http_req *req, const char **ret_key, struct err *e)
{
	const char *key = http_header(req, "Idempotency-Key");
	size_t len = key ? strlen(key) : 0;

	*ret_key = key;
	if (!key)
		return 0;
	for (size_t i = 0; i < len; i++)
		if (key[i] < ' ' || key[i] > '~')
			len = 0;
	if (len < 1 || len > IDEMPOTENCY_KEY_MAX)
		return err_set(e, ERR_VALIDATION,
			       "an Idempotency-Key has 1 to %d printable characters of ASCII",
			       IDEMPOTENCY_KEY_MAX);
	return 0;
}

bool door_shows(const struct competition *competition, const struct challenge *challenge)
{
	return !challenge->hidden && competition_has(competition, challenge->id);
}

int door_check_begun(const struct platform *platform, const struct http_req *req,
		     const struct competition *competition, struct err *e)
{
	int64_t now = door_now(platform);

	if (door_is_organiser(req) || competition_phase(competition, now) != COMPETITION_BEFORE)
		return 0;
	return competition_check_running(competition, now, e);
}

/* The competition's word goes before the challenge's own. */
static bool is_open_yet(const struct competition *competition, const struct challenge *challenge,
			int64_t now)
{
	const struct competition_challenge *own = competition_challenge(competition, challenge->id);

	return (own && own->opens_at ? own->opens_at : challenge->opens_at) <= now;
}

bool door_sees(const struct platform *platform, const struct http_req *req,
	       const struct competition *competition, const struct challenge *challenge)
{
	return door_shows(competition, challenge) &&
	       (door_is_organiser(req) || is_open_yet(competition, challenge, door_now(platform)));
}

static int find_challenge(const struct platform *platform, struct http_req *req,
			  struct entry *entry, struct err *e)
{
	const char *id = http_param(req, "id");
	const struct challenge *found;

	entry->shelf = challenges_take(platform->challenges);
	found = shelf_find(entry->shelf, id);
	if (!found || !door_sees(platform, req, &entry->competition, found))
		return err_set(e, ERR_NOT_FOUND, "there is no challenge '%s'", id);
	return competition_adapt(&entry->competition, http_arena(req), found, &entry->challenge, e);
}

int door_enter(const struct platform *platform, struct http_req *req, struct entry *ret_entry,
	       struct err *e)
{
	int r;

	r = door_competition(platform, req, &ret_entry->competition, e);
	if (r == 0)
		r = door_check_begun(platform, req, &ret_entry->competition, e);
	if (r == 0)
		r = find_challenge(platform, req, ret_entry, e);
	return r;
}

int door_enter_playing(const struct platform *platform, struct http_req *req,
		       struct entry *ret_entry, struct err *e)
{
	int r;

	r = door_enter(platform, req, ret_entry, e);
	return r < 0 ? r : door_team(platform, req, &ret_entry->competition, &ret_entry->team, e);
}

static int check_not_closed(const struct platform *platform, const struct entry *entry,
			    struct err *e)
{
	const struct competition_challenge *own =
		competition_challenge(&entry->competition, entry->challenge->id);
	int64_t now = door_now(platform);
	char when[CLOCK_TEXT_SIZE];

	if (!own || !own->closes_at || now < own->closes_at ||
	    competition_is_practice(&entry->competition, now))
		return 0;
	return err_set(e, ERR_FORBIDDEN, "'%s' closed at %s: its points stay",
		       entry->challenge->name, clock_format(own->closes_at, when));
}

int door_check_required(const struct platform *platform, struct http_req *req,
			const struct entry *entry, struct err *e)
{
	struct progress progress;
	const struct challenge *missing;
	int r;

	if (entry->challenge->require_count == 0 || door_is_organiser(req))
		return 0;
	r = progress_read(platform->db, http_arena(req), entry->team.id, &progress, e);
	if (r < 0)
		return r;
	missing = progress_missing(&progress, entry->shelf, &entry->competition, entry->challenge);
	return missing ? err_set(e, ERR_FORBIDDEN, "'%s' opens when your team has solved '%s'",
				 entry->challenge->name, missing->name)
		       : 0;
}

int door_check_open(const struct platform *platform, struct http_req *req,
		    const struct entry *entry, struct err *e)
{
	int r;

	r = competition_check_running(&entry->competition, door_now(platform), e);
	if (r == 0)
		r = check_not_closed(platform, entry, e);
	if (r == 0)
		r = door_check_required(platform, req, entry, e);
	return r;
}

void door_leave(struct entry *entry)
{
	shelf_drop(entry->shelf);
}
