/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/client.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "http/terminal.h"

#include <limits.h>
#include <string.h>

struct ctfy_node_client {
	struct http_client *http;
	double timeout; /* seconds */
	uint64_t body_max;
};

static void client_freep(struct ctfy_node_client **client)
{
	ctfy_node_client_free(*client);
}

/* 0 stands for the default of whoever asks. */
static int check_timeout(double seconds, struct ctfy_error *error)
{
	if (seconds >= 0)
		return 0;
	return sdk_refuse_argument(error, "a timeout of %g seconds is not possible", seconds);
}

static int check_url(const char *node_url, struct ctfy_error *error)
{
	if (node_url &&
	    (strncmp(node_url, "http://", 7) == 0 || strncmp(node_url, "https://", 8) == 0))
		return 0;
	return sdk_refuse_argument(error, "node URL '%s' must begin with http:// or https://",
				   node_url ? node_url : "");
}

static int connect_http(struct ctfy_node_client *client, const char *node_url, const char *token,
			const char *ca_file, struct ctfy_error *error)
{
	AUTO(char *, freep) base_url = NULL;
	size_t len = strlen(node_url);
	struct http_client_options options = { .role = "node",
					       .bearer = token,
					       .ca_file = ca_file };
	struct err e = ERR_INIT;

	while (len > 0 && node_url[len - 1] == '/')
		len--;
	base_url = strf("%.*s/api/v1", (int)len, node_url);
	if (!base_url)
		return sdk_fail_memory(error);
	options.base_url = base_url;
	return http_client_new(&options, &client->http, &e) < 0 ? sdk_fail(error, &e) : 0;
}

int ctfy_node_client_new(const char *node_url, const char *token,
			 const struct ctfy_node_options *options,
			 struct ctfy_node_client **ret_client, struct ctfy_error *error)
{
	AUTO(struct ctfy_node_client *, client_freep) client = NULL;
	struct ctfy_node_options wanted = { 0 };
	int r;

	if (options)
		wanted = *options;
	if ((r = check_url(node_url, error)) < 0 || (r = check_timeout(wanted.timeout, error)) < 0)
		return r;
	client = calloc(1, sizeof(*client));
	if (!client)
		return sdk_fail_memory(error);
	client->timeout = wanted.timeout > 0 ? wanted.timeout : CTFY_NODE_TIMEOUT;
	client->body_max = wanted.body_max ? wanted.body_max : CTFY_NODE_BODY_MAX;
	r = connect_http(client, node_url, token, wanted.ca_file, error);
	if (r < 0)
		return r;

	*ret_client = TAKE(client);
	return 0;
}

void ctfy_node_client_free(struct ctfy_node_client *client)
{
	if (!client)
		return;
	http_client_free(client->http);
	free(client);
}

/* "." and ".." would lead out of the path that the URL seems to name. */
bool sdk_is_name(const char *name)
{
	return name && *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static bool takes_name(const char *part)
{
	return part[strlen(part) - 1] == '/';
}

static int make_path(const struct request *request, struct buf *path, struct ctfy_error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(request->path) && request->path[i]; i += 2) {
		const char *name = request->path[i + 1];

		buf_puts(path, request->path[i]);
		if (!takes_name(request->path[i]))
			break;
		if (!sdk_is_name(name))
			return sdk_refuse_argument(error, "'%s' is not an id or name",
						   name ? name : "");
		http_escape(path, name);
	}
	if (request->query)
		buf_puts(path, request->query);
	return buf_failed(path) ? sdk_fail_memory(error) : 0;
}

static int make_body(const struct request *request, char **ret_body, struct ctfy_error *error)
{
	if (!request->body)
		return 0;
	*ret_body = json_dumps(request->body, JSON_COMPACT);
	return *ret_body ? 0 : sdk_fail_memory(error);
}

static int64_t milliseconds(double seconds)
{
	double ms = seconds * 1000;

	if (ms < 1)
		return 1;
	return ms < INT_MAX ? (int64_t)ms : INT_MAX; /* 24 days: libcurl counts no further */
}

enum { HEADERS_MAX = 2 };

/* What a request's headers say beyond those of every call. request_id holds the text of one. */
static int make_headers(const struct request *request, const struct ctfy_call *call,
			const char *headers[HEADERS_MAX + 1], char **request_id,
			struct ctfy_error *error)
{
	size_t count = 0;

	if (request->respond_async)
		headers[count++] = "Prefer: respond-async";
	if (call->request_id) {
		*request_id = strf("X-Request-Id: %s", call->request_id);
		if (!*request_id)
			return sdk_fail_memory(error);
		headers[count++] = *request_id;
	}
	return 0;
}

/* What libcurl is told of a call, with the texts that it points at. */
struct outgoing {
	struct buf path;
	char *body, *request_id;
	const char *headers[HEADERS_MAX + 1];
	struct http_call http;
};

static void outgoing_done(struct outgoing *outgoing)
{
	buf_done(&outgoing->path);
	free(outgoing->body);
	free(outgoing->request_id);
}

static int prepare(const struct ctfy_node_client *client, const struct request *request,
		   const struct ctfy_call *call, struct outgoing *outgoing,
		   struct ctfy_error *error)
{
	int r;

