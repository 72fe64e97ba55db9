/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Texts of strangers, made plain: fit for a terminal, a log and a file that people read.
 *
 * What moves a cursor, colours, renames a window, turns the direction of writing or ends a line
 * where there should be none is shown as what it is: "\x1b", "\u202e". So no text can pass for
 * another, or for a line of ours. What is no UTF-8 becomes U+FFFD.
 */
#ifndef BASE_PLAIN_H
#define BASE_PLAIN_H

#include <stddef.h>

struct buf;

/* Tabs stay; PLAIN_LINES: line ends do as well. */
enum plain_kind { PLAIN_LINE, PLAIN_LINES };

void plain_put(struct buf *out, const char *text, size_t len, enum plain_kind kind);

/* The caller's to free(); NULL when there is no memory. NULL is as "". */
char *plain_text(const char *text, enum plain_kind kind);

#endif
