/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/request.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "engine/client.h"
#include "engine/json.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { SLOWNESS = 5 }; /* how much longer making and ending takes than asking */

void request_begin(struct request *req, struct engine *engine, const char *method, const char *path,
		   ...)
{
	va_list ap;

	*req = (struct request){ .engine = engine, .name = path, .path = BUF_INIT };
	req->call.method = method;
	req->call.timeout_ms = engine->timeout_ms;
	req->call.headers = req->headers;
	if (engine->api[0])
		buf_printf(&req->path, "/v%s", engine->api);

	va_start(ap, path);
	for (; *path; path++) {
		if (path[0] == '%' && path[1] == 's') {
			http_escape(&req->path, va_arg(ap, const char *));
			path++;
		} else {
			buf_putc(&req->path, *path);
		}
	}
	va_end(ap);
}

void request_done(struct request *req)
{
	buf_done(&req->path);
	free(req->body);
	free(req->header);
}

void request_query(struct request *req, const char *name, const char *value)
{
	if (!value)
		return;
	buf_putc(&req->path, strchr(req->path.data, '?') ? '&' : '?');
	buf_printf(&req->path, "%s=", name);
	http_escape(&req->path, value);
}

void request_query_number(struct request *req, const char *name, int64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld", (long long)value);
	request_query(req, name, text);
}

void request_query_time(struct request *req, const char *name, int64_t ms)
{
	char text[32];

	if (ms == 0)
		return;
	snprintf(text, sizeof(text), "%lld.%03lld", (long long)(ms / 1000), (long long)(ms % 1000));
	request_query(req, name, text);
}

void request_query_json(struct request *req, const char *name, const json_t *value)
{
	AUTO(char *, freep) text = NULL;

	if (!value)
		return;
	text = json_dumps(value, JSON_COMPACT);
	if (!text)
		req->out_of_memory = true;
	request_query(req, name, text);
}

void request_query_labels(struct request *req, const char *const *labels)
{
	AUTO(json_t *, json_decrefp) filters = NULL;
	json_t *list;

	if (!labels)
		return;
	list = json_array();
	for (; *labels; labels++)
		if (json_array_append_new(list, json_text(*labels)) < 0)
			req->out_of_memory = true;
	filters = json_make("{s:o}", "label", list);
	if (!filters)
		req->out_of_memory = true;
	request_query_json(req, "filters", filters);
}

void request_body(struct request *req, json_t *body)
{
	req->body = body ? json_dumps(body, JSON_COMPACT) : NULL;
	json_decref(body);
	if (!req->body) {
		req->out_of_memory = true;
		return;
	}
	req->call.body = req->body;
	req->call.body_len = strlen(req->body);
}

void request_is_slow(struct request *req)
{
	req->call.timeout_ms = SLOWNESS * req->engine->timeout_ms;
}

static int request_check(struct request *req, struct err *e)
{
	if (req->out_of_memory || buf_failed(&req->path))
		return err_memory(e);
	req->call.path = req->path.data;
	req->headers[0] = req->header;
	return 0;
}

/* Podman says 500 where Docker says 409 or 403, but its first cause is told apart. */
static bool podman_means_conflict(const json_t *refusal)
{
	static const char *const causes[] = { "already exists", "already in use", "already used",
					      "being used", "state improper" };
	const char *cause = json_get_text(refusal, "cause");

	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (strstr(cause, causes[i]))
			return true;
	return false;
}

static enum err_code refusal_code(int status, const json_t *refusal)
{
	if (status == 404)
		return ERR_NOT_FOUND;
	if (status == 403 || status == 409 || podman_means_conflict(refusal))
		return ERR_CONFLICT;
	return ERR_ENGINE;
}

static size_t trimmed(const struct buf *text)
{
	size_t len = text->len;

	while (len > 0 && isspace((unsigned char)text->data[len - 1]))
		len--;
	return len < ERR_MESSAGE_SIZE ? len : ERR_MESSAGE_SIZE;
}

static int refuse(const struct http_reply *reply, struct err *e)
{
	AUTO(json_t *, json_decrefp) refusal = NULL;
	size_t len = trimmed(&reply->body);
	const char *message;
	enum err_code code;

	(void)json_parse(reply->body.data, reply->body.len, &refusal, NULL); /* or it is text */
	code = refusal_code(reply->status, refusal);
	message = json_get_text(refusal, "message");
	if (message[0])
		return err_set(e, code, "%s", message);
	if (len == 0)
		return err_set(e, code, "HTTP status %d and no word why", reply->status);
	return err_set(e, code, "HTTP status %d: %.*s", reply->status, (int)len, reply->body.data);
}

/* 304 is how the engine says that something was so already. */
static bool is_success(int status)
{
	return (status >= 200 && status < 300) || status == 304;
}

int request_parse(const struct request *req, const struct buf *text, json_t **ret_json,
		  struct err *e)
{
	struct err why = ERR_INIT;
	int r = json_parse(text->data, text->len, ret_json, &why);

	if (r == 0)
		return 0;
	if (r != -ERR_INVALID)
		return err_set(e, why.code, "%s", why.msg);
	return err_set(e, ERR_PROTOCOL, "engine '%s' answered with what is %s", req->engine->url,
		       why.msg);
}

static int run(struct request *req, json_t **ret_json, struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	int r = request_check(req, e);

	if (r < 0)
		return r;
	r = http_call(req->engine->http, &req->call, &reply, e);
	if (r < 0)
		return r;
	if (!is_success(reply.status))
		return refuse(&reply, e);
	return ret_json ? request_parse(req, &reply.body, ret_json, e) : 0;
}

int request_run(struct request *req, json_t **ret_json, struct err *e)
{
	const struct engine *engine = req->engine;
	int64_t began = clock_monotonic_us();
	int r = run(req, ret_json, e);

	if (engine->observe)
		engine->observe(engine->cookie, req->call.method, req->name,
				clock_monotonic_us() - began,
				r < 0 ? (enum err_code) - r : ERR_NONE);
	return r;
}

int request_run_id(struct request *req, const char *key, char **ret_id, struct err *e)
{
	AUTO(json_t *, json_decrefp) answer = NULL;
	const char *id;
	int r;

	r = request_run(req, &answer, e);
	if (r < 0)
		return r;
	id = json_get_text(answer, key);
	if (!id[0])
		return err_set(e, ERR_PROTOCOL, "engine '%s' answered without '%s'",
			       req->engine->url, key);
	*ret_id = strdup(id);
	return *ret_id ? 0 : err_memory(e);
}

int request_run_list(struct request *req, const char *key, size_t row_size, json_t **ret_list,
		     void **ret_rows, struct err *e)
{
	AUTO(json_t *, json_decrefp) answer = NULL;
	json_t *list;
	int r;

	r = request_run(req, &answer, e);
	if (r < 0)
		return r;
	list = key ? json_object_get(answer, key) : answer;
	if (list && !json_is_array(list) && !json_is_null(list))
		return err_set(e, ERR_PROTOCOL, "engine '%s' answered with what is not a list",
			       req->engine->url);
	*ret_rows = calloc(json_array_size(list) + 1, row_size);
	if (!*ret_rows)
		return err_memory(e);
	*ret_list = json_incref(list);
	return 0;
}

int request_attach(struct request *req, struct http_tunnel **ret_tunnel, struct err *e)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	int r = request_check(req, e);

	if (r < 0)
		return r;
	r = http_tunnel_open(req->engine->http, &req->call, "tcp", ret_tunnel, &reply, e);
	return r == -ERR_PROTOCOL && reply.status ? refuse(&reply, e) : r;
}
