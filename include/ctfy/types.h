/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a node says, as structs.
 *
 * Members are named as on the wire. Strings are UTF-8 and owned by the struct that holds them;
 * NULL is the wire's null or absent. Instants are Unix time in milliseconds, 0 where there is
 * none. Each result type has a _done() or _free() beside the call that fills it.
 */
#ifndef CTFY_TYPES_H
#define CTFY_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Where a player reaches a published port. */
struct ctfy_endpoint {
	char *service;
	int64_t container_port;
	char *protocol; /* "tcp" or "udp" */
	char *host;
	int64_t port;
	char *url; /* "http://host:port" where the port speaks HTTP; else NULL */
};

struct ctfy_service {
	char *service;
	char *state;  /* the engine's word: "created", "running", "exited"... */
	char *health; /* "starting", "healthy", "unhealthy", or "none" without a healthcheck */
	int64_t exit_code;
	bool oom_killed;
	char *detail; /* why it is not well; NULL when it is */
};

struct ctfy_instance {
	char *instance_id;
	char *challenge_id;
	char *status; /* "starting", "running", "stopping", "stopped", "expired" or "failed" */
	char *detail; /* why it failed; NULL otherwise */
	struct ctfy_endpoint *endpoints;
	size_t endpoint_count;
	struct ctfy_service *services;
	size_t service_count;
	int64_t started_at;
	int64_t expires_at;
	/* Of a start in progress. */
	char *phase;            /* "planning", "images", "queued", "containers" */
	int64_t queue_position; /* 1: the next whose turn comes; 0: not waiting */
	int64_t eta_ms;         /* half of such starts take less; 0: none was measured yet */
	int64_t eta_p95_ms;     /* 95 of 100 take less */
};

struct ctfy_health {
	bool is_healthy;
	struct ctfy_service *services;
	size_t service_count;
};

struct ctfy_node_health {
	char *status; /* "ok", or what is wrong */
	int64_t running;
	int64_t capacity;
	char *version;
	char *engine;        /* the engine's name and version; NULL while it can't be reached */
	int64_t quarantined; /* ended, but something of them resists removal; tried again */
	/* What containers are promised in all, and the most that may be; of ctfy's own nodes. */
	int64_t memory; /* bytes; 0: no limit */
	int64_t memory_promised;
	int64_t nano_cpus; /* 1e9 is one processor; 0: no limit */
	int64_t nano_cpus_promised;
	char *warning; /* what an organiser should know, though it works; NULL: nothing */
};

struct ctfy_challenge_error {
	char *path;
	char *detail;
};

struct ctfy_rescan {
	int64_t total;
	char **added;
	size_t added_count;
	char **removed;
	size_t removed_count;
	char **changed; /* of ctfy's own nodes only */
	size_t changed_count;
	struct ctfy_challenge_error *errors; /* specs that do not load */
	size_t error_count;
	/* Known, but no instance of them would start; of ctfy's own nodes only. */
	struct ctfy_challenge_error *unstartable;
	size_t unstartable_count;
};

/* One challenge's images: built_at for builds, pulled_at for pulls. */
struct ctfy_image_row {
	char *challenge_id;
	char *status; /* "unbuilt", "building", "built" or "failed"; pulls: "unpulled"... */
	int64_t built_at;
	int64_t pulled_at;
	char *error; /* and the last lines of the build's output */
	/* How it goes; of ctfy's own nodes only. What isn't known is 0 or NULL. */
	char *image;         /* being made now */
	int64_t step, steps; /* of its build */
	int64_t bytes;       /* of its pull: come, */
	int64_t bytes_total; /* and to come in all */
	int64_t position;    /* in the list that is worked through one at a time */
	char **digests;      /* "REFERENCE@sha256:...": what was made */
	size_t digest_count;
	int64_t memory;    /* bytes that an instance of it is promised; build-state only */
	int64_t nano_cpus; /* likewise; 1e9 is one processor */
};

struct ctfy_image_rows {
	struct ctfy_image_row *rows;
	size_t row_count;
};

