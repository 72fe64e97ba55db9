/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/event.h"

#include "base/err.h"
#include "base/own.h"
#include "engine/json.h"
#include "engine/messages.h"
#include "engine/request.h"

struct listener {
	engine_event_fn *happened;
	void *cookie;
};

static int take_event(void *cookie, const json_t *message, struct err *e)
{
	const struct listener *listener = cookie;
	const json_t *actor = json_object_get(message, "Actor");
	struct engine_event event = {
		.type = json_get_text(message, "Type"),
		.action = json_get_text(message, "Action"),
		.id = json_get_text(actor, "ID"),
		.attributes = json_object_get(actor, "Attributes"),
		.time_ns = json_get_int(message, "timeNano"),
	};

	return listener->happened(listener->cookie, &event, e);
}

int engine_events(struct engine *engine, const struct engine_event_options *options,
		  engine_event_fn *happened, void *cookie, struct err *e)
{
	struct listener listener = { happened, cookie };
	AUTO(struct request, request_done) req;
	int r;

	request_begin(&req, engine, "GET", "/events");
	request_query_json(&req, "filters", options->filters);
	request_query_time(&req, "since", options->since_ms);
	request_query_time(&req, "until", options->until_ms);
	req.call.timeout_ms = 0;
	req.call.cancelled = options->cancelled;
	r = request_run_messages(&req, take_event, &listener, e);
	return r < 0 ? err_wrap(e, "listen to the engine's events") : 0;
}
