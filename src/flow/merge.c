/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/merge.h"

#include "base/json.h"
#include "base/own.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* --- merging ------------------------------------------------------------------------------ */

static bool is_ours(const char *key)
{
	return strcmp(key, "line") == 0 || strcmp(key, "prev") == 0;
}

void merge_line(json_t *flow, json_t *line)
{
	const char *key;
	json_t *value;

	json_object_foreach (line, key, value) {
		json_t *old = json_object_get(flow, key);

		if (is_ours(key))
			continue;
		if (json_is_object(old) && json_is_object(value))
			merge_line(old, value);
		else if (json_is_array(old) && json_is_array(value))
			json_array_extend(old, value);
		else
			json_object_set(flow, key, value);
	}
}

/* The object that is there; what is there of a damaged line and is none goes. NULL: none. */
static json_t *object_at(json_t *parent, const char *key)
{
	json_t *found = json_object_get(parent, key);

	if (json_is_object(found))
		return found;
	json_object_del(parent, key);
	return NULL;
}

/* --- contents ----------------------------------------------------------------------------- */

struct content {
	char *bytes;
	size_t len, capacity;
};

static bool content_add(struct content *content, const void *bytes, size_t len)
{
	char *moved;

	if (content->capacity - content->len < len + 1) {
		size_t capacity = 2 * (content->capacity + len) + 1;

		moved = realloc(content->bytes, capacity);
		if (!moved)
			return false;
		content->bytes = moved;
		content->capacity = capacity;
	}
	if (len > 0)
		memcpy(content->bytes + content->len, bytes, len);
	content->len += len;
	return true;
}

/* Of an object with `text` or `base64`. */
static bool content_add_json(struct content *content, const json_t *part)
{
	const json_t *text = json_object_get(part, "text");
	const json_t *base64 = json_object_get(part, "base64");
	size_t len = json_string_length(base64), decoded;
	AUTO(char *, freep) bytes = NULL;

	if (text)
		return content_add(content, json_string_value(text), json_string_length(text));
	if (!base64)
		return true;
	bytes = malloc(len + 1);
	if (!bytes)
		return false;
	if (sodium_base642bin((unsigned char *)bytes, len + 1, json_string_value(base64), len, NULL,
			      &decoded, NULL, sodium_base64_VARIANT_ORIGINAL) != 0)
		return true; /* nobody wrote that: nothing is there */
	return content_add(content, bytes, decoded);
}

/* `text`, or `base64` where it is none. */
static bool content_set(json_t *object, const char *bytes, size_t len)
{
	AUTO(char *, freep) encoded = NULL;
	json_t *text = memchr(bytes, 0, len) ? NULL : json_stringn(bytes, len);
	size_t size;

	json_object_del(object, "text");
	json_object_del(object, "base64");
	if (text)
		return json_object_set_new(object, "text", text) == 0;
	size = sodium_base64_encoded_len(len, sodium_base64_VARIANT_ORIGINAL);
	encoded = malloc(size);
	if (!encoded)
		return false;
	sodium_bin2base64(encoded, size, (const unsigned char *)bytes, len,
			  sodium_base64_VARIANT_ORIGINAL);
	return json_object_set_new(object, "base64", json_text(encoded)) == 0;
}

static const char *header_of(const json_t *message, const char *name)
{
	const json_t *header;
	size_t i;

	json_array_foreach (json_object_get(message, "headers"), i, header) {
		const char *found = json_string_value(json_object_get(header, "name"));

		if (found && strcasecmp(found, name) == 0)
			return json_string_value(json_object_get(header, "value"));
	}
	return NULL;
}

/* --- bodies ------------------------------------------------------------------------------- */

/* Decoded where all of it is here. */
static bool set_body(json_t *body, const json_t *message, const struct content *content,
		     bool decodes)
{
	const char *coding = header_of(message, "content-encoding");
	bool is_whole = json_is_false(json_object_get(body, "truncated"));
	AUTO(char *, freep) decoded = NULL;
	size_t len = content->len;

	if (coding && is_whole && decodes)
		decoded =
			content_decode(coding, content->bytes, content->len, MERGE_BODY_MAX, &len);
	if (!decoded)
		len = content->len;
	return content_set(body, decoded ? decoded : content->bytes, len);
}

static bool end_body(json_t *message, bool decodes)
{
	json_t *body = object_at(message, "body"), *part;
	struct content content = { 0 };
	size_t i;
	bool ok = content_add(&content, NULL, 0);

	if (!body) {
		body = json_object();
		json_object_set_new(message, "body", body);
	}
	json_array_foreach (json_object_get(body, "parts"), i, part)
		ok = ok && content_add_json(&content, part);
	json_object_del(body, "parts");
	if (!json_object_get(body, "size")) { /* its end is missing */
		json_object_set_new(body, "size", json_integer((json_int_t)content.len));
		if (content.len > 0)
			json_object_set_new(body, "truncated", json_true());
	}
	if (ok && content.len > 0)
		ok = set_body(body, message, &content, decodes);
	free(content.bytes);
	return ok;
}

