/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML as a tree in which every node knows its place.
 *
 * The scalars are those of YAML 1.2's core schema as Compose reads them: `no`, `on` and `22:22` are
 * strings; `0777` is octal and `1_000` a number. Merge keys (`<<`) are resolved, aliases share
 * their anchor's node. Refused, with line and column: duplicate keys, keys that aren't scalars, a
 * second document, nesting deeper than YAML_MAX_DEPTH, and aliases that expand to more than
 * YAML_MAX_NODES. JSON is read too.
 *
 * A tree lives in the arena it was parsed into and is never changed by its readers.
 */
#ifndef BASE_YAML_H
#define BASE_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct err;

enum {
	YAML_MAX_DEPTH = 64,
	YAML_MAX_NODES = 100000,
	YAML_MAX_FILE = 4 << 20, /* bytes */
};

enum yaml_kind {
	YAML_NULL,
	YAML_BOOL,
	YAML_INT,
	YAML_FLOAT,
	YAML_STRING,
	YAML_LIST,
	YAML_MAP,
};

struct yaml_file {
	const char *path; /* as messages name it */
	const char *dir;  /* what relative paths in it are relative to */
};

struct yaml_node {
	enum yaml_kind kind;
	unsigned line, column; /* from 1 */
	const struct yaml_file *file;
	const char *tag;  /* a local tag such as "!reset"; else NULL */
	const char *text; /* a scalar as written, quotes and escapes resolved; else NULL */
	union {
		bool boolean;
		int64_t integer;
		double real;
	};
	size_t count;    /* of a list's items or a map's entries */
	size_t capacity; /* of their array */
	struct yaml_node **items;
	struct yaml_entry *entries;
	size_t weight; /* nodes in all, aliases expanded */
};

struct yaml_entry {
	const char *key;
	unsigned line, column;
	struct yaml_node *value;
};

/* Where and why a parse failed. */
struct yaml_fault {
	unsigned line, column;
	char reason[256];
};

/*
 * Parses a text. Empty text is a YAML_NULL node. Fails with INVALID, e then reading
 * "path:line:column: reason", and ret_fault (may be NULL) telling the same in parts.
 */
int yaml_parse(struct arena *arena, const struct yaml_file *file, const char *text, size_t len,
	       struct yaml_node **ret_root, struct yaml_fault *ret_fault, struct err *e);

/*
 * The same of a text that may have more documents: the first one, and the line where a second
 * begins. ret_second is left as it is where there is none.
 */
int yaml_parse_first(struct arena *arena, const struct yaml_file *file, const char *text,
		     size_t len, struct yaml_node **ret_root, unsigned *ret_second,
		     struct yaml_fault *ret_fault, struct err *e);

/* The value under a map's key; NULL where there is none or the node (which may be NULL) is no map.
 */
struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/* A scalar's text where it is a string, else NULL; NULL too for a NULL node. */
const char *yaml_string(const struct yaml_node *node);

/* A scalar as it was written; NULL for null, lists, maps, and for a NULL node. */
const char *yaml_text(const struct yaml_node *node);

static inline bool yaml_is_scalar(const struct yaml_node *node)
{
	return node->kind <= YAML_STRING;
}

/*
 * A scalar as Compose turns it into a string: a string's text, a number's shortest decimal form,
 * true or false, "" for null. NULL for lists and maps.
 */
const char *yaml_scalar_text(struct arena *arena, const struct yaml_node *node);

/* What a kind is called in messages: "a string", "a list"... */
const char *yaml_kind_name(enum yaml_kind kind);

#endif
