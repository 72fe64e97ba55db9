/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows as a file that mitmproxy opens: one tnetstring after another, each a dictionary with the
 * members that its objects keep. The numbers are those of Debian 12's mitmproxy 8.1.1; newer ones
 * convert what is older.
 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "flow/reader.h"
#include "node/traffic-output.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { FORMAT = 17 };

/* --- tnetstrings -------------------------------------------------------------------------- */

static void put(struct buf *out, char type, const void *bytes, size_t len)
{
	buf_printf(out, "%zu:", len);
	buf_put(out, bytes, len);
	buf_putc(out, type);
}

static void put_null(struct buf *out)
{
	put(out, '~', "", 0);
}

static void put_bool(struct buf *out, bool yes)
{
	if (yes)
		put(out, '!', "true", 4);
	else
		put(out, '!', "false", 5);
}

static void put_int(struct buf *out, int64_t number)
{
	char text[24];

	put(out, '#', text, (size_t)snprintf(text, sizeof(text), "%lld", (long long)number));
}

static void put_time(struct buf *out, int64_t ms)
{
	char text[32];

	put(out, '^', text,
	    (size_t)snprintf(text, sizeof(text), "%lld.%03d", (long long)(ms / 1000),
			     (int)(ms % 1000)));
}

static void put_text(struct buf *out, const char *text)
{
	put(out, ';', text, strlen(text));
}

static void put_bytes(struct buf *out, const char *text)
{
	put(out, ',', text, strlen(text));
}

/* A list or a dictionary of what is in the other buffer, which is emptied. */
static void put_all(struct buf *out, char type, struct buf *content)
{
	out->out_of_memory |= buf_failed(content);
	put(out, type, content->data, content->len);
	buf_done(content);
}

/* --- JSON --------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static int64_t time_of(const json_t *object, const char *name)
{
	int64_t ms = 0;

	clock_parse(text_of(object, name), &ms);
	return ms;
}

/* `text` or `base64`; nothing where neither is there. */
static void put_content(struct buf *out, const json_t *object)
{
	const json_t *text = json_object_get(object, "text");
	const json_t *base64 = json_object_get(object, "base64");
	size_t len = json_string_length(base64), decoded = 0;
	AUTO(char *, freep) bytes = NULL;

	if (text) {
		put(out, ',', json_string_value(text), json_string_length(text));
		return;
	}
	bytes = base64 ? malloc(len + 1) : NULL;
	if (bytes &&
	    sodium_base642bin((unsigned char *)bytes, len + 1, json_string_value(base64), len, NULL,
			      &decoded, NULL, sodium_base64_VARIANT_ORIGINAL) == 0)
		put(out, ',', bytes, decoded);
	else
		put_bytes(out, "");
	out->out_of_memory |= base64 && !bytes;
}

/* --- connections -------------------------------------------------------------------------- */

/* Of "address:port", in which an IPv6 address is in brackets. */
static void put_address(struct buf *out, const char *address)
{
	const char *port = strrchr(address, ':');
	AUTO(char *, freep) host = NULL;
	struct buf pair = BUF_INIT;

	if (!port) {
		put_null(out);
		return;
	}
	host = *address == '[' ? strndup(address + 1, (size_t)(port - address) - 2)
			       : strndup(address, (size_t)(port - address));
	out->out_of_memory |= !host;
	put_text(&pair, host ? host : "");
	put_int(&pair, strtol(port + 1, NULL, 10));
	put_all(out, ']', &pair);
}

static void put_names(struct buf *out, const char *const *names, void (*value)(struct buf *))
{
	for (; *names; names++) {
		put_text(out, *names);
		value(out);
	}
}

static void put_empty_list(struct buf *out)
{
	put(out, ']', "", 0);
}

static void put_connection(struct buf *out, const json_t *flow, bool is_client)
{
	static const char *const both_null[] = { "alpn", "cipher_name",         "error",
						 "sni",  "timestamp_tls_setup", "tls_version",
						 NULL };
	static const char *const both_lists[] = { "alpn_offers", "certificate_list", "cipher_list",
						  NULL };
	static const char *const client_null[] = { "mitmcert", "sockname", NULL };
	static const char *const client_lists[] = { "tls_extensions", NULL };
	static const char *const server_null[] = { "source_address", "timestamp_tcp_setup", "via",
						   "via2", NULL };
	const char *address = text_of(flow, is_client ? "client" : "server");
	struct buf state = BUF_INIT, id = BUF_INIT;
	int64_t began = time_of(flow, "started_at");

	buf_printf(&id, "%s-%s", is_client ? "client" : "server",
		   json_object_get(flow, "connection") ? text_of(flow, "connection")
						       : text_of(flow, "id"));
	put_text(&state, "id");
	put_text(&state, id.data);
	buf_done(&id);
	put_text(&state, "address");
	put_address(&state, address);
	if (!is_client) {
		put_text(&state, "ip_address");
		put_address(&state, address);
	}
	put_text(&state, "state");
	put_int(&state, 0); /* closed */
	put_text(&state, "tls");
	put_bool(&state, false);
	put_text(&state, "tls_established");
	put_bool(&state, false);
	put_text(&state, "timestamp_start");
	put_time(&state, began);
	put_text(&state, "timestamp_end");
	put_time(&state, began + (int64_t)json_number_value(json_object_get(flow, "duration_ms")));
	put_names(&state, both_null, put_null);
	put_names(&state, both_lists, put_empty_list);
	put_names(&state, is_client ? client_null : server_null, put_null);
	if (is_client)
		put_names(&state, client_lists, put_empty_list);
	put_all(out, '}', &state);
}

