/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"
#include "base/own.h"
#include "engine/container.h"
#include "engine/json.h"
#include "engine/request.h"

static int demux_sink(void *demux, const void *bytes, size_t len, struct err *e)
{
	return engine_demux_feed(demux, bytes, len, e);
}

/* Before API 1.42 nothing in the answer itself says whether it is in frames. */
static int has_terminal(struct engine *engine, const char *container, bool *ret_tty, struct err *e)
{
	AUTO(json_t *, json_decrefp) inspected = NULL;
	int r;

	r = engine_container_inspect(engine, container, &inspected, e);
	if (r < 0)
		return r;
	*ret_tty = json_get_bool(json_object_get(inspected, "Config"), "Tty");
	return 0;
}

static int read_log(struct engine *engine, const char *container,
		    const struct engine_log_options *options, struct engine_demux *demux,
		    struct err *e)
{
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "GET", "/containers/%s/logs", container);
	request_query(&req, "stdout", "1");
	request_query(&req, "stderr", "1");
	request_query(&req, "follow", options->follow ? "1" : NULL);
	request_query(&req, "timestamps", options->timestamps ? "1" : NULL);
	if (options->tail)
		request_query_number(&req, "tail", options->tail);
	request_query_time(&req, "since", options->since_ms);
	req.call.sink = demux_sink;
	req.call.sink_cookie = demux;
	req.call.max_body = UINT64_MAX;
	req.call.timeout_ms = options->timeout_ms;
	req.call.cancelled = options->cancelled;
	r = request_run(&req, NULL, e);
	return r < 0 ? r : engine_demux_end(demux, e);
}

int engine_container_logs(struct engine *engine, const char *container,
			  const struct engine_log_options *options, engine_output *output,
			  void *cookie, struct err *e)
{
	struct engine_demux demux = { .output = output, .frame = options->frame, .cookie = cookie };
	int r;

	r = has_terminal(engine, container, &demux.raw, e);
	if (r < 0)
		return r;
	r = read_log(engine, container, options, &demux, e);
	return r < 0 ? err_wrap(e, "read the log of container '%s'", container) : 0;
}

/* --- followed to its end ------------------------------------------------------------------ */

struct follower {
	engine_output *output;
	void *cookie;
	size_t seen[3]; /* bytes handed on, by stream, */
	size_t past[3]; /* and of what is read again */
};

static int hand_on(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
		   struct err *e)
{
	struct follower *follower = cookie;

	follower->seen[stream] += len;
	return follower->output(follower->cookie, stream, bytes, len, e);
}

static int hand_on_rest(void *cookie, enum engine_stream stream, const void *bytes, size_t len,
			struct err *e)
{
	struct follower *follower = cookie;
	size_t known = follower->seen[stream] - follower->past[stream];

	if (known > len)
		known = len;
	follower->past[stream] += len;
	return known == len ? 0
			    : hand_on(cookie, stream, (const char *)bytes + known, len - known, e);
}

/* An engine's following ends with the container, which may be before its log's end. */
int engine_container_follow(struct engine *engine, const char *container, int64_t timeout_ms,
			    const atomic_bool *cancelled, engine_output *output, void *cookie,
			    struct err *e)
{
	const struct engine_log_options live = { .follow = true,
						 .timeout_ms = timeout_ms,
						 .cancelled = cancelled };
	const struct engine_log_options again = { .cancelled = cancelled };
	struct follower follower = { .output = output, .cookie = cookie };
	int r = engine_container_logs(engine, container, &live, hand_on, &follower, e);

	return r < 0 ? r
		     : engine_container_logs(engine, container, &again, hand_on_rest, &follower, e);
}
