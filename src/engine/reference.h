/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image's reference in its parts. Used inside this room only.
 */
#ifndef ENGINE_REFERENCE_H
#define ENGINE_REFERENCE_H

struct err;

struct reference {
	char *name;     /* "registry:5000/team/web" */
	char *tag;      /* "latest" when neither it nor a digest was given; or the digest */
	char *registry; /* "registry:5000"; the engine's default where name has none */
};

/* Fails with INVALID (no name). */
int reference_parse(const char *text, struct reference *ret_reference, struct err *e);
void reference_done(struct reference *reference);

#endif
