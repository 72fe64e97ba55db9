/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UTF-8 (RFC 3629): what a stranger's bytes are, and how they become it.
 *
 * Texts are made valid where they come in, so that no encoder behind can fail on them.
 */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

/* Length of the character that they begin with, of which there is one byte at least; 0: it is none.
 */
size_t utf8_character(const char *bytes, size_t len);

bool utf8_is_valid(const char *bytes, size_t len);

/* Appends them; each byte that belongs to no character becomes U+FFFD. */
void utf8_put_valid(struct buf *b, const char *bytes, size_t len);

/* The longest beginning of at most `most` bytes that doesn't end inside a character. */
size_t utf8_cut(const char *bytes, size_t len, size_t most);

#endif
