/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/err.h"
#include "base/own.h"
#include "base/secret.h"
#include "platform/s3.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/*
 * s3-parts URL FILE: puts a file in parts of 5 MiB, the least that S3 takes, prints what came back
 * of it, and deletes it.
 */

enum { PART_SIZE = 5 << 20 };

static const char key[] = "a folder/of two words, and a+b.txt";

static int print(void *cookie, const void *bytes, size_t len, struct err *e)
{
	(void)cookie;
	return fwrite(bytes, 1, len, stdout) == len ? 0 : err_set(e, ERR_INTERNAL, "no output");
}

static int put_and_get(struct s3 *s3, const char *path, struct err *e)
{
	AUTO(int, closep) fd = open(path, O_RDONLY | O_CLOEXEC);
	struct s3_object object;
	int r = s3_put(s3, key, fd, &object, e);

	if (r == 0)
		r = s3_get(s3, key, &object, print, NULL, e);
	if (r == 0)
		r = s3_delete(s3, key, e);
	if (r < 0)
		return r;
	r = s3_get(s3, key, &object, print, NULL, e);
	return r == -ERR_NOT_FOUND ? 0 : err_set(e, ERR_INTERNAL, "'%s' is still there", key);
}

int main(int argc, char **argv)
{
	const struct s3_options options = { .url = argc > 1 ? argv[1] : "",
					    .region = "test-1",
					    .clock = &clock_real,
					    .part_size = PART_SIZE };
	struct err e = ERR_INIT;
	struct s3 *s3 = NULL;
	int r = secret_init(&e);

	if (r == 0)
		r = s3_new(&options, &s3, &e);
	if (r == 0)
		r = put_and_get(s3, argc > 2 ? argv[2] : "", &e);
	if (r < 0)
		fprintf(stderr, "s3-parts: %s\n", e.msg);
	s3_free(s3);
	return r < 0;
}
