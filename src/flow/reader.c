/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/reader.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/own.h"
#include "flow/lines.h"
#include "flow/merge.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	LINE_MOST = 64 << 20, /* a longer one is none of ours */
	FLOW_MOST = 64 << 20, /* bytes of the lines of one flow that are put together */
	BLOCK = 64 << 10,
};

/* --- lines -------------------------------------------------------------------------------- */

struct line_reader {
	int fd; /* -1: no file */
	int64_t at;
	char *block;
	size_t block_len, block_at;
	char *line;
	size_t len, capacity;
};

static int fill(struct line_reader *lines, struct err *e)
{
	ssize_t n = pread(lines->fd, lines->block, BLOCK, lines->at);

	if (n < 0)
		return err_errno(e, ERR_INTERNAL, "read the recorded flows");
	lines->block_len = (size_t)n;
	lines->block_at = 0;
	return 0;
}

static int add(struct line_reader *lines, const char *bytes, size_t len, struct err *e)
{
	char *moved;

	if (lines->len > LINE_MOST)
		return 0;
	if (lines->capacity - lines->len <= len) {
		lines->capacity = 2 * (lines->capacity + len) + 1;
		moved = realloc(lines->line, lines->capacity);
		if (!moved)
			return err_memory(e);
		lines->line = moved;
	}
	memcpy(lines->line + lines->len, bytes, len);
	lines->len += len;
	lines->line[lines->len] = '\0';
	return 0;
}

/* 1: a line, without its end; 0: there is no whole one. */
static int next_line(struct line_reader *lines, struct err *e)
{
	int64_t begin = lines->at;
	const char *newline = NULL;
	int r = 0;

	lines->len = 0;
	while (!newline) {
		const char *from;
		size_t len;

		if (lines->block_at == lines->block_len)
			r = fill(lines, e);
		if (r < 0 || lines->block_len == 0) {
			lines->at = begin;
			lines->block_at = lines->block_len = 0;
			return r;
		}
		from = lines->block + lines->block_at;
		len = lines->block_len - lines->block_at;
		newline = memchr(from, '\n', len);
		if (newline)
			len = (size_t)(newline - from) + 1;
		lines->block_at += len;
		lines->at += (int64_t)len;
		r = add(lines, from, newline ? len - 1 : len, e);
		if (r < 0)
			return r;
	}
	return 1;
}

static void seek_line(struct line_reader *lines, int64_t at)
{
	lines->at = at;
	lines->block_at = lines->block_len = 0;
}

static int open_lines(struct line_reader *lines, const char *path, struct err *e)
{
	lines->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (lines->fd < 0 && errno != ENOENT)
		return err_errno(e, ERR_INTERNAL, "open '%s'", path);
	lines->block = malloc(BLOCK);
	return lines->block ? 0 : err_memory(e);
}

static void close_lines(struct line_reader *lines)
{
	closep(&lines->fd);
	free(lines->block);
	free(lines->line);
}

/* --- what a line is, by its first bytes ---------------------------------------------------- */

enum line_kind { LINE_BAD, LINE_WHOLE, LINE_BEGIN, LINE_MORE, LINE_END, LINE_RECORDER };

/* Of a part of a flow: ret_id[FLOW_ID_SIZE]. */
static enum line_kind kind_of(const char *line, size_t len, char *ret_id)
{
	static const struct {
		const char *prefix;
		enum line_kind kind;
	} kinds[] = {
		{ "{\"line\":\"begin\",\"id\":\"", LINE_BEGIN },
		{ "{\"line\":\"more\",\"id\":\"", LINE_MORE },
		{ "{\"line\":\"end\",\"id\":\"", LINE_END },
	};

	*ret_id = '\0';
	if (len < 2 || len > LINE_MOST || *line != '{' || line[len - 1] != '}')
		return LINE_BAD;
	if (strncmp(line, "{\"recorder\":", 12) == 0)
		return LINE_RECORDER;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const char *id = line + strlen(kinds[i].prefix), *end;

