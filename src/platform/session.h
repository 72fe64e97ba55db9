/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Coming in: passwords, and a browser's session, however it came in.
 */
#ifndef PLATFORM_SESSION_H
#define PLATFORM_SESSION_H

#include "base/secret.h"

#include <jansson.h>

struct err;
struct http_req;
struct http_res;
struct platform;
struct user;

/*
 * The account of this name, to whoever knows its password. Who guesses has to wait: fails with
 * RATE_LIMITED, and with UNAUTHORIZED alike for a wrong name and a wrong password.
 */
int session_check_password(struct platform *platform, struct http_req *req, struct http_res *res,
			   const char *name, const char *password, struct user *ret_user,
			   struct err *e);

/*
 * Begins one: its cookie goes with the answer to come, and csrf is the word that the browser's
 * pages say beside it. ret_json is what is told of it otherwise, the caller's.
 */
int session_begin(struct platform *platform, struct http_req *req, struct http_res *res,
		  const char *user_id, char csrf[SECRET_TOKEN_SIZE], json_t **ret_json,
		  struct err *e);

#endif
