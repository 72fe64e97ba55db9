/* SPDX-License-Identifier: Apache-2.0 */
#include "challenge/digest.h"

#include "base/err.h"
#include "base/own.h"

#include <fcntl.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
	REMEMBERED = 4096,   /* a table of that many rows, 450 KiB */
	WORTH_IT = 64 << 10, /* bytes; smaller files are read as fast as they are looked up */
	SETTLED_SECONDS = 2, /* no file system's clock is coarser */
};

struct identity {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec changed, modified;
};

struct memory {
	struct identity identity;
	unsigned char digest[DIGEST_SIZE];
	bool used;
};

static struct memory table[REMEMBERED];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct identity identity_of(const struct stat *st)
{
	struct identity id;

	memset(&id, 0, sizeof(id)); /* padding too: identities are compared as bytes */
	id.dev = st->st_dev;
	id.ino = st->st_ino;
	id.size = st->st_size;
	id.changed = st->st_ctim;
	id.modified = st->st_mtim;
	return id;
}

static struct memory *row_of(const struct identity *id)
{
	uint64_t mixed = (uint64_t)id->ino * 0x9e3779b97f4a7c15u ^ (uint64_t)id->dev;

	return &table[mixed >> 32 & (REMEMBERED - 1)];
}

static bool recall(const struct identity *id, unsigned char digest[DIGEST_SIZE])
{
	struct memory *row = row_of(id);
	bool found;

	pthread_mutex_lock(&lock);
	found = row->used && memcmp(&row->identity, id, sizeof(*id)) == 0;
	if (found)
		memcpy(digest, row->digest, DIGEST_SIZE);
	pthread_mutex_unlock(&lock);
	return found;
}

static void remember(const struct identity *id, const unsigned char digest[DIGEST_SIZE])
{
	struct memory *row = row_of(id);

	pthread_mutex_lock(&lock);
	row->identity = *id;
	memcpy(row->digest, digest, DIGEST_SIZE);
	row->used = true;
	pthread_mutex_unlock(&lock);
}

static bool is_settled(const struct stat *st)
{
	time_t settled = time(NULL) - SETTLED_SECONDS;

	return st->st_ctim.tv_sec < settled && st->st_mtim.tv_sec < settled;
}

static int read_digest(int dir, const char *name, unsigned char digest[DIGEST_SIZE], struct err *e)
{
	AUTO(int, closep) fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	crypto_hash_sha256_state state;
	unsigned char part[65536];
	ssize_t n;

	if (fd < 0)
		return err_errno(e, ERR_INVALID, "read '%s'", name);
	crypto_hash_sha256_init(&state);
	while ((n = read(fd, part, sizeof(part))) > 0)
		crypto_hash_sha256_update(&state, part, (size_t)n);
	if (n < 0)
		return err_errno(e, ERR_INVALID, "read '%s'", name);
	crypto_hash_sha256_final(&state, digest);
	return 0;
}

int digest_file(int dir, const char *name, const struct stat *st, unsigned char digest[DIGEST_SIZE],
		struct err *e)
{
	bool lasting = st->st_size >= WORTH_IT && is_settled(st);
	struct identity id = identity_of(st);
	int r;

	if (lasting && recall(&id, digest))
		return 0;
	r = read_digest(dir, name, digest, e);
	if (r == 0 && lasting)
		remember(&id, digest);
	return r;
}