/* What a build-all or pull-all did with each id. */
struct ctfy_bulk {
	char **queued;
	size_t queued_count;
	char **skipped_built; /* build-all */
	size_t skipped_built_count;
	char **skipped_pulled; /* pull-all */
	size_t skipped_pulled_count;
	char **skipped_in_progress;
	size_t skipped_in_progress_count;
};

/* A fault, a warning or a refusal in a challenge's files. */
struct ctfy_problem {
	char *kind; /* "error", "warning", or "policy": refused unless the operator opts in */
	char *file; /* from the node's directory of challenges */
	int64_t line, column; /* from 1; 0: the whole file */
	char *key;            /* "services.web.privileged"; NULL: none */
	char *message;
	char *opt_in; /* "policy": what the operator's policy would have to allow, */
	char *allows; /* and what it lets happen */
};

/* What `ctfy challenge lint` says of a challenge. */
struct ctfy_lint {
	char *path;    /* its folder, from the node's directory of challenges */
	char *id;      /* NULL where it does not load */
	char *dialect; /* likewise */
	char *outcome; /* "fine", "policy" or "faulty" */
	struct ctfy_problem *problems;
	size_t problem_count;
};

struct ctfy_lints {
	struct ctfy_lint *challenges;
	size_t challenge_count;
};

struct ctfy_trial_step {
	char *step; /* "start", "health", "solve", "stop" */
	int64_t ms; /* how long it took, or has taken so far */
};

struct ctfy_trial_answer {
	char *question;
	bool found; /* the solver's answer to it is right */
};

/* A test run of a challenge: an instance started, awaited, solved by the author's program, ended.
 */
struct ctfy_trial {
	char *challenge_id;
	char *outcome; /* "untried", "running", "solved", "healthy", "question" or "failed" */
	char *step;    /* the one under way, or the one that failed */
	char *detail;  /* what is going on in it, or why it failed */
	struct ctfy_trial_step *steps; /* those begun so far */
	size_t step_count;
	struct ctfy_trial_answer *answers; /* of questions; once the solver has ended */
	size_t answer_count;
	char *output; /* the last of what the solver wrote; the services where they weren't well */
	int64_t started_at;
	int64_t ended_at;
};

struct ctfy_container {
	char *container_id;
	char *name;
	char *service;
	char *role; /* "service" or "sidecar" */
	char *image;
	char *state;
	char *health;
	int64_t created_at;
};

struct ctfy_containers {
	struct ctfy_container *rows;
	size_t row_count;
};

/* Something that happened to an instance. */
struct ctfy_event {
	int64_t at;
	char *event;   /* "starting", "running", "die", "oom", "shell-opened"... */
	char *service; /* NULL: it is none's */
	char *detail;  /* for people; NULL: there is no more to say */
};

struct ctfy_timeline {
	struct ctfy_event *events; /* oldest first */
	size_t event_count;
};

struct ctfy_attachment {
	char *filename;
	int64_t size; /* bytes */
	char *content_type;
	char *sha256; /* hex */
};

struct ctfy_attachments {
	struct ctfy_attachment *attachments;
	size_t attachment_count;
};

struct ctfy_stop_failure {
	char *instance_id;
	char *detail;
};

/* What a stop-all did. */
struct ctfy_stopped {
	char **stopped; /* ids */
	size_t stopped_count;
	struct ctfy_stop_failure *failed;
	size_t failed_count;
};

struct ctfy_variable {
	char *name;
	char *value;
};

/* How to attach an agent to an instance so that its HTTP(S) traffic is recorded. */
struct ctfy_agent_runtime {
	char *provider;  /* "docker" */
	char *proxy_url; /* NULL when nothing records */
	char *ca_pem;    /* the recorder's authority, to be trusted; NULL when nothing records */
	struct ctfy_variable *env; /* HTTP_PROXY and its like, to be set for the agent */
	size_t env_count;
	struct ctfy_endpoint *endpoints;
	size_t endpoint_count;
	char *docker; /* JSON text: what only this provider has (network, containers) */
};

/* Bytes of any kind. */
struct ctfy_bytes {
	char *data; /* never NULL after success; a NUL follows the bytes, and is not counted */
	size_t size;
	char *content_type;
};

#ifdef __cplusplus
}
#endif

#endif
