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

/* A secret in a file: its first line, without the line's end. Fails with INVALID. */
int secret_read_file(const char *path, char **ret_secret, struct err *e);

#endif