/* --- messages ----------------------------------------------------------------------------- */

static void put_headers(struct buf *out, const json_t *list)
{
	struct buf headers = BUF_INIT;
	const json_t *header;
	size_t i;

	if (!json_is_array(list)) {
		put_null(out);
		return;
	}
	json_array_foreach (list, i, header) {
		struct buf pair = BUF_INIT;

		put_bytes(&pair, text_of(header, "name"));
		put_bytes(&pair, text_of(header, "value"));
		put_all(&headers, ']', &pair);
	}
	put_all(out, ']', &headers);
}

static void put_message(struct buf *out, const json_t *message, int64_t began, int64_t ended)
{
	const json_t *body = json_object_get(message, "body");
	bool is_missing = json_integer_value(json_object_get(body, "size")) > 0 &&
			  !json_object_get(body, "text") && !json_object_get(body, "base64");

	put_text(out, "http_version");
	put_bytes(out, text_of(message, "http_version"));
	put_text(out, "headers");
	put_headers(out, json_object_get(message, "headers"));
	put_text(out, "trailers");
	put_headers(out, json_object_get(message, "trailers"));
	put_text(out, "content");
	if (is_missing)
		put_null(out);
	else
		put_content(out, body);
	put_text(out, "timestamp_start");
	put_time(out, began);
	put_text(out, "timestamp_end");
	put_time(out, ended);
}

static int64_t timing_of(const json_t *flow, const char *name)
{
	return (int64_t)json_number_value(json_object_get(json_object_get(flow, "timings"), name));
}

/* What stands behind "scheme://host"; a target without them is all of it. */
static const char *path_of(const char *url)
{
	const char *host = strstr(url, "://");
	const char *path = host ? strchr(host + 3, '/') : url;

	return path ? path : "/";
}

static void put_place(struct buf *out, const json_t *flow)
{
	const json_t *request = json_object_get(flow, "request");
	const char *url = text_of(request, "url"), *server = text_of(flow, "server");
	const char *port = strrchr(server, ':');
	bool is_connect = strcmp(text_of(request, "method"), "CONNECT") == 0;
	AUTO(char *, freep) host = strndup(server, port ? (size_t)(port - server) : 0);

	put_text(out, "host");
	put_text(out, host ? host : "");
	put_text(out, "port");
	put_int(out, port ? strtol(port + 1, NULL, 10) : 0);
	put_text(out, "method");
	put_bytes(out, text_of(request, "method"));
	put_text(out, "scheme");
	put_bytes(out, is_connect ? "" : strncmp(url, "https:", 6) == 0 ? "https" : "http");
	put_text(out, "authority");
	put_bytes(out, is_connect ? url : "");
	put_text(out, "path");
	put_bytes(out, is_connect ? "" : path_of(url));
}

static void put_request(struct buf *out, const json_t *flow)
{
	int64_t began = time_of(flow, "started_at");
	struct buf state = BUF_INIT;

	put_place(&state, flow);
	put_message(&state, json_object_get(flow, "request"), began,
		    began + timing_of(flow, "send"));
	put_all(out, '}', &state);
}

static void put_response(struct buf *out, const json_t *flow)
{
	const json_t *response = json_object_get(flow, "response");
	int64_t began =
		time_of(flow, "started_at") + timing_of(flow, "send") + timing_of(flow, "wait");
	struct buf state = BUF_INIT;

	if (!json_is_object(response)) {
		put_null(out);
		return;
	}
	put_text(&state, "status_code");
	put_int(&state, json_integer_value(json_object_get(response, "status")));
	put_text(&state, "reason");
	put_bytes(&state, text_of(response, "reason"));
	put_message(&state, response, began, began + timing_of(flow, "receive"));
	put_all(out, '}', &state);
}

