/* SPDX-License-Identifier: Apache-2.0 */
#include "http/request.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "base/utf8.h"
#include "http/patience.h"
#include "http/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

/* "http://host/path", as a proxy may send it, means "/path". */
static const char *without_authority(const char *target)
{
	const char *host = strstr(target, "://");

	if (target[0] == '/' || !host)
		return target;
	host += 3;
	return host + strcspn(host, "/?");
}

struct http_req *request_new(struct http_server *server, struct MHD_Connection *connection,
			     const char *target)
{
	const char *path = without_authority(target);
	size_t len = strlen(path), path_len = strcspn(path, "?");
	struct http_req *req = malloc(sizeof(*req) + len + 1 + path_len + 1);

	if (!req)
		return NULL;
	*req = (struct http_req){ .server = server,
				  .connection = connection,
				  .holders = 1,
				  .body = BUF_INIT,
				  .res.req = req };
	memcpy(req->text, path, len + 1);
	req->path = req->text;
	req->decoded = req->text + len + 1;
	req->query = req->text + len;
	if (path_len < len) {
		req->text[path_len] = '\0';
		req->query = req->text + path_len + 1;
	}
	return req;
}

void request_drop(struct http_req *req)
{
	if (atomic_fetch_sub(&req->holders, 1) > 1)
		return;
	if (req->counted)
		server_request_over(req->server);
	bill_end(&req->body_bill);
	bill_end(&req->stream_bill);
	if (req->res.ready)
		MHD_destroy_response(req->res.ready);
	stream_free(req->res.stream);
	websocket_free(req->res.socket);
	json_decref(req->problems);
	buf_done(&req->body);
	arena_free(req->arena);
	free(req);
}

static enum MHD_Result keep_header(void *cookie, enum MHD_ValueKind kind, const char *name,
				   const char *value)
{
	struct http_req *req = cookie;
	struct header *header = arena_alloc(req->arena, sizeof(*header));

	(void)kind;
	if (!header)
		return MHD_NO;
	*header = (struct header){ .next = req->kept_headers,
				   .name = arena_strdup(req->arena, name),
				   .value = arena_strdup(req->arena, value) };
	req->kept_headers = header;
	return MHD_YES;
}

int request_keep(struct http_req *req, struct err *e)
{
	const char *method;

	if (!http_arena(req))
		return err_memory(e);
	http_peer(req);
	MHD_get_connection_values(req->connection, MHD_HEADER_KIND, keep_header, req);
	method = arena_strdup(req->arena, req->method);
	if (arena_failed(req->arena))
		return err_memory(e);
	req->method = method;
	return 0;
}

const char *http_method(const struct http_req *req)
{
	return req->method;
}

const char *http_path(const struct http_req *req)
{
	return req->path;
}

const char *http_param(const struct http_req *req, const char *name)
{
	int i = req->match.route ? route_param_index(req->match.route, name) : -1;

	return i < 0 ? NULL : req->match.params[i];
}

static void plus_to_space(char *s, size_t len)
{
	for (; len > 0; len--, s++)
		if (*s == '+')
			*s = ' ';
}

/* A query's part, decoded into the request's arena; NULL when out of memory. */
static const char *query_text(const struct http_req *req, const char *text, size_t len)
{
	struct arena *arena = http_arena(req->res.req);
	char *copy = arena ? arena_strndup(arena, text, len) : NULL;

	if (!copy)
		return NULL;
	plus_to_space(copy, len);
	return percent_decode(copy, len, copy, &len) ? copy : NULL;
}

static bool is_named(const struct http_req *req, const char *text, size_t len, const char *name)
{
	const char *decoded;

	if (!memchr(text, '%', len) && !memchr(text, '+', len))
		return strlen(name) == len && memcmp(text, name, len) == 0;
	decoded = query_text(req, text, len);
	return decoded && strcmp(decoded, name) == 0;
}

const char *http_query(const struct http_req *req, const char *name)
{
	const char *pair = req->query;

	while (*pair) {
		size_t len = strcspn(pair, "&");
		const char *equals = memchr(pair, '=', len);
		size_t name_len = equals ? (size_t)(equals - pair) : len;

		if (is_named(req, pair, name_len, name))
			return equals ? query_text(req, equals + 1, len - name_len - 1) : "";
		pair += len;
		pair += *pair == '&';
	}
	return NULL;
}

