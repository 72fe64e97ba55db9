/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON of whatever bytes, appended to a buffer.
 */
#ifndef FLOW_TEXT_H
#define FLOW_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct buf;

/* A string in its quotes. What is no UTF-8, and NUL, becomes U+FFFD. */
void text_put(struct buf *buf, const void *bytes, size_t len);
void text_puts(struct buf *buf, const char *text);

/* `"text":"..."`, or `"base64":"..."` where it is no UTF-8 or has a NUL: nothing is lost. */
void text_put_content(struct buf *buf, const void *bytes, size_t len);
void text_put_base64(struct buf *buf, const void *bytes, size_t len);

void text_put_number(struct buf *buf, uint64_t number);

/* "2026-11-23T01:16:56.123Z", in its quotes. */
void text_put_time(struct buf *buf, int64_t at_us);

/* Milliseconds with one decimal. */
void text_put_ms(struct buf *buf, int64_t us);

#endif
