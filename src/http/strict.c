/* SPDX-License-Identifier: Apache-2.0 */
#include "http/strict.h"

#include "base/err.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/*
 * libmicrohttpd (0.9.75: get_next_header_line(), process_header_line() in its connection.c) cuts
 * lines where they stand, in one piece of memory: both bytes of CRLF become NUL, and so does the
 * colon. So the next line begins two bytes behind the NUL that ends a value; where it doesn't, the
 * line ended otherwise (a bare LF is one byte), went on (a folded one is copied elsewhere), or held
 * a NUL. The last line is followed by the empty one, another CRLF; the size of it all, from the
 * method on, tells that it was: what lies behind may be NUL by chance, or as the client likes.
 */
struct lines {
	const char *end; /* of the last line seen: where its CRLF was */
	const char *fault;
	unsigned hosts;
};

static bool is_token_char(unsigned char c)
{
	return c > ' ' && c < 0x7f && !strchr("\"(),/:;<=>?@[\\]{}", c);
}

static bool is_token(const char *name)
{
	if (!*name)
		return false;
	while (*name && is_token_char((unsigned char)*name))
		name++;
	return *name == '\0';
}

/* Between the colon and the value there is but blank space. */
static bool has_own_value(const char *name, const char *value)
{
	const char *at = name + strlen(name) + 1;

	if (value < at)
		return false;
	while (at < value && (*at == ' ' || *at == '\t'))
		at++;
	return at == value;
}

static bool has_control(const char *value)
{
	for (; *value; value++)
		if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
			return true;
	return false;
}

static const char *find_fault(const struct lines *lines, const char *name, const char *value)
{
	if (name != lines->end + 2 || lines->end[1] != '\0' || !value ||
	    !has_own_value(name, value))
		return "its lines have to end with CRLF, and may not be folded or hold a NUL";
	if (!is_token(name))
		return "a header's name is malformed";
	return has_control(value) ? "a header's value holds a control character" : NULL;
}

static enum MHD_Result check_line(void *cookie, enum MHD_ValueKind kind, const char *name,
				  const char *value)
{
	struct lines *lines = cookie;

	(void)kind;
	lines->fault = find_fault(lines, name, value);
	if (lines->fault)
		return MHD_NO;
	lines->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
	lines->end = value + strlen(value);
	return MHD_YES;
}

/* Whether two CRLF are between the last line and the body. */
static bool ends_well(struct MHD_Connection *connection, const char *method, const char *end)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

	return info && end + 4 == method + info->header_size && memcmp(end, "\0\0\0", 4) == 0;
}

int strict_check(struct MHD_Connection *connection, const char *method, const char *version,
		 struct err *e)
{
	struct lines lines = { .end = version + strlen(version) };

	MHD_get_connection_values(connection, MHD_HEADER_KIND, check_line, &lines);
	if (!lines.fault && !ends_well(connection, method, lines.end))
		lines.fault =
			"its lines have to end with CRLF, and may not be folded or hold a NUL";
	if (!lines.fault && lines.hosts > 1)
		lines.fault = "it says Host more than once";
	return lines.fault ? err_set(e, ERR_INVALID, "the request is malformed: %s", lines.fault)
			   : 0;
}