		if (strncmp(line, kinds[i].prefix, strlen(kinds[i].prefix)) != 0)
			continue;
		end = strchr(id, '"');
		if (!end || end - id >= FLOW_ID_SIZE)
			return LINE_BAD;
		memcpy(ret_id, id, (size_t)(end - id));
		ret_id[end - id] = '\0';
		return kinds[i].kind;
	}
	return LINE_WHOLE;
}

/* --- the reader --------------------------------------------------------------------------- */

struct flow_reader {
	struct line_reader lines;
	struct flow_reader_counts counts;
	json_t *open;    /* id: where its last line begins; of flows that have no end yet */
	int64_t open_at; /* up to where that is known; -1: it isn't */
	json_t *orphans; /* the same, of a recorder that ended; they are told next */
	const char *orphan_error;
	bool is_at_rest; /* what is not over has been asked for */
	bool keeps_codings;
};

int flow_reader_open(const char *path, struct flow_reader **ret_reader, struct err *e)
{
	AUTO(struct flow_reader *, flow_reader_closep) reader = calloc(1, sizeof(*reader));
	int r;

	if (!reader)
		return err_memory(e);
	reader->lines.fd = -1;
	reader->open = json_object();
	r = reader->open ? open_lines(&reader->lines, path, e) : err_memory(e);
	if (r == 0)
		*ret_reader = TAKE(reader);
	return r;
}

void flow_reader_close(struct flow_reader *reader)
{
	if (!reader)
		return;
	close_lines(&reader->lines);
	json_decref(reader->open);
	json_decref(reader->orphans);
	free(reader);
}

int64_t flow_reader_at(const struct flow_reader *reader)
{
	return reader->lines.at;
}

bool flow_reader_is_between(const struct flow_reader *reader)
{
	return reader->orphans;
}

const struct flow_reader_counts *flow_reader_counts(const struct flow_reader *reader)
{
	return &reader->counts;
}

void flow_reader_keep_codings(struct flow_reader *reader)
{
	reader->keeps_codings = true;
}

/* A place that we did not hand out may lie inside a line: the next one is the next that begins. */
int flow_reader_seek(struct flow_reader *reader, int64_t at, struct err *e)
{
	char before = '\n';
	int r = 0;

	seek_line(&reader->lines, at);
	reader->open_at = at == 0 ? 0 : -1;
	json_object_clear(reader->open);
	if (reader->lines.fd >= 0 && at > 0 && pread(reader->lines.fd, &before, 1, at - 1) < 0)
		return err_errno(e, ERR_INTERNAL, "read the recorded flows");
	if (before != '\n')
		r = next_line(&reader->lines, e);
	return r < 0 ? r : 0;
}

static void note(json_t *open, enum line_kind kind, const char *id, int64_t at)
{
	if (kind == LINE_BEGIN || kind == LINE_MORE)
		json_object_set_new_nocheck(open, id, json_integer(at));
	else if (kind == LINE_END)
		json_object_del(open, id);
}

/* --- a flow's lines ------------------------------------------------------------------------ */

/* The line that begins there, if it is one of that flow. NULL: it isn't. */
static json_t *read_line(struct line_reader *lines, int64_t at, const char *id)
{
	char found[FLOW_ID_SIZE];
	enum line_kind kind;

	seek_line(lines, at);
	if (next_line(lines, NULL) <= 0)
		return NULL;
	kind = kind_of(lines->line, lines->len, found);
	if ((kind != LINE_BEGIN && kind != LINE_MORE && kind != LINE_END) || strcmp(found, id) != 0)
		return NULL;
	return json_loadb(lines->line, lines->len, JSON_DISABLE_EOF_CHECK, NULL);
}

struct places {
	int64_t *at;
	size_t count;
};

static bool add_place(struct places *places, int64_t at)
{
	int64_t *moved = places->at;

	if ((places->count & (places->count - 1)) == 0)
		moved = realloc(places->at,
				(places->count ? 2 * places->count : 1) * sizeof(*moved));
	if (!moved)
		return false;
	places->at = moved;
	places->at[places->count++] = at;
	return true;
}

