#include "base/err.h"
#include "platform/door.h"
#include "platform/page.h"
#include "platform/session.h"

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

static int serve_register(void *ctx, struct http_req *req, struct http_res *res, struct err *e)
{
	struct platform *platform = ctx;
	struct credentials body = { .name = NULL };
	struct user user;
	int r;

	r = http_read(req, credentials_fields, &body, e);
	if (r == 0 && !platform->registration_open)
		r = err_set(e, ERR_FORBIDDEN, "registration is closed: ask an organiser");
	if (r == 0)
		r = user_create(platform->db, http_arena(req), door_now(platform), body.name,
				body.password, ROLE_PLAYER, &user, e);
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
		r = user_set_password(platform->db, user.id, body->password, who->token_id, e);
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
	bool disabled = user->disabled;
	enum role role;
	int r;

	if (!role_parse(change->role ? change->role : user->role, &role))
		return http_refuse_field(req, "role", "value_error",
					 "player, organiser or admin expected", e);
	if (change->disabled && !json_is_boolean(change->disabled))
		return http_refuse_field(req, "disabled", "type_error.bool",
					 "value could not be parsed to a boolean", e);
	if (change->disabled)
		disabled = json_is_true(change->disabled);
	r = user_set_role(platform->db, user->id, role, disabled, e);
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
