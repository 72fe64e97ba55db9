#include "platform/door.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "platform/options.h"

#include <string.h>

const struct http_route *const platform_route_tables[] = {
	platform_user_routes,        platform_team_routes,
	platform_competition_routes, platform_challenge_routes,
	platform_instance_routes,    platform_attachment_routes,
	platform_submission_routes,  platform_node_routes,
	platform_audit_routes,       NULL,
};

/* On a listening thread: from memory only. What no route serves is told to anybody. */
int platform_authorize(void *ctx, struct http_req *req, const struct http_route *route,
		       struct err *e)
{
	struct platform *platform = ctx;
	const char *token = http_bearer(req);
	struct principal *principal;
	int r;

	if (!route)
		return 0;
	if (!token)
		return err_set(e, ERR_UNAUTHORIZED, "this call needs Authorization: Bearer TOKEN");
	principal = arena_alloc(http_arena(req), sizeof(*principal));
	if (!principal)
		return err_memory(e);
	r = keyring_find(platform->keyring, http_arena(req), token, door_now(platform), principal,
			 e);
	if (r == 0)
		r = access_check(principal, (enum access)route->access, e);
	if (r < 0)
		return r;
	http_set_user(req, principal);
	return 0;
}

int64_t door_now(const struct platform *platform)
{
	return clock_now_ms(platform->clock);
}

/* Each proxy adds whom it heard: the last is what our own one says. */
const char *door_peer(const struct platform *platform, const struct http_req *req)
{
	const char *chain = http_header(req, "X-Forwarded-For");
	const char *last;

	if (!platform->options->behind_proxy || !chain || !*chain)
		return http_peer(req);
	last = strrchr(chain, ',');
	last = last ? last + 1 : chain;
	return last + strspn(last, " ");
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
	const char *id = http_query(req, "competition");

	if (id)
		return competition_find(platform->db, http_arena(req), id, ret_competition, e);
	return competition_current(platform->db, http_arena(req), door_now(platform),
				   ret_competition, e);
}

int door_team(const struct platform *platform, struct http_req *req,
	      const struct competition *competition, struct team *ret_team, struct err *e)
{
	return team_of(platform->db, http_arena(req), competition->id, door_principal(req)->user_id,
		       ret_team, e);
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

static int find_challenge(const struct platform *platform, struct http_req *req,
			  struct entry *entry, struct err *e)
{
	const char *id = http_param(req, "id");

	entry->shelf = challenges_take(platform->challenges);
	entry->challenge = shelf_find(entry->shelf, id);
	if (!entry->challenge || !door_shows(&entry->competition, entry->challenge))
		return err_set(e, ERR_NOT_FOUND, "there is no challenge '%s'", id);
	return 0;
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

void door_leave(struct entry *entry)
{
	shelf_drop(entry->shelf);
}
