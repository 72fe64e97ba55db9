/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mustache-style templates: files that are made anew for each instance.
 *
 *	{{flag}}          the answer to the question "flag", as it stands
 *	{{{flag}}}        the same
 *	{{host}} {{instance_id}} {{challenge_id}}
 *	{{flag|json}}     escaped for the inside of a JSON or C string
 *	{{flag|html}}     with entities for & < > " '
 *	{{flag|shell}}    in single quotes for a shell
 *	{{flag|url}}      percent-encoded
 *	{{flag|base64}}   {{flag|hex}}
 *	{{! a comment }}
 *	{{=<% %>=}}       from here on tags are <% and %>
 *
 * A name or filter that isn't known, and a tag that isn't closed, is an error.
 */
#ifndef CHALLENGE_TEMPLATE_H
#define CHALLENGE_TEMPLATE_H

#include <stddef.h>

struct arena;
struct err;

/* The value of a name; NULL where there is none. */
typedef const char *template_lookup(void *cookie, const char *name);

/* In the arena, followed by a NUL. Fails with INVALID, naming the line. */
int template_render(struct arena *arena, const char *text, size_t len, template_lookup *lookup,
		    void *cookie, const void **ret_content, size_t *ret_size, struct err *e);

#endif
