/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-1, for the WebSocket's handshake alone: no security rests on it.
 */
#ifndef HTTP_SHA1_H
#define HTTP_SHA1_H

#include <stddef.h>

enum { SHA1_SIZE = 20 };

void sha1(const void *bytes, size_t len, unsigned char digest[SHA1_SIZE]);

#endif
