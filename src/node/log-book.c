/* SPDX-License-Identifier: Apache-2.0 */
#include "node/log-book.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/option.h"
#include "base/own.h"
#include "base/plain.h"
#include "engine/container.h"
#include "node/agent-run.h"
#include "node/compose.h"
#include "node/instance.h"
#include "node/log-reel.h"
#include "node/node.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

enum {
	STREAMS = 3,
	PART_SIZE = 64 << 10,
	ENTRY_BYTES = 24, /* the least that the engine's files have of an entry beside its text */
};

static const int64_t service_room = 16 << 20, agent_room = 4 << 20;

/* What one container wrote. */
struct log_tape {
	char *service, *container;
	struct log_reel reels[STREAMS];
	bool has_line[STREAMS]; /* the reel stands at a line that was not told yet */
	int64_t skip;           /* lines before the last ones that were asked for */
	bool skipped;
	int64_t engine_room; /* bytes up to which the engine surely kept everything */
	char first_at[LOG_TIME_LEN + 1];
	const struct log_book *book;
};

struct log_book {
	struct log_tape *tapes;
	size_t count;
	size_t tail;
	bool of_each;
	int64_t skip; /* lines of all before the last ones that were asked for */
};

static const char *const stream_words[STREAMS] = { "terminal", "stdout", "stderr" };

/* --- gathering ---------------------------------------------------------------------------- */

static int take_line(void *cookie, const struct log_line *line, struct err *e)
{
	struct log_tape *tape = cookie;

	if (!tape->first_at[0] || strcmp(line->at, tape->first_at) < 0)
		memcpy(tape->first_at, line->at, strlen(line->at) + 1);
	return log_reel_put(&tape->reels[line->stream], line, e);
}

static int64_t size_of(const json_t *options, const char *name, int64_t otherwise)
{
	const char *text = json_string_value(json_object_get(options, name));
	int64_t size;

	return text && option_size(text, &size) ? size : otherwise;
}

/* Of so many files the engine drops the oldest when the newest is full. */
static int find_engine_room(struct node *node, const char *container, int64_t *ret_room,
			    struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	const json_t *options;
	int r = engine_container_inspect(node->engine, container, &inspected, e);

	if (r < 0)
		return r;
	options = json_object_get(json_object_get(json_object_get(inspected, "HostConfig"),
						  "LogConfig"),
				  "Config");
	*ret_room =
		size_of(options, "max-size", -1) < 0
			? INT64_MAX
			: size_of(options, "max-size", 0) * (size_of(options, "max-file", 1) - 1);
	return 0;
}

static int64_t count_lines(const struct log_tape *tape)
{
	int64_t lines = 0;

	for (size_t i = 0; i < STREAMS; i++)
		lines += tape->reels[i].lines;
	return lines;
}

static int read_container(struct node *node, const char *container, struct log_tape *tape,
			  struct err *e)
{
	struct engine_log_options options = { .timestamps = true, .frame = log_parser_frame };
	struct log_parser parser;
	struct err unsaid = ERR_INIT;
	int r = find_engine_room(node, container, &tape->engine_room, e), ended;

	if (r < 0)
		return r;
	if (tape->book->tail > 0)
		options.tail = (unsigned)tape->book->tail + 1;
	log_parser_begin(&parser, take_line, tape);
	r = engine_container_logs(node->engine, container, &options, log_parser_take, &parser, e);
	ended = log_parser_end(&parser, r < 0 ? &unsaid : e);
	for (size_t i = 0; r == 0 && ended == 0 && i < STREAMS; i++)
		r = log_reel_rewind(&tape->reels[i], e);
	if (tape->book->tail > 0 && count_lines(tape) > (int64_t)tape->book->tail)
		tape->skip = count_lines(tape) - (int64_t)tape->book->tail;
	return r < 0 ? r : ended;
}

static int add_tape(struct log_book *book, struct node *node,
		    const struct engine_container *container, const char *service, struct err *e)
{
	struct log_tape *tape = &book->tapes[book->count++];
	int64_t room = agent_is(container->labels) ? agent_room : service_room;
	int r;

	*tape = (struct log_tape){ .service = plain_text(service, PLAIN_LINE),
				   .container = strdup(container->name),
				   .book = book };
	for (size_t i = 0; i < STREAMS; i++)
		log_reel_begin(&tape->reels[i], node->state_dir, room);
	if (!tape->service || !tape->container)
		return err_memory(e);
	r = read_container(node, container->id, tape, e);
	return r == -ERR_NOT_FOUND ? 0 : r; /* gone meanwhile: so are its words */
}

static int gather(struct log_book *book, struct node *node,
		  const struct engine_container_list *list, const char *wanted, struct err *e)
{
	int r = 0;

	book->tapes = calloc(list->count + 1, sizeof(*book->tapes));
	if (!book->tapes)
		return err_memory(e);
	for (size_t i = 0; r == 0 && i < list->count; i++) {
		const char *service =
			json_string_value(json_object_get(list->items[i].labels, LABEL_SERVICE));

		service = service ? service : "";
		if (!wanted || strcmp(wanted, service) == 0)
			r = add_tape(book, node, &list->items[i], service, e);
	}
	return r;
}

