/* SPDX-License-Identifier: Apache-2.0 */
#include "node/traffic.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/own.h"
#include "flow/reader.h"
#include "node/traffic-output.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

enum { PAGE_BYTES = 32 << 20 };

struct traffic {
	struct flow_reader *reader;
	char *line;
};

int traffic_open(struct node *node, const char *instance_id, struct traffic **ret_traffic,
		 struct err *e)
{
	AUTO(struct traffic *, traffic_closep) traffic = calloc(1, sizeof(*traffic));
	AUTO(char *, freep) path = NULL;
	int r = traffic ? traffic_path(node, instance_id, &path, e) : err_memory(e);

	if (r == 0)
		r = flow_reader_open(path, &traffic->reader, e);
	if (r == 0)
		*ret_traffic = TAKE(traffic);
	return r;
}

int traffic_open_file(const char *path, struct traffic **ret_traffic, struct err *e)
{
	AUTO(struct traffic *, traffic_closep) traffic = calloc(1, sizeof(*traffic));
	int r = traffic ? flow_reader_open(path, &traffic->reader, e) : err_memory(e);

	if (r == 0)
		*ret_traffic = TAKE(traffic);
	return r;
}

void traffic_close(struct traffic *traffic)
{
	if (!traffic)
		return;
	flow_reader_close(traffic->reader);
	free(traffic->line);
	free(traffic);
}

struct flow_reader *traffic_reader(struct traffic *traffic)
{
	return traffic->reader;
}

const struct flow_reader_counts *traffic_counts(const struct traffic *traffic)
{
	return flow_reader_counts(traffic->reader);
}

static int take_line(struct traffic *traffic, json_t *flow, const char **ret_line, size_t *ret_len,
		     struct err *e)
{
	free(traffic->line);
	traffic->line = json_dumps(flow, JSON_COMPACT);
	json_decref(flow);
	if (!traffic->line)
		return err_memory(e);
	*ret_line = traffic->line;
	*ret_len = strlen(traffic->line);
	return 1;
}

int traffic_next(struct traffic *traffic, const char **ret_line, size_t *ret_len, struct err *e)
{
	json_t *flow;
	int r = flow_reader_next_any(traffic->reader, &flow, e);

	return r <= 0 ? r : take_line(traffic, flow, ret_line, ret_len, e);
}

int traffic_seek(struct traffic *traffic, int64_t at, struct err *e)
{
	return flow_reader_seek(traffic->reader, at, e);
}

/* --- answers ------------------------------------------------------------------------------ */

int output_flush(struct output *output, struct err *e)
{
	int r = buf_check(&output->part, e);

	if (r == 0)
		r = output->sink(output->cookie, output->part.data, output->part.len, e);
	output->sent += output->part.len;
	buf_clear(&output->part);
	return r;
}

int output_flush_large(struct output *output, struct err *e)
{
	enum { LARGE = 64 << 10 };

	return output->part.len >= LARGE ? output_flush(output, e) : 0;
}

static bool is_full(const struct output *output, size_t count, size_t limit)
{
	return count >= limit || output->sent + output->part.len >= PAGE_BYTES;
}

/* What lies at one place of the file is in one page. */
static int put_flows(struct traffic *traffic, size_t limit, struct output *output, struct err *e)
{
	const char *line = NULL;
	size_t len = 0, count = 0;
	json_t *flow;
	int r = 1;

	while (r > 0 &&
	       (!is_full(output, count, limit) || flow_reader_is_between(traffic->reader))) {
		r = flow_reader_next(traffic->reader, &flow, e);
		if (r > 0)
			r = take_line(traffic, flow, &line, &len, e);
		if (r <= 0)
			break;
		buf_puts(&output->part, count++ ? ",\n" : "");
		buf_put(&output->part, line, len);
		r = output_flush_large(output, e);
		if (r < 0)
			return r;
		r = 1;
	}
	return r < 0 ? r : 0;
}

int traffic_page(struct traffic *traffic, const char *instance_id, size_t limit, traffic_sink *sink,
		 void *cookie, struct err *e)
{
	struct output output = { .part = BUF_INIT, .sink = sink, .cookie = cookie };
	const struct flow_reader_counts *counts = traffic_counts(traffic);
	int r;

	buf_printf(&output.part, "{\"instance_id\":\"%s\",\"flows\":[", instance_id);
	r = put_flows(traffic, limit, &output, e);
	buf_printf(&output.part,
		   "],\"next\":%" PRId64 ",\"lost_flows\":%" PRIu64 ",\"lost_lines\":%" PRIu64
		   ",\"damaged_lines\":%" PRIu64 "}",
		   flow_reader_at(traffic->reader), counts->lost_flows, counts->lost_lines,
		   counts->bad_lines);
	if (r == 0)
		r = output_flush(&output, e);
	buf_done(&output.part);
	return r;
}
