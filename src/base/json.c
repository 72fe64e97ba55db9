/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/utf8.h"

#include <string.h>

bool json_is_shallow(const char *text, size_t len)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < len; i++) {
		switch (text[i]) {
		case '"': in_string = !in_string; break;
		case '\\': i += in_string; break;
		case '[':
		case '{':
			if (!in_string && ++depth > JSON_DEPTH_MAX)
				return false;
			break;
		case ']':
		case '}': depth -= !in_string; break;
		default: break;
		}
	}
	return true;
}

int json_parse(const void *bytes, size_t len, json_t **ret_json, struct err *e)
{
	json_error_t error;

	if (!json_is_shallow(bytes, len))
		return err_set(e, ERR_INVALID, "not JSON: nested deeper than %d", JSON_DEPTH_MAX);
	*ret_json = json_loadb(bytes, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (*ret_json)
		return 0;
	if (json_error_code(&error) == json_error_out_of_memory)
		return err_memory(e);
	return err_set(e, ERR_INVALID, "not JSON: line %d, column %d: %s", error.line, error.column,
		       error.text);
}

static json_t *repaired(const char *bytes, size_t len)
{
	AUTO(struct buf, buf_done) text = BUF_INIT;

	utf8_put_valid(&text, bytes, len);
	return buf_failed(&text) ? NULL : json_stringn_nocheck(text.data, text.len);
}

json_t *json_text_n(const char *bytes, size_t len)
{
	json_t *text = json_stringn(bytes, len);

	return text ? text : repaired(bytes, len);
}

json_t *json_text(const char *s)
{
	return s ? json_text_n(s, strlen(s)) : NULL;
}