/* --- raw bytes ---------------------------------------------------------------------------- */

static bool raw_body(const json_t *raw, const char *side, bool from_client, json_t *message)
{
	json_t *told = json_object_get(raw, side), *row;
	json_t *body = json_is_object(told) ? json_copy(told) : NULL;
	struct content content = { 0 };
	bool ok = content_add(&content, NULL, 0);
	size_t i;

	if (!body)
		body = json_object();
	json_array_foreach (json_object_get(raw, "messages"), i, row)
		if (json_is_true(json_object_get(row, "from_client")) == from_client &&
		    content.len < MERGE_BODY_MAX)
			ok = ok && content_add_json(&content, row);
	if (!json_object_get(body, "size"))
		json_object_set_new(body, "size", json_integer((json_int_t)content.len));
	if (content.len > MERGE_BODY_MAX) {
		content.len = MERGE_BODY_MAX;
		json_object_set_new(body, "truncated", json_true());
	}
	if (ok && content.len > 0)
		ok = content_set(body, content.bytes, content.len);
	free(content.bytes);
	return json_object_set_new(message, "body", body) == 0 && ok;
}

/* Readers that know of HTTP alone find the bytes of both sides where bodies are. */
static bool end_raw(json_t *flow)
{
	const json_t *raw = json_object_get(flow, "raw");
	const char *server = json_string_value(json_object_get(flow, "server"));
	json_t *url = json_textf("tcp://%s", server ? server : "");
	json_t *request = json_make("{s:s,s:o,s:s,s:[]}", "method", "RAW", "url", url,
				    "http_version", "", "headers");
	json_t *response = json_make("{s:i,s:s,s:s,s:[]}", "status", 0, "reason", "",
				     "http_version", "", "headers");

	return json_object_set_new(flow, "request", request) == 0 &&
	       json_object_set_new(flow, "response", response) == 0 &&
	       raw_body(raw, "client", true, request) && raw_body(raw, "server", false, response);
}

/* --- messages ----------------------------------------------------------------------------- */

/* Whether each message of that side is compressed by itself (RFC 7692, 7.1.1). */
static bool is_forgetful(const json_t *flow, bool from_client)
{
	const char *extensions =
		header_of(json_object_get(flow, "response"), "sec-websocket-extensions");

	return extensions && strcasestr(extensions, from_client ? "client_no_context_takeover"
								: "server_no_context_takeover");
}

/* False: out of memory. Messages behind one that is not whole can't be told either. */
static bool inflate_message(struct inflation **inflation, json_t *row, bool forgets)
{
	struct content content = { 0 };
	AUTO(char *, freep) text = NULL;
	size_t len = 0;
	bool ok = content_add(&content, NULL, 0) && content_add_json(&content, row);

	if (ok && *inflation && !json_is_true(json_object_get(row, "truncated")))
		text = inflation_message(*inflation, content.bytes, content.len, MERGE_BODY_MAX,
					 forgets, &len);
	free(content.bytes);
	if (text) {
		json_object_del(row, "compressed");
		return content_set(row, text, len);
	}
	if (!forgets) {
		inflation_free(*inflation);
		*inflation = NULL;
	}
	return ok;
}

static bool end_messages(json_t *flow)
{
	json_t *websocket = json_object_get(flow, "websocket"), *row;
	struct inflation *inflations[2] = { inflation_new(), inflation_new() };
	bool ok = inflations[0] && inflations[1];
	size_t i;

	if (json_is_object(websocket) && !json_object_get(websocket, "message_count"))
		json_object_set_new(websocket, "message_count",
				    json_integer((json_int_t)json_array_size(
					    json_object_get(websocket, "messages"))));
	json_array_foreach (json_object_get(websocket, "messages"), i, row) {
		bool from_client = json_is_true(json_object_get(row, "from_client"));

		if (ok && json_is_true(json_object_get(row, "compressed")))
			ok = inflate_message(&inflations[from_client], row,
					     is_forgetful(flow, from_client));
	}
	inflation_free(inflations[0]);
	inflation_free(inflations[1]);
	return ok;
}

int merge_end(json_t *flow, const char *error, bool decodes)
{
	json_t *request = object_at(flow, "request");
	json_t *response = object_at(flow, "response");
	bool ok = true;

	if (json_object_get(flow, "raw") || !request)
		ok = end_raw(flow);
	else
		ok = end_body(request, decodes) && (!response || end_body(response, decodes)) &&
		     end_messages(flow);
	if (!json_object_get(flow, "response"))
		json_object_set_new(flow, "response", json_null());
	if (!json_object_get(flow, "websocket"))
		json_object_set_new(flow, "websocket", json_null());
	if (error || !json_object_get(flow, "error"))
		json_object_set_new(flow, "error", error ? json_text(error) : json_null());
	if (!json_object_get(flow, "duration_ms"))
		json_object_set_new(flow, "duration_ms", json_integer(0));
	return ok ? 0 : -1;
}
