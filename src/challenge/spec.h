/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a challenge's spec: what the dialects share.
 *
 * A dialect is a row: how its file is recognised and a reader that fills the struct challenge. A
 * dialect that says itself what to run builds a compose model for it with spec_service().
 */
#ifndef CHALLENGE_SPEC_H
#define CHALLENGE_SPEC_H

#include "base/yaml.h"
#include "challenge/challenge.h"
#include "challenge/problem.h"

struct spec {
	struct arena *arena;
	struct challenge *challenge;
	const struct yaml_node *root;
	const char *dir; /* of the spec file */
	struct problems *problems;
	struct yaml_node *services;    /* what a dialect wants run; NULL: nothing */
	const struct yaml_node *model; /* a whole compose model that the spec has in it */
	const char *compose; /* the compose file that the spec names; NULL: look for one */
	const char *build;   /* a directory with a Dockerfile that the spec names */
	const struct yaml_node *image;     /* an image, for where there is nothing to build */
	const struct yaml_node *container; /* GZCTF's limits of it */
	bool every_flag;                   /* ctfcli's: all flags are wanted, not any */
	int64_t port;                      /* of the only service; 0: not said */
	bool wants_instance; /* it speaks of a host or port: a Dockerfile is there to run */
};

/* What a key of a spec means: it is read, or its author is told why it has no effect. */
struct spec_key {
	const char *name;
	void (*read)(struct spec *spec, const struct yaml_node *value);
	const char *ignored;
};

/* The keys of a dialect's spec, or of a map in it. */
struct spec_keys {
	const char *map; /* "" for the whole file, else the keys that lead to it: "spec.network" */
	const struct spec_key *rows;
	size_t count;
};

/* clang-format off */
#define SPEC_KEYS(of, table) { .map = (of), .rows = (table), .count = ARRAY_SIZE(table) }
/* clang-format on */

/* Hands each entry of a map to its row; what has none, or no effect, is a warning. */
void spec_read(struct spec *spec, const struct yaml_node *map, const struct spec_keys *keys);

/* Warns of each key of a map within `key` that isn't among those known, a list that ends with NULL.
 */
void spec_check_keys(struct spec *spec, const struct yaml_node *map, const char *key,
		     const char *const *known);

__attribute__((format(printf, 4, 5))) void spec_fault(struct spec *spec, const struct yaml_node *at,
						      const char *key, const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void spec_warn(struct spec *spec, const struct yaml_node *at,
						     const char *key, const char *fmt, ...);

/* A scalar as it was written; NULL for null and, being a fault, for lists and maps. */
const char *spec_text(struct spec *spec, const struct yaml_node *value, const char *key);
/* For people only: of a list, its texts with commas between them. What it can't be is a warning. */
const char *spec_prose(struct spec *spec, const struct yaml_node *value, const char *key);
int64_t spec_integer(struct spec *spec, const struct yaml_node *value, const char *key);
bool spec_bool(struct spec *spec, const struct yaml_node *value, const char *key);
/* Milliseconds: "1m30s", or a bare number of seconds. */
int64_t spec_duration(struct spec *spec, const struct yaml_node *value, const char *key);

/* Strings of a list, of a lone scalar, or of nothing. */
void spec_texts(struct spec *spec, const struct yaml_node *value, const char *key,
		const char ***ret_texts, size_t *ret_count);

struct question *spec_add_question(struct spec *spec, const char *id);
struct hint *spec_add_hint(struct spec *spec);
struct attachment *spec_add_attachment(struct spec *spec);
/* One that is a file of the folder, or those in a directory of it; warns and leaves out what is
   absent or outside. */
void spec_add_file(struct spec *spec, const struct yaml_node *at, const char *path);
/* Of two that players would see by one name, the later gets a longer one. */
void spec_name_attachments(struct spec *spec);
struct placement *spec_add_placement(struct spec *spec);
struct endpoint *spec_add_endpoint(struct spec *spec);

/* The one question "flag" with a fixed answer; further calls add answers that are accepted too. */
void spec_add_flag(struct spec *spec, const struct yaml_node *at, const char *answer,
		   bool case_insensitive);
/* The same for a pattern. */
void spec_add_flag_pattern(struct spec *spec, const struct yaml_node *at, const char *pattern,
			   bool case_insensitive);

/* Tells of an answer that nobody can give, and of a pattern that is none. */
void spec_check_answer(struct spec *spec, const struct yaml_node *at, const char *key,
		       const char *answer);
void spec_check_pattern(struct spec *spec, const struct yaml_node *at, const char *key,
			const char *pattern);

/* Room for one more answer that the question accepts; NULL when memory ends. */
struct accepted *spec_add_accepted(struct spec *spec, struct question *q);

/* One with a line of randomness in the place of what its braces hold, or of its own "...". */
void spec_add_dynamic_flag(struct spec *spec, const char *content);
/* The first line of a file of the folder. */
void spec_add_flag_file(struct spec *spec, const struct yaml_node *at, const char *file);

/* A service of what the spec wants run, as compose would have it; keys are for the caller. */
struct yaml_node *spec_service(struct spec *spec, const char *name, const struct yaml_node *place);

/* A whole number, 'dynamic', or {min, max}, {initial, minimum, decay}: what a challenge is worth.
 */
void spec_read_value_of(struct spec *spec, const struct yaml_node *value, const char *key);

/* Readers of keys that dialects have in common. */
typedef void spec_key_fn(struct spec *spec, const struct yaml_node *value);
spec_key_fn spec_read_name, spec_read_author, spec_read_category, spec_read_description,
	spec_read_id, spec_read_value, spec_read_points, spec_read_minimum, spec_read_decay,
	spec_read_files, spec_read_hints, spec_read_tags, spec_read_flags, spec_read_provide,
	spec_read_position;

/* And of those that ctfy adds. */
spec_key_fn spec_read_questions, spec_read_attachments, spec_read_endpoints, spec_read_templates,
	spec_read_ttl, spec_read_max_instances, spec_read_health_deadline, spec_read_egress,
	spec_read_capture, spec_read_record_http, spec_read_vpn, spec_read_compose;

/* The questions of a folder that has a compose file and no spec. */
void spec_read_bare(struct spec *spec, const struct yaml_node *model, const char *dir);

/*
 * Looks for the answer in the folder's files, for a challenge without any; says where it was found,
 * or that there is nothing to answer and what to add. Returns whether there was one.
 */
bool spec_find_flag(struct spec *spec, const struct yaml_node *place);

/* Dialects. */
typedef bool spec_recogniser(const struct yaml_node *root);
typedef void spec_reader(struct spec *spec);
spec_recogniser spec_is_ctfcli, spec_is_rcds, spec_is_kctf, spec_is_gzctf, spec_is_nyu,
	spec_is_ecsc, spec_is_xbow, spec_is_rctf, spec_is_cybench, spec_is_inspect;
extern const struct spec_keys spec_keys_ctfcli[], spec_keys_rcds[], spec_keys_kctf[],
	spec_keys_gzctf[], spec_keys_nyu[], spec_keys_ecsc[], spec_keys_xbow[], spec_keys_rctf[],
	spec_keys_cybench[], spec_keys_inspect[];
spec_reader spec_read_ctfcli, spec_read_rcds, spec_read_kctf, spec_read_gzctf, spec_read_nyu,
	spec_read_ecsc, spec_read_xbow, spec_read_rctf, spec_read_cybench, spec_read_inspect;

#endif
