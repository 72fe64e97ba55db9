/*
 * The platform's parts, as its doors see them. main.c makes and ends them.
 */
#ifndef PLATFORM_PLATFORM_H
#define PLATFORM_PLATFORM_H

#include "base/secret.h"
#include "http/serve.h"

#include <stdatomic.h>
#include <stdbool.h>

struct challenges;
struct clock;
struct db;
struct keyring;
struct nodes;
struct platform_options;
struct scoreboards;
struct settler;

struct platform {
	const struct platform_options *options;
	const struct clock *clock;
	struct db *db;
	struct keyring *keyring;
	struct challenges *challenges;
	struct scoreboards *boards;
	struct settler *settler;
	struct nodes *nodes;
	char join_secret_hash[SECRET_HASH_SIZE];
	bool registration_open;
	atomic_int waiters; /* requests that wait for an instance */
	atomic_bool ending; /* nothing new is started */
};

/* For http_server_options: every route of the platform, and who may take it. */
extern const struct http_route *const platform_route_tables[];
int platform_authorize(void *ctx, struct http_req *req, const struct http_route *route,
		       struct err *e);

extern const struct http_route platform_user_routes[];
extern const struct http_route platform_team_routes[];
extern const struct http_route platform_competition_routes[];
extern const struct http_route platform_challenge_routes[];
extern const struct http_route platform_instance_routes[];
extern const struct http_route platform_attachment_routes[];
extern const struct http_route platform_submission_routes[];
extern const struct http_route platform_node_routes[];

#endif
