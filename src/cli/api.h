/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform's API, as the commands call it: JSON there and back.
 *
 * Where to call and as whom comes from options, the environment (CTFY_URL, CTFY_TOKEN) or the saved
 * login, in this order. A saved token is only ever sent where it was given out.
 */
#ifndef CLI_API_H
#define CLI_API_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct api;
struct buf;
struct cli_common;
struct err;

int api_open(const struct cli_common *common, struct api **ret_api, struct err *e);
void api_close(struct api *api);

const char *api_url(const struct api *api);
bool api_has_token(const struct api *api);

/* What one call wants besides method, path and body. */
struct api_call {
	const char *method;
	const char *path;         /* below /api/v1, with its query */
	const json_t *body;       /* NULL: none */
	const char *text;         /* a body that is no JSON; NULL: none */
	const struct buf *parcel; /* a body of bytes, a tar by gzip; NULL: none */
	int wait_s;               /* how long the platform may wait for the end of it */
	int *ret_status;          /* NULL: not asked */
	json_t **ret_json;        /* the caller's; NULL: not asked; JSON null for no body */
	bool exact; /* its texts as they are, for they name things; else fit for a terminal, but
		       with --json */
};

/*
 * Fails with CONNECT, TIMEOUT, TLS or TRANSPORT, and with the platform's own words: UNAUTHORIZED
 * for 401, NOT_FOUND for 404, CONFLICT for 409, FORBIDDEN for 403, else INVALID.
 */
int api_do(struct api *api, const struct api_call *call, struct err *e);

/* GET. */
int api_get(struct api *api, const char *path, json_t **ret_json, struct err *e);

/*
 * GET of a list that comes in pages, all of it: ret_json is the first page with every other one's
 * rows behind its own, and no cursor.
 */
int api_get_all(struct api *api, const char *path, json_t **ret_json, struct err *e);

/* Receives a part of an answer. A failure ends the call with that error. */
typedef int api_sink(void *cookie, const void *bytes, size_t len, struct err *e);

/* Of the call method, path and body count. An answer that may take as long as it likes. */
int api_stream(struct api *api, const struct api_call *call, api_sink *sink, void *cookie,
	       struct err *e);

struct terminal;

/* A shell, at that path. Fails as api_do(). The terminal ends before the api. */
int api_open_terminal(struct api *api, const char *path, struct terminal **ret_terminal,
		      struct err *e);

/* The body to a file, made or replaced. */
int api_download(struct api *api, const char *path, const char *to, struct err *e);

/*
 * "/challenges/ID/instance" and the like: format with every %s percent-encoded, and
 * ?competition= added where one is chosen. The caller's; NULL when out of memory.
 */
char *api_path(const struct api *api, const char *format, ...);

/* Saves where and as whom we are logged in, 0600; token NULL forgets it. */
int api_save_login(const struct api *api, const char *user, const char *token, struct err *e);

#endif