static void put_websocket_row(struct buf *out, const json_t *row)
{
	struct buf message = BUF_INIT;

	put_int(&message, strcmp(text_of(row, "type"), "text") == 0 ? 1 : 2);
	put_bool(&message, json_is_true(json_object_get(row, "from_client")));
	put_content(&message, row);
	put_time(&message, time_of(row, "at"));
	put_bool(&message, false); /* dropped */
	put_bool(&message, false); /* injected */
	put_all(out, ']', &message);
}

static void put_tcp_row(struct buf *out, const json_t *row)
{
	struct buf message = BUF_INIT;

	put_bool(&message, json_is_true(json_object_get(row, "from_client")));
	put_content(&message, row);
	put_time(&message, time_of(row, "at"));
	put_all(out, ']', &message);
}

static void put_rows(struct buf *out, const json_t *object,
		     void (*put_row)(struct buf *out, const json_t *row))
{
	struct buf rows = BUF_INIT;
	const json_t *row;
	size_t i;

	put_text(out, "messages");
	json_array_foreach (json_object_get(object, "messages"), i, row)
		put_row(&rows, row);
	put_all(out, ']', &rows);
}

static void put_websocket(struct buf *out, const json_t *flow)
{
	const json_t *websocket = json_object_get(flow, "websocket");
	const json_t *code = json_object_get(websocket, "close_code");
	const json_t *by_client = json_object_get(websocket, "closed_by_client");
	struct buf state = BUF_INIT;

	if (!json_is_object(websocket)) {
		put_null(out);
		return;
	}
	put_rows(&state, websocket, put_websocket_row);
	put_text(&state, "close_code");
	if (json_is_integer(code))
		put_int(&state, json_integer_value(code));
	else
		put_null(&state);
	put_text(&state, "closed_by_client");
	if (json_is_boolean(by_client))
		put_bool(&state, json_is_true(by_client));
	else
		put_null(&state);
	put_text(&state, "close_reason");
	put_null(&state);
	put_text(&state, "timestamp_end");
	put_time(&state, time_of(flow, "started_at") +
				 (int64_t)json_number_value(json_object_get(flow, "duration_ms")));
	put_all(out, '}', &state);
}

/* --- flows -------------------------------------------------------------------------------- */

static void put_error(struct buf *out, const json_t *flow)
{
	struct buf state = BUF_INIT;

	if (!json_is_string(json_object_get(flow, "error"))) {
		put_null(out);
		return;
	}
	put_text(&state, "msg");
	put_text(&state, text_of(flow, "error"));
	put_text(&state, "timestamp");
	put_time(&state, time_of(flow, "started_at") +
				 (int64_t)json_number_value(json_object_get(flow, "duration_ms")));
	put_all(out, '}', &state);
}

static void put_common(struct buf *out, const json_t *flow, const char *type)
{
	put_text(out, "version");
	put_int(out, FORMAT);
	put_text(out, "type");
	put_text(out, type);
	put_text(out, "id");
	put_text(out, text_of(flow, "id"));
	put_text(out, "error");
	put_error(out, flow);
	put_text(out, "client_conn");
	put_connection(out, flow, true);
	put_text(out, "server_conn");
	put_connection(out, flow, false);
	put_text(out, "timestamp_created");
	put_time(out, time_of(flow, "started_at"));
	put_text(out, "intercepted");
	put_bool(out, false);
	put_text(out, "is_replay");
	put_null(out);
	put_text(out, "marked");
	put_text(out, "");
	put_text(out, "metadata");
	put(out, '}', "", 0);
	put_text(out, "comment");
	put_text(out, text_of(flow, "ambiguous"));
}

static void put_flow(struct buf *out, const json_t *flow)
{
	const json_t *raw = json_object_get(flow, "raw");
	struct buf state = BUF_INIT;

	put_common(&state, flow, raw ? "tcp" : "http");
	if (raw) {
		put_rows(&state, raw, put_tcp_row);
	} else {
		put_text(&state, "request");
		put_request(&state, flow);
		put_text(&state, "response");
		put_response(&state, flow);
		put_text(&state, "websocket");
		put_websocket(&state, flow);
	}
	put_all(out, '}', &state);
}

int traffic_mitm(struct traffic *traffic, traffic_sink *sink, void *cookie, struct err *e)
{
	struct output output = { .part = BUF_INIT, .sink = sink, .cookie = cookie };
	json_t *flow;
	int r;

	flow_reader_keep_codings(traffic_reader(traffic));
	while ((r = flow_reader_next_any(traffic_reader(traffic), &flow, e)) > 0) {
		put_flow(&output.part, flow);
		json_decref(flow);
		r = output_flush_large(&output, e);
		if (r < 0)
			break;
	}
	if (r == 0)
		r = output_flush(&output, e);
	buf_done(&output.part);
	return r;
}
