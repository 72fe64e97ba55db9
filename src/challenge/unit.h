/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amounts as Compose writes them. Every reader returns false, and leaves its output alone, for what
 * it doesn't understand or can't hold.
 */
#ifndef CHALLENGE_UNIT_H
#define CHALLENGE_UNIT_H

#include <stdbool.h>
#include <stdint.h>

/* "512m", "1.5 GiB", "1024": bytes; units are powers of 1024. */
bool unit_bytes(const char *text, int64_t *ret_bytes);

/* "1m30s", "500ms", "1d": nanoseconds. A bare number has no unit and is refused, "0" excepted. */
bool unit_duration(const char *text, int64_t *ret_ns);

/* "0.5": billionths of a processor. */
bool unit_cpus(const char *text, int64_t *ret_nano);

/* "0444", "0o444": a file's mode. */
bool unit_mode(const char *text, uint32_t *ret_mode);

/* A whole decimal number between least and most. */
bool unit_integer(const char *text, int64_t least, int64_t most, int64_t *ret_value);

/* true, yes, on, y, 1 and their opposites, in any case. */
bool unit_bool(const char *text, bool *ret_value);

#endif
