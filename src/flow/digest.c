/* SPDX-License-Identifier: Apache-2.0 */
/* These functions are deprecated for those who may need another provider's. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "flow/digest.h"

#include <openssl/sha.h>

_Static_assert(sizeof(struct digest) == sizeof(SHA256_CTX), "a digest is a SHA256_CTX");

static SHA256_CTX *context(struct digest *digest)
{
	return (SHA256_CTX *)digest;
}

void digest_begin(struct digest *digest)
{
	SHA256_Init(context(digest));
}

void digest_add(struct digest *digest, const void *bytes, size_t len)
{
	SHA256_Update(context(digest), bytes, len);
}

void digest_end(struct digest *digest, char text[DIGEST_TEXT_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char hash[SHA256_DIGEST_LENGTH];

	SHA256_Final(hash, context(digest));
	for (size_t i = 0; i < sizeof(hash); i++) {
		text[2 * i] = digits[hash[i] >> 4];
		text[2 * i + 1] = digits[hash[i] & 15];
	}
	text[DIGEST_TEXT_SIZE - 1] = '\0';
}
