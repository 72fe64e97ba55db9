/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens in an engine, as it happens.
 */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H

#include <jansson.h>
#include <stdatomic.h>
#include <stdint.h>

struct engine;
struct err;

/* Strings and JSON live until the callback returns. */
struct engine_event {
	const char *type;   /* "container", "network"... */
	const char *action; /* "start", "die", "oom", "destroy", "health_status: healthy"... */
	const char *id;     /* of the container, network... */
	const json_t *attributes; /* a container's labels, "name", "image", "exitCode"... */
	int64_t time_ns;          /* Unix nanoseconds */
};

typedef int engine_event_fn(void *cookie, const struct engine_event *event, struct err *e);

struct engine_event_options {
	/*
	 * {"type": ["container"], "event": ["start", "die"], "label": ["key=value"]}; NULL: all.
	 * Name the events: healthchecks make three exec events each time. Events of networks carry
	 * no labels, so a label filter leaves them out.
	 */
	const json_t *filters;
	int64_t since_ms; /* with those of the past that the engine remembers (256); 0: new ones */
	int64_t until_ms; /* ends the stream by then, by the engine's clock; 0: never */
	const atomic_bool *cancelled; /* as http_call's */
};

/*
 * Calls back for each event, until the engine ends the stream (0), the callback fails (its error),
 * the caller cancels (ABORTED) or the engine is lost (TRANSPORT). Coming back, and asking for what
 * was missed, is the caller's.
 */
int engine_events(struct engine *engine, const struct engine_event_options *options,
		  engine_event_fn *happened, void *cookie, struct err *e);

#endif
