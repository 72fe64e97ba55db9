/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/api.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "base/plain.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "http/call.h"
#include "http/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>

static const char default_url[] = "http://127.0.0.1:8000";

enum { CALL_TIMEOUT_S = 60, CONFIG_MAX = 64 << 10, PAGE_ROWS = 1000 };

struct api {
	struct http_client *client;
	char *url;
	char *competition;
	bool has_token;
	bool exact; /* what is answered goes to a program */
};

/* The saved login */

static int config_path(char path[PATH_MAX], struct err *e)
{
	const char *base = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	int len;

	if (base && *base)
		len = snprintf(path, PATH_MAX, "%s/ctfy/config", base);
	else if (home && *home)
		len = snprintf(path, PATH_MAX, "%s/.config/ctfy/config", home);
	else
		return err_set(e, ERR_INVALID,
			       "neither HOME nor XDG_CONFIG_HOME says where to keep the login");
	return len < PATH_MAX ? 0 : err_set(e, ERR_INVALID, "HOME is too long a path");
}

/* {url, user, token}; empty where nobody is logged in. */
static int read_config(json_t **ret_config, struct err *e)
{
	AUTO(char *, freep) text = NULL;
	char path[PATH_MAX];
	json_error_t why;
	int r;

	if (config_path(path, NULL) < 0 || !file_exists(path)) {
		*ret_config = json_object();
		return 0;
	}
	r = file_read(path, CONFIG_MAX, &text, NULL, e);
	if (r < 0)
		return r;
	*ret_config = json_loads(text, 0, &why);
	if (!json_is_object(*ret_config)) {
		json_decref(*ret_config);
		return err_set(e, ERR_INVALID,
			       "'%s' can't be read (%s): remove it and log in again", path,
			       why.text);
	}
	return 0;
}

int api_save_login(const struct api *api, const char *user, const char *token, struct err *e)
{
	AUTO(json_t *, json_decrefp) config =
		json_make("{s:s, s:s*, s:s*}", "url", api->url, "user", token ? user : NULL,
			  "token", token);
	AUTO(char *, freep) text = json_dumps(config, JSON_INDENT(2));
	char path[PATH_MAX], dir[PATH_MAX];
	int r;

	if (!text)
		return err_memory(e);
	r = config_path(path, e);
	if (r < 0)
		return r;
	memcpy(dir, path, sizeof(dir));
	*strrchr(dir, '/') = '\0';
	r = dir_make(dir, 0700, e);
	return r < 0 ? r : file_write(path, text, strlen(text), 0600, e);
}

/* Where and as whom */

static const char *saved(const json_t *config, const char *key)
{
	return json_string_value(json_object_get(config, key));
}

static const char *choose_url(const struct cli_common *common, const json_t *config)
{
	const char *environment = getenv("CTFY_URL");

	if (common->url)
		return common->url;
	if (environment && *environment)
		return environment;
	return saved(config, "url") ? saved(config, "url") : default_url;
}

/* The token's memory is the caller's. NULL: none. */
static int choose_token(const struct cli_common *common, const json_t *config, const char *url,
			char **ret_token, struct err *e)
{
	const char *token = getenv("CTFY_TOKEN");

	if (common->token_file)
		return secret_read_file(common->token_file, ret_token, e);
	if (!token || !*token) {
		bool same = saved(config, "url") && strcmp(saved(config, "url"), url) == 0;

		token = same ? saved(config, "token") : NULL;
	}
	*ret_token = token ? strdup(token) : NULL;
	return token && !*ret_token ? err_memory(e) : 0;
}

/* As it is written, but for slashes at its end: "http://host/" is "http://host". */
static char *clean_url(const char *url)
{
	size_t len = strlen(url);

	while (len > 0 && url[len - 1] == '/')
		len--;
	return strndup(url, len);
}

static int connect_as(struct api *api, const struct cli_common *common, const json_t *config,
		      struct err *e)
{
	AUTO(char *, freep) token = NULL;
	struct http_client_options options = { .role = "platform", .ca_file = common->ca_file };
	int r;

	r = choose_token(common, config, api->url, &token, e);
	if (r < 0)
		return r;
	options.base_url = api->url;
	options.bearer = token;
	api->has_token = token != NULL;
	return http_client_new(&options, &api->client, e);
}

int api_open(const struct cli_common *common, struct api **ret_api, struct err *e)
{
	AUTO(json_t *, json_decrefp) config = NULL;
	struct api *api;
	int r;

	r = read_config(&config, e);
	if (r < 0)
		return r;
	api = calloc(1, sizeof(*api));
	if (!api)
		return err_memory(e);
	api->url = clean_url(choose_url(common, config));
	api->exact = common->json;
	api->competition = common->competition ? strdup(common->competition) : NULL;
	r = api->url && (!common->competition || api->competition)
		    ? connect_as(api, common, config, e)
		    : err_memory(e);
	if (r < 0) {
		api_close(api);
		return r;
	}
	*ret_api = api;
	return 0;
}

