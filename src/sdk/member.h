/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One member of a JSON object, taken out of the text while the text arrives.
 *
 * A string's characters are handed on decoded; any other value as its own text, only without the
 * white space between tokens, so that no number is rewritten. null counts as absent for a reader
 * of strings. Of the rest only as much is looked at as finds the object's end: whoever needs to
 * know that all of it is JSON must parse it.
 */
#ifndef SDK_MEMBER_H
#define SDK_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Receives a piece of the value. A failure ends the reading with that error. */
typedef int member_sink(void *cookie, const void *bytes, size_t len, struct err *e);

enum member_kind {
	MEMBER_STRING, /* a string or null; anything else is a fault */
	MEMBER_OTHER,  /* anything but a string; a string is passed over */
};

enum { MEMBER_NAME_SIZE = 32 };

struct member {
	const char *name;
	enum member_kind kind;
	member_sink *sink;
	void *cookie;

	/* The reader's own. */
	int state;
	char key[MEMBER_NAME_SIZE]; /* of the value to come; one too long is cut and matches none */
	size_t key_len;
	size_t depth;    /* of brackets within a value */
	bool in_text;    /* within a string of such a value */
	bool escaped;    /* after a backslash */
	bool wanted;     /* the value is the one named */
	unsigned digits; /* of \uXXXX still to come */
	uint32_t unit;   /* what they made so far */
	uint32_t high;   /* a first surrogate that waits for its second */
};

/* Reads more of the text. Fails with PROTOCOL (not an object), or as the sink did. */
int member_read(struct member *m, const char *text, size_t len, struct err *e);

/* The text has ended. Fails with PROTOCOL where the object has not. */
int member_end(const struct member *m, struct err *e);

#endif
