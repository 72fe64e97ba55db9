/* SPDX-License-Identifier: Apache-2.0 */
#include "sdk/error.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "http/call.h"
#include "sdk/member.h"

#include <jansson.h>
#include <stdarg.h>
#include <string.h>

static const char *const words[] = {
	[CTFY_ERROR_NONE] = "none",
	[CTFY_ERROR_NODE] = "node",
	[CTFY_ERROR_CONNECT] = "connect",
	[CTFY_ERROR_TIMEOUT] = "timeout",
	[CTFY_ERROR_TLS] = "tls",
	[CTFY_ERROR_TRANSPORT] = "transport",
	[CTFY_ERROR_TOO_LARGE] = "too-large",
	[CTFY_ERROR_PROTOCOL] = "protocol",
	[CTFY_ERROR_ARGUMENT] = "argument",
	[CTFY_ERROR_ABORTED] = "aborted",
	[CTFY_ERROR_MEMORY] = "out-of-memory",
};

const char *ctfy_error_word(enum ctfy_error_kind kind)
{
	return (size_t)kind < ARRAY_SIZE(words) ? words[kind] : "unknown";
}

void ctfy_error_done(struct ctfy_error *error)
{
	free(error->detail);
	*error = (struct ctfy_error)CTFY_ERROR_INIT;
}

/* Takes the detail. */
static int fill(struct ctfy_error *error, enum ctfy_error_kind kind, int status, char *detail)
{
	if (error) {
		ctfy_error_done(error);
		*error = (struct ctfy_error){ kind, status, TAKE(detail) };
	}
	free(detail);
	return -(int)kind;
}

static enum ctfy_error_kind kind_of(enum err_code code)
{
	switch (code) {
	case ERR_INVALID: return CTFY_ERROR_ARGUMENT;
	case ERR_CONNECT: return CTFY_ERROR_CONNECT;
	case ERR_TIMEOUT: return CTFY_ERROR_TIMEOUT;
	case ERR_TLS: return CTFY_ERROR_TLS;
	case ERR_TOO_LARGE: return CTFY_ERROR_TOO_LARGE;
	case ERR_PROTOCOL:
	case ERR_VALIDATION: return CTFY_ERROR_PROTOCOL;
	case ERR_ABORTED: return CTFY_ERROR_ABORTED;
	case ERR_MEMORY: return CTFY_ERROR_MEMORY;
	default: return CTFY_ERROR_TRANSPORT;
	}
}

int sdk_fail(struct ctfy_error *error, const struct err *e)
{
	return fill(error, kind_of(e->code), 0, strdup(e->msg));
}

int sdk_fail_memory(struct ctfy_error *error)
{
	struct err e = ERR_INIT;

	err_memory(&e);
	return sdk_fail(error, &e);
}

int sdk_refuse_argument(struct ctfy_error *error, const char *fmt, ...)
{
	struct buf detail = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&detail, fmt, ap);
	va_end(ap);
	return fill(error, CTFY_ERROR_ARGUMENT, 0, buf_take(&detail));
}

int sdk_fail_protocol(struct ctfy_error *error, int status, const struct err *e)
{
	if (e->code == ERR_MEMORY)
		return sdk_fail(error, e);
	return fill(error, CTFY_ERROR_PROTOCOL, status,
		    strf("the node's answer is not what was asked for: %s", e->msg));
}

json_t *sdk_load(const struct buf *body, size_t flags, struct err *e)
{
	json_error_t why;
	json_t *json;

	if (!json_is_shallow(body->data, body->len)) {
		err_set(e, ERR_PROTOCOL, "not JSON: nested deeper than %d", JSON_DEPTH_MAX);
		return NULL;
	}
	json = json_loadb(body->data, body->len, flags, &why);
	if (!json && json_error_code(&why) == json_error_out_of_memory)
		err_memory(e);
	else if (!json)
		err_set(e, ERR_PROTOCOL, "not JSON: %s", why.text);
	return json;
}

/* A string of C has no place for a NUL: U+FFFD stands for each. */
static char *text_copy(const char *bytes, size_t len)
{
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			buf_putc(&text, bytes[i]);
		else
			buf_puts(&text, "\xEF\xBF\xBD");
	return buf_take(&text);
}

static char *trimmed_copy(const struct buf *body)
{
	static const char space[] = " \t\r\n\v\f";
	const char *begin = body->data, *end = body->data + body->len;

	while (begin < end && *begin && strchr(space, *begin))
		begin++;
	while (end > begin && end[-1] && strchr(space, end[-1]))
		end--;
	return text_copy(begin, (size_t)(end - begin));
}

static int put(void *cookie, const void *bytes, size_t len, struct err *e)
{
	struct buf *text = cookie;

	buf_put(text, bytes, len);
	return buf_check(text, e);
}

/* From the body's own text: encoding it anew would rewrite its numbers. */
static char *compact_detail(const struct buf *body)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;
	struct member detail = {
		.name = "detail", .kind = MEMBER_OTHER, .sink = put, .cookie = &text
	};

	if (member_read(&detail, body->data, body->len, NULL) < 0)
		return NULL;
	return buf_take(&text);
}

static char *detail_of(const struct buf *body)
{
	AUTO(json_t *, json_decrefp) json =
		sdk_load(body, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
	const json_t *detail = json_object_get(json, "detail");

	if (!detail)
		return trimmed_copy(body);
	if (json_is_string(detail))
		return text_copy(json_string_value(detail), json_string_length(detail));
	return compact_detail(body);
}

int sdk_fail_node(struct ctfy_error *error, const struct http_reply *reply)
{
	return fill(error, CTFY_ERROR_NODE, reply->status, error ? detail_of(&reply->body) : NULL);
}
