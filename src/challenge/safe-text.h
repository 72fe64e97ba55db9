/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an author's text may hold where an engine's body takes text for a name, an address or the
 * like. Each is whole or it is refused: nothing is mended.
 */
#ifndef CHALLENGE_SAFE_TEXT_H
#define CHALLENGE_SAFE_TEXT_H

#include <stdbool.h>

/* [A-Za-z0-9][A-Za-z0-9_.-]*, at most 128: volumes, networks, stages, groups. */
bool text_is_name(const char *text);

/* The same and an underscore to begin with, at most 253: what stands in a hosts file, an alias. */
bool text_is_host(const char *text);

/* An IPv4 or IPv6 address, in brackets or not. */
bool text_is_address(const char *text);

/* At least one character, all of them among those given. */
bool text_is_of(const char *text, const char *characters);

#define TEXT_DIGITS  "0123456789"
#define TEXT_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

#endif
