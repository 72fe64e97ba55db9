/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform's parts, as its doors see them. main.c makes and ends them.
 */
#ifndef PLATFORM_PLATFORM_H
#define PLATFORM_PLATFORM_H

#include "base/secret.h"
#include "http/serve.h"
#include "platform/openapi.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>

struct archives;
struct board;
struct challenges;
struct clock;
struct steady_clock;
struct competition;
struct db;
struct events;
struct instance;
struct keyring;
struct limiter;
struct meter;
struct nodes;
struct oidc;
struct platform_options;
struct programme;
struct s3;
struct scoreboards;
struct settler;
struct turns;

struct platform {
	const struct platform_options *options;
	const struct clock *clock; /* of the steady one */
	struct steady_clock *steady;
	int state_claim; /* base/claim.h; -1: none */
	struct db *db;
	struct keyring *keyring;
	struct limiter *limiter;
	struct turns *turns;
	struct oidc *oidc; /* NULL: nobody logs in with a provider */
	struct challenges *challenges;
	struct programme *programme;
	struct scoreboards *boards;
	struct openapi openapi;
	struct events *events;
	char archive_dir[PATH_MAX];
	struct s3 *archive_s3; /* NULL: archives stay on our disk */
	struct archives *archives;
	struct meter *meter;
	struct settler *settler;
	struct nodes *nodes;
	struct http_server *server; /* NULL: it doesn't listen yet */
	char join_secret_hash[SECRET_HASH_SIZE];
	bool registration_open;
	atomic_int waiters; /* requests that wait for an instance */
	atomic_bool ending; /* nothing new is started */
};

/* For http_server_options: every route of the platform, who may take it, what is written of it. */
extern const struct http_route *const platform_route_tables[];
int platform_authorize(void *ctx, struct http_req *req, const struct http_route *route,
		       struct err *e);

int platform_run(void *ctx, const struct http_route *route, struct http_req *req,
		 struct http_res *res, struct err *e);

/* For scoreboards_options: tells those who listen. cookie is the platform. */
void platform_board_changed(void *cookie, const struct competition *competition,
			    const struct board *old, const struct board *new);

/* For settler_options: tells the team. cookie is the platform. */
void platform_instance_replaced(void *cookie, const struct instance *instance);
void platform_instance_nearing_end(void *cookie, const struct instance *instance);

extern const struct http_route platform_archive_routes[];
extern const struct http_route platform_audit_routes[];
extern const struct http_route platform_metrics_routes[];
extern const struct http_route platform_bulk_routes[];
extern const struct http_route platform_events_routes[];
extern const struct http_route platform_openapi_routes[];
extern const struct http_route platform_review_routes[];
extern const struct http_route platform_session_routes[];
extern const struct http_route platform_oidc_routes[];
extern const struct http_route platform_user_routes[];
extern const struct http_route platform_team_routes[];
extern const struct http_route platform_competition_routes[];
extern const struct http_route platform_challenge_routes[];
extern const struct http_route platform_instance_routes[];
extern const struct http_route platform_attachment_routes[];
extern const struct http_route platform_submission_routes[];
extern const struct http_route platform_node_routes[];
extern const struct http_route platform_check_routes[];
extern const struct http_route platform_relay_routes[];
extern const struct http_route platform_web_routes[];

#endif
