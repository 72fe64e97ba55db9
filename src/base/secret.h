/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens and passwords. What is stored of them is a hash; what is compared, is compared in
 * constant time.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stdbool.h>
#include <stddef.h>

struct err;

/* Call once before any other of libsodium's users; cheap when repeated. */
int secret_init(struct err *e);

enum { SECRET_TOKEN_SIZE = 53 };     /* 52 characters (260 bits) and a NUL */
enum { SECRET_HASH_SIZE = 65 };      /* hex SHA-256 and a NUL */
enum { SECRET_PASSWORD_SIZE = 128 }; /* libsodium's crypto_pwhash_STRBYTES */

void secret_token(char token[SECRET_TOKEN_SIZE]);

/* Hex SHA-256: enough for a random token, not for a password. */
void secret_hash(const char *token, char hash[SECRET_HASH_SIZE]);
void secret_hash_bytes(const void *bytes, size_t len, char hash[SECRET_HASH_SIZE]);

/* Takes the same time wherever they differ, and tells nothing of their lengths. */
bool secret_equal(const char *a, const char *b);

/* argon2id with libsodium's interactive limits (64 MiB, about 0.1 s). Fails with MEMORY. */
int password_hash(const char *password, char hash[SECRET_PASSWORD_SIZE], struct err *e);
bool password_verify(const char *password, const char *hash);

/*
 * Texts that are kept sealed: encrypted, and known again if somebody changed them (XChaCha20 and
 * Poly1305, a nonce of its own for each). Both return the caller's text; NULL: out of memory, or,
 * of secret_unseal(), not sealed with this key.
 */
enum { SECRET_KEY_SIZE = 32 };

void secret_key(unsigned char key[SECRET_KEY_SIZE]);
char *secret_seal(const unsigned char key[SECRET_KEY_SIZE], const char *text);
char *secret_unseal(const unsigned char key[SECRET_KEY_SIZE], const char *sealed);
bool secret_is_sealed(const char *text);

/* As 64 hexadecimal digits, and back; false where it is no key. */
enum { SECRET_KEY_TEXT_SIZE = 2 * SECRET_KEY_SIZE + 1 };
void secret_key_write(const unsigned char key[SECRET_KEY_SIZE], char text[SECRET_KEY_TEXT_SIZE]);
bool secret_key_read(const char *text, unsigned char key[SECRET_KEY_SIZE]);

/* A secret in a file: its first line, without the line's end. Fails with INVALID. */
int secret_read_file(const char *path, char **ret_secret, struct err *e);

#endif