/* Where the flow's lines begin, the last first. Each says where the one before it is. */
static int find_lines(struct line_reader *lines, int64_t at, const char *id, struct places *places,
		      uint64_t *bad, struct err *e)
{
	while (at >= 0) {
		json_t *line = read_line(lines, at, id);
		const json_t *prev = json_object_get(line, "prev");
		int64_t before = json_is_integer(prev) ? json_integer_value(prev) : -1;

		if (line && !add_place(places, at)) {
			json_decref(line);
			return err_memory(e);
		}
		*bad += !line;
		json_decref(line);
		at = before < at ? before : -1;
	}
	return 0;
}

/* From the first on; where they are too many, the last alone is taken behind a gap. */
static json_t *merge_lines(struct line_reader *lines, const char *id, const struct places *places)
{
	json_t *flow = json_object();
	size_t bytes = 0;

	for (size_t i = places->count; i-- > 0;) {
		json_t *line;

		if (bytes > FLOW_MOST && i > 0) {
			json_object_set_new(flow, "cut", json_true());
			continue;
		}
		line = read_line(lines, places->at[i], id);
		bytes += lines->len;
		merge_line(flow, line);
		json_decref(line);
	}
	return flow;
}

/* The flow whose last line begins there. 0: it has no beginning, and is counted. */
static int build(struct flow_reader *reader, int64_t at, const char *id, const char *error,
		 json_t **ret_flow, struct err *e)
{
	struct line_reader lines = { .fd = reader->lines.fd, .block = malloc(BLOCK) };
	AUTO(json_t *, json_decrefp) flow = NULL;
	struct places places = { 0 };
	int r = lines.block ? 0 : err_memory(e);

	if (r == 0)
		r = find_lines(&lines, at, id, &places, &reader->counts.bad_lines, e);
	if (r == 0)
		flow = merge_lines(&lines, id, &places);
	free(places.at);
	free(lines.block);
	free(lines.line);
	if (r < 0)
		return r;
	if (!json_object_get(flow, "started_at"))
		return 0; /* its beginning is damaged: counted as a line */
	json_object_set_new(flow, "id", json_text(id));
	if (merge_end(flow, error, !reader->keeps_codings) < 0)
		return err_memory(e);
	*ret_flow = TAKE(flow);
	return 1;
}

/* --- what lies open ------------------------------------------------------------------------ */

static void take_recorder(struct flow_reader *reader, const char *text, size_t len)
{
	AUTO(json_t *, json_decrefp) line = json_loadb(text, len, 0, NULL);
	const char *what = json_string_value(json_object_get(line, "recorder"));

	if (what && strcmp(what, "lost") == 0) {
		reader->counts.lost_flows +=
			(uint64_t)json_integer_value(json_object_get(line, "flows"));
		reader->counts.lost_lines +=
			(uint64_t)json_integer_value(json_object_get(line, "lines"));
		return;
	}
	reader->counts.recorders += what && strcmp(what, "begun") == 0;
	if (json_object_size(reader->open) == 0)
		return;
	reader->orphans = TAKE(reader->open);
	reader->open = json_object();
	reader->orphan_error = "the recorder ended before it";
}

/* What lay open at a place that was sought, by all lines before it. */
static int find_open(struct flow_reader *reader, int64_t end, struct err *e)
{
	struct line_reader lines = { .fd = reader->lines.fd, .block = malloc(BLOCK) };
	char id[FLOW_ID_SIZE];
	int r = lines.block ? 0 : err_memory(e);

	json_object_clear(reader->open);
	while (r >= 0 && lines.at < end) {
		int64_t at = lines.at;
		enum line_kind kind;

		r = next_line(&lines, e);
		if (r <= 0)
			break;
		kind = kind_of(lines.line, lines.len, id);
		if (kind == LINE_RECORDER && !strstr(lines.line, "\"lost\""))
			json_object_clear(reader->open);
		else
			note(reader->open, kind, id, at);
	}
	free(lines.block);
	free(lines.line);
	reader->open_at = end;
	return r < 0 ? r : 0;
}

