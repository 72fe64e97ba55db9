/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A challenge on disk, in whatever dialect its author wrote it.
 *
 * Loading reads files and starts nothing. A loaded challenge never changes: it may be shared by
 * threads, and a rescan loads a new one beside it.
 */
#ifndef CHALLENGE_CHALLENGE_H
#define CHALLENGE_CHALLENGE_H

#include "challenge/capture-mode.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct compose_file;
struct err;
struct problems;
struct yaml_node;

enum answer_kind {
	ANSWER_STATIC,    /* the same for everybody */
	ANSWER_GENERATED, /* from a template, anew for each instance */
	ANSWER_REGEX,     /* a pattern that the submission must match */
};

/* A further answer that is accepted. */
struct accepted {
	const char *text; /* the answer, or the pattern */
	bool is_pattern;
	bool case_insensitive;
};

struct question {
	const char *id; /* "flag" where the author named none */
	const char *text;
	enum answer_kind kind;
	const char *answer; /* the answer, the template, or the pattern */
	bool case_insensitive;
	int64_t value; /* share of the challenge's value; 0: an equal share */
	struct accepted *also;
	size_t also_count;
};

struct hint {
	const char *title; /* told before it is paid for; NULL: none */
	const char *text;
	int64_t cost;
	const size_t *requires_; /* indices of hints that have to be unlocked before */
	size_t require_count;
};

struct attachment {
	const char *filename;                 /* as the player sees it */
	const char *source;                   /* relative to the folder; NULL: built */
	const char *service, *container_path; /* built: read out of this service's container */
	const char *stage; /* ...or of an image of this stage of its build; NULL: none */
	const struct yaml_node *command; /* ...after this ran in a container of its own; NULL */
	bool template_;                  /* rendered with the instance's answers */
	const struct yaml_node *node;    /* for messages; may be NULL */
};

enum placement_way {
	PLACE_ENVIRONMENT, /* a variable of the service */
	PLACE_BUILD_ARG,   /* an argument of its build */
	PLACE_FILE,        /* a file in its container */
};

/* Where the author wants an answer put, besides what the compose file interpolates. */
struct placement {
	const char *question;
	enum placement_way way;
	const char *service;   /* NULL: every service */
	const char *where;     /* the variable, the argument, the absolute path */
	const char *template_; /* a file's content with {{answer}}; NULL: the answer and no more */
	uint32_t mode, uid, gid;
	const struct yaml_node *node; /* for messages; may be NULL */
};

/* A port that the spec names: published whether or not the compose file does. */
struct endpoint {
	const char *service; /* NULL: the only service, or the one that has the port */
	uint16_t port;
	const char *protocol; /* "tcp", "udp", "http", "https" */
	const struct yaml_node *node;
};

struct challenge {
	struct arena *arena;
	const char *id;           /* [A-Za-z0-9][A-Za-z0-9_.-]{0,62} */
	const char *dir;          /* absolute */
	const char *dialect;      /* "ctfcli", "rcds", "kctf", "nyu", "xbow", "gzctf", "compose",
				     "dockerfile" */
	const char *spec_file;    /* absolute; NULL: a bare folder */
	const char *compose_file; /* absolute; NULL: none */
	const char *dockerfile;   /* absolute; only where there is no compose file */

	const char *name, *category, *description, *author;
	const char *type; /* "standard" or "dynamic" scoring */
	int64_t value, minimum, decay;
	const char *decay_function;  /* "logarithmic" or "linear" */
	const char *protocol;        /* "http", "https", "tcp", "udp"; NULL: not said */
	const char *connection_info; /* with ${host}, ${port}, ${url} or {{...}} */
	bool hidden;
	int64_t opens_at; /* Unix ms: nobody sees it before; 0: from the start on */
	int64_t position; /* in lists, the least first; then by id */
	int64_t attempts; /* most submissions a team may make; 0: no limit */
	struct question *questions;
	size_t question_count;
	struct hint *hints;
	size_t hint_count;
	struct attachment *attachments;
	size_t attachment_count;
	const char **tags;
	size_t tag_count;
	const char **requires_; /* names of challenges to be solved before */
	size_t require_count;
	bool anonymous; /* while others have to be solved before, not even its name is told */
	struct placement *placements;
	size_t placement_count;
	struct endpoint *endpoints;
	size_t endpoint_count;
	const char **templates; /* paths in the folder that are rendered where they are mounted */
	size_t template_count;
	int64_t health_deadline_ms; /* 0: the node's default */
	int64_t ttl;                /* seconds an instance lives; 0: the platform's default */
	int64_t max_instances;      /* of it at once, of all teams together; 0: no limit */
	bool egress;                /* asks for new connections to the outside */
	const struct yaml_node *egress_node;
	enum capture_mode capture; /* asks for these sidecars */
	bool record_http, vpn;

	struct compose_file *compose; /* parsed; NULL: nothing to run */
};

/*
 * Loads the challenge in a folder, or the bare one that a compose file is. A folder that isn't a
 * challenge fails with NOT_FOUND, a faulty one with INVALID; problems gets everything that was
 * found either way.
 */
int challenge_load(const char *dir, struct challenge **ret_challenge, struct problems *problems,
		   struct err *e);
void challenge_free(struct challenge *challenge);
static inline void challenge_freep(struct challenge **challenge)
{
	challenge_free(*challenge);
}

/* Whether the challenge has something to run: one without is only a question. */
static inline bool challenge_has_instance(const struct challenge *challenge)
{
	return challenge->compose != NULL;
}

/*
 * Makes this instance's answers: {question id: answer}. A template's "..." becomes 32 random
 * characters of [a-z2-7] (160 bits); a template without it is used as it stands.
 */
int challenge_answers(const struct challenge *challenge, json_t **ret_answers, struct err *e);

/*
 * Calls back for every challenge folder below dir, sorted by path, not descending into one that
 * was found. Stops at the first non-zero return and returns it.
 */
int challenge_walk(const char *dir, int (*found)(void *cookie, const char *challenge_dir),
		   void *cookie, struct err *e);

#endif
