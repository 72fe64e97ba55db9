/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/head.h"

#include "base/buf.h"
#include "flow/text.h"

#include <string.h>
#include <strings.h>

/* --- bytes -------------------------------------------------------------------------------- */

bool slice_is(struct slice slice, const char *text)
{
	return slice.len == strlen(text) && strncasecmp(slice.at, text, slice.len) == 0;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct slice trim(struct slice slice)
{
	while (slice.len > 0 && is_blank(*slice.at)) {
		slice.at++;
		slice.len--;
	}
	while (slice.len > 0 && is_blank(slice.at[slice.len - 1]))
		slice.len--;
	return slice;
}

bool slice_has_word(struct slice slice, const char *word)
{
	const char *end = slice.at + slice.len;

	while (slice.at < end) {
		const char *comma = memchr(slice.at, ',', (size_t)(end - slice.at));
		const char *stop = comma ? comma : end;
		struct slice item = { slice.at, (size_t)(stop - slice.at) };

		if (slice_is(trim(item), word))
			return true;
		slice.at = stop + 1;
	}
	return false;
}

/* What names are made of (RFC 9110, 5.6.2): a bit for each of the bytes up to 0x7f. */
static bool is_token_byte(unsigned char c)
{
	static const uint32_t allowed[4] = { 0x00000000, 0x03ff6cfa, 0xc7fffffe, 0x57ffffff };

	return c < 0x80 && allowed[c / 32] >> c % 32 & 1;
}

static bool is_token(struct slice slice)
{
	for (size_t i = 0; i < slice.len; i++)
		if (!is_token_byte((unsigned char)slice.at[i]))
			return false;
	return slice.len > 0;
}

static bool is_version(struct slice slice)
{
	return slice.len == 8 && memcmp(slice.at, "HTTP/", 5) == 0 && slice.at[5] >= '0' &&
	       slice.at[5] <= '9' && slice.at[6] == '.' && slice.at[7] >= '0' && slice.at[7] <= '9';
}

/* Without its end. */
static struct slice line_of(const char *line, size_t len)
{
	struct slice slice = { line, len };

	if (slice.len > 0 && line[slice.len - 1] == '\n')
		slice.len--;
	if (slice.len > 0 && line[slice.len - 1] == '\r')
		slice.len--;
	return slice;
}

/* --- where a head ends -------------------------------------------------------------------- */

/* "METHOD target HTTP/1.1": the target is what stands between the first blank and the last. */
static bool read_request_line(struct slice line, struct head *head)
{
	size_t first = 0, last;

	line = trim(line);
	while (first < line.len && !is_blank(line.at[first]))
		first++;
	for (last = line.len; last > first && !is_blank(line.at[last - 1]); last--)
		;
	head->method = (struct slice){ line.at, first };
	head->version = (struct slice){ line.at + last, line.len - last };
	if (!is_token(head->method) || last <= first)
		return false;
	if (!is_version(head->version)) {
		head->version.len = 0;
		last = line.len;
	}
	head->target = trim((struct slice){ line.at + first, last - first });
	return head->target.len > 0;
}

static bool read_status_line(struct slice line, struct head *head)
{
	const char *at = line.at + 8, *end = line.at + line.len;

	if (line.len < 8 || !is_version((struct slice){ line.at, 8 }))
		return false;
	head->version = (struct slice){ line.at, 8 };
	while (at < end && is_blank(*at))
		at++;
	if (at == line.at + 8 || end - at < 3)
		return false;
	for (int i = 0; i < 3; i++, at++) {
		if (*at < '0' || *at > '9')
			return false;
		head->status = head->status * 10 + (unsigned)(*at - '0');
	}
	if (at < end && !is_blank(*at))
		return false;
	head->reason = trim((struct slice){ at, (size_t)(end - at) });
	return true;
}

/* HTTP/0.9 has GET alone, of a path, and that is all of it. */
static bool is_simple(const struct head *head)
{
	return head->version.len == 0 && slice_is(head->method, "GET") && *head->target.at == '/' &&
	       !memchr(head->target.at, ' ', head->target.len);
}

static enum head_found judge_first(enum tap_side side, struct slice line)
{
	struct head head = { 0 };

	if (side == TAP_SERVER)
		return read_status_line(line, &head) ? HEAD_MORE : HEAD_FOREIGN;
	if (!read_request_line(line, &head))
		return HEAD_FOREIGN;
	if (head.version.len == 0)
		return is_simple(&head) ? HEAD_SIMPLE : HEAD_FOREIGN;
	return HEAD_MORE;
}

/* Of a first line whose end is still to come. */
static bool may_begin(enum tap_side side, const char *line, size_t len)
{
	if (len == 0 || *line == '\r')
		return true;
	if (side == TAP_SERVER)
		return memcmp(line, "HTTP/", len < 5 ? len : 5) == 0;
	return is_token_byte((unsigned char)*line) || is_blank(*line);
}

static enum head_found find_end(struct head_search *search, enum tap_side side, bool has_first_line,
				const char *bytes, size_t len, size_t *ret_len)
{
	const char *end;

	while ((end = memchr(bytes + search->scanned, '\n', len - search->scanned))) {
		size_t next = (size_t)(end - bytes) + 1;
		struct slice line = line_of(bytes + search->line_at, next - search->line_at);
		enum head_found found = HEAD_MORE;

		search->scanned = search->line_at = next;
		*ret_len = next;
		if (line.len == 0 && (search->has_first || !has_first_line))
			return HEAD_END;
		if (line.len > 0 && has_first_line && !search->has_first) {
			found = judge_first(side, line);
			search->has_first = true;
		}
		if (found != HEAD_MORE)
			return found;
	}
	search->scanned = len;
	if (has_first_line && !search->has_first &&
	    !may_begin(side, bytes + search->line_at, len - search->line_at))
		return HEAD_FOREIGN;
	return HEAD_MORE;
}

enum head_found head_find(struct head_search *search, enum tap_side side, const char *bytes,
			  size_t len, size_t *ret_len)
{
	return find_end(search, side, true, bytes, len, ret_len);
}

enum head_found head_find_trailers(struct head_search *search, const char *bytes, size_t len,
				   size_t *ret_len)
{
	return find_end(search, TAP_CLIENT, false, bytes, len, ret_len);
}

/* --- fields ------------------------------------------------------------------------------- */

struct field {
	struct slice name, value;
	bool is_odd;    /* not "name: value", with a name that is one */
	bool is_folded; /* over several lines */
	bool is_plain;  /* "Name: value\r\n", and nothing about it that is lost in JSON */
};

static bool is_plain_text(struct slice slice)
{
	for (size_t i = 0; i < slice.len; i++)
		if (slice.at[i] < 0x20 || slice.at[i] == 0x7f) /* bytes from 0x80 on are below 0 */
			return false;
	return true;
}

/* The next of the fields, which shrink; false: there is none. An empty line ends them. */
static bool next_field(struct slice *fields, struct field *ret_field)
{
	struct field field = { 0 };
	const char *begin = fields->at, *end = begin + fields->len, *stop = begin, *colon;
	struct slice line;

	do {
		const char *newline = memchr(stop, '\n', (size_t)(end - stop));

		field.is_folded = stop > begin;
		stop = newline ? newline + 1 : end;
	} while (stop < end && is_blank(*stop));
	line = line_of(begin, (size_t)(stop - begin));
	fields->at = stop;
	fields->len = (size_t)(end - stop);
	if (line.len == 0)
		return false;
	colon = memchr(line.at, ':', line.len);
	field.name = colon ? (struct slice){ line.at, (size_t)(colon - line.at) } : line;
	field.value = (struct slice){ line.at + line.len, 0 };
	if (colon)
		field.value =
			trim((struct slice){ colon + 1, (size_t)(line.at + line.len - colon - 1) });
	field.is_odd = !colon || !is_token(field.name);
	field.is_plain = !field.is_odd && is_plain_text(field.value) &&
			 (size_t)(stop - begin) == field.name.len + field.value.len + 4 &&
			 colon[1] == ' ' && stop[-2] == '\r';
	*ret_field = field;
	return true;
}

static void doubt(struct head *head, const char *why)
{
	if (!head->ambiguous)
		head->ambiguous = why;
}

static void read_length(struct head *head, struct slice value)
{
	uint64_t length = 0;

	for (size_t i = 0; i < value.len; i++) {
		if (value.at[i] < '0' || value.at[i] > '9' || i >= 18) {
			head->body = BODY_UNKNOWN;
			doubt(head, "a Content-Length that is no number");
			return;
		}
		length = length * 10 + (uint64_t)(value.at[i] - '0');
	}
	if (value.len == 0 || (head->has_length && length != head->length)) {
		head->body = BODY_UNKNOWN;
		doubt(head, value.len ? "Content-Lengths that differ" : "an empty Content-Length");
	} else if (head->has_length) {
		doubt(head, "two Content-Lengths");
	}
	if (head->body == BODY_NONE)
		head->body = BODY_LENGTH;
	else if (head->body == BODY_CHUNKED)
		doubt(head, "both Content-Length and Transfer-Encoding");
	head->has_length = true;
	head->length = length;
}

static void read_coding(struct head *head, struct slice value)
{
	if (head->body == BODY_CHUNKED || head->body == BODY_UNKNOWN) {
		doubt(head, "two Transfer-Encodings");
		head->body = BODY_UNKNOWN;
	} else if (slice_is(value, "chunked")) {
		head->body = BODY_CHUNKED;
		if (head->has_length)
			doubt(head, "both Content-Length and Transfer-Encoding");
	} else {
		head->body = BODY_UNKNOWN;
		doubt(head, "a Transfer-Encoding that is not 'chunked'");
	}
}

static void read_field(struct head *head, const struct field *field)
{
	if (field->is_odd)
		doubt(head, "a line that is no field");
	if (field->is_folded)
		doubt(head, "a field over several lines");
	head->is_canonical &= field->is_plain;
	switch (field->name.len) { /* most are none of these */
	case 4:
		if (slice_is(field->name, "host") && !head->host.at)
			head->host = field->value;
		break;
	case 6: head->expects |= slice_is(field->name, "expect"); break;
	case 7:
		if (slice_is(field->name, "upgrade") && !head->upgrade.at)
			head->upgrade = field->value;
		break;
	case 14:
		if (slice_is(field->name, "content-length"))
			read_length(head, field->value);
		else if (slice_is(field->name, "http2-settings"))
			head->settings = field->value;
		break;
	case 17:
		if (slice_is(field->name, "transfer-encoding"))
			read_coding(head, field->value);
		break;
	default: break;
	}
}

/* Line ends that only some take for such. */
static bool has_odd_line_end(struct slice all)
{
	const char *at = all.at, *end = at + all.len;

	for (; (at = memchr(at, '\r', (size_t)(end - at))); at++)
		if (at + 1 == end || at[1] != '\n')
			return true;
	for (at = all.at; (at = memchr(at, '\n', (size_t)(end - at))); at++)
		if (at == all.at || at[-1] != '\r')
			return true;
	return false;
}

/* A server that pays no heed to a body of these takes it for the next request. */
static bool has_seldom_a_body(struct slice method)
{
	static const char *const methods[] = { "GET",     "HEAD",  "DELETE",
					       "OPTIONS", "TRACE", "CONNECT" };

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (slice_is(method, methods[i]))
			return true;
	return false;
}

static void judge_request(struct head *head, struct slice line)
{
	size_t plain = head->method.len + head->target.len + head->version.len + 2;

	head->is_canonical &= line.len == plain && is_plain_text(head->target) &&
			      *head->target.at == '/' && head->host.len > 0;
	if (head->body != BODY_NONE && head->length + (head->body != BODY_LENGTH) > 0 &&
	    has_seldom_a_body(head->method))
		doubt(head, "a body of a request that seldom has one");
	if (head->body >= BODY_CHUNKED && !slice_is(head->version, "HTTP/1.1"))
		doubt(head, "Transfer-Encoding in another version than HTTP/1.1");
}

bool head_read(enum tap_side side, const char *bytes, size_t len, struct head *ret_head)
{
	struct head head = { .all = { bytes, len }, .is_canonical = true };
	const char *end = bytes + len, *newline;
	struct slice line, rest;
	struct field field;

	while (bytes < end && (*bytes == '\r' || *bytes == '\n'))
		bytes++;
	head.is_canonical = bytes == head.all.at;
	newline = memchr(bytes, '\n', (size_t)(end - bytes));
	newline = newline ? newline + 1 : end;
	line = line_of(bytes, (size_t)(newline - bytes));
	if (side == TAP_CLIENT ? !read_request_line(line, &head) : !read_status_line(line, &head))
		return false;
	head.fields = rest = (struct slice){ newline, (size_t)(end - newline) };
	while (next_field(&rest, &field))
		read_field(&head, &field);
	if (head.version.len > 0 && has_odd_line_end(head.all)) {
		doubt(&head, "line ends that are not CRLF");
		head.is_canonical = false;
	}
	if (side == TAP_CLIENT)
		judge_request(&head, line);
	else
		head.is_canonical &= line.len == head.version.len + head.reason.len + 5 &&
				     is_plain_text(head.reason);
	*ret_head = head;
	return true;
}

/* --- as JSON ------------------------------------------------------------------------------ */

static void put_fields(struct buf *buf, const char *name, struct slice fields)
{
	struct field field;
	bool is_first = true;

	buf_puts(buf, ",\"");
	buf_puts(buf, name);
	buf_puts(buf, "\":[");
	while (next_field(&fields, &field)) {
		buf_puts(buf, is_first ? "{\"name\":" : ",{\"name\":");
		text_put(buf, field.name.at, field.name.len);
		buf_puts(buf, ",\"value\":");
		text_put(buf, field.value.at, field.value.len);
		buf_putc(buf, '}');
		is_first = false;
	}
	buf_putc(buf, ']');
}

/* What a target is without its scheme and host is put behind them. */
static void put_url(struct buf *buf, const struct head *head, const char *authority)
{
	struct buf url = BUF_INIT;
	bool is_path = *head->target.at == '/' || *head->target.at == '*';

	if (is_path) {
		buf_puts(&url, "http://");
		if (head->host.len > 0)
			buf_put(&url, head->host.at, head->host.len);
		else
			buf_puts(&url, authority);
		if (*head->target.at == '*')
			buf_putc(&url, '/');
	}
	buf_put(&url, head->target.at, head->target.len);
	buf_puts(buf, ",\"url\":");
	text_put(buf, url.data, url.len);
	buf->out_of_memory |= buf_failed(&url);
	buf_done(&url);
}

void head_put(struct buf *buf, enum tap_side side, const struct head *head, const char *authority)
{
	if (side == TAP_CLIENT) {
		buf_puts(buf, ",\"method\":");
		text_put(buf, head->method.at, head->method.len);
		put_url(buf, head, authority);
	} else {
		buf_puts(buf, ",\"status\":");
		text_put_number(buf, head->status);
		buf_puts(buf, ",\"reason\":");
		text_put(buf, head->reason.at, head->reason.len);
	}
	buf_puts(buf, ",\"http_version\":");
	if (head->version.len > 0)
		text_put(buf, head->version.at, head->version.len);
	else
		buf_puts(buf, "\"HTTP/0.9\"");
	put_fields(buf, "headers", head->fields);
	if (!head->is_canonical) {
		buf_puts(buf, ",\"raw_head\":");
		text_put_base64(buf, head->all.at, head->all.len);
	}
}

void head_put_trailers(struct buf *buf, const char *bytes, size_t len)
{
	put_fields(buf, "trailers", (struct slice){ bytes, len });
}

/* --- chunks ------------------------------------------------------------------------------- */

static int digit_of(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
				      : -1;
}

bool chunk_read(const char *line, size_t len, uint64_t *ret_size, const char **ret_ambiguous)
{
	struct slice text = line_of(line, len);
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < text.len && digit_of(text.at[i]) >= 0; i++) {
		if (size >> 56)
			return false;
		size = size << 4 | (uint64_t)digit_of(text.at[i]);
	}
	*ret_ambiguous = NULL;
	*ret_size = size;
	if (i == 0)
		return false;
	if (text.len + 2 != len || memchr(text.at, '\r', text.len))
		*ret_ambiguous = "line ends of chunks that are not CRLF";
	else if (i < text.len && text.at[i] != ';')
		*ret_ambiguous = "a chunk's size with something behind it";
	return i == text.len || text.at[i] == ';' || is_blank(text.at[i]);
}
