/* SPDX-License-Identifier: Apache-2.0 */
#include "node/redact.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"

#include <stdint.h>
#include <string.h>

enum { UNMISTAKABLE = 8 };

static const char token_variable[] = "CTFY_TOKEN=";

static void put_mark(struct buf *out, const char *question, const char *secret)
{
	char hash[SECRET_HASH_SIZE];

	secret_hash(secret, hash);
	if (question)
		buf_printf(out, "[answer:%s sha256:%s]", question, hash);
	else
		buf_printf(out, "[token sha256:%s]", hash);
}

/* Where the next one begins; NULL: there is none. */
static const char *find(const char *text, const char *from, const char *secret)
{
	size_t len = strlen(text), secret_len = strlen(secret);
	const char *end = text + len - secret_len;

	if (secret_len == 0 || len < secret_len)
		return NULL;
	if (secret_len >= UNMISTAKABLE)
		return strstr(from, secret);
	return end >= from && strcmp(end, secret) == 0 && (end == text || end[-1] == '=') ? end
											  : NULL;
}

static void put_without(struct buf *out, const char *text, const char *question, const char *secret)
{
	const char *from = text, *at;

	while ((at = find(text, from, secret))) {
		buf_put(out, from, (size_t)(at - from));
		put_mark(out, question, secret);
		from = at + strlen(secret);
	}
	buf_puts(out, from);
}

static void replace(struct buf *text, const char *question, const char *secret)
{
	struct buf out = BUF_INIT;

	put_without(&out, text->data, question, secret);
	buf_done(text);
	*text = out;
}

static int redact_text(json_t *json, const json_t *answers, struct err *e)
{
	struct buf text = BUF_INIT;
	const char *question;
	json_t *answer;
	int r;

	buf_puts(&text, json_string_value(json));
	if (strncmp(text.data, token_variable, strlen(token_variable)) == 0)
		replace(&text, NULL, json_string_value(json) + strlen(token_variable));
	json_object_foreach ((json_t *)(uintptr_t)answers, question, answer)
		if (!buf_failed(&text) && json_is_string(answer))
			replace(&text, question, json_string_value(answer));
	r = buf_check(&text, e);
	if (r == 0 && json_string_set(json, text.data) < 0)
		r = err_memory(e);
	buf_done(&text);
	return r;
}

int redact(json_t *json, const json_t *answers, struct err *e)
{
	const char *name;
	json_t *part;
	size_t i;
	int r = 0;

	if (json_is_string(json))
		return redact_text(json, answers, e);
	json_array_foreach (json, i, part)
		if (r == 0)
			r = redact(part, answers, e);
	json_object_foreach (json, name, part)
		if (r == 0)
			r = redact(part, answers, e);
	return r;
}
