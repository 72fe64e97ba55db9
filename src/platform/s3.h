/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects in a bucket of S3-compatible storage, below one URL: https://HOST/BUCKET/PREFIX or
 * https://BUCKET.HOST/PREFIX, as the storage likes it.
 *
 * What is sent is signed with its SHA-256, so that the storage refuses what arrives damaged.
 * Whatever the storage says or doesn't, it fails with UNAVAILABLE and the storage's own words; only
 * what isn't there is NOT_FOUND. Any thread may call.
 */
#ifndef PLATFORM_S3_H
#define PLATFORM_S3_H

#include "base/secret.h"
#include "http/call.h"

#include <stdint.h>

struct clock;
struct err;
struct s3;

struct s3_options {
	const char *url, *region;
	const char *ca_file;          /* PEM of accepted authorities; NULL: the system's */
	const char *credentials_file; /* NULL: those of the environment */
	const struct clock *clock;
	int64_t part_size; /* larger objects are sent in parts; 0: 1 GiB */
};

/*
 * Credentials are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN of the
 * environment, or the lines "aws_access_key_id = ..." and so on of a file as the AWS command line
 * has it. Fails with INVALID.
 */
int s3_new(const struct s3_options *options, struct s3 **ret_s3, struct err *e);
/* Every call fails from now on, and those under way soon. */
void s3_end(struct s3 *s3);
void s3_free(struct s3 *s3); /* after its last call */

/* A key is a path: "a/b". The object is the whole of the file fd, read from wherever it stands. */
struct s3_object {
	int64_t size;
	char sha256[SECRET_HASH_SIZE];
};

/* Succeeds when the storage has it, and says that it has so many bytes. */
int s3_put(struct s3 *s3, const char *key, int fd, struct s3_object *ret_object, struct err *e);

/* What the sink says ends it. Fails with NOT_FOUND, and at the end when it isn't what was put. */
int s3_get(struct s3 *s3, const char *key, const struct s3_object *object, http_sink *sink,
	   void *cookie, struct err *e);

/* Fails with NOT_FOUND. */
int s3_stat(struct s3 *s3, const char *key, int64_t *ret_size, struct err *e);

/* Fine when it isn't there. */
int s3_delete(struct s3 *s3, const char *key, struct err *e);

#endif
