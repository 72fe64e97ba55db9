/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images: what is there, pulling and building what is not.
 *
 * A reference is "name", "name:tag" or "name@sha256:..."; without a tag it means "latest".
 */
#ifndef ENGINE_IMAGE_H
#define ENGINE_IMAGE_H

#include "http/call.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct engine;
struct err;

/* 1 when the image is here, 0 when not, or a failure. */
int engine_image_exists(struct engine *engine, const char *reference, struct err *e);

int engine_image_inspect(struct engine *engine, const char *reference, json_t **ret_json,
			 struct err *e);

/* Gives an image one more reference. */
int engine_image_tag(struct engine *engine, const char *reference, const char *new_reference,
		     struct err *e);

/*
 * Removes the reference, and with its last one the image. Fails with NOT_FOUND or CONFLICT (a
 * container uses it; force unties it from stopped ones).
 */
int engine_image_remove(struct engine *engine, const char *reference, bool force, struct err *e);

/* A row of the list. Strings and JSON are borrowed from the list. */
struct engine_image {
	const char *id;
	const json_t *references; /* ["name:tag"] */
	const json_t *labels;
	int64_t size; /* bytes, layers shared with others counted too */
	int64_t created_ms;
};

struct engine_image_list {
	struct engine_image *items;
	size_t count;
	json_t *json; /* what the items borrow from */
};

/* As engine_container_list(). */
int engine_image_list(struct engine *engine, const char *const *labels,
		      struct engine_image_list *ret_list, struct err *e);
void engine_image_list_done(struct engine_image_list *list);

/* A step of a pull or build. Strings live until the callback returns. */
struct engine_progress {
	const char *text;  /* a build's output as it comes; a pull's "Downloading" */
	const char *layer; /* what of a pull this is about; NULL: all of it */
	int64_t current;   /* bytes of the layer done and... */
	int64_t total;     /* ...to be done; 0: unknown */
};

/* A failure ends the pull or build with that error. */
typedef int engine_progress_fn(void *cookie, const struct engine_progress *progress, struct err *e);

struct engine_credentials {
	const char *username;
	const char *password;
	const char *server; /* "registry.example:5000"; NULL: the one in the reference */
};

struct engine_pull {
	const char *reference;
	const char *platform;                         /* "linux/amd64"; NULL: the engine's own */
	const struct engine_credentials *credentials; /* NULL: none */
	engine_progress_fn *progress;                 /* NULL: none wanted */
	void *cookie;
	int64_t timeout_ms;           /* 0: no limit */
	const atomic_bool *cancelled; /* as http_call's */
};

/* Fails with NOT_FOUND (no such image, or none for these credentials) or ENGINE. */
int engine_image_pull(struct engine *engine, const struct engine_pull *pull, struct err *e);

struct engine_build {
	const char *reference;     /* what the image will be called; NULL: its id only */
	const char *dockerfile;    /* path in the context; NULL: "Dockerfile" */
	const char *target;        /* stage; NULL: the last */
	const char *network;       /* for RUN: "none", "host", a network; NULL: the default */
	const char *platform;      /* NULL: the engine's own */
	const json_t *args;        /* {name: value} */
	const json_t *labels;      /* {name: value} */
	const json_t *extra_hosts; /* ["host:ip"] */
	int64_t shm_size;          /* bytes; 0: the engine's default */
	/* Of each step, by the classic builder alone; 0 or NULL: none. */
	int64_t memory;                /* bytes, swap included */
	int64_t cpu_quota, cpu_period; /* microseconds */
	int64_t cpu_shares;
	const json_t *ulimits;     /* [{"Name": "nofile", "Soft": 1024, "Hard": 1024}] */
	const char *cgroup_parent; /* of the steps' containers; NULL: the engine's own */
	/*
	 * Needed for COPY --chmod, RUN --mount, heredocs. BuildKit pulls through a session, which
	 * it gets none of here: what FROM (and a "# syntax=" line) names must have been pulled
	 * before.
	 */
	bool buildkit;
	bool no_cache;
	http_source *context; /* the context as a tar: see engine/tar.h */
	void *context_cookie;
	engine_progress_fn *progress; /* NULL: none wanted */
	void *cookie;
	int64_t timeout_ms;           /* 0: no limit */
	const atomic_bool *cancelled; /* as http_call's */
};

/*
 * Builds an image. ret_id ("sha256:...", may be NULL) is the caller's. A build that is given up
 * (timeout, a failing callback) is given up by the engine too. Fails with ENGINE (a faulty
 * Dockerfile, a command that failed), or with what context or progress said.
 */
int engine_image_build(struct engine *engine, const struct engine_build *build, char **ret_id,
		       struct err *e);

#endif
