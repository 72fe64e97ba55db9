/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct {
	int status;
	const char *word;
} codes[ERR_CODES] = {
	[ERR_NONE] = { 200, "none" },
#define ERR_CODE(code, status, word) [ERR_##code] = { status, word },
#include "base/err-codes.h"
#undef ERR_CODE
};

/* The head names the object and the tail the cause; what must give way is the middle. */
static const char ellipsis[] = " ... ";

/* Messages travel as UTF-8: what is cut is cut between two characters. */
static bool is_inside_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static void join(char *msg, const char *head, const char *separator, const char *tail)
{
	size_t head_len = strlen(head);
	size_t separator_len = strlen(separator);
	size_t tail_len = strlen(tail);
	size_t room;

	if (head_len + separator_len + tail_len < ERR_MESSAGE_SIZE) {
		memcpy(msg, head, head_len);
		memcpy(msg + head_len, separator, separator_len);
		memcpy(msg + head_len + separator_len, tail, tail_len + 1);
		return;
	}

	if (head_len > ERR_MESSAGE_SIZE / 4)
		head_len = ERR_MESSAGE_SIZE / 4;
	while (head_len > 0 && is_inside_character(head[head_len]))
		head_len--;
	memcpy(msg, head, head_len);
	memcpy(msg + head_len, separator, separator_len);
	head_len += separator_len;
	room = ERR_MESSAGE_SIZE - 1 - head_len;
	if (tail_len > room) {
		memcpy(msg + head_len, ellipsis, sizeof(ellipsis) - 1);
		head_len += sizeof(ellipsis) - 1;
		tail += tail_len - (ERR_MESSAGE_SIZE - 1 - head_len);
		tail_len = ERR_MESSAGE_SIZE - 1 - head_len;
		for (; tail_len > 0 && is_inside_character(*tail); tail++)
			tail_len--;
	}
	memcpy(msg + head_len, tail, tail_len);
	msg[head_len + tail_len] = '\0';
}

__attribute__((format(printf, 2, 0))) static void format_keeping_end(char *msg, const char *fmt,
								     va_list ap)
{
	char text[4 * ERR_MESSAGE_SIZE];

	vsnprintf(text, sizeof(text), fmt, ap);
	join(msg, "", "", text);
}

int err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -(int)code;
	e->code = code;
	va_start(ap, fmt);
	format_keeping_end(e->msg, fmt, ap);
	va_end(ap);
	return -(int)code;
}

int err_wrap(struct err *e, const char *fmt, ...)
{
	char context[ERR_MESSAGE_SIZE];
	char cause[ERR_MESSAGE_SIZE];
	va_list ap;

	if (!e)
		return -(int)ERR_INTERNAL;
	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	memcpy(cause, e->msg, sizeof(cause));
	join(e->msg, context, ": ", cause);
	return -(int)e->code;
}

int err_errno(struct err *e, enum err_code code, const char *fmt, ...)
{
	char context[ERR_MESSAGE_SIZE];
	const char *cause = strerrordesc_np(errno);
	va_list ap;

	if (code == ERR_INTERNAL && (errno == ENOSPC || errno == EDQUOT))
		code = ERR_UNAVAILABLE;
	if (!e)
		return -(int)code;
	va_start(ap, fmt);
	vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	e->code = code;
	join(e->msg, context, ": ", cause ? cause : "unknown error");
	return -(int)code;
}

int err_memory(struct err *e)
{
	return err_set(e, ERR_MEMORY, "out of memory");
}

int err_status(enum err_code code)
{
	return code > ERR_NONE && code < ERR_CODES ? codes[code].status : 500;
}

const char *err_word(enum err_code code)
{
	return code >= ERR_NONE && code < ERR_CODES ? codes[code].word : "unknown";
}