void api_close(struct api *api)
{
	if (!api)
		return;
	http_client_free(api->client);
	free(api->url);
	free(api->competition);
	free(api);
}

const char *api_url(const struct api *api)
{
	return api->url;
}

bool api_has_token(const struct api *api)
{
	return api->has_token;
}

/* Calls */

static enum err_code code_of(int status)
{
	switch (status) {
	case 401: return ERR_UNAUTHORIZED;
	case 403: return ERR_FORBIDDEN;
	case 404: return ERR_NOT_FOUND;
	case 409: return ERR_CONFLICT;
	default: return ERR_INVALID;
	}
}

/* "ttl: field required" of ["body", "ttl"]. */
static void describe_field(struct buf *words, const json_t *fault)
{
	const json_t *loc = json_object_get(fault, "loc");

	for (size_t i = 1; i < json_array_size(loc); i++) {
		const char *name = json_string_value(json_array_get(loc, i));

		buf_printf(words, "%s%s", i > 1 ? "." : "", name ? name : "?");
	}
	buf_printf(words, "%s%s", words->len ? ": " : "",
		   json_string_value(json_object_get(fault, "msg")));
}

/* The platform's own words, whatever shape they have. */
static int refused(int status, const struct buf *body, struct err *e)
{
	AUTO(json_t *, json_decrefp) json = json_loadb(body->data, body->len, 0, NULL);
	const json_t *detail = json_object_get(json, "detail");
	const json_t *first = json_array_get(detail, 0);
	struct buf words = BUF_INIT;
	int r;

	if (json_is_string(detail))
		buf_puts(&words, json_string_value(detail));
	else if (json_is_string(json_object_get(first, "msg")))
		describe_field(&words, first);
	else
		buf_printf(&words, "the platform answered %d: %.*s", status,
			   (int)(body->len < 200 ? body->len : 200), body->data);
	r = err_set(e, code_of(status), "%s", words.data);
	buf_done(&words);
	return r;
}

/* False: out of memory. */
static bool make_plain(json_t *json)
{
	const char *name;
	json_t *value;
	size_t i;

	if (json_is_string(json)) {
		AUTO(char *, freep) text = plain_text(json_string_value(json), PLAIN_LINES);

		return text && json_string_set(json, text) == 0;
	}
	json_object_foreach (json, name, value)
		if (!make_plain(value))
			return false;
	json_array_foreach (json, i, value)
		if (!make_plain(value))
			return false;
	return true;
}

static int read_json(const struct buf *body, bool exact, json_t **ret_json, struct err *e)
{
	json_error_t why;

	if (body->len == 0) {
		*ret_json = json_null();
		return 0;
	}
	*ret_json = json_loadb(body->data, body->len, 0, &why);
	if (!*ret_json)
		return err_set(e, ERR_PROTOCOL, "the platform's answer is no JSON: %s", why.text);
	return exact || make_plain(*ret_json) ? 0 : err_memory(e);
}

int api_do(struct api *api, const struct api_call *call, struct err *e)
{
	AUTO(char *, freep) body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
	AUTO(char *, freep) path = strf("/api/v1%s", call->path);
	struct http_reply reply = HTTP_REPLY_INIT;
	char prefer[64];
	const char *headers[] = { NULL, NULL };
	const char *text = body ? body : call->text;
	const struct buf *parcel = call->parcel;
	struct http_call request = {
		.method = call->method,
		.path = path,
		.headers = headers,
		.content_type = body     ? NULL
				: parcel ? "application/gzip"
					 : "text/plain",
		.body = parcel ? parcel->data : text,
		.body_len = parcel ? parcel->len
			    : text ? strlen(text)
				   : 0,
		.timeout_ms = 1000 * (CALL_TIMEOUT_S + call->wait_s),
	};
	int r;

	if (!path || (call->body && !body))
		return err_memory(e);
	if (call->wait_s > 0) {
		snprintf(prefer, sizeof(prefer), "Prefer: wait=%d", call->wait_s);
		headers[0] = prefer;
	}
	r = http_call(api->client, &request, &reply, e);
	if (r == 0 && call->ret_status)
		*call->ret_status = reply.status;
	if (r == 0 && reply.status >= 300)
		r = refused(reply.status, &reply.body, e);
	else if (r == 0 && call->ret_json)
		r = read_json(&reply.body, api->exact || call->exact, call->ret_json, e);
	http_reply_done(&reply);
	return r;
}

int api_get(struct api *api, const char *path, json_t **ret_json, struct err *e)
{
	const struct api_call call = { .method = "GET", .path = path, .ret_json = ret_json };

	return path ? api_do(api, &call, e) : err_memory(e);
}

