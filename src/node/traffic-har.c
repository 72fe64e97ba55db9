/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "flow/reader.h"
#include "node/traffic-output.h"

#include <jansson.h>
#include <string.h>
#include <strings.h>

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

static const char *header_of(const json_t *message, const char *name)
{
	const json_t *header;
	size_t i;

	json_array_foreach (json_object_get(message, "headers"), i, header)
		if (strcasecmp(text_of(header, "name"), name) == 0)
			return text_of(header, "value");
	return "";
}

static json_t *headers_of(const json_t *message)
{
	json_t *headers = json_object_get(message, "headers");

	return headers ? json_incref(headers) : json_array();
}

static json_int_t body_size(const json_t *message)
{
	return json_integer_value(json_object_get(json_object_get(message, "body"), "size"));
}

/* [{name, value}] of what stands behind the question mark, as it stands there. */
static json_t *har_query(const char *url)
{
	json_t *query = json_array();
	const char *word = strchr(url, '?');

	while (word) {
		size_t len = strcspn(++word, "&#"), name_len = strcspn(word, "=&#");

		if (len > 0)
			json_array_append_new(
				query, json_make("{s:s%,s:s%}", "name", word, name_len, "value",
						 name_len < len ? word + name_len + 1 : "",
						 name_len < len ? len - name_len - 1 : (size_t)0));
		word = word[len] == '&' ? word + len : NULL;
	}
	return query;
}

/* A target alone, as CONNECT has it, is no URL. */
static json_t *har_url(const char *url)
{
	return json_textf("%s%s", strstr(url, "://") ? "" : "http://", url);
}

static json_t *har_request(const json_t *request)
{
	const json_t *body = json_object_get(request, "body");
	const char *binary = json_string_value(json_object_get(body, "base64"));
	json_t *har =
		json_make("{s:s,s:o,s:s,s:[],s:o,s:o,s:i,s:I}", "method",
			  text_of(request, "method"), "url", har_url(text_of(request, "url")),
			  "httpVersion", text_of(request, "http_version"), "cookies", "headers",
			  headers_of(request), "queryString", har_query(text_of(request, "url")),
			  "headersSize", -1, "bodySize", body_size(request));

	/* "_encoding": HAR has no name for what is no text here. */
	if (body_size(request) > 0)
		json_object_set_new(har, "postData",
				    json_make("{s:s,s:s,s:s*}", "mimeType",
					      header_of(request, "content-type"), "text",
					      binary ? binary : text_of(body, "text"), "_encoding",
					      binary ? "base64" : NULL));
	return har;
}

static json_t *har_content(const json_t *response)
{
	const json_t *body = json_object_get(response, "body");
	const char *binary = json_string_value(json_object_get(body, "base64"));

	return json_make("{s:I,s:s,s:s,s:s*}", "size", body_size(response), "mimeType",
			 header_of(response, "content-type"), "text",
			 binary ? binary : text_of(body, "text"), "encoding",
			 binary ? "base64" : NULL);
}

/* A flow without an answer has status 0, as browsers write it. */
static json_t *har_response(const json_t *flow)
{
	const json_t *response = json_object_get(flow, "response");
	const char *version = text_of(response, "http_version");

	return json_make("{s:I,s:s,s:s,s:[],s:o,s:o,s:s,s:i,s:I,s:s*}", "status",
			 json_integer_value(json_object_get(response, "status")), "statusText",
			 text_of(response, "reason"), "httpVersion", version, "cookies", "headers",
			 headers_of(response), "content", har_content(response), "redirectURL",
			 header_of(response, "location"), "headersSize", -1, "bodySize",
			 body_size(response), "_error",
			 json_string_value(json_object_get(flow, "error")));
}

