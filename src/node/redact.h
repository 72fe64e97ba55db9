/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an instance's containers are made with holds its answers and an agent's token; what is
 * written down of them should not. Where they stand comes a mark, "[answer:QUESTION sha256:HASH]"
 * or "[token sha256:HASH]", with the hash that answers.json has.
 *
 * An answer of less than eight bytes is found only where it is the whole of a text, or all that
 * follows a "=": as a part of one, "42" would be everywhere.
 */
#ifndef NODE_REDACT_H
#define NODE_REDACT_H

#include <jansson.h>

struct err;

/* Changes all texts in json, at any depth, but no names. answers: {question: answer}, or NULL. */
int redact(json_t *json, const json_t *answers, struct err *e);

#endif
