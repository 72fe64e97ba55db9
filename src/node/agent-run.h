/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run of an agent: a container of any image on an instance's network, attached as node/agent.h
 * says, and what it writes, followed to its end.
 *
 * Its container stays until the instance ends, and so does its transcript, which is part of the
 * evidence.
 */
#ifndef NODE_AGENT_RUN_H
#define NODE_AGENT_RUN_H

#include "base/field.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct agent_run;
struct engine_container_list;
struct err;
struct node;

enum {
	AGENT_RUNS_MAX = 64, /* of one instance, ended ones too */
	AGENT_PIDS = 1024,
};

struct agent_run_spec {
	char *image;
	char **command; /* NULL: the image's own */
	size_t command_count;
	json_t *env;      /* {name: value}, beside those of the runtime; NULL: none */
	json_t *platform; /* {url, token}: it gets an uplink, see node/uplink.h; NULL: none */
};

extern const struct field agent_run_spec_fields[];

/*
 * Pulls the image where it is not there, and starts the container. Fails with NOT_FOUND (instance
 * or image), CONFLICT (the instance doesn't run, or has had enough of them), UNAVAILABLE (the
 * recorder has no keys yet), INVALID (the platform's URL) or ENGINE.
 */
int agent_run_start(struct node *node, const char *instance_id, const struct agent_run_spec *spec,
		    struct agent_run **ret_run, struct err *e);

/* Receives a part. A failure ends the run. May be called from several threads, one at a time. */
typedef int agent_sink(void *cookie, const void *bytes, size_t len, struct err *e);

/*
 * Tells the run as it goes, a JSON object a line: {"run_id":, "started_at":}, then {"stream":
 * "stdout" or "stderr", "text":} as it writes, at its end {"exit_code":, "oom_killed":,
 * "duration_ms":}. An empty line now and then says that it goes on.
 */
int agent_run_follow(struct agent_run *run, agent_sink *sink, void *cookie, struct err *e);

/* Stops it where it still runs. */
void agent_run_free(struct agent_run *run);
static inline void agent_run_freep(struct agent_run **run)
{
	agent_run_free(*run);
}

/* Of a container's labels: whether it is an agent, of ours or attached by its labels. */
bool agent_is(const json_t *labels);

/*
 * Writes [{run_id, image, image_id, command, started_at, ended_at, duration_ms, exit_code,
 * oom_killed, stdout, stderr, stdout_left_out, stderr_left_out}] of the agents among these, one
 * after the other; nothing where there are none. Of each stream the first and the last 256 KiB, and
 * how many bytes stand between; the logs have more.
 */
int agent_transcripts(struct node *node, const struct engine_container_list *list, FILE *file,
		      struct err *e);

#endif
