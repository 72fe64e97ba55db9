/* SPDX-License-Identifier: Apache-2.0 */
#include "node/capture-count.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "engine/container.h"
#include "node/compose.h"
#include "node/evidence.h"
#include "node/node.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
	LOG_MAX = 4 << 20, /* the engine keeps no more than 2 MB */
	LEFT_OUT_MAX = 1 << 20,
	SETTLE_MS = 10 * 1000,
	SETTLE_PAUSE_MS = 20,
};

/* --- its words ---------------------------------------------------------------------------- */

/* "12 packets captured, 14 packets received by filter, 0 packets dropped by kernel", or a line each
 */
static void read_line(const char *line, size_t len, struct capture_count *last, bool *said)
{
	static const char word[] = " packet";
	const char *end = line + len, *at = line;

	while ((at = memmem(at, (size_t)(end - at), word, sizeof(word) - 1))) {
		const char *number = at;
		const char *what = at + sizeof(word) - 1;
		int64_t value;

		at = what;
		while (number > line && isdigit((unsigned char)number[-1]))
			number--;
		if (number == what - (sizeof(word) - 1))
			continue;
		value = strtoll(number, NULL, 10);
		what += what < end && *what == 's';
		if (strncmp(what, " captured", 9) == 0) {
			last->captured = value;
			*said = true;
		} else if (strncmp(what, " received", 9) == 0) {
			last->received = value;
		} else if (strncmp(what, " dropped", 8) == 0) {
			last->dropped = strncmp(what, " dropped by kernel", 18) == 0
						? value
						: last->dropped + value;
		}
	}
}

static void add_start(struct capture_count *total, const struct capture_count *last, bool said)
{
	int64_t behind = last->received - last->dropped - last->captured;

	total->silent += !said;
	total->captured += last->captured;
	total->received += last->received;
	total->dropped += last->dropped;
	total->behind = behind > 0 ? behind : 0;
}

void capture_count_read(const char *log, struct capture_count *ret_count)
{
	struct capture_count last = { 0 };
	bool said = false;

	*ret_count = (struct capture_count){ 0 };
	while (*log) {
		size_t len = strcspn(log, "\n");

		if (len >= strlen(CAPTURE_BEGINS) &&
		    strncmp(log, CAPTURE_BEGINS, strlen(CAPTURE_BEGINS)) == 0) {
			if (ret_count->starts++ > 0)
				add_start(ret_count, &last, said);
			last = (struct capture_count){ 0 };
			said = false;
		} else {
			bool told = false;

			read_line(log, len, &last, &told);
			ret_count->said += told;
			said |= told;
		}
		log += len + (log[len] == '\n');
	}
	if (ret_count->starts > 0 || said)
		add_start(ret_count, &last, said);
}

static int keep(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		struct err *e)
{
	(void)stream;
	buf_put(cookie, bytes, len);
	return buf_check(cookie, e);
}

static int ask(struct node *node, const char *container, struct capture_count *ret_count,
	       struct err *e)
{
	const struct engine_log_options options = { .follow = false };
	struct buf log = BUF_LIMITED(LOG_MAX);
	int r = engine_container_logs(node->engine, container, &options, keep, &log, e);

	if (r == 0)
		capture_count_read(log.data, ret_count);
	buf_done(&log);
	return r;
}

bool capture_is(const struct engine_container *container)
{
	const char *service = json_string_value(json_object_get(container->labels, LABEL_SERVICE));

	return service && strncmp(service, CAPTURE_SERVICE, strlen(CAPTURE_SERVICE)) == 0;
}

/* --- up to now ---------------------------------------------------------------------------- */

static int settle_one(struct node *node, const char *container, int64_t deadline, struct err *e)
{
	const struct timespec pause = { .tv_nsec = SETTLE_PAUSE_MS * 1000000L };
	struct capture_count count;
	int64_t said = 0;
	int r = ask(node, container, &count, e);

	if (r == 0)
		said = count.said;
	/* What it said before this is of before this. */
	while (r == 0 && (count.behind > 0 || count.said == said) &&
	       clock_monotonic_ms() < deadline) {
		r = engine_container_kill(node->engine, container, "USR1", e);
		nanosleep(&pause, NULL);
		if (r == 0)
			r = ask(node, container, &count, e);
	}
	return r == -ERR_NOT_FOUND ? 0 : r;
}

int capture_settle(struct node *node, const struct engine_container_list *list, struct err *e)
{
	int64_t deadline = clock_monotonic_ms() + SETTLE_MS;
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->count; i++)
		if (capture_is(&list->items[i]) && strcmp(list->items[i].state, "running") == 0)
			r = settle_one(node, list->items[i].id, deadline, e);
	return r;
}

/* --- told --------------------------------------------------------------------------------- */

/* "PACKETS BYTES", a line for each file that the ring had no room for. */
static int read_left_out(struct node *node, const char *instance_id, size_t number,
			 int64_t *ret_packets, int64_t *ret_bytes, struct err *e)
{
	AUTO(char *, freep) dir = evidence_path(node, instance_id, "capture");
	AUTO(char *, freep) path = dir ? strf("%s/%zu.left-out", dir, number) : NULL;
	AUTO(char *, freep) text = NULL;
	char *rest;
	int r;

	*ret_packets = *ret_bytes = 0;
	if (!path)
		return err_memory(e);
	if (!file_exists(path))
		return 0;
	r = file_read(path, LEFT_OUT_MAX, &text, NULL, e);
	for (char *line = r == 0 ? text : NULL; line && *line; line = rest) {
		*ret_packets += strtoll(line, &rest, 10);
		*ret_bytes += strtoll(rest, &rest, 10);
		rest += strcspn(rest, "\n");
		rest += *rest == '\n';
	}
	return r;
}

static size_t number_of(const char *service)
{
	const char *suffix = service + strlen(CAPTURE_SERVICE);

	return *suffix == '-' ? strtoul(suffix + 1, NULL, 10) - 1 : 0;
}

static int report_one(struct node *node, const char *instance_id,
		      const struct engine_container *container, json_t *report, struct err *e)
{
	const char *service = json_string_value(json_object_get(container->labels, LABEL_SERVICE));
	struct capture_count count = { 0 };
	int64_t packets, bytes;
	int r = ask(node, container->id, &count, e);

	if (r == 0)
		r = read_left_out(node, instance_id, number_of(service), &packets, &bytes, e);
	if (r == 0 &&
	    json_array_append_new(report, json_make("{s:s,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "recorder",
						    service, "starts", (json_int_t)count.starts,
						    "silent_ends", (json_int_t)count.silent,
						    "packets", (json_int_t)count.captured, "unread",
						    (json_int_t)count.behind, "dropped",
						    (json_int_t)count.dropped, "left_out_packets",
						    (json_int_t)packets, "left_out_bytes",
						    (json_int_t)bytes)) < 0)
		r = err_memory(e);
	return r;
}

int capture_report(struct node *node, const char *instance_id,
		   const struct engine_container_list *list, json_t **ret_report, struct err *e)
{
	AUTO(json_t *, json_decrefp) report = json_array();
	int r = report ? 0 : err_memory(e);

	for (size_t i = 0; r == 0 && i < list->count; i++)
		if (capture_is(&list->items[i]))
			r = report_one(node, instance_id, &list->items[i], report, e);
	if (r == 0)
		*ret_report = TAKE(report);
	return r;
}
