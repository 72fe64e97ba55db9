/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Containers: their life from create to remove, their state, their logs.
 */
#ifndef ENGINE_CONTAINER_H
#define ENGINE_CONTAINER_H

#include "engine/demux.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct err;

/*
 * body is what POST /containers/create takes; it is passed on as it is. Before Engine 25 it may
 * name one network in NetworkingConfig.EndpointsConfig; join the others with
 * engine_network_connect() before the start. ret_id is the caller's.
 * Fails with NOT_FOUND (no such image) or CONFLICT (the name is taken).
 */
int engine_container_create(struct engine *engine, const char *name, const json_t *body,
			    char **ret_id, struct err *e);

/*
 * Fine when it runs already. Fails with NOT_FOUND (no such container), CONFLICT (a host port is
 * taken) or ENGINE (all else: a network that is gone, an entrypoint that isn't there...). After a
 * failure the container is still there, not running.
 */
int engine_container_start(struct engine *engine, const char *container, struct err *e);

/*
 * SIGTERM (or the image's own stop signal), then SIGKILL after grace_seconds. Fine when it doesn't
 * run.
 */
int engine_container_stop(struct engine *engine, const char *container, unsigned grace_seconds,
			  struct err *e);

/*
 * Sends a signal: "KILL" waits until it has ended, and keeps it from being started again by its
 * policy. Fine when it doesn't run.
 */
int engine_container_kill(struct engine *engine, const char *container, const char *signal,
			  struct err *e);

/*
 * Removes it with its anonymous volumes; force kills it first. Fails with NOT_FOUND or CONFLICT
 * (it runs, or another call is removing it).
 */
int engine_container_remove(struct engine *engine, const char *container, bool force,
			    struct err *e);

/* Waits until it doesn't run. Fails with TIMEOUT after timeout_ms (0: no limit). */
int engine_container_wait(struct engine *engine, const char *container, int64_t timeout_ms,
			  int *ret_exit_code, struct err *e);

int engine_container_inspect(struct engine *engine, const char *container, json_t **ret_json,
			     struct err *e);

/* What an inspected container is doing. Strings are borrowed from the JSON. */
struct engine_container_state {
	const char *status; /* "created", "running", "paused", "restarting", "exited", "dead" */
	const char *health; /* "starting", "healthy", "unhealthy"; NULL: no healthcheck */
	const char *error;  /* why the last start failed; "" when it did not */
	bool running;
	bool oom_killed;
	int exit_code;
	int pid;            /* as the engine's host sees it; 0: not running */
	int64_t started_ms; /* 0: never */
	int64_t finished_ms;
};

void engine_container_state(const json_t *inspected, struct engine_container_state *ret_state);

/* A row of the list. Strings and JSON are borrowed from the list. */
struct engine_container {
	const char *id;
	const char *name; /* without the engine's leading "/" */
	const char *image;
	const char *state;  /* as engine_container_state.status */
	const char *status; /* for people: "Up 2 minutes (healthy)" */
	const json_t *labels;
	const json_t *networks; /* {name: {"NetworkID":, "IPAddress":, ...}} */
	const json_t *ports;    /* [{"IP":, "PrivatePort":, "PublicPort":, "Type":}] */
	int64_t created_ms;
};

struct engine_container_list {
	struct engine_container *items;
	size_t count;
	json_t *json; /* what the items borrow from */
};

/*
 * All containers, running or not, that carry every one of these labels ("key" or "key=value",
 * NULL-terminated; NULL: all containers). engine_container_list_done() ends the list.
 */
int engine_container_list(struct engine *engine, const char *const *labels,
			  struct engine_container_list *ret_list, struct err *e);
void engine_container_list_done(struct engine_container_list *list);

struct engine_log_options {
	bool follow;                  /* go on until the container ends */
	bool timestamps;              /* each line led by its RFC 3339 time and a space */
	unsigned tail;                /* the last lines only; 0: all */
	int64_t since_ms;             /* Unix ms; 0: from the beginning */
	int64_t timeout_ms;           /* 0: no limit */
	const atomic_bool *cancelled; /* as http_call's */
	engine_frame *frame;          /* told of each entry; NULL: none is. A terminal's has none */
};

/*
 * Gives output the log piece by piece, lines not kept whole. A failure of output ends the call with
 * that error. Without follow, standard error may come before an earlier line of standard output:
 * who needs their order asks for timestamps.
 */
int engine_container_logs(struct engine *engine, const char *container,
			  const struct engine_log_options *options, engine_output *output,
			  void *cookie, struct err *e);

/*
 * All that a running container writes, each byte once, as it writes it and to its log's end, which
 * is later than the container's. Fails with TIMEOUT after timeout_ms (0: no limit), ABORTED once
 * *cancelled, and as engine_container_logs() does.
 */
int engine_container_follow(struct engine *engine, const char *container, int64_t timeout_ms,
			    const atomic_bool *cancelled, engine_output *output, void *cookie,
			    struct err *e);

#endif
