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
