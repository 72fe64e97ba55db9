/* SPDX-License-Identifier: Apache-2.0 */
#include "http/frame.h"

#include "http/sha1.h"

#include <string.h>

size_t frame_put_head(const struct frame *frame, unsigned char head[FRAME_HEAD_MAX])
{
	size_t bytes = frame->size < 126 ? 0 : frame->size <= UINT16_MAX ? 2 : 8, len = 2;

	head[0] = (unsigned char)((frame->final ? 0x80 : 0) | frame->opcode);
	head[1] = (unsigned char)((frame->masked ? 0x80 : 0) | (bytes == 0   ? frame->size
								: bytes == 2 ? 126u
									     : 127u));
	while (bytes > 0)
		head[len++] = (unsigned char)(frame->size >> (8 * --bytes));
	if (!frame->masked)
		return len;
	memcpy(head + len, frame->mask, sizeof(frame->mask));
	return len + sizeof(frame->mask);
}

size_t frame_read_head(const void *bytes, size_t len, struct frame *ret_frame)
{
	const unsigned char *head = bytes;
	struct frame frame = { 0 };
	size_t size_bytes, need;

	if (len < 2)
		return 0;
	frame.final = head[0] & 0x80;
	frame.reserved = head[0] & 0x70;
	frame.opcode = head[0] & 0x0f;
	frame.masked = head[1] & 0x80;
	frame.size = head[1] & 0x7f;
	size_bytes = frame.size == 126 ? 2 : frame.size == 127 ? 8 : 0;
	need = 2 + size_bytes + (frame.masked ? sizeof(frame.mask) : 0);
	if (len < need)
		return 0;
	if (size_bytes > 0)
		frame.size = 0;
	for (size_t i = 0; i < size_bytes; i++)
		frame.size = frame.size << 8 | head[2 + i];
	if (frame.masked)
		memcpy(frame.mask, head + 2 + size_bytes, sizeof(frame.mask));
	*ret_frame = frame;
	return need;
}

void frame_mask(const unsigned char mask[4], uint64_t at, char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		bytes[i] = (char)((unsigned char)bytes[i] ^ mask[(at + i) % 4]);
}

static void to_base64(const unsigned char *bytes, size_t len, char *text)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		unsigned bits = (unsigned)bytes[i] << 16 | (i + 1 < len ? bytes[i + 1] << 8 : 0) |
				(i + 2 < len ? bytes[i + 2] : 0);

		*text++ = digits[bits >> 18];
		*text++ = digits[bits >> 12 & 63];
		*text++ = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		*text++ = i + 2 < len ? digits[bits & 63] : '=';
	}
	*text = '\0';
}

void frame_proof(const char key[FRAME_KEY_LEN], char proof[FRAME_PROOF_SIZE])
{
	static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	char text[FRAME_KEY_LEN + sizeof(magic)];
	unsigned char digest[SHA1_SIZE];

	memcpy(text, key, FRAME_KEY_LEN);
	memcpy(text + FRAME_KEY_LEN, magic, sizeof(magic));
	sha1(text, sizeof(text) - 1, digest);
	to_base64(digest, sizeof(digest), proof);
}
