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
	struct yaml_node *services; /* what a dialect wants run; NULL: nothing */
	const char *compose; /* the compose file that the spec names; NULL: to be looked for */
	const char *build;   /* a directory with a Dockerfile that the spec names */
	bool wants_instance; /* it speaks of a host or port: a Dockerfile is there to run */
};

/* What a key of a spec means. */
struct spec_key {
	const char *name;
	void (*read)(struct spec *spec,
		     const struct yaml_node *value); /* NULL: means nothing here */
};

/* Hands each entry of a map to its row; what has none is a warning. */
void spec_read(struct spec *spec, const struct yaml_node *map, const struct spec_key *keys,
	       size_t count);

__attribute__((format(printf, 4, 5))) void spec_fault(struct spec *spec, const struct yaml_node *at,
						      const char *key, const char *fmt, ...);
__attribute__((format(printf, 4, 5))) void spec_warn(struct spec *spec, const struct yaml_node *at,
						     const char *key, const char *fmt, ...);

/* A scalar's text in the arena; NULL for null and, being a fault, for lists and maps. */
const char *spec_text(struct spec *spec, const struct yaml_node *value, const char *key);
int64_t spec_integer(struct spec *spec, const struct yaml_node *value, const char *key);
bool spec_bool(struct spec *spec, const struct yaml_node *value, const char *key);
/* Milliseconds: "1m30s", or a bare number of seconds. */
int64_t spec_duration(struct spec *spec, const struct yaml_node *value, const char *key);

/* Strings of a list, of a lone scalar, or of nothing. */
void spec_texts(struct spec *spec, const struct yaml_node *value, const char *key,
		const char ***ret_texts, size_t *ret_count);

struct question *spec_add_question(struct spec *spec, const char *id);
void spec_add_hint(struct spec *spec, const char *text, int64_t cost);
struct attachment *spec_add_attachment(struct spec *spec);
/* One that is a file of the folder; warns and leaves it out where it is absent or outside. */
void spec_add_file(struct spec *spec, const struct yaml_node *at, const char *path);
struct placement *spec_add_placement(struct spec *spec);
struct endpoint *spec_add_endpoint(struct spec *spec);

/* The one question "flag" with a fixed answer; further calls add answers that are accepted too. */
void spec_add_flag(struct spec *spec, const char *answer, bool case_insensitive);
/* The same for a pattern. */
void spec_add_flag_pattern(struct spec *spec, const char *pattern, bool case_insensitive);

/* A service of what the spec wants run, as compose would have it; keys are for the caller. */
struct yaml_node *spec_service(struct spec *spec, const char *name, const struct yaml_node *place);

/* Dialects. */
typedef void spec_reader(struct spec *spec);
spec_reader spec_read_ctfcli;

#endif