int log_book_open(struct node *node, const char *instance_id,
		  const struct log_book_options *options, struct log_book **ret_book, struct err *e)
{
	AUTO(struct log_book *, log_book_freep) book = calloc(1, sizeof(*book));
	AUTO(json_t *, json_decrefp) known = NULL;
	struct engine_container_list list = { 0 };
	struct label_filter filter;
	int r = book ? instance_services(node, instance_id, &known, e) : err_memory(e);

	if (r < 0)
		return r;
	book->tail = options->tail;
	book->of_each = options->of_each;
	label_filter(node, instance_id, &filter);
	r = engine_container_list(node->engine, filter.labels, &list, e);
	if (r == 0)
		r = gather(book, node, &list, options->service, e);
	engine_container_list_done(&list);
	if (r == 0)
		*ret_book = TAKE(book);
	return r;
}

void log_book_free(struct log_book *book)
{
	if (!book)
		return;
	for (size_t i = 0; i < book->count; i++) {
		for (size_t j = 0; j < STREAMS; j++)
			log_reel_done(&book->tapes[i].reels[j]);
		free(book->tapes[i].service);
		free(book->tapes[i].container);
	}
	free(book->tapes);
	free(book);
}

/* --- in the order of time ----------------------------------------------------------------- */

/* What is printed: a line of a tape's, or a gap (no line). */
struct entry {
	const struct log_tape *tape;
	int stream;
	const struct log_line *line; /* NULL: something is left out here */
};

typedef int entry_printer(const struct entry *entry, struct buf *text);

struct printing {
	struct log_book *book;
	entry_printer *print;
	struct buf text;
	log_book_sink *sink;
	void *cookie;
};

static int flush(struct printing *printing, struct err *e)
{
	int r = buf_check(&printing->text, e);

	if (r == 0 && printing->text.len > 0)
		r = printing->sink(printing->cookie, printing->text.data, printing->text.len, e);
	buf_clear(&printing->text);
	return r;
}

static int tell(struct printing *printing, const struct log_tape *tape, int stream,
		const struct log_line *line, struct err *e)
{
	const struct entry entry = { .tape = tape, .stream = stream, .line = line };
	int r = printing->print(&entry, &printing->text);

	if (r < 0)
		return err_memory(e);
	return printing->text.len < PART_SIZE ? 0 : flush(printing, e);
}

/* Brings a reel to its next line, and tells a gap on the way. */
static int advance(struct printing *printing, struct log_tape *tape, int stream, struct err *e)
{
	int r;

	while ((r = log_reel_next(&tape->reels[stream], e)) == LOG_REEL_GAP) {
		r = tell(printing, tape, stream, NULL, e);
		if (r < 0)
			return r;
	}
	tape->has_line[stream] = r == LOG_REEL_LINE;
	return r < 0 ? r : 0;
}

static bool is_before(const struct log_tape *a, int stream, const struct log_tape *b, int other)
{
	return strcmp(a->reels[stream].at, b->reels[other].at) < 0;
}

static struct log_tape *find_earliest(struct log_book *book, int *ret_stream)
{
	struct log_tape *found = NULL;

	for (size_t i = 0; i < book->count; i++)
		for (int j = 0; j < STREAMS; j++)
			if (book->tapes[i].has_line[j] &&
			    (!found || is_before(&book->tapes[i], j, found, *ret_stream))) {
				found = &book->tapes[i];
				*ret_stream = j;
			}
	return found;
}

static int tell_line(struct printing *printing, struct log_tape *tape, int stream, struct err *e)
{
	int r = 0;

	if (tape->skip > 0) {
		tape->skip--;
		tape->skipped = true;
		return 0;
	}
	if (printing->book->skip > 0) {
		printing->book->skip--;
		return 0;
	}
	if (tape->skipped && printing->book->of_each)
		r = tell(printing, tape, stream, NULL, e);
	tape->skipped = false;
	return r < 0 ? r : tell(printing, tape, stream, &tape->reels[stream].line, e);
}

/* What is left over of all containers' last lines, where the last ones of all are wanted. */
static int64_t count_surplus(const struct log_book *book)
{
	int64_t lines = 0;

	for (size_t i = 0; i < book->count; i++)
		lines += count_lines(&book->tapes[i]) - book->tapes[i].skip;
	return book->tail == 0 || book->of_each || lines <= (int64_t)book->tail
		       ? 0
		       : lines - (int64_t)book->tail;
}

static int rewind_all(struct printing *printing, struct err *e)
{
	struct log_book *book = printing->book;
	int r = 0;

	for (size_t i = 0; r == 0 && i < book->count; i++)
		for (int j = 0; r == 0 && j < STREAMS; j++) {
			r = log_reel_rewind(&book->tapes[i].reels[j], e);
			if (r == 0)
				r = advance(printing, &book->tapes[i], j, e);
		}
	return r;
}

