/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both ends of a WebSocket (RFC 6455) share: frames as bytes, and the handshake's proof. No
 * I/O.
 */
#ifndef HTTP_FRAME_H
#define HTTP_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_opcode {
	FRAME_CONTINUATION = 0,
	FRAME_TEXT = 1,
	FRAME_BINARY = 2,
	FRAME_CLOSE = 8, /* from here on: control frames */
	FRAME_PING = 9,
	FRAME_PONG = 10,
};

struct frame {
	bool final, reserved /* bits that mean nothing yet are set */, masked;
	unsigned opcode;
	uint64_t size; /* of its payload */
	unsigned char mask[4];
};

enum {
	FRAME_HEAD_MAX = 14,
	FRAME_CONTROL_MAX = 125, /* of a control frame's payload */
	FRAME_KEY_LEN = 24,      /* of Sec-WebSocket-Key: 16 bytes in base64 */
	FRAME_PROOF_SIZE = 29,   /* of Sec-WebSocket-Accept, with its NUL */
};

/* Returns the head's length. */
size_t frame_put_head(const struct frame *frame, unsigned char head[FRAME_HEAD_MAX]);

/* Returns the length of the head that these bytes begin with; 0: it is longer than they are. */
size_t frame_read_head(const void *bytes, size_t len, struct frame *ret_frame);

/* Masks, or unmasks, bytes that stand at that place of the payload. */
void frame_mask(const unsigned char mask[4], uint64_t at, char *bytes, size_t len);

/* What a server says to a key (RFC 6455, 4.2.2). */
void frame_proof(const char key[FRAME_KEY_LEN], char proof[FRAME_PROOF_SIZE]);

#endif
