/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include "base/err.h"
#include "base/file.h"
#include "base/id.h"
#include "base/own.h"

#include <sodium.h>
#include <string.h>

_Static_assert(SECRET_PASSWORD_SIZE >= crypto_pwhash_STRBYTES, "libsodium's encoded hash fits");

int secret_init(struct err *e)
{
	if (sodium_init() < 0)
		return err_set(e, ERR_INTERNAL, "libsodium can't start: no source of randomness");
	return 0;
}

void secret_token(char token[SECRET_TOKEN_SIZE])
{
	id_random(token, SECRET_TOKEN_SIZE - 1);
}

void secret_hash_bytes(const void *bytes, size_t len, char hash[SECRET_HASH_SIZE])
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(digest, bytes, len);
	sodium_bin2hex(hash, SECRET_HASH_SIZE, digest, sizeof(digest));
}

void secret_hash(const char *token, char hash[SECRET_HASH_SIZE])
{
	secret_hash_bytes(token, strlen(token), hash);
}

bool secret_equal(const char *a, const char *b)
{
	unsigned char digest_a[crypto_hash_sha256_BYTES], digest_b[crypto_hash_sha256_BYTES];

	crypto_hash_sha256(digest_a, (const unsigned char *)a, strlen(a));
	crypto_hash_sha256(digest_b, (const unsigned char *)b, strlen(b));
	return sodium_memcmp(digest_a, digest_b, sizeof(digest_a)) == 0;
}

int password_hash(const char *password, char hash[SECRET_PASSWORD_SIZE], struct err *e)
{
	if (crypto_pwhash_str(hash, password, strlen(password), crypto_pwhash_OPSLIMIT_INTERACTIVE,
			      crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
		return err_memory(e);
	return 0;
}

bool password_verify(const char *password, const char *hash)
{
	return crypto_pwhash_str_verify(hash, password, strlen(password)) == 0;
}

static const char sealed_mark[] = "sealed:1:";

enum {
	SEALED_MARK = sizeof(sealed_mark) - 1,
	NONCE = crypto_secretbox_xchacha20poly1305_NONCEBYTES,
	MAC = crypto_secretbox_xchacha20poly1305_MACBYTES,
	BASE64 = sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
};

_Static_assert(SECRET_KEY_SIZE == crypto_secretbox_xchacha20poly1305_KEYBYTES, "a key fits");

void secret_key(unsigned char key[SECRET_KEY_SIZE])
{
	randombytes_buf(key, SECRET_KEY_SIZE);
}

void secret_key_write(const unsigned char key[SECRET_KEY_SIZE], char text[SECRET_KEY_TEXT_SIZE])
{
	sodium_bin2hex(text, SECRET_KEY_TEXT_SIZE, key, SECRET_KEY_SIZE);
}

bool secret_key_read(const char *text, unsigned char key[SECRET_KEY_SIZE])
{
	size_t len = 0;

	return sodium_hex2bin(key, SECRET_KEY_SIZE, text, strlen(text), NULL, &len, NULL) == 0 &&
	       len == SECRET_KEY_SIZE;
}

bool secret_is_sealed(const char *text)
{
	return strncmp(text, sealed_mark, SEALED_MARK) == 0;
}

char *secret_seal(const unsigned char key[SECRET_KEY_SIZE], const char *text)
{
	size_t len = strlen(text), box_len = NONCE + MAC + len;
	size_t size = SEALED_MARK + sodium_base64_encoded_len(box_len, BASE64);
	AUTO(unsigned char *, freep) box = malloc(box_len);
	char *sealed = box ? malloc(size) : NULL;

	if (!sealed)
		return NULL;
	randombytes_buf(box, NONCE);
	crypto_secretbox_xchacha20poly1305_easy(box + NONCE, (const unsigned char *)text, len, box,
						key);
	memcpy(sealed, sealed_mark, SEALED_MARK);
	sodium_bin2base64(sealed + SEALED_MARK, size - SEALED_MARK, box, box_len, BASE64);
	return sealed;
}

char *secret_unseal(const unsigned char key[SECRET_KEY_SIZE], const char *sealed)
{
	AUTO(unsigned char *, freep) box = malloc(strlen(sealed) + 1);
	AUTO(char *, freep) text = NULL;
	size_t box_len = 0;

	if (!box || !secret_is_sealed(sealed) ||
	    sodium_base642bin(box, strlen(sealed), sealed + SEALED_MARK,
			      strlen(sealed) - SEALED_MARK, NULL, &box_len, NULL, BASE64) != 0 ||
	    box_len < NONCE + MAC)
		return NULL;
	text = malloc(box_len - NONCE - MAC + 1);
	if (!text ||
	    crypto_secretbox_xchacha20poly1305_open_easy((unsigned char *)text, box + NONCE,
							 box_len - NONCE, box, key) != 0)
		return NULL;
	text[box_len - NONCE - MAC] = '\0';
	return TAKE(text);
}

int secret_read_file(const char *path, char **ret_secret, struct err *e)
{
	AUTO(char *, freep) text = NULL;
	int r;

	r = file_read(path, 64 * 1024, &text, NULL, e);
	if (r < 0)
		return r;
	text[strcspn(text, "\r\n")] = '\0';
	if (!*text)
		return err_set(e, ERR_INVALID, "'%s' holds no secret: its first line is empty",
			       path);
	*ret_secret = TAKE(text);
	return 0;
}