/* What a page adds to lists of the same names. */
static int append_rows(json_t *all, const json_t *page, struct err *e)
{
	const char *name;
	json_t *rows;

	json_object_foreach ((json_t *)(uintptr_t)page, name, rows)
		if (json_is_array(rows) && json_array_extend(json_object_get(all, name), rows) < 0)
			return err_memory(e);
	return 0;
}

static char *page_path(const char *path, const char *cursor)
{
	return strf("%s%climit=%d&cursor=%s", path, strchr(path, '?') ? '&' : '?', PAGE_ROWS,
		    cursor);
}

int api_get_all(struct api *api, const char *path, json_t **ret_json, struct err *e)
{
	AUTO(json_t *, json_decrefp) all = NULL;
	int r = api_get(api, path, &all, e);

	while (r == 0 && json_is_string(json_object_get(all, "next_cursor"))) {
		const char *cursor = json_string_value(json_object_get(all, "next_cursor"));
		AUTO(char *, freep) next = page_path(path, cursor);
		AUTO(json_t *, json_decrefp) page = NULL;

		r = api_get(api, next, &page, e);
		if (r == 0)
			r = append_rows(all, page, e);
		if (r == 0)
			json_object_set(all, "next_cursor", json_object_get(page, "next_cursor"));
	}
	if (r < 0)
		return r;
	json_object_del(all, "next_cursor");
	*ret_json = TAKE(all);
	return 0;
}

static int stream(struct api *api, const struct api_call *call, api_sink *sink, void *cookie,
		  int64_t idle_timeout_ms, struct err *e)
{
	AUTO(char *, freep) body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
	AUTO(char *, freep) path = strf("/api/v1%s", call->path);
	struct http_reply reply = HTTP_REPLY_INIT;
	const struct http_call request = { .method = call->method,
					   .path = path,
					   .body = body,
					   .body_len = body ? strlen(body) : 0,
					   .sink = sink,
					   .sink_cookie = cookie,
					   .idle_timeout_ms = idle_timeout_ms,
					   .max_body = UINT64_MAX };
	int r;

	if (!path || (call->body && !body))
		return err_memory(e);
	r = http_call(api->client, &request, &reply, e);
	if (r == 0 && reply.status >= 300)
		r = refused(reply.status, &reply.body, e);
	http_reply_done(&reply);
	return r;
}

int api_stream(struct api *api, const struct api_call *call, api_sink *sink, void *cookie,
	       struct err *e)
{
	return stream(api, call, sink, cookie, 0, e);
}

int api_open_terminal(struct api *api, const char *path, struct terminal **ret_terminal,
		      struct err *e)
{
	AUTO(char *, freep) full = strf("/api/v1%s", path);
	struct http_reply reply = HTTP_REPLY_INIT;
	const struct http_call request = { .path = full, .timeout_ms = 1000 * CALL_TIMEOUT_S };
	int r = full ? terminal_open(api->client, &request, ret_terminal, &reply, e)
		     : err_memory(e);

	if (r == -ERR_PROTOCOL && reply.status >= 300)
		r = refused(reply.status, &reply.body, e);
	http_reply_done(&reply);
	return r;
}

/* Downloads */

static int write_part(void *cookie, const void *bytes, size_t len, struct err *e)
{
	FILE *file = cookie;

	return fwrite(bytes, 1, len, file) == len ? 0 : err_errno(e, ERR_ABORTED, "write");
}

static int fetch_into(struct api *api, const char *path, FILE *file, struct err *e)
{
	const struct api_call call = { .method = "GET", .path = path };

	return stream(api, &call, write_part, file, 1000 * CALL_TIMEOUT_S, e);
}

/* Beside it first: what was there stays until the new one is whole. */
int api_download(struct api *api, const char *path, const char *to, struct err *e)
{
	AUTO(char *, freep) beside = strf("%s.part", to);
	FILE *file;
	int r;

	if (!path || !beside)
		return err_memory(e);
	file = fopen(beside, "wbe");
	if (!file)
		return err_errno(e, ERR_INVALID, "write '%s'", beside);
	r = fetch_into(api, path, file, e);
	if (fclose(file) != 0 && r == 0)
		r = err_errno(e, ERR_INVALID, "write '%s'", beside);
	if (r == 0 && rename(beside, to) < 0)
		r = err_errno(e, ERR_INVALID, "write '%s'", to);
	if (r < 0)
		unlink(beside);
	return r;
}

/* Paths */

char *api_path(const struct api *api, const char *format, ...)
{
	struct buf path = BUF_INIT;
	va_list ap;

	va_start(ap, format);
	for (; *format; format++) {
		if (format[0] == '%' && format[1] == 's') {
			http_escape(&path, va_arg(ap, const char *));
			format++;
		} else {
			buf_putc(&path, *format);
		}
	}
	va_end(ap);
	if (api->competition) {
		buf_puts(&path, strchr(path.data, '?') ? "&competition=" : "?competition=");
		http_escape(&path, api->competition);
	}
	return buf_take(&path);
}