bool request_path_valid(const struct http_req *req)
{
	for (unsigned i = 0; i < req->match.count; i++)
		if (!utf8_is_valid(req->match.params[i], strlen(req->match.params[i])))
			return false;
	return utf8_is_valid(req->path, strlen(req->path));
}

/* Decoded whole: no character begins in one part and ends in the next. */
bool request_query_valid(const struct http_req *req)
{
	size_t len = strlen(req->query);
	struct arena *arena;
	char *decoded;

	if (!memchr(req->query, '%', len))
		return utf8_is_valid(req->query, len);
	arena = http_arena(req->res.req);
	decoded = arena ? arena_strndup(arena, req->query, len) : NULL;
	return decoded && percent_decode(decoded, len, decoded, &len) &&
	       utf8_is_valid(decoded, len);
}

const char *http_header(const struct http_req *req, const char *name)
{
	if (req->connection)
		return MHD_lookup_connection_value(req->connection, MHD_HEADER_KIND, name);
	for (const struct header *header = req->kept_headers; header; header = header->next)
		if (strcasecmp(header->name, name) == 0)
			return header->value;
	return NULL;
}

const char *http_bearer(const struct http_req *req)
{
	static const char scheme[] = "Bearer";
	const char *value = http_header(req, MHD_HTTP_HEADER_AUTHORIZATION);
	size_t spaces;

	if (!value || strncasecmp(value, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	value += sizeof(scheme) - 1;
	spaces = strspn(value, " ");
	return spaces > 0 && value[spaces] ? value + spaces : NULL;
}

const void *http_body(const struct http_req *req, size_t *ret_len)
{
	*ret_len = req->body.len;
	return req->body.data;
}

static bool is_id(const char *id)
{
	size_t len = strlen(id);

	if (len == 0 || len >= REQUEST_ID_SIZE)
		return false;
	for (; *id; id++)
		if (*id <= ' ' || *id > '~')
			return false;
	return true;
}

static void set_id(struct http_req *req)
{
	const char *sent = http_header(req, "X-Request-Id");
	const char *prefix;
	uint64_t number;

	if (sent && is_id(sent)) {
		snprintf(req->id, sizeof(req->id), "%s", sent);
		return;
	}
	number = server_next_id(req->server, &prefix);
	snprintf(req->id, sizeof(req->id), "%s%" PRIx64, prefix, number);
}

const char *http_req_id(const struct http_req *req)
{
	if (!req->id[0])
		set_id(req->res.req);
	return req->id;
}

struct forwarded {
	const char *line; /* the last one */
};

static enum MHD_Result keep_last(void *cookie, enum MHD_ValueKind kind, const char *name,
				 const char *value)
{
	struct forwarded *forwarded = cookie;

	(void)kind;
	if (value && strcasecmp(name, "X-Forwarded-For") == 0)
		forwarded->line = value;
	return MHD_YES;
}

/* Each proxy adds whom it heard: the last is what our own one says, in a line of its own or not. */
static bool read_forwarded(const struct http_req *req, struct in6_addr *ret)
{
	struct forwarded forwarded = { .line = NULL };
	const char *last, *comma;
	size_t len;

	MHD_get_connection_values(req->connection, MHD_HEADER_KIND, keep_last, &forwarded);
	if (!forwarded.line)
		return false;
	comma = strrchr(forwarded.line, ',');
	last = comma ? comma + 1 : forwarded.line;
	last += strspn(last, " \t");
	for (len = strlen(last); len > 0 && strchr(" \t", last[len - 1]); len--)
		continue;
	return peer_parse(last, len, ret);
}

static void set_peer(struct http_req *req)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	struct in6_addr peer, forwarded;

	if (!info || !info->client_addr || !peer_of_socket(info->client_addr, &peer)) {
		snprintf(req->peer, sizeof(req->peer), "local");
		snprintf(req->source, sizeof(req->source), "local");
		return;
	}
	req->proxied = !server_options(req->server)->proxy_protocol &&
		       networks_have(server_proxies(req->server), &peer);
	if (req->proxied && read_forwarded(req, &forwarded))
		peer = forwarded;
	peer_format(&peer, req->peer);
	peer_source(&peer, req->source);
}

const char *http_peer(const struct http_req *req)
{
	if (!req->peer[0] && req->connection)
		set_peer(req->res.req);
	return req->peer;
}

const char *http_peer_key(const struct http_req *req)
{
	http_peer(req);
	return req->source;
}

static bool is_proxied(const struct http_req *req)
{
	http_peer(req);
	return req->proxied;
}

bool http_is_https(const struct http_req *req)
{
	const char *scheme = http_header(req, "X-Forwarded-Proto");

	if (is_proxied(req) && scheme)
		return strcmp(scheme, "https") == 0;
	return server_options(req->server)->cert_file != NULL;
}

const char *http_host(const struct http_req *req)
{
	const char *host = http_header(req, "X-Forwarded-Host");

	return is_proxied(req) && host ? host : http_header(req, MHD_HTTP_HEADER_HOST);
}

struct arena *http_arena(struct http_req *req)
{
	if (!req->arena)
		req->arena = arena_new();
	return req->arena;
}

void http_set_user(struct http_req *req, void *user)
{
	req->user = user;
}

void http_set_owner(struct http_req *req, const char *user, const char *token)
{
	const char *account = user ? user : token;

	visit_own(req->visit, user, token);
	req->account = account ? arena_strdup(http_arena(req), account) : NULL;
}

struct payer request_payer(const struct http_req *req)
{
	enum payer_kind kind = req->account    ? PAYER_ACCOUNT
			       : req->admitted ? PAYER_OURS
					       : PAYER_STRANGER;

	return payer_of(server_purse(req->server)->seed, kind, req->account, http_peer_key(req));
}

int request_count_stream(struct http_req *req, struct err *e)
{
	enum budget_verdict verdict;

	req->stream_bill =
		(struct bill){ &server_purse(req->server)->streams, request_payer(req), 0 };
	verdict = bill_raise(&req->stream_bill, 1);
	return verdict == BUDGET_FITS
		       ? 0
		       : request_over_budget(req, verdict, "downloads and shells", e);
}

int request_over_budget(struct http_req *req, enum budget_verdict verdict, const char *what,
			struct err *e)
{
	http_set_retry_after(&req->res, 1);
	return verdict == BUDGET_SHARE_USED
		       ? err_set(e, ERR_RATE_LIMITED, "too many %s of yours: try again in 1 s",
				 what)
		       : err_set(e, ERR_UNAVAILABLE, "too many %s: try again in 1 s", what);
}

void *http_user(const struct http_req *req)
{
	return req->user;
}

static void add_problem(struct http_req *req, const char *in, const char *name, const char *type,
			const char *msg)
{
	json_t *loc = json_make("[s]", in);

	if (name)
		json_array_append_new(loc, json_text(name));
	if (!req->problems)
		req->problems = json_array();
	json_array_append_new(req->problems, json_make("{s:o,s:o,s:s}", "loc", loc, "msg",
						       json_text(msg), "type", type));
}

int http_query_int(const struct http_req *req, const char *name, int64_t min, int64_t max,
		   int64_t def, int64_t *ret_value, struct err *e)
{
	const char *text = http_query(req, name);
	char msg[96];
	char *end;

	*ret_value = def;
	if (!text)
		return 0;
	errno = 0;
	*ret_value = strtoll(text, &end, 10);
	if (end != text && *end == '\0' && errno == 0 && *ret_value >= min && *ret_value <= max)
		return 0;
	snprintf(msg, sizeof(msg), "an integer between %" PRId64 " and %" PRId64 " expected", min,
		 max);
	add_problem(req->res.req, "query", name, "value_error.number", msg);
	return err_set(e, ERR_VALIDATION, "query.%s: %s", name, msg);
}

int http_refuse_field(struct http_req *req, const char *name, const char *type, const char *msg,
		      struct err *e)
{
	add_problem(req, "body", name, type, msg);
	return err_set(e, ERR_VALIDATION, "body.%s: %s", name, msg);
}

int http_read(struct http_req *req, const struct field *fields, void *obj, struct err *e)
{
	static const char nothing[] = "{}";
	const struct buf *body = &req->body;
	AUTO(json_t *, json_decrefp) json = NULL;
	AUTO(json_t *, json_decrefp) problems = NULL;
	struct err why = ERR_INIT;
	int r;

	r = body->len ? json_parse(body->data, body->len, &json, &why)
		      : json_parse(nothing, sizeof(nothing) - 1, &json, &why);
	if (r == -ERR_INVALID) {
		add_problem(req, "body", NULL, "json_invalid", why.msg);
		return err_set(e, ERR_VALIDATION, "body: %s", why.msg);
	}
	if (r < 0)
		return err_memory(e);
	r = fields_decode(fields, json, obj, &problems, e);
	if (problems) {
		json_decref(req->problems);
		req->problems = TAKE(problems);
	}
	return r;
}