/* 0: the last was told. */
static int next_orphan(struct flow_reader *reader, json_t **ret_flow, struct err *e)
{
	void *entry = json_object_iter(reader->orphans);
	char id[FLOW_ID_SIZE];
	int64_t at;
	int r = 0;

	while (r == 0 && entry) {
		at = json_integer_value(json_object_iter_value(entry));
		memcpy(id, json_object_iter_key(entry), strlen(json_object_iter_key(entry)) + 1);
		json_object_del(reader->orphans, id);
		r = build(reader, at, id, reader->orphan_error, ret_flow, e);
		entry = json_object_iter(reader->orphans);
	}
	if (!entry) {
		json_decref(reader->orphans);
		reader->orphans = NULL;
	}
	return r;
}

/* --- flows -------------------------------------------------------------------------------- */

static int take_whole(struct flow_reader *reader, json_t **ret_flow)
{
	json_t *flow = json_loadb(reader->lines.line, reader->lines.len, 0, NULL);

	if (!json_is_object(json_object_get(flow, "request"))) {
		json_decref(flow);
		reader->counts.bad_lines++;
		return 0;
	}
	*ret_flow = flow;
	return 1;
}

static int take_line(struct flow_reader *reader, int64_t at, json_t **ret_flow, struct err *e)
{
	struct line_reader *lines = &reader->lines;
	char id[FLOW_ID_SIZE];
	enum line_kind kind = kind_of(lines->line, lines->len, id);
	int r = 0;

	if (kind == LINE_RECORDER && reader->open_at < 0)
		r = find_open(reader, at, e);
	if (r < 0)
		return r;
	note(reader->open, kind, id, at);
	switch (kind) {
	case LINE_END: return build(reader, at, id, NULL, ret_flow, e);
	case LINE_RECORDER: take_recorder(reader, lines->line, lines->len); return 0;
	case LINE_WHOLE: return take_whole(reader, ret_flow);
	case LINE_BAD: reader->counts.bad_lines += lines->len > 0; return 0;
	case LINE_BEGIN:
	case LINE_MORE: break;
	}
	return 0;
}

int flow_reader_next(struct flow_reader *reader, json_t **ret_flow, struct err *e)
{
	int r = 0;

	while (r == 0) {
		int64_t at = reader->lines.at;

		if (reader->orphans)
			r = next_orphan(reader, ret_flow, e);
		else if (reader->lines.fd < 0 || (r = next_line(&reader->lines, e)) == 0)
			return 0;
		else if (r > 0)
			r = take_line(reader, at, ret_flow, e);
	}
	return r;
}

int flow_reader_next_any(struct flow_reader *reader, json_t **ret_flow, struct err *e)
{
	int r = flow_reader_next(reader, ret_flow, e);

	if (r != 0 || reader->is_at_rest)
		return r;
	reader->is_at_rest = true;
	if (reader->open_at < 0 && reader->lines.fd >= 0)
		r = find_open(reader, reader->lines.at, e);
	if (r < 0 || json_object_size(reader->open) == 0)
		return r;
	reader->orphans = TAKE(reader->open);
	reader->open = json_object();
	reader->orphan_error = "it is not over yet";
	return next_orphan(reader, ret_flow, e);
}

int flow_file_end(const char *path, struct err *e)
{
	AUTO(int, closep) fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
	char time[CLOCK_TEXT_SIZE], last = '\n', line[128];
	off_t end = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
	int len;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(e, ERR_INTERNAL, "open '%s'", path);
	if (end > 0 && pread(fd, &last, 1, end - 1) < 0)
		return err_errno(e, ERR_INTERNAL, "read '%s'", path);
	len = snprintf(line, sizeof(line), "%s{\"recorder\":\"ended\",\"at\":\"%s\"}\n",
		       last == '\n' ? "" : "\n", clock_format(clock_now_ms(&clock_real), time));
	if (write(fd, line, (size_t)len) != len)
		return err_errno(e, ERR_INTERNAL, "write '%s'", path);
	return 0;
}
