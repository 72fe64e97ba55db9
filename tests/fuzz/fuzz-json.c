/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of others, as doors take it; and texts that become JSON, whatever their bytes. */
#include "fuzz.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "flow/text.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static void read_it(const uint8_t *data, size_t size)
{
	struct err e = ERR_INIT;
	json_t *json = NULL;
	char *text;

	if (json_parse(data, size, &json, &e) < 0) {
		assert(e.code != ERR_NONE && *e.msg);
		return;
	}
	text = json_dumps(json, JSON_ENCODE_ANY);
	assert(text);
	free(text);
	json_decref(json);
}

/* What is written is read again, the same, and all of it is UTF-8. */
static void write_it(const uint8_t *data, size_t size)
{
	struct buf buf = BUF_INIT;
	json_t *json;

	text_put(&buf, data, size);
	assert(!buf_failed(&buf));
	json = json_loadb(buf.data, buf.len, JSON_DECODE_ANY, NULL);
	assert(json_is_string(json));
	json_decref(json);
	buf_clear(&buf);
	buf_putc(&buf, '{');
	text_put_content(&buf, data, size);
	buf_putc(&buf, '}');
	json = json_loadb(buf.data, buf.len, 0, NULL);
	assert(json);
	if (json_object_get(json, "text")) {
		assert(json_string_length(json_object_get(json, "text")) == size);
		assert(size == 0 ||
		       memcmp(json_string_value(json_object_get(json, "text")), data, size) == 0);
	} else {
		assert(json_string_length(json_object_get(json, "base64")) == (size + 2) / 3 * 4);
	}
	json_decref(json);
	buf_done(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *text;

	read_it(data, size);
	write_it(data, size);
	text = json_text_n((const char *)data, size);
	assert(json_is_string(text));
	json_decref(text);
	return 0;
}