static int print_all(struct log_book *book, entry_printer *print, log_book_sink *sink, void *cookie,
		     struct err *e)
{
	struct printing printing = {
		.book = book, .print = print, .text = BUF_INIT, .sink = sink, .cookie = cookie
	};
	struct log_tape *tape;
	int stream, r;

	book->skip = count_surplus(book);
	r = rewind_all(&printing, e);
	while (r == 0 && (tape = find_earliest(book, &stream))) {
		r = tell_line(&printing, tape, stream, e);
		if (r == 0)
			r = advance(&printing, tape, stream, e);
	}
	if (r == 0)
		r = flush(&printing, e);
	buf_done(&printing.text);
	return r;
}

/* --- for people --------------------------------------------------------------------------- */

static int print_plain(const struct entry *entry, struct buf *text)
{
	const struct log_reel *reel = &entry->tape->reels[entry->stream];
	const struct log_line *line = entry->line;

	if (!line && reel->left_out_lines > 0)
		buf_printf(text, "* | %s: %lld lines (%lld bytes) of its %s are left out here\n",
			   entry->tape->service, (long long)reel->left_out_lines,
			   (long long)reel->left_out_text_bytes, stream_words[entry->stream]);
	else if (!line)
		buf_printf(text, "* | %s: earlier lines are left out\n", entry->tape->service);
	if (!line)
		return 0;
	buf_printf(text, "%s | ", entry->tape->service);
	/* Line ends of terminals and of other systems are none that people need to see. */
	plain_put(text, line->text,
		  line->len - (line->len > 0 && line->text[line->len - 1] == '\r'), PLAIN_LINE);
	buf_putc(text, '\n');
	return 0;
}

int log_book_print(struct log_book *book, log_book_sink *sink, void *cookie, struct err *e)
{
	return print_all(book, print_plain, sink, cookie, e);
}

/* --- exactly ------------------------------------------------------------------------------ */

static json_t *in_base64(const struct log_line *line)
{
	size_t size = sodium_base64_encoded_len(line->len, sodium_base64_VARIANT_ORIGINAL);
	AUTO(char *, freep) text = malloc(size);

	if (!text)
		return NULL;
	sodium_bin2base64(text, size, (const unsigned char *)line->text, line->len,
			  sodium_base64_VARIANT_ORIGINAL);
	return json_text(text);
}

static json_t *line_json(const struct log_tape *tape, const struct log_line *line)
{
	json_t *json =
		json_make("{s:s,s:s,s:s,s:s}", "at", line->at, "service", tape->service,
			  "container", tape->container, "stream", stream_words[line->stream]);
	json_t *text = json_stringn(line->text, line->len);

	json_object_set_new(json, text ? "text" : "base64", text ? text : in_base64(line));
	if (line->cut)
		json_object_set_new(json, "cut", json_true());
	return json;
}

static json_t *gap_json(const struct log_tape *tape, int stream)
{
	const struct log_reel *reel = &tape->reels[stream];

	return json_make("{s:s,s:s,s:s,s:{s:I,s:I}}", "service", tape->service, "container",
			 tape->container, "stream", stream_words[stream], "left_out", "lines",
			 (json_int_t)reel->left_out_lines, "bytes",
			 (json_int_t)reel->left_out_text_bytes);
}

static int print_exact(const struct entry *entry, struct buf *text)
{
	AUTO(json_t *, json_decrefp) json = entry->line ? line_json(entry->tape, entry->line)
							: gap_json(entry->tape, entry->stream);
	AUTO(char *, freep) words =
		json ? json_dumps(json, JSON_COMPACT | JSON_ENSURE_ASCII) : NULL;

	if (!words)
		return -(int)ERR_MEMORY;
	buf_puts(text, words);
	buf_putc(text, '\n');
	return 0;
}

int log_book_print_json(struct log_book *book, log_book_sink *sink, void *cookie, struct err *e)
{
	return print_all(book, print_exact, sink, cookie, e);
}

/* --- told --------------------------------------------------------------------------------- */

json_t *log_book_report(const struct log_book *book)
{
	json_t *report = json_array();

	for (size_t i = 0; i < book->count; i++) {
		const struct log_tape *tape = &book->tapes[i];
		int64_t lines = 0, bytes = 0, gone = 0, gone_bytes = 0;

		for (size_t j = 0; j < STREAMS; j++) {
			lines += tape->reels[j].lines;
			bytes += tape->reels[j].text_bytes;
			gone += tape->reels[j].left_out_lines;
			gone_bytes += tape->reels[j].left_out_text_bytes;
		}
		json_array_append_new(report,
				      json_make("{s:s,s:s,s:I,s:I,s:I,s:I,s:s?}", "service",
						tape->service, "container", tape->container,
						"lines", (json_int_t)(lines - gone), "bytes",
						(json_int_t)(bytes - gone_bytes), "left_out_lines",
						(json_int_t)gone, "left_out_bytes",
						(json_int_t)gone_bytes, "since",
						bytes + ENTRY_BYTES * lines > tape->engine_room
							? tape->first_at
							: NULL));
	}
	return report;
}