/* As Chromium writes and reads them. */
static json_t *har_messages(const json_t *flow)
{
	const json_t *messages = json_object_get(json_object_get(flow, "websocket"), "messages");
	json_t *har = json_is_array(messages) ? json_array() : NULL;
	const json_t *message;
	size_t i;

	json_array_foreach (messages, i, message) {
		const char *binary = json_string_value(json_object_get(message, "base64"));
		bool sent = json_is_true(json_object_get(message, "from_client"));
		bool is_text = strcmp(text_of(message, "type"), "text") == 0;
		int64_t at = 0;

		clock_parse(text_of(message, "at"), &at);
		json_array_append_new(har, json_make("{s:s,s:f,s:i,s:s}", "type",
						     sent ? "send" : "receive", "time",
						     (double)at / 1000, "opcode", is_text ? 1 : 2,
						     "data",
						     binary ? binary : text_of(message, "text")));
	}
	return har;
}

/* Of "address:port", in which an IPv6 address is in brackets. */
static json_t *har_address(const char *server)
{
	const char *port = strrchr(server, ':');
	size_t len = port ? (size_t)(port - server) : 0;
	bool is_bracketed = len > 2 && *server == '[';

	return is_bracketed ? json_text_n(server + 1, len - 2) : json_text_n(server, len);
}

static const struct {
	const char *name, *har;
} own_members[] = {
	{ "protocol", "_protocol" }, { "via", "_via" },         { "ambiguous", "_ambiguous" },
	{ "reason", "_reason" },     { "follows", "_follows" }, { "interim", "_interim" },
	{ "raw", "_raw" },           { "lost", "_lost" },
};

static json_t *har_entry(const json_t *flow)
{
	json_t *timings = json_object_get(flow, "timings");
	json_t *entry =
		json_make("{s:s,s:f,s:o,s:o,s:{},s:o,s:o,s:s,s:o*}", "startedDateTime",
			  text_of(flow, "started_at"), "time",
			  json_number_value(json_object_get(flow, "duration_ms")), "request",
			  har_request(json_object_get(flow, "request")), "response",
			  har_response(flow), "cache", "timings",
			  timings ? json_incref(timings)
				  : json_make("{s:i,s:i,s:i}", "send", 0, "wait", 0, "receive", 0),
			  "serverIPAddress", har_address(text_of(flow, "server")), "_clientAddress",
			  text_of(flow, "client"), "_webSocketMessages", har_messages(flow));

	/* What HAR has no name for. */
	for (size_t i = 0; entry && i < ARRAY_SIZE(own_members); i++) {
		json_t *member = json_object_get(flow, own_members[i].name);

		if (member)
			json_object_set(entry, own_members[i].har, member);
	}

	return entry;
}

static int put_entry(struct output *output, const json_t *flow, bool first, struct err *e)
{
	AUTO(json_t *, json_decrefp) entry = har_entry(flow);
	AUTO(char *, freep) text = entry ? json_dumps(entry, JSON_COMPACT) : NULL;

	if (!text)
		return err_memory(e);
	buf_puts(&output->part, first ? "" : ",\n");
	buf_puts(&output->part, text);
	return output_flush_large(output, e);
}

int traffic_har(struct traffic *traffic, traffic_sink *sink, void *cookie, struct err *e)
{
	struct output output = { .part = BUF_INIT, .sink = sink, .cookie = cookie };
	json_t *flow = NULL;
	bool first = true;
	int r;

	buf_puts(&output.part, "{\"log\":{\"version\":\"1.2\",\"creator\":{\"name\":\"ctfy\","
			       "\"version\":\"" CTFY_VERSION "\"},\"pages\":[],\"entries\":[");
	while ((r = flow_reader_next_any(traffic_reader(traffic), &flow, e)) > 0) {
		r = put_entry(&output, flow, first, e);
		json_decref(flow);
		if (r < 0)
			break;
		first = false;
	}
	buf_puts(&output.part, "]}}");
	if (r == 0)
		r = output_flush(&output, e);
	buf_done(&output.part);
	return r;
}
