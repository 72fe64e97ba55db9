/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one instance of a challenge needs, decided before anything is started.
 *
 * A plan is pure data, made from a challenge's files and one instance's facts. It follows the
 * Engine API where a container's settings are concerned: `container` is the body of
 * POST /containers/create, complete but for what only the node knows (networks' ids, host ports,
 * its own labels, paths in the instance's directory). Everything that a node must reason about
 * stands beside it as plain fields.
 */
#ifndef CHALLENGE_PLAN_H
#define CHALLENGE_PLAN_H

#include "challenge/capture-mode.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct challenge;
struct err;
struct policy;
struct problems;

/* What is known of an instance when its plan is made. Borrowed by the plan's making only. */
struct plan_facts {
	const char *instance_id;
	const char *public_host; /* where published ports will answer */
	const json_t *answers;   /* {question id: answer}; an object */
	bool extract; /* sources may have been left out of the folder: what is absent is only
			 warned of. For surveys, never for a node */
	bool outline; /* what is built is not read: its content_hash and image are nobody's. For
			 who asks only how large an instance is */
};

struct plan_build {
	const char *folder;            /* the challenge's, absolute: see plan_open() */
	const char *context;           /* absolute directory */
	const char *dockerfile;        /* relative to context; or absolute */
	const char *dockerfile_inline; /* the text itself; then dockerfile is NULL */
	const char *target;            /* NULL: the last stage */
	const char *network;           /* NULL: the engine's default */
	const char *platform;          /* NULL: the engine's own */
	json_t *args;                  /* {name: value} */
	json_t *labels;                /* {name: value} */
	json_t *extra_hosts;           /* ["host:ip"] */
	const char *
		content_hash; /* hex SHA-256 over context (after .dockerignore), dockerfile, args */
	int64_t shm_size;     /* bytes; 0: the engine's default */
	bool pull;            /* look for newer base images */
	bool per_instance;   /* an answer is among args: the image belongs to this instance alone */
	bool needs_buildkit; /* COPY --chmod, RUN --mount, heredoc */
};

struct plan_port {
	uint16_t container_port;
	const char *protocol;     /* "tcp" or "udp" */
	const char *app_protocol; /* "http", "https" where the challenge says so; else NULL */
	bool published;           /* false: only exposed to the instance's own services */
};

struct plan_network_use {
	const char *network; /* a plan_network's name */
	const char **aliases;
	size_t alias_count;
	uint32_t host_offset; /* a fixed address, counted from its subnet's first; 0: any address */
};

enum plan_condition {
	PLAN_STARTED,
	PLAN_HEALTHY,
	PLAN_COMPLETED, /* exited with status 0 */
};

struct plan_dependency {
	const char *service;
	enum plan_condition condition;
	bool required; /* false: a failure of that service is survived */
};

enum plan_bind_kind {
	PLAN_BIND_SHARED,   /* read-only, straight from the challenge's folder */
	PLAN_BIND_COPY,     /* writable: the instance gets its own copy */
	PLAN_BIND_EMPTY,    /* the source is absent: an empty directory of the instance's own */
	PLAN_BIND_HOST,     /* a path of the host, by the operator's opt-in */
	PLAN_BIND_RENDERED, /* a file written for the instance: content, mode, uid, gid */
};

struct plan_bind {
	enum plan_bind_kind kind;
	const char *source; /* absolute; EMPTY: what is absent; NULL for RENDERED */
	const char *slot;   /* name in the instance's directory, for all but SHARED and HOST; the
			       same source has the same slot in all services */
	const char *target; /* absolute path in the container */
	bool read_only;
	const char *propagation; /* NULL: the engine's default */
	const void *content;     /* RENDERED: the file's bytes */
	size_t size;
	uint32_t mode, uid, gid;
	bool template_; /* RENDERED from a template of the folder */
};

struct plan_volume_use {
	const char *volume; /* a plan_volume's name; NULL: anonymous */
	const char *target;
	bool read_only;
	bool nocopy;
};

/* Written into the container between create and start; never where a mount would hide it. */
struct plan_file {
	const char *path;
	const void *content;
	size_t size;
	uint32_t mode;
	uint32_t uid, gid;
};

struct plan_service {
	const char *name;  /* as the compose file spells it */
	const char *image; /* the reference to run; for a build, the tag that the build gets: unique
			      to the instance where build->per_instance */
	const char *pull_policy;  /* "missing" by default; "never", "always" */
	const char *platform;     /* "linux/amd64"; NULL: the engine's own */
	struct plan_build *build; /* NULL: the image is pulled, or built_by another service */
	const char *built_by;     /* the service whose build makes this image; else NULL */
	json_t *container;        /* Engine's ContainerCreate body; owned by the plan */
	const char
		*network_mode; /* NULL; or "none", "host"; or "service:NAME" as network_service */
	const char *network_service;

	struct plan_network_use *networks;
	size_t network_count;
	struct plan_port *ports;
	size_t port_count;
	struct plan_dependency *depends_on;
	size_t dependency_count;
	struct plan_bind *binds;
	size_t bind_count;
	struct plan_volume_use *volumes;
	size_t volume_count;
	struct plan_file *files;
	size_t file_count;

	uint32_t replicas; /* at least 1 */
	int64_t memory;    /* bytes promised (the limit) */
	int64_t nano_cpus; /* 1e9 is one processor */
	bool jail;         /* it holds what builds jails: only where the engine maps users */
	bool one_shot;     /* others wait for it to complete: exiting with 0 is its healthy end */
};

struct plan_network {
	const char *name;
	bool internal;
	bool egress;     /* new connections to the outside are allowed */
	uint32_t prefix; /* the smallest subnet (longest prefix) that holds the fixed addresses; 0:
			    the node's choice */
	uint32_t gateway_offset; /* counted like host_offset; 0: the node's choice */
	json_t *options;         /* driver options that are kept (MTU); NULL: none */
};

struct plan_volume {
	const char *name;
	json_t *driver_opts; /* NULL: none */
};

/* A file a player downloads, made for this instance. */
struct plan_attachment {
	const char *filename;
	const char *source; /* absolute; NULL when content is here */
	const void *content;
	size_t size;
	const char *service;        /* not NULL: read out of a container of this service... */
	const char *container_path; /* ...at this path */
	/*
	 * Not NULL: not of the service's running container but of one made for it, of this image,
	 * and removed afterwards.
	 */
	const char *image;
	struct plan_build *build; /* what makes that image, where it is a stage of the service's */
	json_t *command; /* an array: run to its end, which must be 0, before reading; NULL: never
			    started */
};

/* Where an answer ends up: `ctfy challenge plan` shows it. */
struct plan_answer_use {
	const char *question;
	const char *service; /* NULL: an attachment */
	const char *way;     /* "environment", "interpolation", "build-arg", "file", "template" */
	const char *where;   /* the variable, argument or path */
};

struct plan {
	struct arena *arena; /* every string and array of the plan lives here */
	const char *challenge_id;
	const char *folder;            /* the challenge's, absolute */
	const char *project;           /* compose project name of the instance */
	struct plan_service *services; /* in dependency order */
	size_t service_count;
	struct plan_network *networks;
	size_t network_count;
	struct plan_volume *volumes;
	size_t volume_count;
	struct plan_attachment *attachments;
	size_t attachment_count;
	struct plan_answer_use *answer_uses;
	size_t answer_use_count;
	int64_t health_deadline_ms; /* how long the services may take to become healthy */
	enum capture_mode capture;  /* the node's sidecars, where the challenge asks for them */
	bool record_http, vpn;
};

/*
 * Plans an instance. What is refused or odd is added to problems, with file, line and column;
 * fails with POLICY (something needs the operator's opt-in) or INVALID (a fault of the files), and
 * then e names the first. A plan is usable by many threads at once.
 */
int plan_make(const struct challenge *challenge, const struct policy *policy,
	      const struct plan_facts *facts, struct plan **ret_plan, struct problems *problems,
	      struct err *e);
void plan_free(struct plan *plan);
static inline void plan_freep(struct plan **plan)
{
	plan_free(*plan);
}

/*
 * Opens a path of a plan: one of the challenge's folder without leaving that by any link, else one
 * that the operator has permitted. Fails as folder_open_path() does.
 */
int plan_open(const char *folder, const char *path, int flags, int *ret_fd, struct err *e);

/* NULL: the plan has no such network. */
const struct plan_network *plan_find_network(const struct plan *plan, const char *name);

/* The whole plan as JSON, for people and tests; the caller's. NULL: out of memory. */
json_t *plan_json(const struct plan *plan);

#endif
