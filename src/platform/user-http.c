/* SPDX-License-Identifier: Apache-2.0 */
#include "base/arena.h"
#include "base/err.h"
#include "platform/door.h"
#include "platform/limit.h"
#include "platform/page.h"
#include "platform/session.h"
#include "platform/turn.h"

#include <string.h>

struct credentials {
	char *name;
	char *password;
};

static const struct field credentials_fields[] = {
	FIELD(struct credentials, STRING, name, FIELD_REQUIRED),
	FIELD(struct credentials, STRING, password, FIELD_REQUIRED),
	FIELDS_END,
};

/* Of one address: a hall registers at once, a program goes on. */
static const struct rate registrations = { .burst = 300, .period_ms = 3000 };

static int check_registrations(struct platform *platform, struct http_req *req,
			       struct http_res *res, struct err *e)
{
	const char *key = arena_printf(http_arena(req), "register %s", http_peer_key(req));
	int64_t wait;

	if (!platform->registration_open)
		return err_set(e, ERR_FORBIDDEN, "registration is closed: ask an organiser");
	if (!key)
		return err_memory(e);
	wait = limiter_take(platform->limiter, key, &registrations, door_now(platform));
	if (wait == 0)
		return 0;
	http_set_retry_after(res, (unsigned)((wait + 999) / 1000));
	return err_set(e, ERR_RATE_LIMITED,
		       "too many accounts were made from your address: try again in a moment");
}

static int create_in_turn(struct platform *platform, struct http_req *req, struct http_res *res,
			  const struct credentials *body, struct user *ret_user, struct err *e)
{
	int r = turn_take(platform->turns, http_peer_key(req), body->name, false, e);

	if (r == -ERR_UNAVAILABLE)
		http_set_retry_after(res, 1);
	if (r < 0)
		return r;
	r = user_register(platform->db, http_arena(req), door_now(platform), body->name,
			  body->password, ret_user, e);
	turn_end(platform->turns);
	return r;
}

static int serve_register(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct credentials body = { .name = NULL };
	struct user user;
	int r;

	r = http_read(req, credentials_fields, &body, e);
	if (r == 0)
		r = check_registrations(platform, req, res, e);
	if (r == 0)
		r = create_in_turn(platform, req, res, &body, &user, e);
	fields_done(credentials_fields, &body);
	return r < 0 ? r : http_send(res, 201, user_fields, &user);
}

struct password_change {
	char *old_password;
	char *password;
};

static const struct field password_change_fields[] = {
	FIELD(struct password_change, STRING, old_password, FIELD_REQUIRED),
	FIELD(struct password_change, STRING, password, FIELD_REQUIRED),
	FIELDS_END,
};

static int change_password(struct platform *platform, struct http_req *req, struct http_res *res,
			   const struct password_change *body, struct err *e)
{
	const struct principal *who = door_principal(req);
	struct user user;
	int r;

	r = user_find(platform->db, http_arena(req), who->user_id, &user, e);
	if (r == 0)
		r = session_check_password(platform, req, res, user.name, body->old_password, &user,
					   e);
	if (r == -ERR_UNAUTHORIZED)
		return err_set(e, ERR_FORBIDDEN, "the old password is wrong");
	if (r == 0)
		r = turn_take(platform->turns, who->user_id, user.name, false, e);
	if (r < 0)
		return r;
	r = user_set_password(platform->db, user.id, body->password, who->token_id, e);
	turn_end(platform->turns);
	return r < 0 ? r : keyring_refresh_user(platform->keyring, user.id, e);
}

static int serve_password(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct password_change body = { .password = NULL };
	int r;

	r = http_read(req, password_change_fields, &body, e);
	if (r == 0)
		r = change_password(ctx, req, res, &body, e);
	fields_done(password_change_fields, &body);
	return r < 0 ? r : http_send_nothing(res, 204);
}

static int serve_users(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct users users;
	struct page page;
	int r;

	r = page_read(req, &page, e);
	if (r == 0)
		r = user_list(platform->db, http_arena(req), &page, &users, e);
	return r < 0 ? r : http_send(res, 200, users_fields, &users);
}

struct user_change {
	char *role;
	json_t *disabled;
};

static const struct field user_change_fields[] = {
	FIELD(struct user_change, STRING, role, 0),
	FIELD(struct user_change, JSON, disabled, 0),
	FIELDS_END,
};

static int apply_user_change(struct platform *platform, struct http_req *req,
			     const struct user_change *change, struct user *user, struct err *e)
{
	bool disabled = json_is_true(change->disabled);
	enum role role = ROLE_PLAYER;
	const struct user_patch patch = { .role = change->role ? &role : NULL,
					  .disabled = change->disabled ? &disabled : NULL };
	int r;

	if (change->role && !role_parse(change->role, &role))
		return http_refuse_field(req, "role", "value_error",
					 "player, organiser or admin expected", e);
	if (change->disabled && !json_is_boolean(change->disabled))
		return http_refuse_field(req, "disabled", "type_error.bool",
					 "value could not be parsed to a boolean", e);
	r = user_set(platform->db, user->id, &patch, e);
	if (r == 0)
		r = keyring_refresh_user(platform->keyring, user->id, e);
	return r < 0 ? r : user_find(platform->db, http_arena(req), user->id, user, e);
}

static int serve_change_user(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct user_change change = { .role = NULL };
	struct user user;
	int r;

	r = http_read(req, user_change_fields, &change, e);
	if (r == 0)
		r = user_find(platform->db, http_arena(req), http_param(req, "user"), &user, e);
	if (r == 0)
		r = apply_user_change(platform, req, &change, &user, e);
	fields_done(user_change_fields, &change);
	return r < 0 ? r : http_send(res, 200, user_fields, &user);
}

/* An account by an organiser's hand, also while registration is closed. */
static int serve_admin_register(void *ctx, struct http_req *req, struct http_res *res,
				struct err *e)
{
	struct platform *platform = ctx;
	struct credentials body = { .name = NULL };
	struct user user;
	int r;

	r = http_read(req, credentials_fields, &body, e);
	if (r == 0)
		r = user_create(platform->db, http_arena(req), door_now(platform), body.name,
				body.password, ROLE_PLAYER, &user, e);
	fields_done(credentials_fields, &body);
	return r < 0 ? r : http_send(res, 201, user_fields, &user);
}

const struct http_route platform_user_routes[] = {
	{ "POST", "/api/v1/users", serve_register, HTTP_OPEN, 0 },
	{ "PUT", "/api/v1/me/password", serve_password, 0, ACCESS_USER },
	{ "GET", "/api/v1/admin/users", serve_users, 0, ACCESS_ORGANISER },
	{ "POST", "/api/v1/admin/users", serve_admin_register, 0, ACCESS_ORGANISER },
	{ "PATCH", "/api/v1/admin/users/{user}", serve_change_user, 0, ACCESS_ADMIN },
	{ .method = NULL },
};
