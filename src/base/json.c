#include "base/json.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"

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

static bool is_continuation(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* Length of the character that s begins with; 0 when it is none (RFC 3629, table 3-7 of Unicode).
 */
static size_t character_length(const unsigned char *s, size_t len)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > len || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (!is_continuation(s[i]))
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return n;
}

static json_t *repaired(const char *bytes, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */
	AUTO(struct buf, buf_done) text = BUF_INIT;

	while (len > 0) {
		size_t n = character_length((const unsigned char *)bytes, len);

		if (n)
			buf_put(&text, bytes, n);
		else
			buf_puts(&text, replacement);
		n = n ? n : 1;
		bytes += n;
		len -= n;
	}
	return buf_failed(&text) ? NULL : json_stringn_nocheck(text.data, text.len);
}

json_t *json_text_n(const char *bytes, size_t len)
{
	json_t *text = json_stringn(bytes, len);

	return text ? text : repaired(bytes, len);
}

json_t *json_text(const char *s)
{
	return json_text_n(s, strlen(s));
}