	outgoing->path = (struct buf)BUF_INIT;
	if ((r = check_timeout(call->timeout, error)) < 0 ||
	    (r = check_timeout(call->idle_timeout, error)) < 0 ||
	    (r = make_path(request, &outgoing->path, error)) < 0 ||
	    (r = make_body(request, &outgoing->body, error)) < 0 ||
	    (r = make_headers(request, call, outgoing->headers, &outgoing->request_id, error)) < 0)
		return r;
	outgoing->http = (struct http_call){
		.method = request->method,
		.path = outgoing->path.data,
		.headers = outgoing->headers[0] ? outgoing->headers : NULL,
		.body = outgoing->body,
		.body_len = outgoing->body ? strlen(outgoing->body) : 0,
		.sink = request->sink,
		.sink_cookie = request->sink_cookie,
		.timeout_ms = milliseconds(call->timeout > 0 ? call->timeout : client->timeout),
		.idle_timeout_ms = call->idle_timeout > 0 ? milliseconds(call->idle_timeout) : 0,
		.max_body = call->body_max ? call->body_max : client->body_max,
	};
	return 0;
}

static const struct ctfy_call plain_call;

/* Whatever the status. */
static int exchange(struct ctfy_node_client *client, const struct request *request,
		    const struct ctfy_call *call, struct http_reply *ret_reply,
		    struct ctfy_error *error)
{
	AUTO(struct outgoing, outgoing_done) outgoing = { .body = NULL };
	struct err e = ERR_INIT;
	int r = prepare(client, request, call, &outgoing, error);

	if (r < 0)
		return r;
	return http_call(client->http, &outgoing.http, ret_reply, &e) < 0 ? sdk_fail(error, &e) : 0;
}

int sdk_ask(struct ctfy_node_client *client, const struct request *request,
	    const struct ctfy_call *call, struct http_reply *ret_reply, struct ctfy_error *error)
{
	int r = exchange(client, request, call ? call : &plain_call, ret_reply, error);

	if (r < 0)
		return r;
	if (ret_reply->status == 404 && request->may_be_absent) {
		http_reply_done(ret_reply);
		return 0;
	}
	if (ret_reply->status < 200 || ret_reply->status > 299)
		return sdk_fail_node(error, ret_reply);
	return 0;
}

int sdk_open_terminal(struct ctfy_node_client *client, const struct request *request,
		      const struct ctfy_call *call, struct terminal **ret_terminal,
		      struct ctfy_error *error)
{
	AUTO(struct outgoing, outgoing_done) outgoing = { .body = NULL };
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	struct err e = ERR_INIT;
	int r = prepare(client, request, call ? call : &plain_call, &outgoing, error);

	if (r < 0)
		return r;
	r = terminal_open(client->http, &outgoing.http, ret_terminal, &reply, &e);
	if (r == -ERR_PROTOCOL && reply.status >= 300)
		return sdk_fail_node(error, &reply);
	return r < 0 ? sdk_fail(error, &e) : 0;
}

int sdk_tell(struct ctfy_node_client *client, const struct request *request,
	     const struct ctfy_call *call, struct ctfy_error *error)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;

	return sdk_ask(client, request, call, &reply, error);
}

const char *sdk_content_type(const struct http_reply *reply, char *buffer, size_t size)
{
	const char *given = http_reply_header(reply, "Content-Type", buffer, size);

	return given && *given ? given : "application/octet-stream";
}

int sdk_take_bytes(struct buf *data, const char *content_type, struct ctfy_bytes *ret_bytes,
		   struct err *e)
{
	ret_bytes->size = data->len;
	ret_bytes->data = buf_take(data);
	ret_bytes->content_type = strdup(content_type);
	if (ret_bytes->data && ret_bytes->content_type)
		return 0;
	ctfy_bytes_done(ret_bytes);
	return err_memory(e);
}

int sdk_ask_bytes(struct ctfy_node_client *client, const struct request *request,
		  struct ctfy_bytes *ret_bytes, const struct ctfy_call *call,
		  struct ctfy_error *error)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	struct err e = ERR_INIT;
	char type[256];
	int r;

	*ret_bytes = (struct ctfy_bytes){ 0 };
	r = sdk_ask(client, request, call, &reply, error);
	if (r < 0)
		return r;
	r = sdk_take_bytes(&reply.body, sdk_content_type(&reply, type, sizeof(type)), ret_bytes,
			   &e);
	return r < 0 ? sdk_fail(error, &e) : 0;
}

void ctfy_bytes_done(struct ctfy_bytes *bytes)
{
	free(bytes->data);
	free(bytes->content_type);
	*bytes = (struct ctfy_bytes){ 0 };
}

int sdk_parse(const struct http_reply *reply, json_t **ret_json, struct ctfy_error *error)
{
	struct err e = ERR_INIT;

	*ret_json = sdk_load(&reply->body, JSON_ALLOW_NUL, &e);
	return *ret_json ? 0 : sdk_fail_protocol(error, reply->status, &e);
}

int sdk_ask_json(struct ctfy_node_client *client, const struct request *request,
		 const struct ctfy_call *call, struct answer *ret_answer, struct ctfy_error *error)
{
	AUTO(struct http_reply, http_reply_done) reply = HTTP_REPLY_INIT;
	int r;

	if ((r = sdk_ask(client, request, call, &reply, error)) < 0 ||
	    (r = sdk_parse(&reply, &ret_answer->json, error)) < 0)
		return r;
	ret_answer->status = reply.status;
	if (call && call->ret_json)
		*call->ret_json = buf_take(&reply.body);
	return 0;
}

int sdk_ask_fields(struct ctfy_node_client *client, const struct request *request,
		   const struct ctfy_call *call, const struct field *fields, void *ret,
		   struct ctfy_error *error)
{
	AUTO(struct answer, answer_done) answer = { 0 };
	struct err e = ERR_INIT;
	int r = sdk_ask_json(client, request, call, &answer, error);

	if (r < 0)
		return r;
	if (fields_decode(fields, answer.json, ret, NULL, &e) == 0)
		return 0;
	fields_done(fields, ret);
	return sdk_fail_protocol(error, answer.status, &e);
}
